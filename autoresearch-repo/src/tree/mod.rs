//! The candidate: a git tree on a base commit.

mod codec;
mod merge;
mod registry;
mod repo;
mod scope;
mod source;

pub use codec::RepoCodec;
pub use merge::GitMerge;
pub(crate) use registry::register;
pub(crate) use repo::Repo;
pub(crate) use scope::Scope;

use crate::git::{Oid, TreeChange};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::{Arc, OnceLock};

/// A source tree as a candidate: a git tree on a base commit. Cheap to clone; as JSON no more than the two names, so that a
/// store stays small however large the repository is.
///
/// It is a [`SourceTree`](autoresearch_llm::SourceTree): [`EditCodec`](autoresearch_llm::EditCodec),
/// [`CommandProposer`](autoresearch_llm::CommandProposer) and a proposer of your own read and edit it as any other. What they
/// see are the text files that the task shows; what they may change are those that it calls editable, and
/// [`with`](autoresearch_llm::SourceTree::with) refuses the rest by name and reason.
///
/// The objects are in the task's repository. A tree that was read from a store finds it when it is first needed, as long as
/// the [`Task`](crate::Task) is open in this process; without that it still says which commit and tree it is.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "Names", into = "Names")]
pub struct GitTree(Arc<Inner>);

struct Inner {
    base: Oid,
    tree: Oid,
    known: OnceLock<Known>,
}

/// What is known of a tree whose repository is at hand.
#[derive(Clone)]
struct Known {
    repo: Arc<Repo>,
    /// What it changes of the base.
    changes: Arc<TreeChange>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename = "GitTree")]
struct Names {
    base: String,
    tree: String,
}

impl GitTree {
    /// The base itself.
    pub(crate) fn at_base(repo: &Arc<Repo>) -> Self {
        Self::of(repo, repo.base_tree.clone(), TreeChange::new())
    }

    /// A tree whose difference to the base is known.
    fn of(repo: &Arc<Repo>, tree: Oid, changes: TreeChange) -> Self {
        let known = Known { repo: Arc::clone(repo), changes: Arc::new(changes) };
        Self(Arc::new(Inner { base: repo.base.clone(), tree, known: OnceLock::from(known) }))
    }

    /// A tree of this repository.
    ///
    /// # Errors
    /// In words: it is not there.
    pub(crate) fn in_repo(repo: &Arc<Repo>, tree: Oid) -> Result<Self, String> {
        let changes = repo.git.difference(&repo.base_tree, &tree).map_err(|e| e.to_string())?;
        Ok(Self::of(repo, tree, changes))
    }

    /// The commit that it is based on.
    pub fn base(&self) -> &str {
        self.0.base.as_str()
    }

    /// Its name in git: equal trees have equal names.
    pub fn tree(&self) -> &str {
        self.0.tree.as_str()
    }

    /// The paths at which it differs from its base, in order.
    ///
    /// # Errors
    /// In words: its repository is not open in this process.
    pub fn changed_paths(&self) -> Result<Vec<String>, String> {
        Ok(self.known()?.changes.keys().cloned().collect())
    }

    /// What it changes of a repository's base.
    ///
    /// # Errors
    /// In words: it is not in this repository, or on another base.
    pub(crate) fn changes_of(&self, repo: &Arc<Repo>) -> Result<Arc<TreeChange>, String> {
        if self.0.base != repo.base {
            return Err(format!(
                "the tree {} is based on {}, and the task on {}",
                self.0.tree, self.0.base, repo.base
            ));
        }
        match self.0.known.get() {
            Some(known) => Ok(Arc::clone(&known.changes)),
            None => {
                Ok(Arc::new(repo.git.difference(&repo.base_tree, &self.0.tree).map_err(|e| e.to_string())?))
            }
        }
    }

    pub(crate) fn tree_oid(&self) -> &Oid {
        &self.0.tree
    }

    fn known(&self) -> Result<&Known, String> {
        if let Some(known) = self.0.known.get() {
            return Ok(known);
        }
        let repo = registry::find(&self.0.base, &self.0.tree).ok_or_else(|| {
            format!(
                "the tree {} on {} belongs to a repository that is not open here, or was pruned from it; open the task first, with \
                 this base",
                self.0.tree, self.0.base
            )
        })?;
        let changes = repo.git.difference(&repo.base_tree, &self.0.tree).map_err(|e| e.to_string())?;
        Ok(self.0.known.get_or_init(|| Known { repo, changes: Arc::new(changes) }))
    }
}

impl PartialEq for GitTree {
    fn eq(&self, other: &Self) -> bool {
        (&self.0.base, &self.0.tree) == (&other.0.base, &other.0.tree)
    }
}

impl Eq for GitTree {}

/// The two names, by which a stored study knows it again.
impl fmt::Debug for GitTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitTree").field("base", &self.0.base).field("tree", &self.0.tree).finish()
    }
}

impl TryFrom<Names> for GitTree {
    type Error = String;

    fn try_from(names: Names) -> Result<Self, String> {
        let oid = |text: &str| Oid::new(text).map_err(|e| e.to_string());
        let (base, tree) = (oid(&names.base)?, oid(&names.tree)?);
        Ok(Self(Arc::new(Inner { base, tree, known: OnceLock::new() })))
    }
}

impl From<GitTree> for Names {
    fn from(tree: GitTree) -> Self {
        Self { base: tree.base().into(), tree: tree.tree().into() }
    }
}
