//! ADDIS: SAFFRON that also discards hopeless p-values.

use super::super::StatsError;
use super::super::error::parameter;
use super::wealth::{Wealth, check_alpha, check_w0};
use super::{OnlineRule, fast_weight};

/// ADDIS (Tian & Ramdas 2019, NeurIPS): alpha-wealth whose clock moves only at p-values above `lambda` and at most
/// `tau`. Smaller ones are candidates, larger ones are discarded; in return the wealth is multiplied by
/// `tau - lambda`, and no level is above `lambda`. It gains where null p-values tend to be large.
///
/// ```
/// use autoresearch_core::stats::online::{Addis, OnlineRule};
///
/// let mut rule = Addis::new(0.05)?;
/// let level = rule.level();
/// rule.push(0.9); // discarded
/// rule.push(0.1); // a candidate
/// assert_eq!(rule.level(), level);
/// rule.push(0.4);
/// assert!(rule.level() < level);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Addis {
    wealth: Wealth,
    lambda: f64,
    tau: f64,
}

impl Addis {
    /// Levels for the false discovery rate `alpha`, with `lambda = 0.25`, `tau = 0.5` and the initial stake
    /// `w0 = alpha/2`.
    ///
    /// # Errors
    /// If `alpha` is not inside `(0, 1)`.
    pub fn new(alpha: f64) -> Result<Self, StatsError> {
        Self::with_w0_lambda_tau(alpha, 0.5 * alpha, 0.25, 0.5)
    }

    /// The same with another stake and thresholds.
    ///
    /// # Errors
    /// If `alpha` is not inside `(0, 1)`, not `0 < lambda < tau <= 1`, or `w0` not in `[0, alpha]`.
    pub fn with_w0_lambda_tau(alpha: f64, w0: f64, lambda: f64, tau: f64) -> Result<Self, StatsError> {
        check_alpha(alpha)?;
        check_w0(w0, alpha)?;
        if !(tau > 0.0 && tau <= 1.0) {
            return Err(parameter("tau", tau, "above 0 and at most 1"));
        }
        if !(lambda > 0.0 && lambda < tau) {
            return Err(parameter("lambda", lambda, "above 0 and below tau"));
        }
        Ok(Self { wealth: Wealth::new(alpha, w0), lambda, tau })
    }
}

impl OnlineRule for Addis {
    fn level(&self) -> f64 {
        ((self.tau - self.lambda) * self.wealth.spend(fast_weight)).min(self.lambda)
    }

    fn push(&mut self, p: f64) -> bool {
        let rejected = p <= self.level();
        self.wealth.settle(p > self.lambda && p <= self.tau, rejected);
        rejected
    }
}
