//! A run's longest time.

use super::leash::Leash;
use super::{Executor, RunContext};
use crate::candidate::Candidate;
use crate::failure::{FailureKind, RunFailure};
use async_trait::async_trait;
use std::marker::PhantomData;
use std::time::Duration;

/// Ends a run that takes longer than it may. Made by [`ExecutorExt::timeout`](super::ExecutorExt::timeout).
///
/// # Whose fault
/// The candidate's, of the kind [`FailureKind::Timeout`]: it counts against the proposal and is not tried again. So
/// the clock should run only while the candidate does, not while it waits for its turn or for a lost node: put
/// [`limit`](super::ExecutorExt::limit) and [`retry`](super::ExecutorExt::retry) around it, not within.
/// A wall clock makes the machine's load part of the outcome; set it far above what a sound candidate needs, and bound
/// the training itself with [`Fidelity`](crate::Fidelity).
///
/// # Cancel safety
/// When the time is up the inner future is dropped, and the [`cancel`](RunContext::cancel) flag that it was given goes
/// up; so it does when the outer future is dropped. That flag is this attempt's own: the run's is left alone. A future
/// that blocks its thread cannot be ended from here.
///
/// # Identity
/// The limit is no part of [`identity`](Executor::identity): a stored study may go on with another one. What timed out
/// before stays failed.
#[derive(Debug, Clone)]
pub struct Timeout<C, E> {
    inner: E,
    of: PhantomData<fn() -> C>,
    limit: Duration,
}

impl<C, E> Timeout<C, E> {
    pub(super) fn new(inner: E, limit: Duration) -> Self {
        Self { inner, of: PhantomData, limit }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<C: Candidate, E: Executor<C>> Executor<C> for Timeout<C, E> {
    type Output = E::Output;

    async fn execute(&self, candidate: C, mut cx: RunContext) -> Result<E::Output, RunFailure> {
        let (leash, flag) = Leash::on(&cx.cancel);
        cx.cancel = flag;
        let run = self.inner.execute(candidate, cx);
        let output = tokio::time::timeout(self.limit, run).await.map_err(|_| {
            let message = format!("the run took longer than {:?}", self.limit);
            RunFailure::candidate(message).kind(FailureKind::Timeout)
        })??;
        leash.let_go();
        Ok(output)
    }

    async fn reopen(&self, candidate: &C, cx: &RunContext) -> Option<E::Output> {
        self.inner.reopen(candidate, cx).await
    }

    fn identity(&self) -> String {
        self.inner.identity()
    }
}
