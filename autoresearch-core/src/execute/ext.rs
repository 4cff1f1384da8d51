//! What can be put around an executor.

use super::{Cache, Executor, Limit, Retry, Timeout};
use crate::candidate::Candidate;
use std::time::Duration;

/// What can be put around any [`Executor`]. Not to be implemented: every executor has it.
///
/// Each call wraps what is before it, so the last one is the outermost, as in tower:
///
/// | order | meaning |
/// |---|---|
/// | `.timeout(d).retry(3)` | each of three attempts may take `d`; a timeout is the candidate's and ends it |
/// | `.retry(3).timeout(d)` | all attempts and the pauses between them share `d`, and a lost node that takes it up counts against the candidate: seldom what is meant |
/// | `.timeout(d).limit(2)` | the clock starts with the run |
/// | `.limit(2).timeout(d)` | waiting for a place counts: a full device fails candidates |
/// | `.retry(3).limit(2)` | a run keeps its place during its pauses |
/// | `.limit(2).retry(3)` | a run gives its place up during its pauses, and queues again |
/// | `.limit(2).cache(n)` | what is had already needs no place |
/// | `.cache(n).limit(2)` | also what is had already waits for a place |
///
/// Usually right: `train.timeout(d).limit(2).retry(3).cache(n)`.
///
/// ```
/// use autoresearch_core::{executor_fn, Executor, ExecutorExt, RunContext, RunFailure};
/// use std::time::Duration;
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let train = executor_fn(|rate: f64, run: RunContext| async move {
///         match run.attempt {
///             0 => Err(RunFailure::infrastructure("HTTP 429")),
///             _ => Ok(rate * 2.0),
///         }
///     })
///     .timeout(Duration::from_secs(600))
///     .limit(2)
///     .retry(3)
///     .cache(100);
/// assert_eq!(train.execute(0.5, RunContext::for_test(1)).await?, 1.0);
/// # Ok::<(), RunFailure>(())
/// # }).unwrap();
/// ```
pub trait ExecutorExt<C: Candidate>: Executor<C> + Sized {
    /// Ends a run that takes longer than `limit`, as the candidate's fault. Needs a runtime with a timer.
    fn timeout(self, limit: Duration) -> Timeout<C, Self> {
        Timeout::new(self, limit)
    }

    /// Makes so many attempts in all (at least one) at a run that the infrastructure loses, with growing pauses.
    /// Needs a runtime with a timer.
    fn retry(self, attempts: u32) -> Retry<C, Self> {
        Retry::new(self, attempts)
    }

    /// Runs at most `n` (at least one) at once, over all clones of what comes out.
    fn limit(self, n: usize) -> Limit<C, Self> {
        Limit::new(self, n)
    }

    /// Keeps the latest `capacity` (at least one) outputs, and gives them again for an equal candidate on the same
    /// seed at the same fidelity.
    fn cache(self, capacity: usize) -> Cache<C, Self, Self::Output>
    where
        C: PartialEq,
        Self::Output: Clone,
    {
        Cache::new(self, capacity)
    }
}

impl<C: Candidate, E: Executor<C>> ExecutorExt<C> for E {}
