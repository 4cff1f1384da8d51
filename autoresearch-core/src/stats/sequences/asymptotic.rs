//! The asymptotic confidence sequence of a mean.

use super::super::{StatsError, check, error::parameter};

/// An interval by [`asymptotic_cs`], in the units of the values.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct AsymptoticCs {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// Half of the width.
    pub half_width: f64,
}

/// The parameter with which [`asymptotic_cs`] is about tightest at sample size `t_opt`:
/// `sqrt((2·ln(1/alpha) + ln(1 + 2·ln(1/alpha)))/t_opt)`.
///
/// # Errors
/// [`StatsError::Parameter`] unless `t_opt` is positive and finite and `alpha` inside `(0, 1)`.
pub fn asymptotic_rho(t_opt: f64, alpha: f64) -> Result<f64, StatsError> {
    check::positive("t_opt", t_opt)?;
    check::open_unit("alpha", alpha)?;
    let twice_log = -2.0 * alpha.ln();
    Ok(((twice_log + twice_log.ln_1p()) / t_opt).sqrt())
}

/// The two-sided confidence sequence of a mean after `t` values with mean `mean` and standard deviation `sd`
/// (Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas 2024, *Annals of Statistics* 52:2613-2640, theorem 2.2):
/// `mean ± sd·sqrt(2(t·rho² + 1)/(t²·rho²)·ln(sqrt(t·rho² + 1)/alpha))`.
///
/// It holds at all sample sizes at once, but only from large ones on, as the central limit theorem does: not for a few
/// runs. `rho` comes from [`asymptotic_rho`].
///
/// # Errors
/// [`StatsError::Parameter`] unless `t` is at least 1, `sd` at least 0, `rho` positive and `alpha` inside `(0, 1)`;
/// [`StatsError::NonFinite`].
///
/// ```
/// use autoresearch_core::stats::sequences::{asymptotic_cs, asymptotic_rho};
///
/// let interval = asymptotic_cs(0.01, 0.05, 500, 0.05, asymptotic_rho(200.0, 0.05)?)?;
/// assert!((interval.half_width - 0.006886003).abs() < 1e-9);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
pub fn asymptotic_cs(mean: f64, sd: f64, t: u64, alpha: f64, rho: f64) -> Result<AsymptoticCs, StatsError> {
    check::finite("mean", mean)?;
    check::finite("sd", sd)?;
    if sd < 0.0 {
        return Err(parameter("sd", sd, "at least 0"));
    }
    if t == 0 {
        return Err(parameter("t", 0.0, "at least 1"));
    }
    check::open_unit("alpha", alpha)?;
    check::positive("rho", rho)?;
    let scaled = t as f64 * rho * rho;
    let log = 0.5 * scaled.ln_1p() - alpha.ln();
    let factor = (2.0 * (1.0 + 1.0 / scaled) * log / t as f64).sqrt();
    let half_width = if sd == 0.0 { 0.0 } else { sd * factor };
    Ok(AsymptoticCs { low: mean - half_width, high: mean + half_width, half_width })
}
