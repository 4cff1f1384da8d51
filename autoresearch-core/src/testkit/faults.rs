//! Faults on purpose: an executor or evaluator that loses runs, dawdles, panics, hangs or measures nonsense.

use crate::candidate::Candidate;
use crate::evaluate::{EvalContext, Evaluator};
use crate::execute::{Executor, RunContext};
use crate::failure::RunFailure;
use crate::measure::Measurement;
use crate::state::mix;
use async_trait::async_trait;
use std::time::Duration;

/// Which faults to inject, and how often. What befalls a run depends on this seed, its number and its attempt alone, so
/// that a test sees the same faults each time.
///
/// ```
/// use autoresearch_core::testkit::{self, Faults};
/// use autoresearch_core::{Greedy, Limits, Proposal, ProposeContext, Study, executor_fn, proposer_fn};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let halve = proposer_fn(|cx: ProposeContext<'_, f64>| Ok(Proposal::new(cx.incumbent / 2.0).into()));
/// let train = executor_fn(|rate: f64, _| async move { Ok((rate - 0.1).abs()) });
/// let rough = Faults::seeded(7).lose(0.3).panic(0.1);
/// let report = Study::new(1.0, halve, rough.executor(train), testkit::loss())
///     .acceptor(Greedy::new())
///     .limits(Limits::new().runs(20))
///     .run()
///     .await?;
/// assert!(report.lost_runs > 0 && *report.stack() < 0.3);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Faults {
    seed: u64,
    lose: f64,
    fail: f64,
    panic: f64,
    hang: f64,
    delay: (f64, Duration),
    wrong: f64,
}

impl Faults {
    /// None yet.
    pub fn seeded(seed: u64) -> Self {
        Self { seed, lose: 0.0, fail: 0.0, panic: 0.0, hang: 0.0, delay: (0.0, Duration::ZERO), wrong: 0.0 }
    }

    /// This share of attempts is lost to the infrastructure, after the work was done.
    #[must_use]
    pub fn lose(mut self, share: f64) -> Self {
        self.lose = share;
        self
    }

    /// This share of attempts fails by the candidate's fault.
    #[must_use]
    pub fn fail(mut self, share: f64) -> Self {
        self.fail = share;
        self
    }

    /// This share of attempts panics.
    #[must_use]
    pub fn panic(mut self, share: f64) -> Self {
        self.panic = share;
        self
    }

    /// This share of attempts never ends, unless it is told to stop or dropped.
    #[must_use]
    pub fn hang(mut self, share: f64) -> Self {
        self.hang = share;
        self
    }

    /// This share of attempts takes this much longer, on tokio's clock (which a test can pause).
    #[must_use]
    pub fn delay(mut self, share: f64, by: Duration) -> Self {
        self.delay = (share, by);
        self
    }

    /// This share of measurements is nonsense: finite, and a million times too good.
    #[must_use]
    pub fn wrong(mut self, share: f64) -> Self {
        self.wrong = share;
        self
    }

    /// The executor with these faults, but for wrong numbers.
    pub fn executor<E>(self, inner: E) -> Faulty<E> {
        Faulty { faults: self, inner }
    }

    /// The evaluator with wrong numbers.
    pub fn evaluator<E>(self, inner: E) -> Faulty<E> {
        Faulty { faults: self, inner }
    }

    /// Whether a fault of this kind befalls it.
    fn befalls(&self, share: f64, kind: u64, run: u64, attempt: u32) -> bool {
        let drawn = mix(mix(mix(self.seed, kind), run), u64::from(attempt)) >> 11;
        (drawn as f64) < share * (1u64 << 53) as f64
    }
}

/// Made by [`Faults::executor`] and [`Faults::evaluator`].
#[derive(Debug, Clone)]
pub struct Faulty<E> {
    faults: Faults,
    inner: E,
}

#[async_trait]
impl<C: Candidate, E: Executor<C>> Executor<C> for Faulty<E> {
    type Output = E::Output;

    async fn execute(&self, candidate: C, cx: RunContext) -> Result<E::Output, RunFailure> {
        let faults = self.faults;
        let (run, attempt, cancel) = (cx.run.0, cx.attempt, cx.cancel.clone());
        let befalls = |share, kind| faults.befalls(share, kind, run, attempt);
        if befalls(faults.delay.0, 0) && !cancel.sleep(faults.delay.1).await {
            return Err(RunFailure::cancelled());
        }
        if befalls(faults.hang, 1) {
            cancel.cancelled().await;
            return Err(RunFailure::cancelled());
        }
        assert!(!befalls(faults.panic, 2), "run {run} panics on purpose");
        if befalls(faults.fail, 3) {
            return Err(RunFailure::candidate("it fails on purpose"));
        }
        let output = self.inner.execute(candidate, cx).await?;
        if befalls(faults.lose, 4) {
            return Err(RunFailure::infrastructure("it is lost on purpose"));
        }
        Ok(output)
    }

    async fn reopen(&self, candidate: &C, cx: &RunContext) -> Option<E::Output> {
        self.inner.reopen(candidate, cx).await
    }

    fn identity(&self) -> String {
        self.inner.identity()
    }
}

#[async_trait]
impl<A: Send + Sync, E: Evaluator<A>> Evaluator<A> for Faulty<E> {
    async fn evaluate(&self, output: &A, cx: EvalContext) -> Result<Measurement, RunFailure> {
        let (run, seed) = (cx.run.0, cx.seed);
        let measurement = self.inner.evaluate(output, cx).await?;
        if !self.faults.befalls(self.faults.wrong, 5, mix(run, seed), 0) {
            return Ok(measurement);
        }
        Ok(Measurement::scalar(measurement.objective() - 1e6 * measurement.objective().abs().max(1.0))?)
    }

    fn identity(&self) -> String {
        self.inner.identity()
    }
}
