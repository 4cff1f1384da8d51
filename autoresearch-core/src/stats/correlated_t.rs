//! The Bayesian correlated t-test: differences over cross-validation folds that share training data.

use super::welch::t_ratio;
use super::{Moments, StatsError, check, error::parameter, student_cdf, student_sf};

/// What is believed about the mean difference, by [`correlated_t`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct CorrelatedT {
    /// P(mean > 0).
    pub above_zero: f64,
    /// P(mean > rope).
    pub above: f64,
    /// P(-rope <= mean <= rope): that the difference is of no practical importance.
    pub inside: f64,
    /// P(mean < -rope).
    pub below: f64,
}

/// The posterior of the mean of `d`, differences with correlation `rho` between any two of them (Benavoli, Corani,
/// Demšar & Zaffalon 2017, *Journal of Machine Learning Research* 18(77)): Student's t with `n - 1` degrees of freedom
/// around the mean, of squared scale `(1/n + rho/(1 - rho))·s²`.
///
/// For folds that hold out the share `h` of the data `rho = h` is usual; with `rho = 0` `above_zero` is 1 minus the
/// one-sided p-value of the t-test. `rope` is half the width of the region of practical equivalence, in the units of `d`.
/// Equal differences are the limit of vanishing noise.
///
/// # Errors
/// [`StatsError::Parameter`] for fewer than two differences, unless `rho` is in `[0, 1)`, or for a negative `rope`;
/// [`StatsError::NonFinite`].
///
/// ```
/// use autoresearch_core::stats::correlated_t;
///
/// let belief = correlated_t(&[0.3, 0.1, 0.25, -0.05, 0.2], 0.1, 0.05)?;
/// assert!((belief.above_zero - 0.946233).abs() < 1e-6);
/// assert!((belief.above + belief.inside + belief.below - 1.0).abs() < 1e-12);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
pub fn correlated_t(d: &[f64], rho: f64, rope: f64) -> Result<CorrelatedT, StatsError> {
    check::all_finite("d", d)?;
    if !(0.0..1.0).contains(&rho) {
        return Err(parameter("rho", rho, "at least 0 and below 1"));
    }
    check::finite("rope", rope)?;
    if rope < 0.0 {
        return Err(parameter("rope", rope, "at least 0"));
    }
    let moments = Moments::of(d);
    let Some(variance) = moments.variance() else {
        return Err(parameter("number of differences", d.len() as f64, "at least 2"));
    };
    let n = d.len() as f64;
    let (mean, df) = (moments.mean(), n - 1.0);
    let scale = ((1.0 / n + rho / (1.0 - rho)) * variance).sqrt();
    check::finite("the scale of the mean", scale)?;
    let above = |x: f64| student_sf(t_ratio(x - mean, scale), df);
    let below = |x: f64| student_cdf(t_ratio(x - mean, scale), df);
    // Whichever tails are smaller lose fewer digits in the difference.
    let inside = if mean > 0.0 { below(rope) - below(-rope) } else { above(-rope) - above(rope) };
    Ok(CorrelatedT {
        above_zero: above(0.0),
        above: above(rope),
        inside: inside.max(0.0),
        below: below(-rope),
    })
}
