//! The smallest effect that a number of runs can tell.

use super::f_quantile;
use crate::stats::{Sides, normal_quantile, power_paired_t};
use serde::{Deserialize, Serialize};

/// The power at which an effect counts as detectable.
pub(super) const POWER: f64 = 0.80;
/// Quantiles that stand for a whole distribution.
const POINTS: u32 = 21;

/// The smallest effect that so many runs on one proposal can tell.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Detectable {
    /// Runs on one proposal: half of them the proposal's, half the incumbent's.
    pub runs: u32,
    /// The gain that is found with probability .8, in the units of the objective.
    pub effect: f64,
    /// The same in standard deviations of one run.
    pub in_sigma: f64,
}

/// The noise of the difference of one pair of runs, as far as it is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct PairNoise {
    pub(super) sd: f64,
    /// Degrees of freedom of that estimate.
    pub(super) df: f64,
    /// How the variance spreads over edits; infinite: it does not.
    pub(super) spread_df: f64,
}

impl PairNoise {
    /// The effect that a paired t-test of `pairs` pairs at level `alpha` finds with probability .8, **on average** over
    /// what the estimate of the noise may be off by, and over edits. Plugging the estimate in would promise too much:
    /// with 8 runs .8 becomes about .74.
    ///
    /// With `sd² = v·u` and a true variance of `v·w` for the edit at hand, the effect `c·sd` is `c·sqrt(u/w)` of its
    /// standard deviations, and `u/w` is Fisher's F with `df` and `spread_df` degrees of freedom.
    pub(super) fn detectable(&self, pairs: u32, alpha: f64) -> f64 {
        let n = f64::from(pairs);
        let ratio =
            |i: u32| f_quantile((f64::from(i) + 0.5) / f64::from(POINTS), self.df, self.spread_df).sqrt();
        let ratios: Vec<f64> = (0..POINTS).map(ratio).collect();
        let power = |c: f64| {
            let one = |ratio: &f64| power_paired_t(c * ratio, n, alpha, Sides::One).unwrap_or(f64::NAN);
            ratios.iter().map(one).sum::<f64>() / f64::from(POINTS)
        };
        // In normal deviates the power is nearly a straight line, so that a few secants reach the root.
        let miss = |c: f64| normal_quantile(power(c).clamp(1e-15, 1.0 - 1e-15)) - normal_quantile(POWER);
        let mut c = (normal_quantile(POWER) - normal_quantile(alpha)) / n.sqrt();
        let (mut last, mut at_last) = (0.5 * c, miss(0.5 * c));
        for _ in 0..60 {
            let at = miss(c);
            let slope = (at - at_last) / (c - last);
            (last, at_last) = (c, at);
            // Where it is flat a secant would overshoot.
            c = if slope > 0.0 { (c - at / slope).clamp(0.5 * c, 2.0 * c) } else { 2.0 * c };
            if (c - last).abs() < 1e-4 * c {
                break;
            }
        }
        c * self.sd
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::chi_square_quantile;

    /// With noise that is known, the textbook's answer: by R's power.t.test 7.7276 pairs are enough for one standard
    /// deviation at .05, one-sided, with power .8; so 8 pairs tell a little less than that.
    #[test]
    fn known_noise_is_the_textbook() {
        let known = PairNoise { sd: 2.0, df: f64::INFINITY, spread_df: f64::INFINITY };
        let effect = known.detectable(8, 0.05);
        let power = power_paired_t(effect / 2.0, 8.0, 0.05, Sides::One).expect("a power");
        assert!((power - 0.80).abs() < 1e-3 && effect < 2.0, "{effect}: {power}");
    }

    #[test]
    fn the_less_is_known_the_larger_the_effect() {
        let at = |df, spread_df| PairNoise { sd: 1.0, df, spread_df }.detectable(8, 0.01);
        assert!(at(31.0, f64::INFINITY) < at(7.0, f64::INFINITY));
        assert!(at(7.0, f64::INFINITY) < at(3.0, f64::INFINITY));
    }

    /// The average over both distributions, taken another way: on a grid of quantiles of the two variances.
    #[test]
    fn four_times_in_five_on_average() {
        let noise = PairNoise { sd: 1.0, df: 11.0, spread_df: 4.0 };
        let effect = noise.detectable(8, 0.01);
        let points: Vec<f64> = (0..24).map(|i| (f64::from(i) + 0.5) / 24.0).collect();
        let variances = |df: f64| points.iter().map(|p| chi_square_quantile(*p, df) / df).collect::<Vec<_>>();
        let (estimates, truths) = (variances(noise.df), variances(noise.spread_df));
        let both = estimates.iter().flat_map(|u| truths.iter().map(move |w| (u / w).sqrt()));
        let power = |ratio| power_paired_t(effect * ratio, 8.0, 0.01, Sides::One).expect("a power");
        let average = both.map(power).sum::<f64>() / 576.0;
        assert!((average - POWER).abs() < 0.01, "{average}");
    }
}
