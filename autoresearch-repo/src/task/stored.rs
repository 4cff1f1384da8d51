//! The report of a study that is stored, without going on with it.

use super::Task;
use crate::run::{RepoExecutor, RunOutput};
use crate::tree::GitTree;
use autoresearch_core::{
    Cancellation, Executor, MemoryStore, ProposeContext, Proposed, Report, RunContext, RunFailure, Seq,
    Store, Study, StudyError, async_trait, proposer_fn,
};
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
