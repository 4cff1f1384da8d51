//! What is to be certified, and how carefully.

use crate::fidelity::Fidelity;
use serde::{Deserialize, Serialize};

/// How a certification goes about it: seeds of the totals, whether parts are left out, another fidelity.
///
/// ```
/// use autoresearch_core::{CertifyRules, Fidelity};
/// let rules = CertifyRules::new().leave_one_out().transfer_to(Fidelity::steps(10_000)).seeds(12);
/// # let _ = rules;
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CertifyRules {
    pub(super) seeds: u32,
    pub(super) rate: f64,
    pub(super) leave_one_out: bool,
    pub(super) transfer: Option<Fidelity>,
}

impl Default for CertifyRules {
    fn default() -> Self {
        Self { seeds: 8, rate: 0.03, leave_one_out: false, transfer: None }
    }
}

impl CertifyRules {
    /// The total alone, on 8 fresh seeds.
    pub fn new() -> Self {
        Self::default()
    }

    /// On how many fresh seeds two arms meet for each total (at least 2).
    #[must_use]
    pub fn seeds(mut self, n: u32) -> Self {
        self.seeds = n.max(2);
        self
    }

    /// Leaves out every part, at 2 runs or less a part, and drops those that do not earn their place.
    #[must_use]
    pub fn leave_one_out(mut self) -> Self {
        self.leave_one_out = true;
        self
    }

    /// Which share of the parts left standing may be without merit, in expectation (default .03). In
    /// simulation the share over many studies together comes out at up to 1.3 times this.
    #[must_use]
    pub fn rate(mut self, rate: f64) -> Self {
        self.rate = rate;
        self
    }

    /// Repeats the total, and the leaving out, at another fidelity. The executor has to heed
    /// [`RunContext::fidelity`](crate::RunContext::fidelity); in a loop of your own, such runs have the role
    /// [`Transfer`](crate::Role::Transfer).
    #[must_use]
    pub fn transfer_to(mut self, fidelity: Fidelity) -> Self {
        self.transfer = Some(fidelity);
        self
    }

    /// Says what cannot work.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.rate > 0.0 && self.rate < 1.0 {
            return Ok(());
        }
        Err(format!(
            "certify: the rate is {}; give the share of useless parts that may be left standing, between 0 and 1, such \
             as .05",
            self.rate
        ))
    }
}
