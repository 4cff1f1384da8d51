//! A study that is stored: where, on which base, and its report without going on with it.

use super::{Task, TaskSpec, home, open};
use crate::git::Git;
use crate::run::{RepoExecutor, RunOutput};
use crate::tree::GitTree;
use crate::{HistoryError, TaskError};
use autoresearch_core::{
    Cancellation, Event, Executor, MemoryStore, ProposeContext, Proposed, Report, RunContext, RunFailure,
    Seq, Store, Study, StudyError, async_trait, proposer_fn,
};
use std::path::PathBuf;
use std::time::Duration;

/// How many events are read at a time.
const PAGE: usize = 1024;

impl Task {
    /// The report of the task's study as it is stored, finished or not, for [`finalize`](Self::finalize). Nothing is run, proposed,
    /// or written anywhere: the events are replayed on a copy in memory. A study that has not come to its end counts as
    /// cancelled.
    ///
    /// The task must be on the base that the study started from ([`TaskSpec::base_of`](crate::TaskSpec::base_of)).
    ///
    /// # Errors
    /// The store cannot be read, is empty, or holds another study.
    ///
    /// # Cancel safety
    /// It only reads.
    pub async fn report(
        &self,
        store: &(impl Store<GitTree> + ?Sized),
    ) -> Result<Report<GitTree>, StudyError> {
        let copy = MemoryStore::new();
        let mut at = Seq(0);
        loop {
            let page = store.read(at, PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            let last = *last;
            let events: Vec<_> = page.into_iter().map(|(_, event)| event).collect();
            copy.append(at, &events).await?;
            at = last;
        }
        let stop = Cancellation::new();
        stop.cancel();
        let nobody = proposer_fn(|_: ProposeContext<'_, GitTree>| Ok(Proposed::Exhausted));
        let study = Study::new(self.baseline(), nobody, Idle(self.executor()), self.evaluator());
        let study = self.described(study).store(copy).cancelled_by(&stop).grace(Duration::ZERO);
        // Its own folder is another session's, which may be at work in it.
        study.scratch(self.home().join("replayed")).run().await
    }
}

impl TaskSpec {
    /// [`open`](Self::open) without asking for a sandbox, or whether data is there: for the report and the branch of a study that is stored.
    /// Nothing can be run with it but without a sandbox.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_to_read(self) -> Result<Task, TaskError> {
        Task::open(self, false)
    }

    /// The commit that the task would start from now: [`base`](Self::base), or what is checked out in its folder. Only that is looked at.
    ///
    /// # Errors
    /// git is missing or too old, or there is no repository or no such commit.
    pub fn base_now(&self) -> Result<String, TaskError> {
        let found = Git::find(&self.repository).map_err(|why| self.wrong("repository", why.to_string()))?;
        Ok(open::base(self, found.head)?.to_string())
    }

    /// That `place` (`HEAD`, or the revision that the task names) is no longer at `base` but at `now`, with what lies between them.
    pub fn moved(&self, base: &str, place: String, now: String) -> HistoryError {
        let moved = Git::between(&self.repository, base, &now).unwrap_or_default();
        HistoryError::BaseMoved { base: base.into(), place, now, moved }
    }

    /// Where the task's study has its store ([`Task::home`]); the task need not be one that can be opened now.
    ///
    /// # Errors
    /// git is missing or too old, or there is no repository.
    pub fn home(&self) -> Result<PathBuf, TaskError> {
        let found = Git::find(&self.repository).map_err(|why| self.wrong("repository", why.to_string()))?;
        Ok(home(found.git.dir(), &self.name))
    }

    /// The commit that a stored study began with; nothing if the store is empty. [`base`](Self::base) takes it, so that a study can
    /// be resumed after something else was checked out.
    ///
    /// # Errors
    /// The store cannot be read.
    ///
    /// # Cancel safety
    /// It only reads.
    pub async fn base_of(
        store: &impl Store<crate::GitTree>,
    ) -> Result<Option<String>, autoresearch_core::StoreError> {
        let first = store.read(Seq(0), 1).await?;
        Ok(first.into_iter().find_map(|(_, event)| match event {
            Event::Opened { baseline, .. } => Some(baseline.base().into()),
            _ => None,
        }))
    }
}

/// Passes for another executor, and never does anything.
struct Idle(RepoExecutor);

#[async_trait]
impl Executor<GitTree> for Idle {
    type Output = RunOutput;

    async fn execute(&self, _: GitTree, _: RunContext) -> Result<RunOutput, RunFailure> {
        std::future::pending().await
    }

    fn identity(&self) -> String {
        self.0.identity()
    }
}
