//! Family-wise error over an endless stream: alpha-spending and the online fallback.

use super::super::StatsError;
use super::wealth::check_alpha;
use super::{OnlineRule, slow_weight};

/// Alpha-spending: test `t` gets `alpha·γ_t`, whatever happens (Bonferroni's inequality over an endless stream).
///
/// ```
/// use autoresearch_core::stats::online::{AlphaSpending, OnlineRule};
///
/// let levels = AlphaSpending::new(0.05)?.run(&[1e-9, 1e-9]);
/// assert!(levels[1].0 < levels[0].0); // a rejection earns nothing
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct AlphaSpending {
    alpha: f64,
    tests: u64,
}

impl AlphaSpending {
    /// Levels for the family-wise error rate `alpha`.
    ///
    /// # Errors
    /// If `alpha` is not inside `(0, 1)`.
    pub fn new(alpha: f64) -> Result<Self, StatsError> {
        check_alpha(alpha)?;
        Ok(Self { alpha, tests: 0 })
    }
}

impl OnlineRule for AlphaSpending {
    fn level(&self) -> f64 {
        self.alpha * slow_weight(self.tests + 1)
    }

    fn push(&mut self, p: f64) -> bool {
        let rejected = p <= self.level();
        self.tests += 1;
        rejected
    }
}

/// The online fallback (Tian & Ramdas 2021, *Statistical Methods in Medical Research* 30:976-993): test `t` gets
/// `alpha·γ_t`, and on top the level of the test before it, if that was rejected.
///
/// ```
/// use autoresearch_core::stats::online::{OnlineFallback, OnlineRule};
///
/// let levels = OnlineFallback::new(0.05)?.run(&[1e-9, 1e-9, 0.5]);
/// assert!(levels[2].0 > levels[1].0 && levels[1].0 > levels[0].0);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct OnlineFallback {
    spending: AlphaSpending,
    inherited: f64,
}

impl OnlineFallback {
    /// Levels for the family-wise error rate `alpha`.
    ///
    /// # Errors
    /// If `alpha` is not inside `(0, 1)`.
    pub fn new(alpha: f64) -> Result<Self, StatsError> {
        Ok(Self { spending: AlphaSpending::new(alpha)?, inherited: 0.0 })
    }
}

impl OnlineRule for OnlineFallback {
    fn level(&self) -> f64 {
        self.spending.level() + self.inherited
    }

    fn push(&mut self, p: f64) -> bool {
        let level = self.level();
        let rejected = p <= level;
        self.spending.push(p);
        self.inherited = if rejected { level } else { 0.0 };
        rejected
    }
}
