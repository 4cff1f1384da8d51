//! The normal mixture of sub-Gaussian sums.

use super::super::normal::normal_ln_cdf_scaled;
use super::super::power::Sides;
use super::super::{StatsError, check};
use super::crossing;
use std::f64::consts::LN_2;

/// Robbins' normal mixture (1970, *Annals of Mathematical Statistics* 41:1397-1409; Howard et al. 2021), two-sided or,
/// mixing over positive effects only, one-sided.
///
/// ```
/// use autoresearch_core::stats::sequences::NormalMixture;
/// use autoresearch_core::stats::Sides;
///
/// let mixture = NormalMixture::new(10.0, 0.05, Sides::One)?; // tightest after ten terms of variance 1
/// let bound = mixture.bound(20.0, 0.05)?;
/// assert!((bound - 12.488074).abs() < 1e-6);
/// assert!((mixture.log_e(bound, 20.0) - 20f64.ln()).abs() < 1e-9);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormalMixture {
    rho: f64,
    sides: Sides,
}

impl NormalMixture {
    /// The mixture whose bound at level `alpha` is tightest when the variances add up to `v_opt`.
    ///
    /// # Errors
    /// [`StatsError::Parameter`] unless `v_opt` is positive and finite and `alpha` inside `(0, 1)`, one-sided `(0, 0.5)`.
    pub fn new(v_opt: f64, alpha: f64, sides: Sides) -> Result<Self, StatsError> {
        let alpha = match sides {
            Sides::One => 2.0 * alpha,
            Sides::Two => alpha,
        };
        Ok(Self { rho: best_rho(v_opt, alpha)?, sides })
    }

    /// The variance `rho` of the mixture's inverse, in the units of `v`: `v/(2·ln(1/a) + ln(1 + 2·ln(1/a)))` with `a` the
    /// level, one-sided twice the level.
    pub fn rho(&self) -> f64 {
        self.rho
    }

    /// Logarithm of the e-value of the sum `s` when the variances add up to `v`: two-sided
    /// `ln(rho/(v+rho))/2 + s²/(2(v+rho))`, one-sided that plus `ln(2·Φ(s/sqrt(v+rho)))`. NaN for a negative `v`.
    pub fn log_e(&self, s: f64, v: f64) -> f64 {
        if v.is_nan() || v < 0.0 {
            return f64::NAN;
        }
        let z = s / (v + self.rho).sqrt();
        let shrunk = -0.5 * (v / self.rho).ln_1p();
        match self.sides {
            Sides::One => shrunk + LN_2 + normal_ln_cdf_scaled(z),
            Sides::Two => shrunk + 0.5 * z * z,
        }
    }

    /// The bound that the sum (two-sided: its absolute value) ever reaches with probability at most `alpha` without an
    /// effect, when the variances add up to `v`.
    ///
    /// # Errors
    /// [`StatsError::Parameter`] unless `v` is positive and finite and `alpha` inside `(0, 1)`.
    pub fn bound(&self, v: f64, alpha: f64) -> Result<f64, StatsError> {
        check::positive("v", v)?;
        check::open_unit("alpha", alpha)?;
        Ok(match self.sides {
            Sides::One => crossing(|s| self.log_e(s, v), v, -alpha.ln()),
            Sides::Two => ((v + self.rho) * ((v / self.rho).ln_1p() - 2.0 * alpha.ln())).sqrt(),
        })
    }
}

/// `v/(2·ln(1/a) + ln(1 + 2·ln(1/a)))`.
pub(super) fn best_rho(v_opt: f64, alpha: f64) -> Result<f64, StatsError> {
    check::positive("v_opt", v_opt)?;
    check::open_unit("alpha (one-sided: twice alpha)", alpha)?;
    let twice_log = -2.0 * alpha.ln();
    Ok(v_opt / (twice_log + twice_log.ln_1p()))
}
