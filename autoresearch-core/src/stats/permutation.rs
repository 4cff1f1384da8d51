//! The permutation test of two independent samples.

use super::combinations::{binomial, combinations};
use super::mean;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Up to this many ways to split the values all are looked at; 10 against 10 is within.
const EXACT: f64 = 200_000.0;

/// The comparison of two independent samples by [`permutation_test`].
///
/// Sign: `difference = mean(a) - mean(b)`, in the units of the values. With losses, where lower is better, `a`
/// the candidate and `b` the incumbent, a small [`p`](Self::p) says that the candidate is better.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Permutation {
    /// `mean(a) - mean(b)`; NaN if a sample is empty.
    pub difference: f64,
    /// One-sided p-value of "`a` is lower than `b`".
    pub p: f64,
    /// The splits that were looked at; 0 where nothing can be said.
    pub splits: u64,
    /// Whether `splits` are all there are.
    pub exact: bool,
    p_greater: f64,
}

/// Compares two independent samples: how often would a random split of all values into samples of these sizes make
/// the difference of the means at least as extreme (Pitman 1937, *Supplement to the Journal of the Royal Statistical
/// Society* 4:119-130)? It assumes that without an effect both samples have the same distribution, spread included.
///
/// Up to 200,000 splits (10 values against 10) all are looked at and `p` is exact. Beyond, `draws` random
/// splits from `seed` give `p = (b + 1)/(draws + 1)`. Differences that differ by rounding only are equal.
///
/// An empty sample, or a value that is not finite, is no evidence: all p-values are 1.
///
/// ```
/// use autoresearch_core::stats::permutation_test;
///
/// let test = permutation_test(&[1.0, 2.0, 3.0, 5.5], &[2.1, 2.2, 2.9, 4.0, 9.0], 10_000, 1);
/// assert!(test.exact && test.splits == 126);
/// assert!((test.p - 38.0 / 126.0).abs() < 1e-12);
/// ```
pub fn permutation_test(a: &[f64], b: &[f64], draws: u64, seed: u64) -> Permutation {
    let difference = mean(a) - mean(b);
    let mut values: Vec<f64> = a.iter().chain(b).copied().collect();
    let centre = mean(&values);
    let rounding: f64 = values.iter().map(|value| f64::EPSILON * value.abs()).sum();
    values.iter_mut().for_each(|value| *value -= centre);
    let size: f64 = values.iter().map(|value| value.abs()).sum();
    let tolerance = 1e-13 * size + 4.0 * rounding;
    if a.is_empty() || b.is_empty() || !tolerance.is_finite() {
        return Permutation { difference, p: 1.0, splits: 0, exact: false, p_greater: 1.0 };
    }
    // The sum of one sample decides: about the common mean that of the other is its negative.
    let small_is_a = a.len() <= b.len();
    let (n, k) = (values.len(), a.len().min(b.len()));
    let small = if small_is_a { &values[..k] } else { &values[n - k..] };
    let observed: f64 = small.iter().sum();
    let (mut lower, mut higher) = (0_u64, 0_u64);
    let mut count = |sum: f64| {
        lower += u64::from(sum <= observed + tolerance);
        higher += u64::from(sum >= observed - tolerance);
    };
    let ways = binomial(n, k);
    let exact = ways <= EXACT;
    let (splits, extra) = if exact {
        combinations(n, k, |chosen| count(chosen.iter().map(|&i| values[i]).sum()));
        (ways as u64, 0.0)
    } else {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut shuffled = values.clone();
        for _ in 0..draws {
            for i in 0..k {
                let j = rng.random_range(i..n);
                shuffled.swap(i, j);
            }
            count(shuffled[..k].iter().sum());
        }
        (draws, 1.0)
    };
    let share = |b: u64| (b as f64 + extra) / (splits as f64 + extra);
    let (low, high) = (share(lower), share(higher));
    let (p, p_greater) = if small_is_a { (low, high) } else { (high, low) };
    Permutation { difference, p, splits, exact, p_greater }
}

impl Permutation {
    /// One-sided p-value of "`a` is higher than `b`".
    pub fn p_greater(&self) -> f64 {
        self.p_greater
    }

    /// Two-sided p-value of "`a` and `b` differ": twice the smaller one-sided one, at most 1.
    pub fn p_two_sided(&self) -> f64 {
        (2.0 * self.p.min(self.p_greater)).min(1.0)
    }
}
