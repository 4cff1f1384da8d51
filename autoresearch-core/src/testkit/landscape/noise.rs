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
    /// Gaussian, with a standard deviation of its own for every candidate, log-uniform between 1/1.6 and 1.6.
    Hetero,
    /// As measured: equal seeds correlate, a candidate's standard deviation is U(.75, 1.2), 2 % of the runs look 3
    /// better than they are, and 42 % of the variance are the split's own.
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
            Self::Hetero => 1.6f64.powf(2.0 * uniform(mix(own, 6)) - 1.0) * gaussian(run),
            Self::Measured => {
                let part = |(m, part): (usize, &u64)| {
                    let hash = mix(mix(mix(world, seed), m as u64), *part);
                    let private = mix(hash, 7 + split as u64);
                    (1.0 - PRIVATE).sqrt() * gaussian(hash) + PRIVATE.sqrt() * gaussian(private)
                };
                let sum: f64 = of.parts.iter().enumerate().map(part).sum();
                let sd = 0.75 + 0.45 * uniform(mix(own, 6));
                let outlier = if uniform(mix(run, 8)) < 0.02 { -3.0 } else { 0.0 };
                sd * sum / (FEATURES as f64).sqrt() + outlier
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(edits: impl IntoIterator<Item = (u32, u16)>) -> Identity {
        let mut identity = Identity::default();
        edits.into_iter().for_each(|(edit, touches)| identity.toggle(edit, touches, true));
        identity
    }

    /// Means, variances and covariance of two sequences.
    fn moments(n: u64, draw: impl Fn(u64) -> (f64, f64)) -> (f64, f64, f64, f64) {
        let draws: Vec<(f64, f64)> = (0..n).map(draw).collect();
        let mean = |f: fn(&(f64, f64)) -> f64| draws.iter().map(f).sum::<f64>() / n as f64;
        let (a, b) = (mean(|d| d.0), mean(|d| d.1));
        let (va, vb) = (mean(|d| d.0 * d.0) - a * a, mean(|d| d.1 * d.1) - b * b);
        (a, va, vb, mean(|d| d.0 * d.1) - a * b)
    }

    #[test]
    fn runs_have_variance_1_and_seeds_mean_nothing() {
        let (one, two) = (identity([(1, 0)]), identity([(2, 0)]));
        let draw = |of: &Identity, seed| Noise::Gaussian.draw(5, of, seed, 0);
        let (mean, variance, _, covariance) = moments(100_000, |seed| (draw(&one, seed), draw(&two, seed)));
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02 && covariance.abs() < 0.02);
        assert_eq!(draw(&one, 3), draw(&one, 3));
        assert_eq!(draw(&one, 3), Noise::Gaussian.draw(5, &one, 3, 1), "the same run on the holdout");
    }

    /// The variance of outliers: .02·.98·9. Each candidate has its own.
    const OUTLIERS: f64 = 0.176;

    /// Two candidates share the parts of training that the edits between them leave alone.
    #[test]
    fn equal_seeds_correlate_as_the_edits_between_say() {
        let parent = identity([(1, 0x00F0)]);
        for (touches, rho) in [(0x0000, 1.0), (0x0007, 13.0 / 16.0), (0x00FF, 0.5), (0xFFFF, 0.0)] {
            let child = identity([(1, 0x00F0), (2, touches)]);
            let draw = |of: &Identity, seed| Noise::Measured.draw(5, of, seed, 0);
            let (_, va, vb, covariance) = moments(20_000, |seed| (draw(&parent, seed), draw(&child, seed)));
            let seen = covariance / ((va - OUTLIERS) * (vb - OUTLIERS)).sqrt();
            assert!((seen - rho).abs() < 0.03, "{seen} for {rho}");
        }
    }

    #[test]
    fn a_part_of_the_noise_is_the_split_s_own() {
        let of = identity([(1, 0x00F0)]);
        let draw = |seed, split| Noise::Measured.draw(5, &of, seed, split);
        let (_, va, vb, covariance) = moments(20_000, |seed| (draw(seed, 0), draw(seed, 1)));
        let expected = |variance| OUTLIERS + (1.0 - PRIVATE) * (variance - OUTLIERS);
        assert!((covariance - expected(va)).abs() < 0.04 && (va - vb).abs() < 0.04, "{va} {vb} {covariance}");
    }

    #[test]
    fn standard_deviations_of_candidates() {
        let spread = |noise: Noise, edit| {
            let of = identity([(edit, 0xFFFF)]);
            let (_, variance, ..) = moments(2_000, |seed| (noise.draw(5, &of, seed, 0), 0.0));
            variance.sqrt()
        };
        let sds: Vec<f64> = (0..100).map(|edit| spread(Noise::Hetero, edit)).collect();
        let (least, most) = sds.iter().fold((9.0f64, 0.0f64), |(a, b), x| (a.min(*x), b.max(*x)));
        assert!(least > 0.58 && least < 0.72 && most < 1.72 && most > 1.42, "{least} {most}");
    }
}
