//! What comes out of the held-out splits, and may be stored.

use crate::arm::Version;
use serde::{Deserialize, Serialize};

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

/// What a rule released besides its bits: nothing, with the one-bit rule.
///
/// The number is one that the rule gives away by its design, such as the rounded best loss of [`Ladder`](crate::Ladder); unrounded
/// held-out numbers are in no fact.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Release {
    /// How many answers said that validation was overfitted.
    #[serde(default)]
    pub detected: u64,
    /// The number that later answers go by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
}

impl Release {
    pub(crate) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
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

/// A candidate against the baseline on every split.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Splits {
    /// On validation, which the search has mined: expect it to be the largest.
    pub validation: Comparison,
    /// On the holdout, if there is one.
    pub holdout: Option<Comparison>,
    /// On the test split, opened for the first time.
    pub test: Comparison,
}

/// What the final runs showed: all arms on the same fresh seeds, paired t intervals over the seeds.
///
/// The intervals speak of the run noise; the splits' own noise is in none of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FinalResult {
    /// Which incumbent was compared with the baseline.
    pub version: Version,
    /// Seeds behind it.
    pub pairs: u32,
    /// The intervals' level.
    pub level: f64,
    /// The incumbent, where anything was kept.
    pub kept: Option<Splits>,
    /// The bolder stack, where the policy left one.
    pub stack: Option<Splits>,
}
