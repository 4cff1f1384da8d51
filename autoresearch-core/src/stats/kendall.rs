//! Kendall's rank correlation: do two measures, such as gains at a small and at a large scale, agree on the order?

use super::ranks::over_ties;
use super::{StatsError, check, normal_sf};

/// Up to this many pairs without ties the distribution is exact.
const EXACT: usize = 33;

/// The rank correlation by [`kendall_tau`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct KendallTau {
    /// tau-b, between -1 (opposite order) and 1 (same order); NaN if either list has fewer than two different values.
    pub tau: f64,
    /// One-sided p-value of "large `x` go with large `y`".
    pub p_positive: f64,
    /// One-sided p-value of "large `x` go with small `y`".
    pub p_negative: f64,
    /// Whether the p-values are exact; else they are the normal approximation.
    pub exact: bool,
    p_two_sided: f64,
}

/// Kendall's tau-b of `x` and `y` (Kendall 1938, *Biometrika* 30:81-93; ties as in Kendall 1945, *Biometrika*
/// 33:239-251): `(concordant - discordant)/sqrt((pairs - ties in x)·(pairs - ties in y))`.
///
/// P-values are exact up to 33 values without ties (and beyond, if at most one pair is out of order); else the normal
/// approximation, with the variance corrected for ties. It has little power below 10 values: report the p-value with
/// it. Lists with fewer than two different values are no evidence: all p-values are 1.
///
/// # Errors
/// [`StatsError::LengthMismatch`], [`StatsError::NonFinite`].
///
/// ```
/// use autoresearch_core::stats::kendall_tau;
///
/// let (small_scale, large_scale) = ([0.1, 0.5, 0.3, 0.9, 0.7], [1.2, 1.9, 1.4, 3.1, 3.3]);
/// let agreement = kendall_tau(&small_scale, &large_scale)?;
/// assert!((agreement.tau - 0.8).abs() < 1e-12);
/// assert!((agreement.p_two_sided() - 1.0 / 12.0).abs() < 1e-12);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
pub fn kendall_tau(x: &[f64], y: &[f64]) -> Result<KendallTau, StatsError> {
    check::same_length("x", x.len(), "y", y.len())?;
    check::all_finite("x", x)?;
    check::all_finite("y", y)?;
    let (mut concordant, mut discordant) = (0_u64, 0_u64);
    for j in 0..x.len() {
        for i in 0..j {
            // By order, not by differences, which may vanish or overflow.
            let (dx, dy) = (x[i].partial_cmp(&x[j]), y[i].partial_cmp(&y[j]));
            if x[i] != x[j] && y[i] != y[j] {
                if dx == dy { concordant += 1 } else { discordant += 1 }
            }
        }
    }
    let n = x.len() as f64;
    let pairs = 0.5 * n * (n - 1.0);
    let tied = |values: &[f64]| over_ties(values, |t| 0.5 * t * (t - 1.0));
    let (x_tied, y_tied) = (tied(x), tied(y));
    if x.len() < 2 || x_tied == pairs || y_tied == pairs {
        let unknown =
            KendallTau { tau: f64::NAN, p_positive: 1.0, p_negative: 1.0, exact: false, p_two_sided: 1.0 };
        return Ok(unknown);
    }
    let excess = concordant as f64 - discordant as f64;
    let tau = (excess / (pairs - x_tied).sqrt() / (pairs - y_tied).sqrt()).clamp(-1.0, 1.0);
    let fewer = concordant.min(discordant);
    if x_tied == 0.0 && y_tied == 0.0 && (x.len() <= EXACT || fewer <= 1) {
        let tail = inversions_cdf(x.len(), fewer as usize);
        // At least as extreme on the other side: all but what is beyond.
        let other = if fewer == 0 { 1.0 } else { 1.0 - inversions_cdf(x.len(), fewer as usize - 1) };
        let (p_positive, p_negative) = if discordant <= concordant { (tail, other) } else { (other, tail) };
        let p_two_sided = (2.0 * tail).min(1.0);
        return Ok(KendallTau { tau, p_positive, p_negative, exact: true, p_two_sided });
    }
    let z = excess / variance(x, y).sqrt();
    let p_two_sided = (2.0 * normal_sf(z.abs())).min(1.0);
    Ok(KendallTau { tau, p_positive: normal_sf(z), p_negative: normal_sf(-z), exact: false, p_two_sided })
}

impl KendallTau {
    /// Two-sided p-value of "`x` and `y` are related".
    pub fn p_two_sided(&self) -> f64 {
        self.p_two_sided
    }
}

/// The variance of concordant - discordant if the lists are unrelated, given their ties.
fn variance(x: &[f64], y: &[f64]) -> f64 {
    let n = x.len() as f64;
    let ordered = n * (n - 1.0);
    let sums = |values: &[f64]| {
        (
            over_ties(values, |t| t * (t - 1.0)),
            over_ties(values, |t| t * (t - 1.0) * (t - 2.0)),
            over_ties(values, |t| t * (t - 1.0) * (2.0 * t + 5.0)),
        )
    };
    let ((x2, x3, x5), (y2, y3, y5)) = (sums(x), sums(y));
    let triples = if n > 2.0 { x3 * y3 / (9.0 * ordered * (n - 2.0)) } else { 0.0 };
    (ordered * (2.0 * n + 5.0) - x5 - y5) / 18.0 + x2 * y2 / (2.0 * ordered) + triples
}

/// `P(inversions <= most)` of a random order of `n` things.
fn inversions_cdf(n: usize, most: usize) -> f64 {
    let mut chance = vec![0.0; most + 1];
    chance[0] = 1.0;
    for m in 2..=n {
        // The m-th thing adds 0 to m-1 inversions, all equally likely: a running sum over m entries.
        let mut next = vec![0.0; most + 1];
        for k in 0..=most {
            let first = (k + 1).saturating_sub(m);
            next[k] = chance[first..=k].iter().sum::<f64>() / m as f64;
        }
        chance = next;
    }
    chance.iter().sum::<f64>().min(1.0)
}
