//! A proposer whose proposals are written into the repository.

use super::ledger::Ledger;
use super::message::About;
use crate::tree::{GitMerge, GitTree, Repo};
use autoresearch_core::{
    Compose, Notice, Observe, ProposeContext, ProposeError, Proposed, Proposer, Status, TrialRecord,
    async_trait,
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Asks another proposer, and writes down what it proposes and what becomes of that.
pub(crate) struct Recorder<P> {
    inner: P,
    ledger: Shared,
}

#[derive(Clone)]
struct Shared(Arc<Mutex<Ledger>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P> Recorder<P> {
    pub(crate) fn new(inner: P, repo: &Arc<Repo>, merge: &GitMerge, about: About) -> Self {
        Self { inner, ledger: Shared(Arc::new(Mutex::new(Ledger::new(repo, merge, about)))) }
    }

    /// Is told which runs there were.
    pub(crate) fn watcher(&self) -> impl Observe + use<P> {
        let ledger = self.ledger.clone();
        move |notice: &Notice<'_>, _: &Status| {
            if let Notice::RunFinished { run, arm, .. } = notice {
                ledger.lock().ran(*run, arm.proposals());
            }
        }
    }
}

#[async_trait]
impl<P: Proposer<GitTree>> Proposer<GitTree> for Recorder<P> {
    async fn propose(&mut self, cx: ProposeContext<'_, GitTree>) -> Result<Proposed<GitTree>, ProposeError> {
        let parent = cx.incumbent.clone();
        let (ledger, asked) = (self.ledger.clone(), parent.clone());
        // A history that is another study's is found before anything is paid for.
        let write = |ledger: Shared, parent: GitTree, made: Vec<_>| async move {
            let done = tokio::task::spawn_blocking(move || {
                let done = ledger.lock().proposed(&parent, &made);
                (done, made)
            });
            let (done, made) = done.await.map_err(|why| ProposeError::new(why.to_string()))?;
            done.map_err(|why| ProposeError::new(why.to_string()))?;
            Ok::<_, ProposeError>(made)
        };
        write(ledger, asked, Vec::new()).await?;
        match self.inner.propose(cx).await? {
            Proposed::Proposals(made) => {
                Ok(Proposed::Proposals(write(self.ledger.clone(), parent, made).await?))
            }
            other => Ok(other),
        }
    }

    fn observe(&mut self, settled: &TrialRecord<GitTree>) {
        self.ledger.lock().settled(settled);
        self.inner.observe(settled);
    }

    fn composer(&self) -> Option<Arc<dyn Compose<GitTree>>> {
        self.inner.composer()
    }
}
