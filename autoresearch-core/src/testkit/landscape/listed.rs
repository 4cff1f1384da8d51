//! The plainest world: edits with these effects, which add up.

use super::draw::gaussian;
use super::merge::{Edits, UnionOfEdits, insert};
use super::noise::{Identity, Noise};
use super::world::{Merit, World};
use crate::compose::Compose;
use crate::state::mix;
use std::sync::Arc;

/// A stream of edits whose effects are given, in the standard deviation of one run, and add up. Any two compose.
///
/// ```
/// use autoresearch_core::testkit::landscape::{Listed, Rules, simulate};
/// use autoresearch_core::Guarded;
/// let world = Listed::new(vec![0.0, 4.0, -1.0, 5.0], 7);
/// let played = simulate(&world, Guarded::new().horizon(4), &Rules::stream(4))?;
/// assert_eq!((played.merit.edits, played.merit.junk), (2, 0));
/// # Ok::<(), autoresearch_core::StateError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Listed {
    effects: Vec<f64>,
    seed: u64,
    noise: Noise,
    correlation: f64,
}

impl Listed {
    /// Edits with these effects; `seed` seeds the noise, which is Gaussian and differs for every candidate.
    pub fn new(effects: Vec<f64>, seed: u64) -> Self {
        Self { effects, seed, noise: Noise::Gaussian, correlation: 0.0 }
    }

    /// The distribution of run noise.
    #[must_use]
    pub fn noise(mut self, noise: Noise) -> Self {
        self.noise = noise;
        self
    }

    /// How much runs on equal seeds correlate, between 0 and 1, whatever their candidates.
    #[must_use]
    pub fn seed_correlation(mut self, rho: f64) -> Self {
        self.correlation = rho.clamp(0.0, 1.0);
        self
    }

    /// How many edits there are.
    pub fn len(&self) -> usize {
        self.effects.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.effects.is_empty()
    }

    fn effect(&self, edit: u32) -> f64 {
        self.effects.get(edit as usize).copied().unwrap_or(0.0)
    }
}

impl World for Listed {
    type Candidate = Edits;

    fn baseline(&self) -> Edits {
        Edits::new()
    }

    fn propose(&self, index: u32, on: &Edits) -> Edits {
        let mut edited = on.clone();
        insert(&mut edited, index);
        edited
    }

    fn loss(&self, candidate: &Edits, seed: u64, split: usize) -> f64 {
        let whole = candidate.iter().fold(17, |hash, edit| mix(hash, u64::from(*edit)));
        let own = self.noise.draw(self.seed, &Identity { whole, ..Identity::default() }, seed, split);
        let shared = match self.noise {
            Noise::Gaussian => gaussian(mix(mix(self.seed, 41), seed)),
            noise => noise.draw(mix(self.seed, 41), &Identity::default(), seed, split),
        };
        let rho = self.correlation;
        rho.sqrt() * shared + (1.0 - rho).sqrt() * own - self.gain(candidate)
    }

    fn composer(&self) -> Arc<dyn Compose<Edits>> {
        Arc::new(UnionOfEdits)
    }

    fn gain(&self, candidate: &Edits) -> f64 {
        candidate.iter().map(|edit| self.effect(*edit)).sum()
    }

    fn ideal(&self, proposals: u64) -> f64 {
        self.effects.iter().take(proposals as usize).filter(|effect| **effect > 0.0).sum()
    }

    fn judge(&self, candidate: &Edits) -> Merit {
        let count = |below: f64| candidate.iter().filter(|edit| self.effect(**edit) <= below).count();
        let (edits, junk) = (candidate.len(), count(0.0));
        Merit { edits, junk, weak: count(0.25), units: edits, junk_units: junk }
    }

    fn split_error(&self) -> Option<f64> {
        None
    }
}
