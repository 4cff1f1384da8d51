//! Source trees as candidates: edits of a repository, run in isolation, measured honestly, and kept as commits.
//!
//! Point it at a repository, say which files may change, how to run it and where its number comes from: a [`Task`]. Proposals are
//! edits ([`GitTree`]), each run happens in a folder of its own behind a [`Sandbox`], and what is kept becomes commits.
//!
//! | | |
//! |---|---|
//! | [`TaskSpec`] | a task as data: what a `task.toml` says, or its builder |
//! | [`Task`] | a task that is open: makes studies, executors, evaluators, and the branch of what was certified |
//! | [`GitTree`] | the candidate: a git tree on a base commit |
//! | [`RepoCodec`] | edits as language models write them, applied strictly |
//! | [`GitMerge`] | how edits come together: `git merge-tree` |
//! | [`RepoExecutor`], [`RepoEvaluator`] | a run, and its measurement apart from all edited code |
//!
//! ```no_run
//! use autoresearch_core::{Limits, SqliteStore};
//! use autoresearch_repo::Task;
//! # async fn f() -> Result<(), Box<dyn std::error::Error>> {
//! let task = Task::from_toml("task.toml")?;
//! for notice in task.notices() {
//!     eprintln!("{notice}");
//! }
//! let report = task.study(task.proposer()?).store(SqliteStore::open("study.db")?).limits(Limits::new().runs(300)).run().await?;
//! task.finalize(&report, "improved")?;
//! # Ok(()) }
//! ```
//!
//! # What is believed
//! Without an `[evaluate]` command the objective is what the edited code prints. With one, it is computed from the run's artifacts by
//! code that no edit can reach, and held-out data is visible to its commands alone. `docs/sandbox.md` says what that stops, and what not.
//!
//! # Without Rust
//! The program `autoresearch` (feature `cli`): `init`, `run`, `status`, `resume`, `report`, `finalize`, `audit`. README.md shows it.
//!
//! # Where it runs
//! On Linux. Elsewhere the crate is empty.

#![cfg(target_os = "linux")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod error;
mod git;
mod history;
mod metric;
mod run;
mod sandbox;
mod task;
mod tree;
mod work;

pub use error::TaskError;
pub use history::{Finalized, HistoryError, Recorded};
pub use run::{RepoEvaluator, RepoExecutor, RunOutput};
pub use sandbox::Sandbox;
pub use task::{
    Bytes, CommandLine, ConstraintSpec, FidelitySpec, LimitsSpec, Measuring, Objective, Passed, ProposerSpec,
    StudySpec, Take, Task, TaskSpec,
};
pub use tree::{GitMerge, GitTree, RepoCodec};
