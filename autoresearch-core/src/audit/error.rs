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
