//! Sets of edits, and how they merge.

use super::draw::{pair, uniform};
use super::stream::Stream;
use crate::compose::{Change, Compose, Conflict};
use crate::state::mix;
use std::sync::Arc;

/// A candidate: the edits that are in it, sorted.
pub type Edits = Vec<u32>;

/// Which edits cannot be merged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Clashes {
    None,
    /// Each pair with this probability.
    Random(f64),
    /// Those that change the same lines, of so many.
    Lines(u32),
}

/// The lines that an edit changes, from the first to before the last: 1 to 20 of them, short ones more often.
pub(super) fn lines(seed: u64, edit: u32, all: u32) -> (u32, u32) {
    let hash = mix(mix(seed, 21), u64::from(edit));
    let length = (1 + (20.0 * uniform(mix(hash, 1)).powi(2)) as u32).min(all);
    let first = (f64::from(all - length + 1) * uniform(mix(hash, 2))) as u32;
    (first, first + length)
}

/// Merges edits as sets; a change meets what has changed since it was made, and the two may clash.
#[derive(Debug, Clone)]
pub(super) struct EditMerge {
    pub(super) seed: u64,
    pub(super) clashes: Clashes,
    /// Where edits take slots.
    pub(super) slots: Option<Arc<Stream>>,
}

impl EditMerge {
    pub(super) fn clash(&self, a: u32, b: u32) -> bool {
        if a == b {
            return false;
        }
        let textual = match self.clashes {
            Clashes::None => false,
            Clashes::Random(share) => uniform(pair(mix(self.seed, 22), a, b)) < share,
            Clashes::Lines(all) => {
                let (a, b) = (lines(self.seed, a, all), lines(self.seed, b, all));
                a.0 < b.1 && b.0 < a.1
            }
        };
        let slot = |edit| self.slots.as_ref().and_then(|stream| stream.edit(edit).slot);
        textual || slot(a).is_some() && slot(a) == slot(b)
    }
}

/// What is in one of two sorted sets and not in both.
pub(super) fn differences(a: &[u32], b: &[u32]) -> (Edits, Edits) {
    let (mut only_a, mut only_b) = (Edits::new(), Edits::new());
    // One has mostly grown out of the other: what they begin with is the same.
    let same = if b.starts_with(a) || a.starts_with(b) {
        a.len().min(b.len())
    } else {
        a.iter().zip(b).take_while(|(x, y)| x == y).count()
    };
    let (mut i, mut j) = (same, same);
    while i < a.len() || j < b.len() {
        match (a.get(i), b.get(j)) {
            (Some(x), Some(y)) if x == y => (i, j) = (i + 1, j + 1),
            (Some(x), y) if y.is_none_or(|y| x < y) => {
                only_a.push(*x);
                i += 1;
            }
            (_, y) => {
                only_b.extend(y);
                j += 1;
            }
        }
    }
    (only_a, only_b)
}

/// Puts an edit into a sorted set.
pub(super) fn insert(edits: &mut Edits, edit: u32) {
    if let Err(place) = edits.binary_search(&edit) {
        edits.insert(place, edit);
    }
}

/// Merges edits as sets: any two are compatible.
#[derive(Debug, Clone, Copy, Default)]
pub struct UnionOfEdits;

impl Compose<Edits> for UnionOfEdits {
    fn apply(&self, base: &Edits, parent: &Edits, edited: &Edits) -> Result<Edits, Conflict> {
        let (removed, added) = differences(parent, edited);
        let mut merged = base.clone();
        if !removed.is_empty() {
            merged.retain(|edit| removed.binary_search(edit).is_err());
        }
        added.iter().for_each(|edit| insert(&mut merged, *edit));
        Ok(merged)
    }

    fn needs(&self, _later: Change<'_, Edits>, _earlier: Change<'_, Edits>) -> bool {
        false
    }
}

