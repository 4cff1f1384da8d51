//! The sign-flip permutation test of pairs: no assumption but that noise is as likely to favour either side.

use super::{StatsError, check, mean};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Up to this many pairs all `2^n` flips are looked at.
const EXACT: usize = 16;

/// The comparison of pairs by [`sign_flip`].
///
/// Sign: `difference = mean(a - b)`, in the units of the values. With losses, where lower is better, `a` the
/// candidate and `b` the incumbent, a small [`p`](Self::p) says that the candidate is better.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct SignFlip {
    /// The mean of `a - b`; NaN if there are no pairs.
    pub difference: f64,
    /// One-sided p-value of "`a` is lower than `b`".
    pub p: f64,
    /// The flips that were looked at: `2^n` if all of them, else the random draws; 0 where nothing can be said.
    pub flips: u64,
    /// Whether `flips` are all there are.
    pub exact: bool,
    p_greater: f64,
}

/// Compares `a[i]` with `b[i]`, pair by pair: how often would flipping the signs of the differences at random make
/// their mean at least as extreme (Fisher 1935, *The Design of Experiments*, section 21)?
///
/// Up to 16 pairs `p = #{flips with a mean <= the observed one} / 2^n`, exactly: the smallest possible value is
/// `2^-n`, so that fewer than 7 pairs can never reach .01. Beyond 16 pairs `draws` random flips, drawn from `seed`,
/// give `p = (b + 1)/(draws + 1)` with `b` those as extreme as the observed one (Phipson & Smyth 2010, *Statistical
/// Applications in Genetics and Molecular Biology* 9:39): valid for any number of draws.
///
/// Means that differ by rounding only are equal. No pairs, or a value that is not finite, are no evidence: all
/// p-values are 1.
///
/// # Errors
/// [`StatsError::LengthMismatch`] if the lists differ in length.
///
/// ```
/// use autoresearch_core::stats::sign_flip;
///
/// let candidate = [0.99512, 0.9963, 0.99471, 0.99588];
/// let incumbent = [0.99601, 0.99655, 0.9956, 0.99611];
/// let test = sign_flip(&candidate, &incumbent, 10_000, 1)?;
/// assert_eq!((test.p, test.p_greater(), test.p_two_sided()), (1.0 / 16.0, 1.0, 2.0 / 16.0));
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
pub fn sign_flip(a: &[f64], b: &[f64], draws: u64, seed: u64) -> Result<SignFlip, StatsError> {
    check::same_length("a", a.len(), "b", b.len())?;
    let d: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    let difference = mean(&d);
    let size: f64 = d.iter().map(|d| d.abs()).sum();
    let rounding: f64 = a.iter().chain(b).map(|value| f64::EPSILON * value.abs()).sum();
    let tolerance = 1e-13 * size + 2.0 * rounding;
    if d.is_empty() || !tolerance.is_finite() {
        return Ok(SignFlip { difference, p: 1.0, flips: 0, exact: false, p_greater: 1.0 });
    }
    let observed: f64 = d.iter().sum();
    let (mut lower, mut higher) = (0_u64, 0_u64);
    let mut count = |sum: f64| {
        lower += u64::from(sum <= observed + tolerance);
        higher += u64::from(sum >= observed - tolerance);
    };
    let exact = d.len() <= EXACT;
    if exact {
        // Every sum is one of the left half plus one of the right half: two short tables instead of long sums.
        let (left, right) = d.split_at(d.len() / 2);
        let left = all_sums(left);
        for right in all_sums(right) {
            left.iter().for_each(|left| count(left + right));
        }
        let flips = 1 << d.len();
        let share = |b: u64| b as f64 / flips as f64;
        return Ok(SignFlip { difference, p: share(lower), flips, exact, p_greater: share(higher) });
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for _ in 0..draws {
        count(d.chunks(64).map(|chunk| flipped_sum(chunk, rng.next_u64())).sum());
    }
    let share = |b: u64| (b as f64 + 1.0) / (draws as f64 + 1.0);
    Ok(SignFlip { difference, p: share(lower), flips: draws, exact, p_greater: share(higher) })
}

impl SignFlip {
    /// One-sided p-value of "`a` is higher than `b`".
    pub fn p_greater(&self) -> f64 {
        self.p_greater
    }

    /// Two-sided p-value of "`a` and `b` differ": twice the smaller one-sided one, at most 1.
    pub fn p_two_sided(&self) -> f64 {
        (2.0 * self.p.min(self.p_greater)).min(1.0)
    }
}

fn all_sums(d: &[f64]) -> Vec<f64> {
    (0..1_u64 << d.len()).map(|signs| flipped_sum(d, signs)).collect()
}

/// The sum of up to 64 differences, negated where `signs` has a bit.
fn flipped_sum(d: &[f64], signs: u64) -> f64 {
    d.iter().enumerate().map(|(i, &d)| if signs >> i & 1 == 1 { -d } else { d }).sum()
}
