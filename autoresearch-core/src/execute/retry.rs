//! Further attempts within one run.

use super::leash::Leash;
use super::{Executor, RunContext};
use crate::candidate::Candidate;
use crate::failure::{Fault, RunFailure};
use crate::state::mix;
use async_trait::async_trait;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::marker::PhantomData;
use std::time::Duration;

/// Tries a run again that was lost to the infrastructure. Made by [`ExecutorExt::retry`](super::ExecutorExt::retry).
///
/// Every attempt has the same candidate, seed, fidelity and folder; an executor that finds files of its own there may
/// go on from them. [`RunContext::attempt`] counts the attempts of all retries, those of the study too. Between
/// attempts it pauses: a tenth of a second, then twice as long each time, up to half a minute, and of that a share
/// from a half to all, so that runs which were lost together do not all come back together. The share depends on the
/// run and the attempt alone.
///
/// # Besides the study's own retries
/// A study, too, repeats what the infrastructure lost, with the same seed. Its retries are facts: stored, reported as
/// lost runs, told to observers, and survived by a restart; the study gives up when too many runs in a row are lost.
/// These are none of that. They are for hiccups that are over in seconds (a busy server, a quota), of which the
/// history need not know. Both multiply: with `.retry(3)` a node that is gone for good is asked three times for each
/// attempt of the study.
///
/// # Whose fault
/// Failures of the candidate's own, and runs that were told to stop, are passed on at once. After the last attempt the
/// failure is the infrastructure's, and says how often it was tried.
///
/// # Cancel safety
/// The pause ends when [`RunContext::cancel`] goes up, and the run then counts as cancelled. Each attempt has a flag
/// of its own below the run's, which goes up when the attempt has failed or the outer future is dropped.
#[derive(Debug, Clone)]
pub struct Retry<C, E> {
    inner: E,
    of: PhantomData<fn() -> C>,
    attempts: u32,
    first: Duration,
    longest: Duration,
}

impl<C, E> Retry<C, E> {
    pub(super) fn new(inner: E, attempts: u32) -> Self {
        let (first, longest) = (Duration::from_millis(100), Duration::from_secs(30));
        Self { inner, of: PhantomData, attempts: attempts.max(1), first, longest }
    }

    /// The pause before the second attempt, and the longest one.
    #[must_use]
    pub fn pauses(mut self, first: Duration, longest: Duration) -> Self {
        (self.first, self.longest) = (first, longest.max(first));
        self
    }

    /// How long to wait before the attempt of this number.
    fn pause(&self, run: u64, attempt: u32, tried: u32) -> Duration {
        let doubled = self.first.saturating_mul(1 << (tried - 1).min(20)).min(self.longest);
        let share = ChaCha8Rng::seed_from_u64(mix(run, u64::from(attempt))).random_range(0.5..=1.0);
        doubled.mul_f64(share)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<C: Candidate, E: Executor<C>> Executor<C> for Retry<C, E> {
    type Output = E::Output;

    async fn execute(&self, candidate: C, cx: RunContext) -> Result<E::Output, RunFailure> {
        let mut tried = 0;
        loop {
            if cx.cancel.is_cancelled() {
                return Err(RunFailure::cancelled());
            }
            let (leash, flag) = Leash::on(&cx.cancel);
            let mut own = cx.clone();
            own.attempt = cx.attempt.saturating_mul(self.attempts).saturating_add(tried);
            own.cancel = flag;
            let attempt = own.attempt;
            let failure = match self.inner.execute(candidate.clone(), own).await {
                Ok(output) => {
                    leash.let_go();
                    return Ok(output);
                }
                Err(failure) => failure,
            };
            drop(leash);
            tried += 1;
            if failure.fault() != Fault::Infrastructure || failure.is_setup() {
                return Err(failure);
            }
            if tried >= self.attempts {
                return Err(match tried {
                    1 => failure,
                    n => RunFailure::infrastructure(format!("lost {n} times: {}", failure.message()))
                        .kind(failure.what()),
                });
            }
            tracing::debug!(run = cx.run.0, attempt, %failure, "tried again");
            if !cx.cancel.sleep(self.pause(cx.run.0, attempt, tried)).await {
                return Err(RunFailure::cancelled());
            }
        }
    }

    async fn reopen(&self, candidate: &C, cx: &RunContext) -> Option<E::Output> {
        self.inner.reopen(candidate, cx).await
    }

    fn identity(&self) -> String {
        self.inner.identity()
    }
}
