//! What keeps a log from being audited.

use crate::store::StoreError;
use std::path::PathBuf;

/// Why there is no audit, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The file cannot be read.
    #[error("cannot read the log {}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There are no rows.
    #[error("the log has no rows that can be read{}", first.as_deref().map(|f| format!(" ({f})")).unwrap_or_default())]
    Empty {
        /// The first line that could not be read, and why.
        first: Option<String>,
    },
    /// The store holds no study.
    #[error("the store holds no study: its first event does not open one")]
    NotAStudy,
    /// No column holds numbers that could be the objective.
    #[error(
        "no column looks like a metric among {}; say which one is with .metric(\"...\")",
        listed(columns)
    )]
    NoMetric {
        /// The columns.
        columns: Vec<String>,
    },
    /// The column of the metric holds something that cannot be read as numbers.
    #[error(
        "the column \"{column}\" is named like the metric, but {numbers} of its {filled} cells are numbers: line {line} has \
         \"{cell}\"; write plain numbers there, or say which column is the metric with .metric(\"...\")"
    )]
    NotNumbers {
        /// The column.
        column: String,
        /// The first cell that is no number.
        cell: String,
        /// Its line.
        line: u64,
        /// Cells that are numbers.
        numbers: usize,
        /// Cells that are not empty.
        filled: usize,
    },
    /// Some cells of the metric are percentages and others not, and nothing tells how they compare.
    #[error(
        "the column \"{column}\" mixes \"{percent}\" (line {line}) with \"{plain}\", and both may be percentages or shares; \
         write all in one unit"
    )]
    MixedUnits {
        /// The column.
        column: String,
        /// A cell with a percent sign.
        percent: String,
        /// Its line.
        line: u64,
        /// A cell without one.
        plain: String,
    },
    /// The rows are the steps of a single run.
    #[error(
        "the rows are steps of one run, counted by the column \"{column}\": that is a learning curve, and no search that kept \
         some rows and not others; if each row is a run of its own, say so with .each_row_is_a_run()"
    )]
    Curve {
        /// The column that counts the steps.
        column: String,
    },
    /// The user named a column that is not there.
    #[error("the {what} column \"{wanted}\" is not in the log; its columns are {}", listed(columns))]
    NoColumn {
        /// Which role it was to play.
        what: &'static str,
        /// Its name.
        wanted: String,
        /// The columns.
        columns: Vec<String>,
    },
    /// A number given to the audit is out of its range.
    #[error("{what} = {value}, but it must be {expected}")]
    Setting {
        /// Which one.
        what: &'static str,
        /// What was given.
        value: f64,
        /// What is expected.
        expected: &'static str,
    },
}

fn listed(columns: &[String]) -> String {
    let shown: Vec<String> = columns.iter().take(30).map(|c| format!("\"{c}\"")).collect();
    let more = if columns.len() > 30 { format!(" and {} more", columns.len() - 30) } else { String::new() };
    if shown.is_empty() { "no columns".into() } else { shown.join(", ") + &more }
}
