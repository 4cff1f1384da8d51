//! The gamma-exponential mixture of sub-exponential sums.

use super::super::gamma::ln_gamma_p_scaled;
use super::super::{StatsError, check};
use super::crossing;
use super::normal_mixture::best_rho;

/// The one-sided gamma mixture for sums that are sub-exponential with scale `c` (Howard et al. 2021, proposition 9).
///
/// With `a(v) = (v + rho)/c²`, `x = (c·s + v + rho)/c²` and `M(a, x) = ln(Γ(a)·P(a, x)·x^-a·e^x)`, `P` the regularised
/// lower incomplete gamma function, the logarithm of the e-value is `M(a(v), x) - M(a(0), a(0))`.
///
/// ```
/// use autoresearch_core::stats::sequences::GammaExponentialMixture;
///
/// let mixture = GammaExponentialMixture::new(10.0, 0.05, 1.0)?;
/// assert!((mixture.bound(10.0, 0.05)? - 11.549352).abs() < 1e-6);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GammaExponentialMixture {
    rho: f64,
    c: f64,
    at_zero: f64,
}

impl GammaExponentialMixture {
    /// The mixture whose bound at level `alpha` is about tightest when the variances add up to `v_opt`.
    ///
    /// # Errors
    /// [`StatsError::Parameter`] unless `v_opt` and `c` are positive and finite and `alpha` inside `(0, 0.5)`.
    pub fn new(v_opt: f64, alpha: f64, c: f64) -> Result<Self, StatsError> {
        check::positive("c", c)?;
        let rho = best_rho(v_opt, 2.0 * alpha)?;
        let shape = rho / (c * c);
        Ok(Self { rho, c, at_zero: ln_gamma_p_scaled(shape, shape) })
    }

    /// Logarithm of the e-value of the sum `s` when the variances add up to `v`; NaN for a negative `v`, or for a sum that
    /// is impossible: `c·s + v + rho <= 0`.
    pub fn log_e(&self, s: f64, v: f64) -> f64 {
        let scale = self.c * self.c;
        let (shape, x) = ((v + self.rho) / scale, (self.c * s + v + self.rho) / scale);
        if v >= 0.0 && x > 0.0 { ln_gamma_p_scaled(shape, x) - self.at_zero } else { f64::NAN }
    }

    /// The bound that the sum ever reaches with probability at most `alpha` without an effect, when the variances add up
    /// to `v`.
    ///
    /// # Errors
    /// [`StatsError::Parameter`] unless `v` is positive and finite and `alpha` inside `(0, 1)`.
    pub fn bound(&self, v: f64, alpha: f64) -> Result<f64, StatsError> {
        check::positive("v", v)?;
        check::open_unit("alpha", alpha)?;
        Ok(crossing(|s| self.log_e(s, v), v, -alpha.ln()))
    }
}
