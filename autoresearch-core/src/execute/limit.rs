//! How many runs at once.

use super::{Executor, RunContext};
use crate::candidate::Candidate;
use crate::failure::RunFailure;
use async_trait::async_trait;
use std::marker::PhantomData;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// At most so many runs at once, over all clones. Made by [`ExecutorExt::limit`](super::ExecutorExt::limit).
///
/// For what a device or a licence bears, where several parties use one executor: two studies, or a study and the
/// screens of [`Halving`](crate::Halving). What a single study starts by itself is bounded by `Study::in_flight`.
/// Runs wait in the order in which they came. [`reopen`](Executor::reopen) waits for nobody.
///
/// # Whose fault
/// It adds one failure: a run that is told to stop while it waits is cancelled.
///
/// # Cancel safety
/// A run that is dropped while it waits gives up its place, one that is dropped while it runs frees it.
#[derive(Debug, Clone)]
pub struct Limit<C, E> {
    inner: E,
    of: PhantomData<fn() -> C>,
    places: Arc<Semaphore>,
}

impl<C, E> Limit<C, E> {
    pub(super) fn new(inner: E, n: usize) -> Self {
        Self { inner, of: PhantomData, places: Arc::new(Semaphore::new(n.clamp(1, Semaphore::MAX_PERMITS))) }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<C: Candidate, E: Executor<C>> Executor<C> for Limit<C, E> {
    type Output = E::Output;

    async fn execute(&self, candidate: C, cx: RunContext) -> Result<E::Output, RunFailure> {
        let _place = tokio::select! {
            biased;
            () = cx.cancel.cancelled() => return Err(RunFailure::cancelled()),
            // Nobody closes it.
            place = self.places.acquire() => place.map_err(|e| RunFailure::infrastructure(e.to_string()))?,
        };
        self.inner.execute(candidate, cx).await
    }

    async fn reopen(&self, candidate: &C, cx: &RunContext) -> Option<E::Output> {
        self.inner.reopen(candidate, cx).await
    }

    fn identity(&self) -> String {
        self.inner.identity()
    }
}
