//! A rate with its exact interval.

use serde::{Deserialize, Serialize};
use statrs::function::beta::checked_beta_reg;
use std::fmt;

/// How often something happened, with an exact 95 % interval (Clopper & Pearson 1934, *Biometrika* 26:404-413).
///
/// ```
/// use autoresearch_core::testkit::Rate;
/// let rate = Rate::new(3, 100);
/// assert_eq!(rate.to_string(), "0.0300 [0.0062, 0.0852]");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Rate {
    /// How often it happened.
    pub count: u64,
    /// Of how many times.
    pub of: u64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end of the interval.
    pub high: f64,
}

impl Rate {
    /// `count` of `of`; never more than all.
    pub fn new(count: u64, of: u64) -> Self {
        let count = count.min(of);
        let (k, n) = (count as f64, of as f64);
        let low = if count == 0 { 0.0 } else { solve(|p| at_least(count, of, p) < 0.025) };
        let high = if count == of { 1.0 } else { solve(|p| beta(k + 1.0, n - k, p) < 0.975) };
        Self { count, of, low, high }
    }

    /// The share; NaN of nothing.
    pub fn value(&self) -> f64 {
        self.count as f64 / self.of as f64
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.4} [{:.4}, {:.4}]", self.value(), self.low, self.high)
    }
}

/// `P(Bin(of, p) >= count)`.
pub(super) fn at_least(count: u64, of: u64, p: f64) -> f64 {
    match count {
        0 => 1.0,
        _ if count > of => 0.0,
        _ => beta(count as f64, (of - count + 1) as f64, p),
    }
}

/// The regularised incomplete beta function.
fn beta(a: f64, b: f64, x: f64) -> f64 {
    checked_beta_reg(a, b, x).unwrap_or(f64::NAN)
}

/// The least `p` between 0 and 1 that is not below, by halving.
pub(super) fn solve(is_below: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if is_below(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_have_closed_forms() {
        // Nothing of n: 1 - (alpha/2)^(1/n); all of n: its mirror.
        let edge = 0.025f64.powf(1.0 / 20.0);
        let (none, all) = (Rate::new(0, 20), Rate::new(20, 20));
        assert!(none.low == 0.0 && (none.high - (1.0 - edge)).abs() < 1e-9);
        assert!(all.high == 1.0 && (all.low - edge).abs() < 1e-9);
        assert_eq!(Rate::new(5, 3).count, 3);
    }

    #[test]
    fn tails_are_those_of_the_binomial() {
        assert!((at_least(1, 3, 0.1) - (1.0 - 0.9f64.powi(3))).abs() < 1e-12);
        assert!((at_least(3, 3, 0.1) - 0.001).abs() < 1e-12);
        assert_eq!((at_least(0, 3, 0.1), at_least(4, 3, 0.1)), (1.0, 0.0));
    }
}
