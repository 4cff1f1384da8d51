//! Candidates that are trees of source files: what codecs and agents need of them, one in memory, and how changes merge.

mod canon;
mod changed;
mod disk;
mod files;
mod merge;
mod paths;

pub(crate) use canon::canonical;
pub(crate) use changed::{changed, lines, steps};
pub use files::{Files, FilesError};
pub use merge::TreeMerge;
pub(crate) use paths::problem;
pub use paths::{Globs, problem as path_problem};

use autoresearch_core::Candidate;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A candidate that is a tree of text files. Paths are relative, with `/` between their parts.
pub trait SourceTree: Candidate {
    /// The paths of its text files, in order.
    fn paths(&self) -> Vec<String>;

    /// The text of a file, exactly as it is stored; `None`: there is no such file.
    fn text(&self, path: &str) -> Option<Arc<str>>;

    /// The tree with these files made, replaced, or (`None`) taken out.
    ///
    /// # Errors
    /// The tree cannot hold such a file; the message says which and why.
    fn with(&self, changes: BTreeMap<String, Option<Arc<str>>>) -> Result<Self, String>;
}
