//! Sequential probability ratio tests with a known variance: Wald's for one alternative, Robbins' mixture for all.
//!
//! A variance estimated from few runs is not known: then use [`TTestE`](super::TTestE).

use super::error::parameter;
use super::{StatsError, check};

/// Wald's bounds on the logarithm of the likelihood ratio (1945, *Annals of Mathematical Statistics* 16:117-186), as
/// `(lower, upper)`: with [`log_likelihood_ratio`](super::log_likelihood_ratio) at `ln((1-beta)/alpha)` or more accept
/// the effect, at `ln(beta/(1-alpha))` or less drop it, else go on.
///
/// `alpha` is the probability of accepting what is nothing, `beta` of dropping what is an effect; both are nearly kept.
///
/// # Errors
/// [`StatsError::Parameter`] unless both are inside `(0, 1)` and their sum is below 1.
///
/// ```
/// use autoresearch_core::stats::{log_likelihood_ratio, sprt_bounds};
///
/// let (drop, accept) = sprt_bounds(0.05, 0.20)?;
/// let llr = log_likelihood_ratio(9.0, 6, 1.0, 1.0); // six gains that add up to 9, for an effect of 1
/// assert!(drop < llr && llr > accept);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
pub fn sprt_bounds(alpha: f64, beta: f64) -> Result<(f64, f64), StatsError> {
    check::open_unit("alpha", alpha)?;
    check::open_unit("beta", beta)?;
    if alpha + beta >= 1.0 {
        return Err(parameter("alpha + beta", alpha + beta, "below 1"));
    }
    Ok((beta.ln() - (-alpha).ln_1p(), (-beta).ln_1p() - alpha.ln()))
}

/// Logarithm of the mixture likelihood ratio of "the mean differs from `theta0`" (two-sided; mSPRT, Robbins 1970,
/// *Annals of Mathematical Statistics* 41:1397-1409; Johari et al. 2022, *Operations Research* 70:1806-1821), with a
/// normal mixture of standard deviation `tau` over the difference:
/// `ln(s²/(s² + n·tau²))/2 + tau²·(sum - n·theta0)²/(2·s²·(s² + n·tau²))`, `s` being `sigma`.
///
/// `sum` is the sum of `n` observations of standard deviation `sigma`. An e-process: `ln(1/a)` is reached with
/// probability at most `a` if the mean is `theta0`.
///
/// # Errors
/// [`StatsError::Parameter`] unless `sigma` and `tau` are positive and finite; [`StatsError::NonFinite`], also
/// if they are so far apart that the e-value leaves the range of f64.
///
/// ```
/// use autoresearch_core::stats::msprt_log_e;
///
/// assert!((msprt_log_e(8.0, 10, 1.0, 1.0, 0.0)?.exp() - 5.5297537).abs() < 1e-7);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
pub fn msprt_log_e(sum: f64, n: u64, sigma: f64, tau: f64, theta0: f64) -> Result<f64, StatsError> {
    check::positive("sigma", sigma)?;
    check::positive("tau", tau)?;
    let excess = sum - n as f64 * theta0;
    check::finite("sum - n·theta0", excess)?;
    // In units of sigma, so that no square leaves the range of f64.
    let (ratio, z) = (tau / sigma, excess / sigma);
    let spread = n as f64 * ratio * ratio;
    let scaled = z / (1.0 / ratio).hypot((n as f64).sqrt());
    let log_e = 0.5 * scaled * scaled - 0.5 * spread.ln_1p();
    check::finite("the e-value", log_e)?;
    Ok(log_e)
}
