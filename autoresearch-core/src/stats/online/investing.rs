//! Alpha-investing: wealth that is paid only for tests that fail.

use super::super::StatsError;
use super::wealth::{Wealth, check_alpha, check_w0};
use super::{OnlineRule, fast_weight};

/// Alpha-investing (Foster & Stine 2008, *Journal of the Royal Statistical Society B* 70:429-444), in the form of
/// Ramdas et al. (2018): SAFFRON whose candidates are the rejections themselves. With `s` what is spent, the level
/// is `s/(1 + s)`.
///
/// ```
/// use autoresearch_core::stats::online::{AlphaInvesting, OnlineRule};
///
/// let rule = AlphaInvesting::new(0.05)?;
/// assert!((rule.level() - 0.0108189248147257).abs() < 1e-13);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct AlphaInvesting {
    wealth: Wealth,
}

impl AlphaInvesting {
    /// Levels for the false discovery rate `alpha`, with the initial stake `w0 = alpha/2`.
    ///
    /// # Errors
    /// If `alpha` is not inside `(0, 1)`.
    pub fn new(alpha: f64) -> Result<Self, StatsError> {
        Self::with_w0(alpha, 0.5 * alpha)
    }

    /// The same with another stake.
    ///
    /// # Errors
    /// If `alpha` is not inside `(0, 1)`, or `w0` not in `[0, alpha]`.
    pub fn with_w0(alpha: f64, w0: f64) -> Result<Self, StatsError> {
        check_alpha(alpha)?;
        check_w0(w0, alpha)?;
        Ok(Self { wealth: Wealth::new(alpha, w0) })
    }
}

impl OnlineRule for AlphaInvesting {
    fn level(&self) -> f64 {
        let spent = self.wealth.spend(fast_weight);
        spent / (1.0 + spent)
    }

    fn push(&mut self, p: f64) -> bool {
        let rejected = p <= self.level();
        self.wealth.settle(!rejected, rejected);
        rejected
    }
}
