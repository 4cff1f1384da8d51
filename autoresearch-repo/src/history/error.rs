//! Why a history cannot be written or read.

use crate::git::GitError;

/// Why no branch was written, or a history cannot be read. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// What the task started from is no longer what is checked out.
    #[error(
        "the base has moved: the study started from {base}, and {place} is at {now} now{moved}; say onto what the edits are to be applied: \
         `{place}` for what is there now (each edit is merged, and what no longer merges is named), or {base} for the old base"
    )]
    BaseMoved {
        /// The commit that the study started from.
        base: String,
        /// What moved: `HEAD`, or the revision that the task names.
        place: String,
        /// The commit that it is at now.
        now: String,
        /// What lies between them: how many commits, and which files differ; begins with a comma, or is empty where git cannot tell.
        moved: String,
    },
    /// There is such a branch.
    #[error("the branch {0} exists; choose another name, or delete it first")]
    BranchExists(String),
    /// That is no name for a branch, or no commit.
    #[error("{0}")]
    Name(String),
    /// There is no edit to write.
    #[error("{0}")]
    Nothing(String),
    /// An edit does not merge.
    #[error("the edit {title:?} conflicts in {place}: {reason}")]
    Conflict {
        /// The edit's title.
        title: String,
        /// The file, and the line where that is known.
        place: String,
        /// What clashes.
        reason: String,
    },
    /// Edits one by one do not give what was certified as a whole.
    #[error("the edits one after another give the tree {made}, and the study certified {certified}")]
    Differs {
        /// What they give.
        made: String,
        /// What was certified.
        certified: String,
    },
    /// What is recorded under the name belongs to another study.
    #[error("{0}")]
    OtherStudy(String),
    /// git could not do something.
    #[error("{0}")]
    Git(String),
}

impl From<GitError> for HistoryError {
    fn from(error: GitError) -> Self {
        Self::Git(error.to_string())
    }
}
