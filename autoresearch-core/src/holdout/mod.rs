//! The splits that steer nothing: the holdout, which answers one bit, and the test split, which is opened once.
//!
//! `gate` and `effects` say what the runs of a question come to on a shard of the holdout (`shards`), `rule` makes bits
//! of it (or `thresholdout`, `ladder`), `hear` puts these together, `ledger` keeps account.

mod answer;
#[cfg(test)]
mod calibration;
mod credit;
mod effects;
mod gate;
mod hear;
mod ladder;
mod ledger;
mod mechanism;
mod rule;
mod shards;
mod thresholdout;
mod units;
#[cfg(test)]
mod vectors;

pub use answer::{Answer, Basis, Comparison, FinalResult, Release, Splits};
pub use ladder::Ladder;
pub use ledger::{HoldoutLedger, ShardLedger};
pub use rule::{Heard, HeardEffect, HoldoutRule, Memory, OneBit, Reply};
pub use thresholdout::Thresholdout;

pub(crate) use effects::{Question, contenders};
pub(crate) use gate::compare;
pub(crate) use hear::{Hall, decide_effects, decide_pair};
pub(crate) use ledger::Book;
pub(crate) use units::{Shares, documents, weighted_documents};

use crate::measure::{Direction, Measurement};
use mechanism::Mechanism;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A measurement on a held-out split. It can be handed to the study, and that is all: no display, no serde, no access.
///
/// ```compile_fail
/// let held: autoresearch_core::HeldOut = autoresearch_core::Measurement::scalar(1.0).unwrap().into();
/// println!("{held}"); // no Display
/// ```
/// ```compile_fail
/// let held: autoresearch_core::HeldOut = autoresearch_core::Measurement::scalar(1.0).unwrap().into();
/// held.objective(); // no Deref, no accessor
/// ```
/// ```compile_fail
/// let held: autoresearch_core::HeldOut = autoresearch_core::Measurement::scalar(1.0).unwrap().into();
/// serde_json::to_string(&held).unwrap(); // no Serialize
/// ```
/// ```
/// let held: autoresearch_core::HeldOut = autoresearch_core::Measurement::scalar(1.25).unwrap().into();
/// assert_eq!(format!("{held:?}"), "HeldOut(sealed)");
/// ```
#[derive(Clone)]
pub struct HeldOut(Measurement);

impl From<Measurement> for HeldOut {
    fn from(measurement: Measurement) -> Self {
        Self(measurement)
    }
}

impl fmt::Debug for HeldOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeldOut(sealed)")
    }
}

impl HeldOut {
    pub(crate) fn stated_direction(&self) -> Option<Direction> {
        self.0.stated_direction()
    }

    pub(crate) fn loss(&self, direction: Direction) -> f64 {
        direction.loss(self.0.objective())
    }
}

/// How the holdout is used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Holdout {
    pub(crate) queries: u64,
    #[serde(default = "one")]
    pub(crate) shards: u64,
    pub(crate) split_error: Option<f64>,
    #[serde(default, skip_serializing_if = "Mechanism::is_default")]
    pub(crate) rule: Mechanism,
}

fn one() -> u64 {
    1
}

impl Default for Holdout {
    fn default() -> Self {
        Self { queries: 100, shards: 1, split_error: None, rule: Mechanism::default() }
    }
}

impl Holdout {
    /// 100 questions; the split's own noise is estimated from per-unit values.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many questions a shard answers before it is used up. Each answer leaks at most one bit of it.
    #[must_use]
    pub fn queries(mut self, n: u64) -> Self {
        self.queries = n;
        self
    }

    /// Divides the split into this many shards (at least 1), by source: when one is used up the next answers, and each
    /// answer rests on its shard alone. Measurements then need per-unit values.
    #[must_use]
    pub fn shards(mut self, n: u64) -> Self {
        self.shards = n.max(1);
        self
    }

    /// What makes the bits of the held-out numbers: [`OneBit`] unless said, [`Thresholdout`], [`Ladder`], or a rule of
    /// your own. A stored study goes on only with the same rule.
    #[must_use]
    pub fn rule(mut self, rule: impl HoldoutRule + 'static) -> Self {
        self.rule = Mechanism::new(rule);
        self
    }

    /// How many questions a shard can answer that nobody has asked yet.
    pub(crate) fn fresh_shard(&self) -> u64 {
        self.queries.min(self.rule.get().detections().unwrap_or(u64::MAX))
    }

    /// How many questions it answers in all, at most.
    pub fn questions(&self) -> u64 {
        self.queries.saturating_mul(self.shards)
    }

    /// States the standard error of a paired difference that comes from the split being finite, in the objective's
    /// units, where measurements have no per-unit values to estimate it from. What is not finite or negative is
    /// taken as not stated.
    #[must_use]
    pub fn split_error(mut self, standard_error: f64) -> Self {
        self.split_error = (standard_error.is_finite() && standard_error >= 0.0).then_some(standard_error);
        self
    }
}

/// How the test split is used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TestSplit {
    pub(crate) seeds: u32,
}

impl Default for TestSplit {
    fn default() -> Self {
        Self { seeds: 8 }
    }
}

impl TestSplit {
    /// Opened once, at the end: baseline and incumbent on 8 fresh seeds each.
    pub fn new() -> Self {
        Self::default()
    }

    /// Other than 8 seeds (at least 2: with fewer there is no interval).
    #[must_use]
    pub fn seeds(mut self, n: u32) -> Self {
        self.seeds = n.max(2);
        self
    }
}
