//! e-LOND: the level of each test in an endless stream of tests.

use super::StatsError;
use super::error::parameter;
use serde::{Deserialize, Serialize};

/// Levels for e-values that keep the false discovery rate of a whole stream at or below `alpha` at all times,
/// without any assumption on how the tests depend on each other (Xu & Ramdas 2024, "Online multiple testing
/// with e-values", AISTATS).
///
/// Test `t = 1, 2, ...` has level `a_t = alpha·g_t·(R+1)`, with `R` the acceptances before it, and accepts if
/// its e-value reaches `1/a_t`. Needed: fix `a_t` before the first observation of test `t`, and use data that
/// are fresh given the past. The weights are `g_t = sqrt(h/(h+t-1)) - sqrt(h/(h+t))`: they sum to 1 over the
/// endless stream and are nearly flat over the first `h` tests.
///
/// ```
/// use autoresearch_core::stats::ELond;
///
/// let levels = ELond::new(0.10, 200.0)?;
/// assert!(levels.level(2, 1) > 1.9 * levels.level(1, 0)); // an acceptance buys later tests a larger level
/// assert!((levels.log_threshold(1, 0) - (1.0 / levels.level(1, 0)).ln()).abs() < 1e-12);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct ELond {
    alpha: f64,
    horizon: f64,
}

#[derive(Deserialize)]
struct Unchecked {
    alpha: f64,
    horizon: f64,
}

impl TryFrom<Unchecked> for ELond {
    type Error = StatsError;
    fn try_from(raw: Unchecked) -> Result<Self, StatsError> {
        Self::new(raw.alpha, raw.horizon)
    }
}

impl Default for ELond {
    /// `alpha = 0.10`, `horizon = 200`.
    fn default() -> Self {
        Self { alpha: 0.10, horizon: 200.0 }
    }
}

impl ELond {
    /// Levels for the false discovery rate `alpha`, in a stream of about `horizon` tests.
    ///
    /// # Errors
    /// If `alpha` is not inside `(0, 1)`, or `horizon` is not positive and at most 1e150.
    pub fn new(alpha: f64, horizon: f64) -> Result<Self, StatsError> {
        if !(alpha > 0.0 && alpha < 1.0) {
            return Err(parameter("alpha", alpha, "between 0 and 1, both excluded"));
        }
        if !(horizon > 0.0 && horizon <= 1e150) {
            return Err(parameter("horizon", horizon, "positive and at most 1e150"));
        }
        Ok(Self { alpha, horizon })
    }

    /// The false discovery rate that is kept.
    pub fn alpha(&self) -> f64 {
        self.alpha
    }

    /// The number of tests over which the weights are nearly flat.
    pub fn horizon(&self) -> f64 {
        self.horizon
    }

    /// `g_t`, the share of `alpha` that test `t` gets; tests count from 1 (and 0 gets nothing).
    pub fn weight(&self, t: u64) -> f64 {
        if t == 0 {
            return 0.0;
        }
        // 1/√x - 1/√(x+1) = 1/(√x·√(x+1)·(√x + √(x+1))), which does not cancel.
        let x = self.horizon + (t - 1) as f64;
        let (root, next_root) = (x.sqrt(), (x + 1.0).sqrt());
        self.horizon.sqrt() / root / next_root / (root + next_root)
    }

    /// The level `a_t` of test `t` when `accepted` tests before it ended in acceptance.
    pub fn level(&self, t: u64, accepted: u64) -> f64 {
        self.alpha * self.weight(t) * (accepted as f64 + 1.0)
    }

    /// `ln(1/a_t)`: accept when the logarithm of the e-value reaches it.
    pub fn log_threshold(&self, t: u64, accepted: u64) -> f64 {
        -self.level(t, accepted).ln()
    }
}
