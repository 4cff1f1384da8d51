//! The best of many null results: how large it is, and how to discount a record for it.

use super::error::parameter;
use super::{StatsError, check, normal_cdf, normal_ln_cdf, normal_quantile};
use std::f64::consts::{E, PI};

/// Euler's constant.
const EULER: f64 = 0.577_215_664_901_532_9;

/// The expectation of the largest of `n` independent standard normal numbers: `∫ z·n·φ(z)·Φ(z)^(n-1) dz`, by
/// quadrature. The best of 700 edits that do nothing looks like a gain of 3.14 standard deviations.
///
/// # Errors
/// [`StatsError::Parameter`] unless `n` is at least 1 and at most 1e15.
///
/// ```
/// use autoresearch_core::stats::expected_max_normal;
///
/// assert!((expected_max_normal(700.0)? - 3.1375479).abs() < 1e-7);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
pub fn expected_max_normal(n: f64) -> Result<f64, StatsError> {
    check_count(n)?;
    if n == 1.0 {
        return Ok(0.0);
    }
    // The trapezoidal rule converges exponentially for an analytic integrand that dies out on both sides. The widest
    // hump has a standard deviation of nearly 1, the narrowest (n = 1e15) about 0.15.
    const STEP: f64 = 1.0 / 32.0;
    let ln_density = |z: f64| n.ln() - 0.5 * z * z - 0.5 * (2.0 * PI).ln() + (n - 1.0) * normal_ln_cdf(z);
    Ok((-400..=400).map(|i| f64::from(i) * STEP).map(|z| z * ln_density(z).exp()).sum::<f64>() * STEP)
}

/// The usual approximation of [`expected_max_normal`] (Bailey & López de Prado 2014, *Journal of Portfolio Management*
/// 40(5):94-107): `(1 - γ)·Φ⁻¹(1 - 1/n) + γ·Φ⁻¹(1 - 1/(n·e))` with Euler's `γ`. For 700 it is .5 % too large.
///
/// # Errors
/// [`StatsError::Parameter`] unless `n` is above 1 and at most 1e15.
pub fn expected_max_normal_approx(n: f64) -> Result<f64, StatsError> {
    check_count(n)?;
    if n == 1.0 {
        return Err(parameter("n", n, "above 1"));
    }
    Ok(-(1.0 - EULER) * normal_quantile(1.0 / n) - EULER * normal_quantile(1.0 / (n * E)))
}

/// A Sharpe ratio (mean over standard deviation) that was the best of many trials, by [`deflated_sharpe`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct DeflatedSharpe {
    /// The ratio that the best of so many worthless trials would be expected to show.
    pub sr0: f64,
    /// The probability that the true ratio is above zero, discounted for the selection: `1 - dsr` is a p-value.
    pub dsr: f64,
}

/// Discounts the best Sharpe ratio `sr` among `trials` for its having been selected (Bailey & López de Prado 2014):
/// `sr0 = sqrt(var_sr)·(expected maximum, approximated)` and
/// `dsr = Φ((sr - sr0)·sqrt(n - 1)/sqrt(1 - skew·sr + (kurt - 1)/4·sr²))`.
///
/// `n` is the number of observations behind `sr`; `skew` and `kurt` are their skewness and kurtosis (3 if normal);
/// `var_sr` is the variance of the ratios over the trials. Ratios are per observation, not annualised. For losses take
/// gains, higher is better.
///
/// # Errors
/// [`StatsError::Parameter`] unless `n` is above 1, `trials` above 1, `var_sr` not negative and the variance of the
/// ratio positive; [`StatsError::NonFinite`].
///
/// ```
/// use autoresearch_core::stats::deflated_sharpe;
///
/// let best = deflated_sharpe(0.15811388, 1250.0, -3.0, 10.0, 46.0, 0.002)?;
/// assert!((best.dsr - 0.9505).abs() < 1e-4);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
pub fn deflated_sharpe(
    sr: f64,
    n: f64,
    skew: f64,
    kurt: f64,
    trials: f64,
    var_sr: f64,
) -> Result<DeflatedSharpe, StatsError> {
    check::finite("sr", sr)?;
    check::finite("n", n)?;
    if n <= 1.0 {
        return Err(parameter("n", n, "above 1"));
    }
    check::finite("var_sr", var_sr)?;
    if var_sr < 0.0 {
        return Err(parameter("var_sr", var_sr, "at least 0"));
    }
    let variance = 1.0 - skew * sr + 0.25 * (kurt - 1.0) * sr * sr;
    check::positive("variance of sr", variance)?;
    let sr0 = var_sr.sqrt() * expected_max_normal_approx(trials)?;
    Ok(DeflatedSharpe { sr0, dsr: normal_cdf((sr - sr0) * ((n - 1.0) / variance).sqrt()) })
}

fn check_count(n: f64) -> Result<(), StatsError> {
    if (1.0..=1e15).contains(&n) { Ok(()) } else { Err(parameter("n", n, "at least 1 and at most 1e15")) }
}
