//! How changes of trees come together: `git merge-tree`.

use super::GitTree;
use crate::git::Merged;
use autoresearch_core::{Compose, Conflict, Unit};
use autoresearch_llm::TreeMerge;

/// Three-way merge of git trees, as `git merge` does it, without renames and without drivers of anybody's configuration.
///
/// A [`Conflict`] names the file, and the line where lines clash. Units are changes of neighbouring lines, as those of
/// [`TreeMerge`], which this asks for them; the share of the editable lines that differ is its answer, too.
#[derive(Debug, Clone)]
pub struct GitMerge {
    lines: TreeMerge,
}

impl GitMerge {
    pub(crate) fn new(lines: TreeMerge) -> Self {
        Self { lines }
    }
}

impl Compose<GitTree> for GitMerge {
    fn apply(&self, base: &GitTree, parent: &GitTree, edited: &GitTree) -> Result<GitTree, Conflict> {
        // What needs no merge needs no repository either.
        if parent == base || edited == base {
            return Ok(edited.clone());
        }
        if parent == edited {
            return Ok(base.clone());
        }
        let failed = |reason: String| Conflict { place: "the repository".into(), reason };
        let repo = &base.known().map_err(failed)?.repo;
        let merged = repo.merge(&parent.0.tree, &base.0.tree, &edited.0.tree);
        match merged.map_err(|why| failed(why.to_string()))? {
            Merged::Clean(tree) => GitTree::in_repo(repo, tree).map_err(failed),
            Merged::Conflict { place, reason } => Err(Conflict { place, reason }),
        }
    }

    fn units(&self, parent: &GitTree, edited: &GitTree) -> Vec<Unit<GitTree>> {
        self.lines.units(parent, edited)
    }

    fn canonical(&self, candidate: &GitTree) -> Option<String> {
        // What is no text, or is switched by a file's mode, only the tree itself can tell apart.
        let known = candidate.known().ok()?;
        known.changes_text_alone().then(|| self.lines.canonical(candidate)).flatten()
    }

    fn coverage(&self, incumbent: &GitTree, stack: &GitTree) -> Option<f64> {
        self.lines.coverage(incumbent, stack)
    }
}
