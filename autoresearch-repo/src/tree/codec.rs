//! Edits of a task's trees, as language models write them.

use super::GitTree;
use autoresearch_core::Compose;
use autoresearch_llm::{Codec, CodecError, EditCodec, EditFormat};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// [`EditCodec`] for the trees of a task: search/replace blocks, unified diffs and whole files, applied strictly. It knows which
/// files are protected, links or binary, and says so where an edit names one; it merges with [`GitMerge`](super::GitMerge), and
/// tells duplicates by the name that git gives a tree.
///
/// Made by [`Task::codec`](crate::Task::codec).
#[derive(Debug, Clone)]
pub struct RepoCodec {
    edits: EditCodec,
    merge: super::GitMerge,
}

impl RepoCodec {
    pub(crate) fn new(edits: EditCodec, merge: super::GitMerge) -> Self {
        Self { edits, merge }
    }

    /// The form in which edits are asked for; read is every one of them.
    #[must_use]
    pub fn format(self, format: EditFormat) -> Self {
        Self { edits: self.edits.format(format), ..self }
    }

    /// The most bytes of files that a model is shown (default 48 KiB).
    #[must_use]
    pub fn shown_bytes(self, most: usize) -> Self {
        Self { edits: self.edits.shown_bytes(most), ..self }
    }
}

impl Codec<GitTree> for RepoCodec {
    fn schema(&self, base: &GitTree) -> Value {
        self.edits.schema(base)
    }

    fn describe(&self, base: &GitTree) -> String {
        self.edits.describe(base)
    }

    fn apply(&self, base: &GitTree, change: &Value) -> Result<GitTree, CodecError> {
        self.edits.apply(base, change).map_err(|error| match explained(base, &error.to_string()) {
            Some(message) => CodecError::new(message),
            None => error,
        })
    }

    fn difference(&self, from: &GitTree, to: &GitTree) -> String {
        self.edits.difference(from, to)
    }

    /// The name of the tree.
    fn identity(&self, candidate: &GitTree) -> String {
        candidate.tree().into()
    }

    fn usable(&self, base: &GitTree) -> Result<(), CodecError> {
        base.known().map_err(CodecError::new)?;
        self.edits.usable(base)
    }

    fn takes_text(&self) -> bool {
        true
    }

    fn composer(&self) -> Option<Arc<dyn Compose<GitTree>>> {
        Some(Arc::new(self.merge.clone()))
    }
}

/// What the codec cannot know of the paths that its message names.
fn explained(base: &GitTree, message: &str) -> Option<String> {
    let known = base.known().ok()?;
    let named: BTreeSet<&str> = message.split('`').skip(1).step_by(2).collect();
    let reasons =
        named.into_iter().filter(|path| !path.is_empty() && path.len() <= 1024).filter_map(|path| {
            let special = known.entry(path).is_some() || path.contains('/');
            let reason = special.then(|| known.closed(path)).flatten()?;
            // Those that may not be edited at all the codec has named as such.
            (!reason.starts_with("may not")).then(|| format!("`{path}` {reason}"))
        });
    let reasons: Vec<String> = reasons.collect();
    (!reasons.is_empty()).then(|| format!("{message}\n{}", reasons.join("\n")))
}
