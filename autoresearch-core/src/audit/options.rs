//! An audit, and what its reader may say about the log.

use super::columns::{self, Wanted};
use super::curve;
use super::entries::{self, Class};
use super::error::AuditError;
use super::judge::{self, Terms};
use super::report::{AuditReport, Counts};
use super::table::Table;
use super::units;
use crate::measure::Direction;
use std::path::Path;

/// An audit of a log whose columns are guessed, unless you say which they are.
///
/// ```
/// use autoresearch_core::{Direction, audit::Audit};
///
/// let log = "step,val_loss,verdict\n0,3.20,base\n1,3.11,yes\n2,3.15,no\n";
/// let report = Audit::text(log)
///     .metric("val_loss")
///     .status("verdict")
///     .kept(["base", "yes"])
///     .direction(Direction::Minimize)
///     .noise_with_df(0.02, 7.0) // from eight runs of the baseline
///     .run()?;
/// assert_eq!(report.rows.len(), 2);
/// # Ok::<(), autoresearch_core::audit::AuditError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Audit {
    source: String,
    bytes: Vec<u8>,
    wanted: Wanted,
    kept: Option<Vec<String>>,
    each_row: bool,
    terms: Terms,
}

impl Audit {
    /// An audit of a file.
    ///
    /// # Errors
    /// [`AuditError::Io`].
    pub fn file(path: impl AsRef<Path>) -> Result<Self, AuditError> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|source| AuditError::Io { path: path.into(), source })?;
        Ok(Self { source: path.display().to_string(), ..Self::text(bytes) })
    }

    /// An audit of a log in memory.
    pub fn text(log: impl AsRef<[u8]>) -> Self {
        Self {
            source: "the log".into(),
            bytes: log.as_ref().to_vec(),
            wanted: Wanted::default(),
            kept: None,
            each_row: false,
            terms: Terms { direction: None, noise: None, alpha: 0.05 },
        }
    }

    /// What the report calls the log.
    #[must_use]
    pub fn called(mut self, name: impl Into<String>) -> Self {
        self.source = name.into();
        self
    }

    /// The column of the objective.
    #[must_use]
    pub fn metric(mut self, column: impl Into<String>) -> Self {
        self.wanted.metric = Some(column.into());
        self
    }

    /// The column that says what was kept, or how each run ended.
    #[must_use]
    pub fn status(mut self, column: impl Into<String>) -> Self {
        self.wanted.status = Some(column.into());
        self
    }

    /// The words of the status column that mean "kept". Every other word then means that a row was not.
    #[must_use]
    pub fn kept<S: Into<String>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.kept = Some(words.into_iter().map(Into::into).collect());
        self
    }

    /// The column that says in words what was tried.
    #[must_use]
    pub fn description(mut self, column: impl Into<String>) -> Self {
        self.wanted.description = Some(column.into());
        self
    }

    /// The column of the seed.
    #[must_use]
    pub fn seed(mut self, column: impl Into<String>) -> Self {
        self.wanted.seed = Some(column.into());
        self
    }

    /// The column that names the rows.
    #[must_use]
    pub fn id(mut self, column: impl Into<String>) -> Self {
        self.wanted.id = Some(column.into());
        self
    }

    /// The columns of settings, all of them: rows that agree in them repeat each other.
    #[must_use]
    pub fn settings<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.wanted.settings = Some(columns.into_iter().map(Into::into).collect());
        self
    }

    /// Columns that are no settings, although they may look like it: what was measured beside the metric, or noted.
    #[must_use]
    pub fn ignore<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.wanted.ignored.extend(columns.into_iter().map(Into::into));
        self
    }

    /// Each row is a run of its own, although columns of runs and steps make it look like a report from the middle of one.
    #[must_use]
    pub fn each_row_is_a_run(mut self) -> Self {
        self.each_row = true;
        self
    }

    /// Whether lower or higher is better.
    #[must_use]
    pub fn direction(mut self, direction: Direction) -> Self {
        self.terms.direction = Some(direction);
        self
    }

    /// The standard deviation of one run over seeds, in the metric's units, taken as exact.
    #[must_use]
    pub fn noise(mut self, sd: f64) -> Self {
        self.terms.noise = Some((sd, None));
        self
    }

    /// The standard deviation of one run, estimated with `df` degrees of freedom: 7 for eight runs of one
    /// configuration.
    #[must_use]
    pub fn noise_with_df(mut self, sd: f64, df: f64) -> Self {
        self.terms.noise = Some((sd, Some(df)));
        self
    }

    /// The level of the verdicts; .05 unless it is set.
    #[must_use]
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.terms.alpha = alpha;
        self
    }

    /// Reads the log and judges its kept rows.
    ///
    /// # Errors
    /// No row can be read, no column looks like a metric or the one that does holds no numbers, a column that was named is
    /// not there, the rows are the steps of a single run, or a number given is out of its range. A row that cannot be read is no error: the report lists it.
    pub fn run(self) -> Result<AuditReport, AuditError> {
        check(&self.terms)?;
        let mut table = Table::read(&self.bytes);
        let all_rows = table.rows.len() + table.unreadable.len();
        if table.rows.is_empty() {
            let first = table.unreadable.first().map(|row| format!("line {}: {}", row.line, row.reason));
            return Err(AuditError::Empty { first });
        }
        units::decimal_commas(&mut table);
        let (places, columns) = columns::find(&table, &self.wanted)?;
        if !self.each_row
            && let Some(at) = curve::of_one_run(&table, &places)
        {
            return Err(AuditError::Curve { column: table.names[at].clone() });
        }
        units::percent(&mut table, places.metric)?;
        let hint = columns::direction_hint(&table);
        let mut entries = entries::read(&mut table, &places, self.kept.as_deref(), self.each_row);
        let judged = judge::judge(&mut entries, &columns, hint, &self.terms);
        table.unreadable.sort_by_key(|row| row.line);
        let count = |class| entries.all.iter().filter(|e| e.class == class).count();
        let counts = Counts {
            rows: all_rows,
            kept: count(Class::Kept),
            discarded: count(Class::Discarded),
            crashed: count(Class::Crashed),
            no_value: count(Class::NoValue),
            unfinished: count(Class::Unfinished),
            intermediate: count(Class::Intermediate),
            repeats: count(Class::Repeat),
            unreadable: table.unreadable.len(),
        };
        let mut notes = table.notes;
        notes.extend(judged.notes);
        Ok(AuditReport {
            source: self.source,
            format: table.format,
            columns,
            direction: judged.direction,
            keeps_are_stated: entries.explicit,
            counts,
            unreadable: table.unreadable,
            noise: judged.noise,
            tries: judged.tries,
            alpha: self.terms.alpha,
            rows: judged.rows,
            total: judged.total,
            notes,
            doubts: judged.doubts,
        })
    }
}

fn check(terms: &Terms) -> Result<(), AuditError> {
    let setting = |what, value, expected| Err(AuditError::Setting { what, value, expected });
    if !(terms.alpha > 0.0 && terms.alpha < 0.5) {
        return setting("alpha", terms.alpha, "above 0 and below .5");
    }
    match terms.noise {
        Some((sd, _)) if !(sd > 0.0 && sd.is_finite()) => setting("noise", sd, "positive and finite"),
        Some((_, Some(df))) if !(df > 0.0 && df.is_finite()) => {
            setting("degrees of freedom of the noise", df, "positive and finite")
        }
        _ => Ok(()),
    }
}
