//! e-LORD: e-LOND's relative that spends a share of what is left.

use super::super::{StatsError, check};

/// e-LORD with a constant share `omega` (Zhang, Wei, Ren & Zou 2025, "e-GAI"): test `t` gets
/// `a_t = omega·(alpha - Σ_(j<t) a_j/(R_j + 1))·(R_t + 1)`, `R_j` the rejections before test `j`, and rejects if its
/// e-value reaches `1/a_t`. It keeps the false discovery rate at `alpha` under any dependence, as long as each
/// e-value has an expectation of at most 1 given the past.
///
/// ```
/// use autoresearch_core::stats::online::ELord;
///
/// let mut rule = ELord::new(0.10, 0.2)?;
/// assert!((rule.level() - 0.02).abs() < 1e-15);
/// assert!(!rule.push(0.5f64.ln()) && rule.push(3000f64.ln()));
/// assert!((rule.level() - 0.0256).abs() < 1e-15);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ELord {
    omega: f64,
    /// `alpha - Σ a_j/(R_j + 1)`.
    left: f64,
    rejections: u64,
}

impl ELord {
    /// Levels for the false discovery rate `alpha`, each test taking the share `omega` of what is left.
    ///
    /// # Errors
    /// If `alpha` or `omega` is not inside `(0, 1)`.
    pub fn new(alpha: f64, omega: f64) -> Result<Self, StatsError> {
        check::open_unit("alpha", alpha)?;
        check::open_unit("omega", omega)?;
        Ok(Self { omega, left: alpha, rejections: 0 })
    }

    /// The level of the next test: it is known before the test's data are.
    pub fn level(&self) -> f64 {
        self.omega * self.left * (self.rejections + 1) as f64
    }

    /// Takes the logarithm of the next test's e-value and says whether it is rejected.
    pub fn push(&mut self, log_e: f64) -> bool {
        let rejected = log_e >= -self.level().ln();
        self.left *= 1.0 - self.omega;
        self.rejections += u64::from(rejected);
        rejected
    }
}
