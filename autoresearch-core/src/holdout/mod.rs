//! The splits that steer nothing: the holdout, which answers one bit, and the test split, which is opened once.

mod credit;
mod effects;
mod gate;
mod shards;

pub(crate) use effects::{contenders, examine};
pub(crate) use gate::{compare, gate};

use crate::arm::Version;
use crate::measure::{Direction, Measurement};
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
}

fn one() -> u64 {
    1
}

impl Default for Holdout {
    fn default() -> Self {
        Self { queries: 100, shards: 1, split_error: None }
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

    /// How many questions it answers in all.
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

/// What noise the holdout's answer took into account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Basis {
    /// Run noise alone: there were no per-unit values, and nobody stated the split's own noise.
    RunsOnly,
    /// Run noise and the split's noise as the user stated it.
    Stated,
    /// Run noise and the clustered standard error of the same runs. Counts what is run × document noise twice: safe.
    RunsAndDocuments,
    /// Run noise and the part of the documents' noise that does not fall with more seeds (4 or more pairs).
    RunsAndDocumentComponent,
    /// The documents' noise alone: one run an arm, and nothing known of the run noise. Weak.
    DocumentsOnly,
    /// No noise at all, just the sign of the difference. Very weak.
    SignOnly,
    /// Nothing: the outputs could not be measured on the holdout, which counts as a no.
    Unmeasured,
}

/// The holdout's answer: one bit, and what it rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Yes or no.
    pub passed: bool,
    /// What noise was taken into account.
    pub basis: Basis,
}

/// Baseline against incumbent on one split, in the objective's units.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Mean objective of the baseline.
    pub baseline: f64,
    /// Mean objective of the incumbent.
    pub incumbent: f64,
    /// The improvement, positive for better.
    pub gain: f64,
    /// Lower end of its interval.
    pub low: f64,
    /// Upper end of its interval.
    pub high: f64,
}

/// What the final runs showed: both arms on the same fresh seeds, paired t intervals over the seeds.
///
/// The intervals speak of the run noise; the splits' own noise is in none of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FinalResult {
    /// Which incumbent was compared with the baseline.
    pub version: Version,
    /// Pairs of runs behind it.
    pub pairs: u32,
    /// The intervals' level.
    pub level: f64,
    /// On validation, which the search has mined: expect it to be the largest.
    pub validation: Comparison,
    /// On the holdout, if there is one.
    pub holdout: Option<Comparison>,
    /// On the test split, opened for the first time.
    pub test: Comparison,
}
