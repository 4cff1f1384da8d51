//! The worlds of edits: a stream of them, in or out.

use super::draw::float;
use super::interactions::Interactions;
use super::measured::{HOLDOUT_SLOPE, NEGLIGIBLE};
use super::merge::{Clashes, EditMerge, Edits, insert};
use super::mixture::Mixture;
use super::noise::Noise;
use super::score::Scores;
use super::stream::{HOLDOUT, Stream};
use super::world::{Merit, World};
use crate::compose::Compose;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// A stream of edits with known effects.
///
/// A run's loss is minus the sum of its edits' effects and what they do together, plus run noise (the same on both
/// splits), plus a bias for each edit on each split: the validation split's has the standard deviation that
/// [`split_noise`](Self::split_noise) says, the holdout's a √11th of that, as if it had 11 times the documents.
///
/// ```
/// use autoresearch_core::testkit::landscape::{Landscape, Mixture, Rules, simulate};
/// use autoresearch_core::Greedy;
/// let world = Landscape::new(Mixture::Mixed, 7).split_noise(0.3);
/// let played = simulate(&world, Greedy::new(), &Rules::stream(700))?;
/// assert_eq!(played.runs, 701);
/// assert!(played.true_gain < played.ideal_gain);
/// # Ok::<(), autoresearch_core::StateError>(())
/// ```
#[derive(Debug)]
pub struct Landscape {
    seed: u64,
    mixture: Mixture,
    split: f64,
    noise: Noise,
    interactions: Interactions,
    clashes: Clashes,
    made: OnceLock<Scores>,
}

impl Landscape {
    /// A world of this kind of edits: no split noise, Gaussian run noise, no interactions. [`Mixture::Measured`] brings
    /// noise and split noise of its own.
    pub fn new(mixture: Mixture, seed: u64) -> Self {
        let noise = if mixture == Mixture::Measured { Noise::Measured } else { Noise::Gaussian };
        let (split, interactions, clashes) = (0.0, Interactions::None, Clashes::None);
        Self { seed, mixture, split, noise, interactions, clashes, made: OnceLock::new() }
    }

    /// The standard deviation of an edit's bias on the validation split.
    #[must_use]
    pub fn split_noise(mut self, sd: f64) -> Self {
        self.split = sd;
        self
    }

    /// The distribution of run noise.
    #[must_use]
    pub fn noise(mut self, noise: Noise) -> Self {
        self.noise = noise;
        self
    }

    /// How edits change one another's effects.
    #[must_use]
    pub fn interactions(mut self, interactions: Interactions) -> Self {
        self.interactions = interactions;
        self
    }

    /// Two edits cannot be merged with this probability; each can be made on top of the other.
    #[must_use]
    pub fn conflicts(mut self, share: f64) -> Self {
        self.clashes = if share > 0.0 { Clashes::Random(share) } else { Clashes::None };
        self
    }

    /// The edits change a file of so many lines, and those that overlap build on one another.
    #[must_use]
    pub fn file(mut self, lines: u32) -> Self {
        self.clashes = Clashes::Lines(lines);
        self
    }

    /// The true effect of an edit, alone on the baseline.
    pub fn effect(&self, edit: u32) -> f64 {
        self.scores().stream.effect(edit)
    }

    fn scores(&self) -> &Scores {
        self.made.get_or_init(|| {
            let stream = Stream::new(self.seed, self.mixture, self.split, self.interactions.twins());
            Scores::new(self.seed, Arc::new(stream), self.interactions)
        })
    }

    fn merge(&self) -> EditMerge {
        let slots = (self.mixture == Mixture::Measured).then(|| Arc::clone(&self.scores().stream));
        EditMerge { seed: self.seed, clashes: self.clashes, slots }
    }

    /// What can only be switched together: connected groups of edits that change the same lines.
    fn groups(&self, edits: &Edits) -> Vec<Edits> {
        let mut groups: Vec<Edits> = Vec::new();
        let Clashes::Lines(_) = self.clashes else { return edits.iter().map(|e| vec![*e]).collect() };
        let merge = self.merge();
        for &edit in edits {
            let (joined, mut apart): (Vec<Edits>, Vec<Edits>) =
                groups.into_iter().partition(|group| group.iter().any(|other| merge.clash(edit, *other)));
            apart.push(joined.into_iter().flatten().chain([edit]).collect());
            groups = apart;
        }
        groups
    }
}

impl World for Landscape {
    type Candidate = Edits;

    fn baseline(&self) -> Edits {
        Edits::new()
    }

    fn propose(&self, index: u32, on: &Edits) -> Edits {
        let stream = &self.scores().stream;
        let mut edited = on.clone();
        if let slot @ Some(_) = stream.edit(index).slot {
            edited.retain(|other| stream.edit(*other).slot != slot);
        }
        insert(&mut edited, index);
        edited
    }

    /// One of several alternatives takes another one out.
    fn is_one_change(&self, index: u32) -> bool {
        self.scores().stream.edit(index).slot.is_none()
    }

    fn loss(&self, candidate: &Edits, seed: u64, split: usize) -> f64 {
        let slope = if self.mixture == Mixture::Measured && split == 1 { HOLDOUT_SLOPE } else { 1.0 };
        self.scores().with(candidate, |scored| {
            let noise = self.noise.draw(self.seed, &scored.identity, seed, split);
            noise - slope * float(scored.gain) - float(scored.bias[split.min(1)])
        })
    }

    fn composer(&self) -> Arc<dyn Compose<Edits>> {
        Arc::new(self.merge())
    }

    fn gain(&self, candidate: &Edits) -> f64 {
        self.scores().with(candidate, |scored| float(scored.gain))
    }

