//! SAFFRON: alpha-wealth that is not spent on p-values small enough to be candidates.

use super::super::{StatsError, check};
use super::wealth::{Wealth, check_alpha, check_w0};
use super::{OnlineRule, fast_weight};

/// SAFFRON (Ramdas, Zrnic, Wainwright & Jordan 2018, ICML): LORD++ whose clock stands still at candidates, p-values of
/// at most `lambda`; in return its wealth is multiplied by `1 - lambda`, and no level is above `lambda`.
///
/// ```
/// use autoresearch_core::stats::online::{OnlineRule, Saffron};
///
/// let mut rule = Saffron::new(0.05)?;
/// assert!((rule.level() - 0.0054686270725).abs() < 1e-13);
/// rule.push(0.2); // a candidate: it costs nothing
/// assert!((rule.level() - 0.0054686270725).abs() < 1e-13);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Saffron {
    wealth: Wealth,
    lambda: f64,
}

impl Saffron {
    /// Levels for the false discovery rate `alpha`, with `lambda = 0.5` and the initial stake `w0 = alpha/2`.
    ///
    /// # Errors
    /// If `alpha` is not inside `(0, 1)`.
    pub fn new(alpha: f64) -> Result<Self, StatsError> {
        Self::with_w0_lambda(alpha, 0.5 * alpha, 0.5)
    }

    /// The same with another stake and threshold.
    ///
    /// # Errors
    /// If `alpha` or `lambda` is not inside `(0, 1)`, or `w0` not in `[0, alpha]`.
    pub fn with_w0_lambda(alpha: f64, w0: f64, lambda: f64) -> Result<Self, StatsError> {
        check_alpha(alpha)?;
        check_w0(w0, alpha)?;
        check::open_unit("lambda", lambda)?;
        Ok(Self { wealth: Wealth::new(alpha, w0), lambda })
    }
}

impl OnlineRule for Saffron {
    fn level(&self) -> f64 {
        ((1.0 - self.lambda) * self.wealth.spend(fast_weight)).min(self.lambda)
    }

    fn push(&mut self, p: f64) -> bool {
        let rejected = p <= self.level();
        let candidate = p <= self.lambda;
        self.wealth.settle(!candidate, rejected);
        rejected
    }
}