impl Compose<Edits> for EditMerge {
    fn apply(&self, base: &Edits, parent: &Edits, edited: &Edits) -> Result<Edits, Conflict> {
        let (removed, added) = differences(parent, edited);
        if self.clashes != Clashes::None || self.slots.is_some() {
            let (lacking, new) = differences(parent, base);
            let since = || lacking.iter().chain(&new);
            for change in removed.iter().chain(&added) {
                if let Some(other) = since().find(|other| self.clash(*change, **other)) {
                    let reason = format!("it meets edit {other}");
                    return Err(Conflict { place: format!("edit {change}"), reason });
                }
            }
        }
        UnionOfEdits.apply(base, parent, edited)
    }

    fn needs(&self, later: Change<'_, Edits>, earlier: Change<'_, Edits>) -> bool {
        if self.clashes == Clashes::None && self.slots.is_none() {
            return false;
        }
        let touched = |change: &Change<'_, Edits>| {
            let (removed, added) = differences(change.parent, change.edited);
            removed.into_iter().chain(added).collect::<Edits>()
        };
        let (later, earlier) = (touched(&later), touched(&earlier));
        later.iter().any(|a| earlier.iter().any(|b| a == b || self.clash(*a, *b)))
    }

    fn coverage(&self, incumbent: &Edits, stack: &Edits) -> Option<f64> {
        let Clashes::Lines(all) = self.clashes else { return None };
        let mut covered = vec![false; all as usize];
        for edit in differences(incumbent, stack).1 {
            let (first, end) = lines(self.seed, edit, all);
            covered[first as usize..end as usize].iter_mut().for_each(|line| *line = true);
        }
        Some(covered.iter().filter(|line| **line).count() as f64 / f64::from(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merge(clashes: Clashes) -> EditMerge {
        EditMerge { seed: 4, clashes, slots: None }
    }

    fn overlapping(merge: &EditMerge) -> (u32, u32) {
        let pairs = (0..40).flat_map(|a| (a + 1..40).map(move |b| (a, b)));
        pairs.into_iter().find(|(a, b)| merge.clash(*a, *b)).expect("a pair that overlaps")
    }

    #[test]
    fn laws() {
        for clashes in [Clashes::None, Clashes::Random(0.2), Clashes::Lines(300)] {
            let merge = merge(clashes);
            let (base, parent, edited): (Edits, Edits, Edits) = (vec![1, 5], vec![1, 2], vec![1, 2, 7]);
            assert_eq!(merge.apply(&parent, &parent, &edited), Ok(edited.clone()));
            assert_eq!(merge.apply(&base, &parent, &parent), Ok(base.clone()));
        }
        let plain = merge(Clashes::None);
        assert_eq!(plain.apply(&vec![1, 5], &vec![1, 2], &vec![1, 2, 3]), Ok(vec![1, 3, 5]));
        assert_eq!(plain.apply(&vec![1, 2, 5], &vec![1, 2], &vec![2]), Ok(vec![2, 5]));
    }

    /// An edit on top of one that it overlaps cannot be had without it, in either order of asking.
    #[test]
    fn overlapping_edits_build_on_one_another() {
        let merge = merge(Clashes::Lines(100));
        let (a, b) = overlapping(&merge);
        assert_eq!(merge.apply(&vec![a], &vec![a], &vec![a, b]), Ok(vec![a, b]));
        assert!(merge.apply(&vec![], &vec![a], &vec![a, b]).is_err(), "without the one below");
        assert!(merge.apply(&vec![a], &vec![], &vec![b]).is_err(), "both made on the same text");
        assert!(merge.apply(&vec![a, b], &vec![a], &vec![]).is_err(), "taking the lower one back");
    }

    #[test]
    fn conflicts_come_as_often_as_asked_for() {
        let merge = merge(Clashes::Random(0.2));
        let pairs: Vec<_> = (0..200).flat_map(|a| (a + 1..200).map(move |b| (a, b))).collect();
        let share = pairs.iter().filter(|(a, b)| merge.clash(*a, *b)).count() as f64 / pairs.len() as f64;
        assert!((share - 0.2).abs() < 0.015, "{share}");
        assert!(pairs.iter().all(|(a, b)| merge.clash(*a, *b) == merge.clash(*b, *a)));
    }

    #[test]
    fn lines_are_within_the_file() {
        for edit in 0..1000 {
            let (first, last) = lines(1, edit, 300);
            assert!(first < last && last <= 300 && last - first <= 20);
        }
    }
}
