//! Spearman's rank correlation.

use super::ranks::midranks;
use super::{StatsError, check, student_sf};

/// The rank correlation by [`spearman`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Spearman {
    /// The correlation of the ranks, between -1 and 1; NaN if either list has fewer than two different values.
    pub rho: f64,
    /// One-sided p-value of "large `x` go with large `y`".
    pub p_positive: f64,
    /// One-sided p-value of "large `x` go with small `y`".
    pub p_negative: f64,
}

/// Spearman's rho of `x` and `y` (Spearman 1904, *American Journal of Psychology* 15:72-101): the correlation of their
/// ranks, equal values sharing their mean rank.
///
/// P-values are those of `t = rho·sqrt((n-2)/(1-rho²))` with `n - 2` degrees of freedom, an approximation: rough below
/// 10 values and too small far in the tails, down to 0 at a perfect correlation. There
/// [`kendall_tau`](super::kendall_tau) is exact. Fewer than three values, or a list of equal
/// ones, are no evidence: all p-values are 1.
///
/// # Errors
/// [`StatsError::LengthMismatch`], [`StatsError::NonFinite`].
///
/// ```
/// use autoresearch_core::stats::spearman;
///
/// let correlation = spearman(&[0.1, 0.5, 0.3, 0.9, 0.7], &[1.2, 1.9, 1.4, 3.1, 3.3])?;
/// assert!((correlation.rho - 0.9).abs() < 1e-12);
/// assert!((correlation.p_two_sided() - 0.0373861).abs() < 1e-7);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
pub fn spearman(x: &[f64], y: &[f64]) -> Result<Spearman, StatsError> {
    check::same_length("x", x.len(), "y", y.len())?;
    check::all_finite("x", x)?;
    check::all_finite("y", y)?;
    let (x, y) = (midranks(x), midranks(y));
    // Ranks and their mean are multiples of a half: these sums are exact, and so is a perfect correlation.
    let centre = 0.5 * (x.len() as f64 + 1.0);
    let sum_of_products =
        |x: &[f64], y: &[f64]| -> f64 { x.iter().zip(y).map(|(x, y)| (x - centre) * (y - centre)).sum() };
    let products = sum_of_products(&x, &y);
    let spread = (sum_of_products(&x, &x) * sum_of_products(&y, &y)).sqrt();
    let rho = if spread > 0.0 { (products / spread).clamp(-1.0, 1.0) } else { f64::NAN };
    let df = x.len() as f64 - 2.0;
    if rho.is_nan() || df <= 0.0 {
        return Ok(Spearman { rho, p_positive: 1.0, p_negative: 1.0 });
    }
    let t = rho * (df / ((1.0 - rho) * (1.0 + rho))).sqrt();
    Ok(Spearman { rho, p_positive: student_sf(t, df), p_negative: student_sf(-t, df) })
}

impl Spearman {
    /// Two-sided p-value of "`x` and `y` are related".
    pub fn p_two_sided(&self) -> f64 {
        (2.0 * self.p_positive.min(self.p_negative)).min(1.0)
    }
}
