//! Candidates that a coding agent can work on, and which of their files it may change.

use crate::codec::CodecError;
use autoresearch_core::Candidate;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A candidate that is a tree of text files. Paths are relative, with `/` between their parts, and have no part `.` or
/// `..`. Files are written to a folder and read back by [`CommandProposer`](super::CommandProposer); an implementation
/// touches no disk.
pub trait AgentTree: Candidate {
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

/// Which files may be changed: `train.py`, `src/**`, `*.py`; `*` stays within a folder.
#[derive(Debug, Clone)]
pub(super) struct Globs {
    set: GlobSet,
    written: Vec<String>,
}

impl Globs {
    pub(super) fn new<G: Into<String>>(globs: impl IntoIterator<Item = G>) -> Result<Self, CodecError> {
        let (mut set, mut written) = (GlobSetBuilder::new(), Vec::new());
        let wrong = |glob: &str, why: &globset::Error| {
            CodecError::new(format!("`{glob}` is no glob: {}", why.kind()))
        };
        for glob in globs {
            let glob: String = glob.into();
            let whole = if glob.ends_with('/') { format!("{glob}**") } else { glob.clone() };
            set.add(
                GlobBuilder::new(&whole).literal_separator(true).build().map_err(|why| wrong(&glob, &why))?,
            );
            written.push(glob);
        }
        let set = set.build().map_err(|why| wrong(&written.join(", "), &why))?;
        Ok(Self { set, written })
    }

    pub(super) fn matches(&self, path: &str) -> bool {
        self.set.is_match(path)
    }

    pub(super) fn written(&self) -> &[String] {
        &self.written
    }
}
