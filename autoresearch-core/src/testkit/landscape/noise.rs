//! The noise of single runs.

use super::draw::{gaussian, t4, uniform};
use crate::state::mix;

/// The noise of single runs, with standard deviation 1 on average.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Noise {
    /// Gaussian.
    Gaussian,
    /// Student t with 4 degrees of freedom, scaled to standard deviation 1.
    T4,
    /// Gaussian, with a standard deviation of its own for every candidate, log-uniform between .5 and 2.
    Hetero,
    /// As measured: equal seeds correlate, a candidate's standard deviation is U(.75, 1.2), 2 % of the runs are 3
    /// worse, and 42 % of the variance are the split's own.
    Measured,
}

/// How many parts of training have random numbers of their own.
pub(super) const FEATURES: usize = 16;

/// What the noise depends on of a candidate.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Identity {
    /// Of the whole candidate.
    pub(super) whole: u64,
    /// For each part of training, of the edits that touch it.
    pub(super) parts: [u64; FEATURES],
}

impl Identity {
    /// Adds an edit, or takes it away.
    pub(super) fn toggle(&mut self, edit: u32, touches: u16, present: bool) {
        let hash = mix(11, u64::from(edit));
        let step =
            |sum: &mut u64| *sum = if present { sum.wrapping_add(hash) } else { sum.wrapping_sub(hash) };
        step(&mut self.whole);
        for (m, part) in self.parts.iter_mut().enumerate() {
            if touches >> m & 1 == 1 {
                step(part);
            }
        }
    }
}

const PRIVATE: f64 = 0.42;

impl Noise {
    /// What the noise adds to a loss.
    pub(super) fn draw(self, world: u64, of: &Identity, seed: u64, split: usize) -> f64 {
        let own = mix(world, of.whole);
        let run = mix(own, seed);
        match self {
            Self::Gaussian => gaussian(run),
            Self::T4 => t4(run),
            Self::Hetero => HETERO.powf(2.0 * uniform(mix(own, 6)) - 1.0) * gaussian(run),
            Self::Measured => {
                let part = |(m, part): (usize, &u64)| {
                    let hash = mix(mix(mix(world, seed), m as u64), *part);
                    let private = mix(hash, 7 + split as u64);
                    (1.0 - PRIVATE).sqrt() * gaussian(hash) + PRIVATE.sqrt() * gaussian(private)
                };
                let sum: f64 = of.parts.iter().enumerate().map(part).sum();
                let sd = 0.75 + 0.45 * uniform(mix(own, 6));
                let outlier = if uniform(mix(run, 8)) < 0.02 { 3.0 } else { 0.0 };
                sd * sum / (FEATURES as f64).sqrt() + outlier
            }
        }
    }
}

const HETERO: f64 = 2.0;