    /// Interactions other than twins and mechanisms are left out of account.
    fn ideal(&self, proposals: u64) -> f64 {
        let scores = self.scores();
        let mut good = Edits::new();
        let mut slots: BTreeMap<u32, (i64, u32)> = BTreeMap::new();
        for id in 0..proposals as u32 {
            let edit = scores.stream.edit(id);
            match edit.slot {
                _ if edit.effect <= 0 => {}
                None => good.push(id),
                Some(slot) => {
                    let best = slots.entry(slot).or_default();
                    *best = (*best).max((edit.effect, id));
                }
            }
        }
        slots.into_values().for_each(|(_, best)| insert(&mut good, best));
        let plain = if self.interactions.twins() { Interactions::Redundant } else { Interactions::None };
        let plain = Scores::new(self.seed, Arc::clone(&scores.stream), plain);
        plain.with(&good, |scored| float(scored.gain))
    }

    fn judge(&self, candidate: &Edits) -> Merit {
        let scores = self.scores();
        let whole = self.gain(candidate);
        let loses = |out: &[u32]| {
            let rest: Edits = candidate.iter().filter(|e| !out.contains(e)).copied().collect();
            match out {
                [edit] => float(scores.worth(&rest, *edit)),
                _ => whole - self.gain(&rest),
            }
        };
        let alone: Vec<f64> = candidate.iter().map(|edit| loses(&[*edit])).collect();
        let groups: Vec<f64> = self.groups(candidate).iter().map(|group| loses(group)).collect();
        let below = |losses: &[f64], x: f64| losses.iter().filter(|loss| **loss < x).count();
        let nothing = |losses: &[f64]| losses.len() - losses.iter().filter(|loss| **loss > 0.0).count();
        // Measured effects are never exactly nothing: there a negligible one counts as none.
        let junk = |losses: &[f64]| match self.mixture {
            Mixture::Measured => below(losses, NEGLIGIBLE),
            _ => nothing(losses),
        };
        Merit {
            edits: alone.len(),
            junk: junk(&alone),
            weak: below(&alone, NEGLIGIBLE),
            units: groups.len(),
            junk_units: junk(&groups),
        }
    }

    fn split_error(&self) -> Option<f64> {
        let sd =
            if self.mixture == Mixture::Measured { super::measured::split_noise(0.5) } else { self.split };
        (sd > 0.0).then(|| sd / HOLDOUT.sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ideal(mixture: Mixture, interactions: Interactions, proposals: u64) -> f64 {
        let world = |seed| Landscape::new(mixture, seed).interactions(interactions);
        (0..60).map(|seed| world(seed).ideal(proposals)).sum::<f64>() / 60.0
    }

    #[test]
    fn what_can_be_had() {
        let plain = Interactions::None;
        // 700 · .03 · 2, and the sum of .005 + .09·exp(−i/300) times 2.
        for (mixture, expected) in [
            (Mixture::Mixed, 42.0),
            (Mixture::Neutral, 42.0),
            (Mixture::Decaying, 55.8),
            (Mixture::AllNull, 0.0),
        ] {
            let ideal = ideal(mixture, plain, 700);
            assert!((ideal - expected).abs() < 3.5, "{mixture:?}: {ideal}");
        }
        // Twins: the better of two U(1, 3) is 2⅓ on average.
        let twins = ideal(Mixture::Mixed, Interactions::Redundant, 700);
        assert!((twins - 48.0).abs() < 4.0, "{twins}");
    }

    #[test]
    fn losses_are_functions_of_their_arguments() {
        let world = || Landscape::new(Mixture::Measured, 3).interactions(Interactions::Tau(0.25));
        let candidates: Vec<Edits> = (0..40).map(|i| (0..i).map(|e| e * 3).collect()).collect();
        let forth: Vec<f64> = {
            let world = world();
            candidates.iter().map(|c| world.loss(c, 9, 0)).collect()
        };
        let world = world();
        let back: Vec<f64> = candidates.iter().rev().map(|c| world.loss(c, 9, 0)).collect();
        assert!(forth.iter().eq(back.iter().rev()));
    }

    #[test]
    fn biases_are_as_stated() {
        let world = Landscape::new(Mixture::AllNull, 3).split_noise(0.3);
        let bias = |edit, split| world.scores().with(&vec![edit], |s| float(s.bias[split]));
        let sd = |split| ((0..5000).map(|e| f64::powi(bias(e, split), 2)).sum::<f64>() / 5000.0).sqrt();
        assert!((sd(0) - 0.3).abs() < 0.01 && (sd(1) - 0.3 / 11f64.sqrt()).abs() < 0.004);
    }

    #[test]
    fn alternatives_replace_one_another() {
        let world = Landscape::new(Mixture::Measured, 3);
        let stream = &world.scores().stream;
        let rivals: Edits = (0..700).filter(|e| stream.edit(*e).slot.is_some()).take(2).collect();
        assert_eq!(world.propose(rivals[1], &vec![rivals[0]]), vec![rivals[1]]);
        let merge = world.merge();
        assert!(merge.apply(&vec![rivals[0]], &vec![], &vec![rivals[1]]).is_err());
    }

    #[test]
    fn a_group_is_judged_together() {
        let world = Landscape::new(Mixture::Mixed, 3).file(60);
        let merit = world.judge(&(0..40).collect());
        assert!(merit.edits == 40 && merit.units < 10, "{merit:?}");
        let apart = Landscape::new(Mixture::Mixed, 3).judge(&(0..40).collect());
        assert_eq!((apart.units, apart.junk_units), (40, apart.junk));
        let junk = (0..40).filter(|e| world.effect(*e) <= 0.0).count();
        assert_eq!((merit.junk, apart.junk), (junk, junk));
    }
}
