//! Candidates that a coding agent can work on.

use autoresearch_core::Candidate;
use std::collections::BTreeMap;

/// A candidate that is a tree of text files.
///
/// Paths are relative, with `/` between their parts, and have no part `.` or `..`. Files are written to a folder and read
/// back by [`CommandProposer`](super::CommandProposer); an implementation touches no disk.
pub trait AgentTree: Candidate {
    /// Every file: its path and its text.
    fn files(&self) -> Vec<(&str, &str)>;

    /// Whether a proposal may change, add or delete the file at this path, which need not exist.
    fn is_editable(&self, path: &str) -> bool;

    /// The tree with these files changed or added, or deleted where there is no text. All of them are editable.
    ///
    /// # Errors
    /// The changes make no candidate; the message says why, for the study's history.
    fn with_changes(&self, changes: BTreeMap<String, Option<String>>) -> Result<Self, String>;
}
