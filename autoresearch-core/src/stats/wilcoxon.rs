//! Wilcoxon's signed-rank test of pairs: robust to wild values, at a small loss of power.

use super::ranks::{midranks, over_ties};
use super::{StatsError, check, normal_cdf};

/// Up to this many non-zero differences the distribution is exact.
const EXACT: usize = 100;

/// The comparison of pairs by [`wilcoxon`].
///
/// With losses, where lower is better, `a` the candidate and `b` the incumbent, a small [`p`](Self::p) says that the
/// candidate is better.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Wilcoxon {
    /// The pairs that differ.
    pub n: usize,
    /// The sum of the ranks of the pairs in which `a` is higher.
    pub w_plus: f64,
    /// The sum of the ranks of the pairs in which `a` is lower.
    pub w_minus: f64,
    /// One-sided p-value of "`a` is lower than `b`".
    pub p: f64,
    /// Whether [`p`](Self::p) is exact; else it is the normal approximation.
    pub exact: bool,
    p_greater: f64,
    deviation: f64,
}

/// Compares `a[i]` with `b[i]`, pair by pair, by the ranks of `|a - b|` (Wilcoxon 1945, *Biometrics Bulletin* 1:80-83).
///
/// Pairs that are equal are left out; equal `|a - b|` share their mean rank. Up to 100 pairs p-values are exact, given
/// the ties; beyond, and in [`normal_p`](Wilcoxon::normal_p), the normal approximation with continuity and tie
/// correction. No pairs that differ, or a value that is not finite, are no evidence: all p-values are 1.
///
/// Ties are those of the floats: round differences of decimal numbers before, if ties matter.
///
/// # Errors
/// [`StatsError::LengthMismatch`] if the lists differ in length.
///
/// ```
/// use autoresearch_core::stats::wilcoxon;
///
/// let candidate = [3.2776, 3.2791, 3.2782, 3.2769, 3.2788];
/// let incumbent = [3.2801, 3.2795, 3.2812, 3.2790, 3.2807];
/// let test = wilcoxon(&candidate, &incumbent)?;
/// assert_eq!((test.w_plus, test.p), (0.0, 1.0 / 32.0));
/// assert!((test.normal_p() - 0.0295291).abs() < 1e-7);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
pub fn wilcoxon(a: &[f64], b: &[f64]) -> Result<Wilcoxon, StatsError> {
    check::same_length("a", a.len(), "b", b.len())?;
    let d: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).filter(|&d| d != 0.0).collect();
    let n = d.len();
    let mut test =
        Wilcoxon { n, w_plus: 0.0, w_minus: 0.0, p: 1.0, exact: false, p_greater: 1.0, deviation: 0.0 };
    if n == 0 || d.iter().any(|d| !d.is_finite()) {
        return Ok(test);
    }
    let sizes: Vec<f64> = d.iter().map(|d| d.abs()).collect();
    let ranks = midranks(&sizes);
    test.w_plus = ranks.iter().zip(&d).filter(|&(_, &d)| d > 0.0).map(|(rank, _)| rank).sum();
    test.w_minus = ranks.iter().zip(&d).filter(|&(_, &d)| d < 0.0).map(|(rank, _)| rank).sum();
    let count = n as f64;
    let ties = over_ties(&sizes, |t| t * (t * t - 1.0)) / 2.0;
    test.deviation = ((count * (count + 1.0) * (2.0 * count + 1.0) - ties) / 24.0).sqrt();
    test.exact = n <= EXACT;
    if test.exact {
        (test.p, test.p_greater) = exact(&ranks, test.w_plus);
    } else {
        (test.p, test.p_greater) = (test.normal_p(), test.normal_p_greater());
    }
    Ok(test)
}

impl Wilcoxon {
    /// One-sided p-value of "`a` is higher than `b`".
    pub fn p_greater(&self) -> f64 {
        self.p_greater
    }

    /// Two-sided p-value of "`a` and `b` differ": twice the smaller one-sided one, at most 1.
    pub fn p_two_sided(&self) -> f64 {
        (2.0 * self.p.min(self.p_greater)).min(1.0)
    }

    /// [`p`](Self::p) by the normal approximation with continuity correction.
    pub fn normal_p(&self) -> f64 {
        self.tail(self.w_plus - self.w_minus)
    }

    /// [`p_greater`](Self::p_greater) by the normal approximation with continuity correction.
    pub fn normal_p_greater(&self) -> f64 {
        self.tail(self.w_minus - self.w_plus)
    }

    fn tail(&self, excess: f64) -> f64 {
        // w_plus minus its mean is half of w_plus - w_minus.
        if self.deviation > 0.0 { normal_cdf((0.5 * excess + 0.5) / self.deviation) } else { 1.0 }
    }
}

/// `P(W <= w)` and `P(W >= w)` when every rank counts with probability 1/2. Twice a rank is an integer.
fn exact(ranks: &[f64], w: f64) -> (f64, f64) {
    let twice = |rank: f64| (2.0 * rank).round() as usize;
    let mut chance = vec![0.0; twice(ranks.iter().sum()) + 1];
    chance[0] = 1.0;
    let mut top = 0;
    for rank in ranks.iter().map(|&rank| twice(rank)) {
        top += rank;
        for sum in (0..=top).rev() {
            let with = if sum >= rank { chance[sum - rank] } else { 0.0 };
            chance[sum] = 0.5 * (chance[sum] + with);
        }
    }
    let w = twice(w);
    let (lower, higher): (f64, f64) = (chance[..=w].iter().sum(), chance[w..].iter().sum());
    (lower.min(1.0), higher.min(1.0))
}
