//! Random numbers that are functions of their names, and sums that do not depend on the order of their terms.

use crate::state::mix;
use crate::stats::normal_quantile;
use std::sync::LazyLock;

/// 2 to the 32nd: sums of whole multiples of 1/ONE are exact, so the road to a candidate does not change its loss.
const ONE: f64 = 4_294_967_296.0;

/// A number in fixed point.
pub(super) fn fixed(x: f64) -> i64 {
    (x * ONE).round() as i64
}

/// A number from fixed point.
pub(super) fn float(x: i64) -> f64 {
    x as f64 / ONE
}

/// Uniform in [0, 1).
pub(super) fn uniform(hash: u64) -> f64 {
    (hash >> 11) as f64 / (1u64 << 53) as f64
}

/// Standard normal (Box & Muller 1958).
pub(super) fn gaussian(hash: u64) -> f64 {
    let (u, v) = (1.0 - uniform(mix(hash, 1)), uniform(mix(hash, 2)));
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// Student t with 4 degrees of freedom, scaled to standard deviation 1.
pub(super) fn t4(hash: u64) -> f64 {
    // A sum of four squared normal numbers is twice a sum of two exponential ones.
    let exponential = |name| -(1.0 - uniform(mix(hash, name))).ln();
    let chi2 = 2.0 * (exponential(3) + exponential(4));
    gaussian(hash) / (chi2 / 4.0).sqrt() / 2f64.sqrt()
}

const STEPS: usize = 4096;

/// Quantiles of the standard normal distribution, scaled to variance 1 over the table.
static QUANTILES: LazyLock<Vec<f64>> = LazyLock::new(|| {
    let raw: Vec<f64> = (0..STEPS).map(|i| normal_quantile((i as f64 + 0.5) / STEPS as f64)).collect();
    let sd = (raw.iter().map(|x| x * x).sum::<f64>() / STEPS as f64).sqrt();
    raw.iter().map(|x| x / sd).collect()
});

/// Normal numbers from a table, for the many pairs of edits: one of 4,096 values, from the upper 12 bits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Normals(&'static [f64]);

impl Normals {
    pub(super) fn new() -> Self {
        Self(&QUANTILES)
    }

    pub(super) fn at(self, hash: u64) -> f64 {
        self.0[(hash >> 52) as usize]
    }
}

/// A hash of an unordered pair.
pub(super) fn pair(seed: u64, a: u32, b: u32) -> u64 {
    mix(seed, u64::from(a.min(b)) << 32 | u64::from(a.max(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(draw: impl Fn(u64) -> f64) -> (f64, f64) {
        let n = 50_000;
        let (s, q) = (0..n).map(|i| draw(mix(7, i))).fold((0.0, 0.0), |(s, q), x| (s + x, q + x * x));
        (s / n as f64, q / n as f64)
    }

    #[test]
    fn mean_0_and_variance_1() {
        let (mean, variance) = moments(gaussian);
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03, "gaussian: {mean} {variance}");
        let (mean, variance) = moments(|h| Normals::new().at(h));
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03, "table: {mean} {variance}");
        // Its fourth moment does not exist, so its variance is known only roughly.
        let (mean, variance) = moments(t4);
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.15, "t4: {mean} {variance}");
    }

    #[test]
    fn a_pair_has_no_order() {
        assert_eq!(pair(1, 3, 8), pair(1, 8, 3));
        assert_ne!(pair(1, 3, 8), pair(1, 3, 9));
    }

    #[test]
    fn fixed_point_is_exact_both_ways() {
        for x in [0.0, 1.5, -37.25, 0.25] {
            assert_eq!(float(fixed(x)), x);
        }
    }
}
