//! Outputs that are had already.

use super::{Executor, RunContext};
use crate::candidate::Candidate;
use crate::failure::RunFailure;
use crate::fidelity::Fidelity;
use async_trait::async_trait;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::OnceCell;

/// Gives the output again that an equal candidate left behind on the same seed at the same fidelity. Made by
/// [`ExecutorExt::cache`](super::ExecutorExt::cache).
///
/// * Candidates are the same where `==` says so. Nothing is hashed, so that no collision can give one candidate the
///   output of another; a candidate that does not equal itself (a NaN) is never found again.
/// * Successes only. What failed, or was cancelled, is run again when it is asked for again.
/// * The outputs used last are kept, as many as the capacity says, in memory; a restart forgets them. Clones share
///   them.
/// * Equal runs at the same time share one execution. If that fails or is dropped, the next one who waits for it
///   executes for itself.
///
/// # What it may hold
/// Outputs that own their data: numbers, bytes, an `Arc`. A path into the *run's folder* dangles once the study has
/// let go of the run that made it; such executors must not be cached.
///
/// # Fresh runs stay fresh
/// Runs that confirm are made on seeds that no run of the study had before, so that a cache never answers for them with
/// a run that helped to choose. What it saves are the runs that are made again: after a measurement that was lost
/// to the infrastructure, for a proposal that was made twice, for a held-out question.
///
/// # Whose fault
/// It adds one failure: a run that is told to stop while it waits for an equal one is cancelled.
///
/// # Cancel safety
/// Dropping the future drops the execution if this run has it in hand, and nothing else.
pub struct Cache<C, E, A> {
    inner: E,
    shelf: Arc<Shelf<C, A>>,
}

struct Shelf<C, A> {
    capacity: usize,
    kept: Mutex<Kept<C, A>>,
}

struct Kept<C, A> {
    /// The latest used comes last.
    entries: Vec<Entry<C, A>>,
}

struct Entry<C, A> {
    candidate: C,
    seed: u64,
    fidelity: Option<Fidelity>,
    output: Arc<OnceCell<A>>,
}

impl<C, E, A> Cache<C, E, A> {
    pub(super) fn new(inner: E, capacity: usize) -> Self {
        let kept = Mutex::new(Kept { entries: Vec::new() });
        Self { inner, shelf: Arc::new(Shelf { capacity: capacity.max(1), kept }) }
    }
}

impl<C, E: Clone, A> Clone for Cache<C, E, A> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), shelf: Arc::clone(&self.shelf) }
    }
}

impl<C, E: fmt::Debug, A> fmt::Debug for Cache<C, E, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("inner", &self.inner)
            .field("capacity", &self.shelf.capacity)
            .field("held", &self.shelf.lock().entries.len())
            .finish()
    }
}

impl<C, A> Shelf<C, A> {
    /// Held for moments only, and never across an await.
    fn lock(&self) -> MutexGuard<'_, Kept<C, A>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: PartialEq, A> Kept<C, A> {
    fn find(&mut self, candidate: &C, cx: &RunContext) -> Option<Arc<OnceCell<A>>> {
        let same =
            |e: &Entry<C, A>| e.seed == cx.seed && e.fidelity == cx.fidelity && e.candidate == *candidate;
        let at = self.entries.iter().rposition(same)?;
        let entry = self.entries.remove(at);
        let output = Arc::clone(&entry.output);
        self.entries.push(entry);
        Some(output)
    }
}

impl<C: Candidate + PartialEq, A> Shelf<C, A> {
    /// The place of this run's output, made if there is none.
    fn claim(&self, candidate: &C, cx: &RunContext) -> Claim<'_, C, A> {
        let mut kept = self.lock();
        let output = kept.find(candidate, cx).unwrap_or_else(|| {
            let output = Arc::new(OnceCell::new());
            let (candidate, seed, fidelity) = (candidate.clone(), cx.seed, cx.fidelity);
            kept.entries.push(Entry { candidate, seed, fidelity, output: Arc::clone(&output) });
            let over = kept.entries.len().saturating_sub(self.capacity);
            kept.entries.drain(..over);
            output
        });
        Claim { shelf: self, output }
    }
}

/// Clears a place away that nobody fills.
struct Claim<'a, C, A> {
    shelf: &'a Shelf<C, A>,
    output: Arc<OnceCell<A>>,
}

impl<C, A> Drop for Claim<'_, C, A> {
    fn drop(&mut self) {
        if self.output.get().is_none() {
            let mut kept = self.shelf.lock();
            // Two: the shelf's and ours. Whoever else holds it may fill it yet.
            let idle = |e: &Entry<C, A>| {
                Arc::ptr_eq(&e.output, &self.output) && Arc::strong_count(&self.output) == 2
            };
            kept.entries.retain(|e| !idle(e));
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<C, E> Executor<C> for Cache<C, E, E::Output>
where
    C: Candidate + PartialEq,
    E: Executor<C>,
    E::Output: Clone,
{
    type Output = E::Output;

    async fn execute(&self, candidate: C, cx: RunContext) -> Result<E::Output, RunFailure> {
        let claim = self.shelf.claim(&candidate, &cx);
        let cancel = cx.cancel.clone();
        let running = AtomicBool::new(false);
        let output = claim.output.get_or_try_init(|| {
            running.store(true, Ordering::Relaxed);
            self.inner.execute(candidate, cx)
        });
        // One that waits stops when it is told to. One that runs was told as well, and ends as it sees fit.
        let told_to_stop = async {
            cancel.cancelled().await;
            if running.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
        };
        let output = tokio::select! {
            biased;
            output = output => output?,
            () = told_to_stop => return Err(RunFailure::cancelled()),
        };
        Ok(output.clone())
    }

    async fn reopen(&self, candidate: &C, cx: &RunContext) -> Option<E::Output> {
        let held = self.shelf.lock().find(candidate, cx).and_then(|place| place.get().cloned());
        match held {
            Some(output) => Some(output),
            None => self.inner.reopen(candidate, cx).await,
        }
    }

    fn identity(&self) -> String {
        self.inner.identity()
    }
}
