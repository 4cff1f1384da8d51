//! Which files may be edited, which are protected, and which are shown.

use crate::git::Entry;
use autoresearch_llm::Globs;
use std::collections::BTreeMap;

/// The task's word on the files of its repository.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    pub(crate) editable: Globs,
    /// `None`: whatever is in the base and may not be edited.
    pub(crate) protected: Option<Globs>,
    /// `None`: all, where they are few.
    pub(crate) shown: Option<Globs>,
    pub(crate) create: bool,
    pub(crate) delete: bool,
    /// Where data stands in the folders of runs, beside the tree.
    pub(crate) data: Vec<String>,
    /// The most bytes that an edited file may have, unless it had more before.
    pub(crate) most_bytes: usize,
}

impl Scope {
    /// Whether no run may change this file.
    pub(crate) fn protects(&self, path: &str, base: &BTreeMap<String, Entry>) -> bool {
        match &self.protected {
            Some(protected) => protected.matches(path),
            None => base.contains_key(path) && !self.editable.matches(path),
        }
    }

    /// Whether proposers see this file even of a large repository.
    pub(super) fn always_shows(&self, path: &str) -> bool {
        let named = |globs: &Option<Globs>| globs.as_ref().is_some_and(|globs| globs.matches(path));
        self.editable.matches(path) || named(&self.protected) || named(&self.shown)
    }
}
