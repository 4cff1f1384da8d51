//! What a study has kept, read from the repository.

use super::error::HistoryError;
use super::ledger::kept;
use super::message;
use crate::Task;
use std::collections::BTreeMap;

/// A commit of what a study has kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recorded {
    /// The commit.
    pub commit: String,
    /// The tree that it gives.
    pub tree: String,
    /// The hypothesis's title, as far as it fits a subject.
    pub title: String,
    /// The whole message.
    pub message: String,
    /// Its trailers: `Fate`, `Effect`, `Interval`, `Evidence`, `Runs`, `Proposal`, `Unit` (the proposals that were judged as one with it), `Study`, `Base`, `Settled`.
    pub trailers: BTreeMap<String, String>,
}

impl Task {
    /// What the study of the task's name has kept so far, oldest first, as it is recorded in the repository; an edit that was revoked
    /// later has a second entry with the fate `revoked`.
    ///
    /// # Errors
    /// The repository cannot be read.
    pub fn recorded(&self) -> Result<Vec<Recorded>, HistoryError> {
        let commits = kept(self.repo(), self.name())?;
        let recorded = commits.into_iter().map(|entry| Recorded {
            commit: entry.commit.to_string(),
            tree: entry.tree.to_string(),
            title: entry.text.lines().next().unwrap_or_default().into(),
            trailers: message::trailers(&entry.text),
            message: entry.text,
        });
        Ok(recorded.collect())
    }
}
