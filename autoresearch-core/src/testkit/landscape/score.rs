//! Scores of sets of edits, each reached from the nearest of the last few.

use super::draw::{Normals, fixed};
use super::interactions::Interactions;
use super::measured;
use super::merge::{Edits, differences, insert};
use super::noise::Identity;
use super::stream::Stream;
use std::sync::{Arc, Mutex, PoisonError};

/// How many candidates are remembered.
const REMEMBERED: usize = 4;

/// A candidate with its score. All sums are exact, so the way to it leaves no trace.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Scored {
    pub(super) edits: Edits,
    pub(super) gain: i64,
    pub(super) bias: [i64; 2],
    pub(super) identity: Identity,
}

#[derive(Debug)]
pub(super) struct Scores {
    pub(super) stream: Arc<Stream>,
    pub(super) interactions: Interactions,
    seed: u64,
    normals: Normals,
    recent: Mutex<Vec<Scored>>,
}

impl Scores {
    pub(super) fn new(seed: u64, stream: Arc<Stream>, interactions: Interactions) -> Self {
        Self { stream, interactions, seed, normals: Normals::new(), recent: Mutex::default() }
    }

    /// Hands the score of a candidate to `read`.
    pub(super) fn with<T>(&self, edits: &Edits, read: impl FnOnce(&Scored) -> T) -> T {
        // A score is replaced as a whole, so what a panic has left behind is sound.
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = recent.iter().position(|scored| scored.edits == *edits) {
            recent[..=place].rotate_right(1);
            return read(&recent[0]);
        }
        let distance = |scored: &Scored| {
            let (a, b) = differences(&scored.edits, edits);
            a.len() + b.len()
        };
        let nearest = recent.iter().map(|scored| (distance(scored), scored)).min_by_key(|(d, _)| *d);
        let mut scored = match nearest {
            Some((distance, scored)) if distance < edits.len() => scored.clone(),
            _ => Scored::default(),
        };
        self.move_to(&mut scored, edits);
        recent.truncate(REMEMBERED - 1);
        recent.insert(0, scored);
        read(&recent[0])
    }

    fn move_to(&self, scored: &mut Scored, edits: &Edits) {
        let (removed, added) = differences(&scored.edits, edits);
        for edit in removed {
            scored.edits.retain(|e| *e != edit);
            self.step(scored, edit, -1);
        }
        for edit in added {
            self.step(scored, edit, 1);
            insert(&mut scored.edits, edit);
        }
    }

    /// Counts an edit that is not in the list, as added (1) or removed (-1).
    fn step(&self, scored: &mut Scored, edit: u32, sign: i64) {
        let facts = self.stream.edit(edit);
        scored.gain += sign * self.worth(&scored.edits, edit);
        for (sum, bias) in scored.bias.iter_mut().zip(facts.bias) {
            *sum += sign * bias;
        }
        scored.identity.toggle(edit, facts.touches, sign > 0);
    }

    /// What an edit adds to a set that lacks it.
    pub(super) fn worth(&self, others: &[u32], edit: u32) -> i64 {
        let facts = self.stream.edit(edit);
        let mut worth = facts.effect;
        let has = |other: u32| others.binary_search(&other).is_ok();
        if let Some(twin) = facts.twin
            && has(twin)
        {
            worth -= facts.effect.min(self.stream.edit(twin).effect) + fixed(self.interactions.price());
        }
        if let Some(mechanism) = facts.mechanism {
            let members = &self.stream.block(edit).mechanisms[mechanism];
            let present = |with: bool| {
                let member = |m: &&u32| if **m == edit { with } else { has(**m) };
                members.iter().filter(member).map(|m| self.stream.edit(*m).effect).collect::<Vec<_>>()
            };
            let together = |with| measured::mechanism(present(with).into_iter());
            worth += together(true) - together(false) - facts.effect;
        }
        let takes_part = |edit| self.interactions.takes_part(self.stream.effect(edit));
        if takes_part(edit) {
            let partners = others.iter().filter(|other| takes_part(**other));
            let term = |other: &u32| fixed(self.interactions.term(self.normals, self.seed, edit, *other));
            worth += partners.map(term).sum::<i64>();
        }
        worth
    }
}

#[cfg(test)]
mod tests {
    use super::super::mixture::Mixture;
    use super::*;

    fn scores(mixture: Mixture, interactions: Interactions) -> Scores {
        Scores::new(3, Arc::new(Stream::new(3, mixture, 0.3, interactions.twins())), interactions)
    }

    #[test]
    fn the_way_to_a_candidate_leaves_no_trace() {
        let worlds = [
            (Mixture::Mixed, Interactions::DenseNonzero),
            (Mixture::Mixed, Interactions::Sparse),
            (Mixture::Neutral, Interactions::Clash),
            (Mixture::Measured, Interactions::Tau(0.25)),
        ];
        for (mixture, interactions) in worlds {
            let walked = scores(mixture, interactions);
            let mut edits = Edits::new();
            for i in 0..250u32 {
                let edit = i.wrapping_mul(2_654_435_761) % 150;
                match edits.binary_search(&edit) {
                    Ok(place) => drop(edits.remove(place)),
                    Err(place) => edits.insert(place, edit),
                }
                let fresh = Scores::new(3, Arc::clone(&walked.stream), interactions);
                let at_once = fresh.with(&edits, Scored::clone);
                assert_eq!(walked.with(&edits, Scored::clone), at_once, "{mixture:?} {interactions:?}");
            }
        }
    }

    #[test]
    fn twins_do_what_the_better_one_does() {
        for (interactions, price) in [(Interactions::Redundant, 0.0), (Interactions::Clash, 1.0)] {
            let scores = scores(Mixture::Mixed, interactions);
            let stream = &scores.stream;
            let (a, b) = (0..700).find_map(|a| Some((a, stream.edit(a).twin?))).expect("a pair of twins");
            let mut both = vec![a, b];
            both.sort_unstable();
            let gain = scores.with(&both, |s| s.gain);
            assert_eq!(gain, stream.edit(a).effect.max(stream.edit(b).effect) - fixed(price));
        }
    }

    #[test]
    fn a_mechanism_saturates() {
        let scores = scores(Mixture::Measured, Interactions::None);
        let members = &scores.stream.block(0).mechanisms[0];
        let mut all = members.clone();
        all.sort_unstable();
        let effect = |i: usize| scores.stream.edit(members[i]).effect as f64;
        let expected = effect(0) + 0.55 * effect(1) + 0.10 * effect(2);
        assert!((scores.with(&all, |s| s.gain) as f64 - expected).abs() < 10.0);
    }
}
