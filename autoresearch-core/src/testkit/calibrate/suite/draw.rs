//! The random numbers of one repetition.

use super::Noise;
use crate::state::mix;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::f64::consts::TAU;

/// How far the standard deviations of candidates go under [`Noise::Hetero`].
const SPREAD: f64 = 1.6;

/// The random numbers of one repetition.
pub(super) struct Draw {
    pub(super) seed: u64,
    noise: Noise,
    rng: ChaCha8Rng,
}

impl Draw {
    pub(super) fn new(noise: Noise, seed: u64) -> Self {
        Self { seed, noise, rng: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// Uniform in [0, 1).
    pub(super) fn uniform(&mut self) -> f64 {
        self.rng.random()
    }

    /// A seed for something else.
    pub(super) fn other(&mut self) -> u64 {
        self.rng.random()
    }

    /// Standard normal (Box & Muller 1958).
    pub(super) fn gaussian(&mut self) -> f64 {
        let (u, v) = (1.0 - self.uniform(), self.uniform());
        (-2.0 * u.ln()).sqrt() * (TAU * v).cos()
    }

    /// The noise of a run of the incumbent, with standard deviation 1.
    pub(super) fn run(&mut self) -> f64 {
        let z = self.gaussian();
        if self.noise != Noise::T4 {
            return z;
        }
        // Chi-squared with 4 degrees of freedom from two exponentials; a t4 has variance 2.
        let (u, v) = (1.0 - self.uniform(), 1.0 - self.uniform());
        z / (-(u.ln() + v.ln())).sqrt()
    }

    pub(super) fn runs(&mut self, n: usize) -> Vec<f64> {
        (0..n).map(|_| self.run()).collect()
    }

    /// The noise of a run of a candidate, which under [`Noise::Hetero`] has a standard deviation of its own:
    /// log-uniform between 1/1.6 and 1.6.
    pub(super) fn run_of(&mut self, candidate: u64) -> f64 {
        self.sd(candidate) * self.run()
    }

    fn sd(&self, candidate: u64) -> f64 {
        if self.noise != Noise::Hetero {
            return 1.0;
        }
        let uniform = (mix(self.seed, candidate) >> 11) as f64 / (1u64 << 53) as f64;
        SPREAD.powf(2.0 * uniform - 1.0)
    }

    pub(super) fn runs_of(&mut self, candidate: u64, n: usize) -> Vec<f64> {
        (0..n).map(|_| self.run_of(candidate)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_have_variance_1() {
        for noise in [Noise::Gaussian, Noise::T4] {
            let runs = Draw::new(noise, 3).runs(200_000);
            let variance = runs.iter().map(|x| x * x).sum::<f64>() / runs.len() as f64;
            assert!((variance - 1.0).abs() < 0.05, "{noise:?}: {variance}");
        }
        let draw = Draw::new(Noise::Hetero, 3);
        assert!((0..1000).map(|i| draw.sd(i)).all(|sd| (0.625..1.6).contains(&sd)));
    }
}
