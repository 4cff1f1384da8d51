//! LORD: levels based on recent discovery.

use super::super::StatsError;
use super::super::error::parameter;
use super::wealth::{Wealth, check_alpha, check_w0};
use super::{OnlineRule, slow_weight};

/// LORD++ (Ramdas, Yang, Wainwright & Jordan 2017, NeurIPS): with rejections at tests `τ_1, τ_2, ...` test `t` gets
/// `w0·γ_t + (alpha - w0)·γ_(t-τ_1) + alpha·Σ_(j>1) γ_(t-τ_j)`.
///
/// ```
/// use autoresearch_core::stats::online::{Lord, OnlineRule};
///
/// let mut rule = Lord::new(0.05)?;
/// assert!((rule.level() - 0.000267583854563).abs() < 1e-14);
/// assert!(rule.push(1e-6) && rule.level() > 0.002);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Lord {
    wealth: Wealth,
}

impl Lord {
    /// Levels for the false discovery rate `alpha`, with the initial stake `w0 = alpha/10`.
    ///
    /// # Errors
    /// If `alpha` is not inside `(0, 1)`.
    pub fn new(alpha: f64) -> Result<Self, StatsError> {
        Self::with_w0(alpha, alpha / 10.0)
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

impl OnlineRule for Lord {
    fn level(&self) -> f64 {
        self.wealth.spend(slow_weight)
    }

    fn push(&mut self, p: f64) -> bool {
        let rejected = p <= self.level();
        self.wealth.settle(true, rejected);
        rejected
    }
}

/// D-LORD (Tian & Ramdas 2019, NeurIPS): LORD++ that neither spends nor waits on p-values above `tau`, which a true
/// effect hardly ever gives. The wealth is `tau·alpha`, and no level is above `tau`.
///
/// ```
/// use autoresearch_core::stats::online::{LordDiscard, OnlineRule};
///
/// let mut rule = LordDiscard::new(0.05)?;
/// let level = rule.level();
/// rule.push(0.8); // discarded: as if it had not been
/// assert_eq!(rule.level(), level);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LordDiscard {
    wealth: Wealth,
    tau: f64,
}

impl LordDiscard {
    /// Levels for the false discovery rate `alpha`, with `tau = 0.5` and the initial stake `w0 = alpha/10`.
    ///
    /// # Errors
    /// If `alpha` is not inside `(0, 1)`.
    pub fn new(alpha: f64) -> Result<Self, StatsError> {
        Self::with_w0_tau(alpha, alpha / 10.0, 0.5)
    }

    /// The same with another stake and threshold.
    ///
    /// # Errors
    /// If `alpha` is not inside `(0, 1)`, `tau` not in `(0, 1]`, or `w0` not in `[0, tau·alpha]`.
    pub fn with_w0_tau(alpha: f64, w0: f64, tau: f64) -> Result<Self, StatsError> {
        check_alpha(alpha)?;
        if !(tau > 0.0 && tau <= 1.0) {
            return Err(parameter("tau", tau, "above 0 and at most 1"));
        }
        if !(0.0..=tau * alpha).contains(&w0) {
            return Err(parameter("w0", w0, "at least 0 and at most tau·alpha"));
        }
        Ok(Self { wealth: Wealth::new(tau * alpha, w0), tau })
    }
}

impl OnlineRule for LordDiscard {
    fn level(&self) -> f64 {
        self.wealth.spend(slow_weight).min(self.tau)
    }

    fn push(&mut self, p: f64) -> bool {
        let rejected = p <= self.level();
        self.wealth.settle(p <= self.tau, rejected);
        rejected
    }
}

/// LORD under any dependence (Javanmard & Montanari 2018, *Annals of Statistics* 46:526-554): test `t` gets
/// `ξ_t` times the wealth right after the last rejection, `ξ_t = 0.1393/(t·ln(max(t, 2))³)`. A test costs its level,
/// a rejection earns `b0 = alpha - w0`.
///
/// ```
/// use autoresearch_core::stats::online::{LordDependent, OnlineRule};
///
/// let mut rule = LordDependent::new(0.05)?;
/// assert!((rule.level() - 0.00209154185985954).abs() < 1e-14);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LordDependent {
    b0: f64,
    tests: u64,
    wealth: f64,
    /// The wealth right after the last rejection.
    staked: f64,
}

impl LordDependent {
    /// Levels for the false discovery rate `alpha`, with the initial wealth `w0 = alpha/10`.
    ///
    /// # Errors
    /// If `alpha` is not inside `(0, 1)`.
    pub fn new(alpha: f64) -> Result<Self, StatsError> {
        Self::with_w0(alpha, alpha / 10.0)
    }

    /// The same with another initial wealth.
    ///
    /// # Errors
    /// If `alpha` is not inside `(0, 1)`, or `w0` not in `[0, alpha/2]`: the weights are made for `w0 <= b0`.
    pub fn with_w0(alpha: f64, w0: f64) -> Result<Self, StatsError> {
        check_alpha(alpha)?;
        if !(0.0..=0.5 * alpha).contains(&w0) {
            return Err(parameter("w0", w0, "at least 0 and at most alpha/2"));
        }
        Ok(Self { b0: alpha - w0, tests: 0, wealth: w0, staked: w0 })
    }
}

impl OnlineRule for LordDependent {
    fn level(&self) -> f64 {
        let t = (self.tests + 1) as f64;
        0.139307 / (t * t.max(2.0).ln().powi(3)) * self.staked
    }

    fn push(&mut self, p: f64) -> bool {
        let level = self.level();
        let rejected = p <= level;
        self.tests += 1;
        self.wealth -= level;
        if rejected {
            self.wealth += self.b0;
            self.staked = self.wealth;
        }
        rejected
    }
}
