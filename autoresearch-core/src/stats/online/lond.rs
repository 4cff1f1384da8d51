//! LOND: levels based on the number of discoveries.

use super::super::StatsError;
use super::wealth::check_alpha;
use super::{OnlineRule, slow_weight};

/// LOND (Javanmard & Montanari 2015, arXiv 1502.06197): test `t` gets `alpha·γ_t·(D + 1)`, with `D` the rejections
/// before it. [`ELond`](crate::stats::ELond) is its form for e-values.
///
/// ```
/// use autoresearch_core::stats::online::{Lond, OnlineRule};
///
/// let mut rule = Lond::new(0.05)?;
/// assert!((rule.level() - 0.00267583854563004).abs() < 1e-14);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Lond {
    alpha: f64,
    dependent: bool,
    at_least_one: bool,
    tests: u64,
    rejections: u64,
    /// `1 + 1/2 + ... + 1/t` for the next test `t`.
    harmonic: f64,
}

impl Lond {
    /// Levels for the false discovery rate `alpha`.
    ///
    /// # Errors
    /// If `alpha` is not inside `(0, 1)`.
    pub fn new(alpha: f64) -> Result<Self, StatsError> {
        check_alpha(alpha)?;
        let (dependent, at_least_one) = (false, false);
        Ok(Self { alpha, dependent, at_least_one, tests: 0, rejections: 0, harmonic: 1.0 })
    }

    /// Valid under any dependence: the level of test `t` is divided by `1 + 1/2 + ... + 1/t`. Say so before the first
    /// test.
    pub fn dependent(self) -> Self {
        Self { dependent: true, ..self }
    }

    /// The smaller levels `alpha·γ_t·max(D, 1)` (Zrnic, Ramdas & Jordan 2021, *Journal of Machine Learning Research*
    /// 22(33)). Say so before the first test.
    pub fn at_least_one(self) -> Self {
        Self { at_least_one: true, ..self }
    }
}

impl OnlineRule for Lond {
    fn level(&self) -> f64 {
        let earned = if self.at_least_one { self.rejections.max(1) } else { self.rejections + 1 };
        let shared = if self.dependent { self.harmonic } else { 1.0 };
        self.alpha * slow_weight(self.tests + 1) / shared * earned as f64
    }

    fn push(&mut self, p: f64) -> bool {
        let rejected = p <= self.level();
        self.tests += 1;
        self.rejections += u64::from(rejected);
        self.harmonic += 1.0 / (self.tests + 1) as f64;
        rejected
    }
}
