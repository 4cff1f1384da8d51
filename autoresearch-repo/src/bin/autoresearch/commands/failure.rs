//! Why a command could not do what was asked.

use super::audit::as_options;
use autoresearch_core::{StoreError, StudyError, audit::AuditError};
use autoresearch_repo::{HistoryError, TaskError};
use autoresearch_report::ReportError;
use std::process::ExitCode;

/// In words, and the exit status.
#[derive(Debug)]
pub(super) struct Failure {
    status: u8,
    text: String,
}

impl Failure {
    /// What was given makes no sense.
    pub(super) fn input(text: impl Into<String>) -> Self {
        Self { status: 2, text: text.into() }
    }

    /// It went wrong on the way.
    pub(super) fn work(text: impl Into<String>) -> Self {
        Self { status: 1, text: text.into() }
    }

    /// The same of a study that is stored: the policy, the settings or the store may not be what it began with.
    pub(super) fn of_stored(error: StudyError) -> Self {
        let is_state = matches!(error, StudyError::State(_));
        let failure = Self::from(error);
        if !is_state {
            return failure;
        }
        Self::input(format!(
            "{}; a study goes on only with what it began with: put that back, or give the task another `name` and run it anew",
            failure.text
        ))
    }

    pub(super) fn told(&self) -> ExitCode {
        eprintln!("error: {}", self.text);
        ExitCode::from(self.status)
    }
}

impl From<TaskError> for Failure {
    fn from(error: TaskError) -> Self {
        Self::input(error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::input(error.to_string())
    }
}

impl From<StudyError> for Failure {
    fn from(error: StudyError) -> Self {
        let text = error.to_string();
        match error {
            // The policy or the settings make no sense.
            StudyError::State(_) => Self::input(text),
            _ => Self::work(text),
        }
    }
}

impl From<HistoryError> for Failure {
    fn from(error: HistoryError) -> Self {
        Self::work(error.to_string())
    }
}

impl From<ReportError> for Failure {
    fn from(error: ReportError) -> Self {
        Self::work(error.to_string())
    }
}

impl From<AuditError> for Failure {
    fn from(error: AuditError) -> Self {
        Self::input(as_options(error.to_string()))
    }
}
