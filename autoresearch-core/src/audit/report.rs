//! What an audit says.

use super::chance::hurdle;
use super::columns::{Columns, Guess};
use super::noise::RunNoise;
use super::table::{Format, Unreadable};
use super::verdict::{AuditedRow, Verdict};
use crate::measure::Direction;
use serde::{Deserialize, Serialize};

/// How many rows of each kind there are. Together they are all rows of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Counts {
    /// All rows; blank lines, comments and the header are none.
    pub rows: usize,
    /// Kept, the baseline among them.
    pub kept: usize,
    /// Not kept.
    pub discarded: usize,
    /// Crashed or diverged.
    pub crashed: usize,
    /// Without a value, and nothing says why.
    #[serde(default)]
    pub no_value: usize,
    /// Still running when the log was written.
    pub unfinished: usize,
    /// Reports from the middle of a run whose last report is counted.
    pub intermediate: usize,
    /// Repeats that are counted together with the row that they repeat.
    pub repeats: usize,
    /// Not understood; [`AuditReport::unreadable`] says why.
    pub unreadable: usize,
}

impl Counts {
    /// The sum of all kinds: it equals [`rows`](Self::rows).
    pub fn accounted(&self) -> usize {
        self.kept
            + self.discarded
            + self.crashed
            + self.no_value
            + self.unfinished
            + self.intermediate
            + self.repeats
            + self.unreadable
    }
}

/// From the baseline to the last kept row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Total {
    /// The baseline's value.
    pub baseline: f64,
    /// The value of the last kept row.
    pub endpoint: f64,
    /// Its line.
    pub endpoint_line: u64,
    /// The improvement between them: positive for better.
    pub gain: f64,
    /// One-sided p-value as if the endpoint had been the only try.
    pub p: Option<f64>,
    /// The same with every try counted.
    pub p_adjusted: Option<f64>,
    /// Whether it can be told from noise.
    pub verdict: Verdict,
    /// How many kept rows gained less than the typical difference that a change of seed alone makes; `None` where that
    /// is unknown.
    pub below_seed: Option<usize>,
    /// What those rows gained together, in the metric's units.
    pub gain_below_seed: Option<f64>,
}

/// An audited log: every row accounted for, a verdict per kept row, and what the verdicts rest on.
///
/// `Display` writes all of it; [`paragraph`](Self::paragraph) says it in plain words. Lines are counted from 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AuditReport {
    /// The log, in words: for a file its path.
    pub source: String,
    /// How it is written.
    pub format: Format,
    /// Which column is what.
    pub columns: Columns,
    /// Which way is better.
    pub direction: Guess<Direction>,
    /// Whether the log itself says what was kept; else the running best is taken as kept.
    pub keeps_are_stated: bool,
    /// All rows by kind.
    pub counts: Counts,
    /// The rows that could not be read, in order.
    pub unreadable: Vec<Unreadable>,
    /// The run noise, and where it is known from.
    pub noise: RunNoise,
    /// Rows that had a chance to be lucky: all that were tried and have a value, but for the baseline and pure repeats.
    pub tries: usize,
    /// The level of the verdicts.
    pub alpha: f64,
    /// Every kept row, the baseline first.
    pub rows: Vec<AuditedRow>,
    /// From the baseline to the last kept row; `None` where nothing was kept after the baseline.
    pub total: Option<Total>,
    /// What else a reader should know.
    pub notes: Vec<String>,
    /// Those of the notes that say what speaks against the direction or the order in which the log was read; the
    /// paragraph repeats them.
    #[serde(default)]
    pub doubts: Vec<String>,
}

impl AuditReport {
    /// How many standard errors a gain needs to be called beyond noise, with all tries counted and the noise known with
    /// `df` degrees of freedom (infinity: exactly).
    pub fn hurdle(&self, df: f64) -> f64 {
        hurdle(df, self.tries, self.alpha)
    }

    /// The kept rows with a given verdict.
    pub fn with(&self, verdict: Verdict) -> impl Iterator<Item = &AuditedRow> + '_ {
        self.rows.iter().filter(move |row| row.verdict == verdict)
    }

    /// The kept rows after the baseline.
    pub fn keeps(&self) -> impl Iterator<Item = &AuditedRow> + '_ {
        self.rows.iter().filter(|row| row.verdict != Verdict::Baseline)
    }
}
