//! Equivalence and non-inferiority: evidence that a difference is small, which a large p-value of an ordinary
//! test is not.

use super::welch::{p_greater, t_ratio};
use super::{StatsError, check, error::parameter, paired_t, student_cdf, welch};

/// Two one-sided tests that the difference lies between two margins, by [`tost_paired`] or [`tost_welch`].
///
/// Sign: `difference = mean(a) - mean(b)`, in the units of the values and of the margins.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Tost {
    /// `mean(a) - mean(b)`; NaN if there are no values.
    pub difference: f64,
    /// The degrees of freedom; 0 where nothing can be said.
    pub df: f64,
    /// The t statistic against the lower margin.
    pub t_low: f64,
    /// One-sided p-value of "the difference is above the lower margin".
    pub p_low: f64,
    /// The t statistic against the upper margin.
    pub t_upp: f64,
    /// One-sided p-value of "the difference is below the upper margin". With losses, where lower is better, this
    /// alone is the test that `a` is not inferior to `b`.
    pub p_upp: f64,
    /// p-value of "the difference lies between the margins": the larger of the two.
    pub p: f64,
}

/// Are `a` and `b` equivalent, pair by pair: does the mean of `a - b` lie between `low` and `upp` (Schuirmann 1987,
/// *Journal of Pharmacokinetics and Biopharmaceutics* 15:657-680)?
///
/// Both one-sided t-tests must reject at the level, and no correction is needed for there being two. Where
/// [`paired_t`] has no evidence, all p-values are 1.
///
/// # Errors
/// [`StatsError::LengthMismatch`]; [`StatsError::Parameter`] unless `low <= upp`, [`StatsError::NonFinite`] unless both are finite.
///
/// ```
/// use autoresearch_core::stats::tost_paired;
///
/// let simpler = [1.01, 0.99, 1.02, 1.00, 0.98, 1.01];
/// let incumbent = [1.00, 1.00, 1.01, 1.01, 0.99, 1.00];
/// let test = tost_paired(&simpler, &incumbent, -0.03, 0.03)?;
/// assert!(test.p < 0.001); // no further apart than .03
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
pub fn tost_paired(a: &[f64], b: &[f64], low: f64, upp: f64) -> Result<Tost, StatsError> {
    let test = paired_t(a, b)?;
    tost(test.difference, test.standard_error, test.df, low, upp)
}

/// Are two independent samples equivalent: does `mean(a) - mean(b)` lie between `low` and `upp`? As [`tost_paired`],
/// with the standard error and degrees of freedom of [`welch`].
///
/// # Errors
/// [`StatsError::Parameter`] unless `low <= upp`, [`StatsError::NonFinite`] unless both are finite.
///
/// ```
/// use autoresearch_core::stats::tost_welch;
///
/// let test = tost_welch(&[1.01, 0.99, 1.02, 1.00], &[1.00, 1.00, 1.01, 1.01, 0.99], -0.05, 0.05)?;
/// assert!(test.p < 0.01);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
pub fn tost_welch(a: &[f64], b: &[f64], low: f64, upp: f64) -> Result<Tost, StatsError> {
    let test = welch(a, b);
    tost(test.difference, test.standard_error, test.df, low, upp)
}

/// One-sided p-value of "`mean(a - b)` is below `margin`", pair by pair: with losses, where lower is better, that
/// `a` is worse by less than `margin`. A `margin` of 0 is the ordinary test of superiority.
///
/// # Errors
/// [`StatsError::LengthMismatch`]; [`StatsError::NonFinite`] unless `margin` is finite.
///
/// ```
/// use autoresearch_core::stats::non_inferior_paired;
///
/// let (simpler, incumbent) = ([1.01, 0.99, 1.02, 1.00], [1.00, 1.00, 1.01, 1.01]);
/// assert!(non_inferior_paired(&simpler, &incumbent, 0.03)? < 0.02);
/// assert_eq!(non_inferior_paired(&simpler[..1], &incumbent[..1], 0.03)?, 1.0); // one pair proves nothing
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
pub fn non_inferior_paired(a: &[f64], b: &[f64], margin: f64) -> Result<f64, StatsError> {
    tost_paired(a, b, margin, margin).map(|test| test.p_upp)
}

/// As [`non_inferior_paired`], for two independent samples: one-sided p-value of "`mean(a) - mean(b)` is below
/// `margin`".
///
/// # Errors
/// [`StatsError::NonFinite`] unless `margin` is finite.
pub fn non_inferior_welch(a: &[f64], b: &[f64], margin: f64) -> Result<f64, StatsError> {
    tost_welch(a, b, margin, margin).map(|test| test.p_upp)
}

fn tost(difference: f64, standard_error: f64, df: f64, low: f64, upp: f64) -> Result<Tost, StatsError> {
    check::finite("low", low)?;
    check::finite("upp", upp)?;
    if low > upp {
        return Err(parameter("low", low, "no higher than upp"));
    }
    if df == 0.0 {
        return Ok(Tost { difference, df, t_low: 0.0, p_low: 1.0, t_upp: 0.0, p_upp: 1.0, p: 1.0 });
    }
    let (t_low, t_upp) =
        (t_ratio(difference - low, standard_error), t_ratio(difference - upp, standard_error));
    let (p_low, p_upp) = (p_greater(t_low, df), student_cdf(t_upp, df));
    Ok(Tost { difference, df, t_low, p_low, t_upp, p_upp, p: p_low.max(p_upp) })
}
