//! Measuring what a run left behind.

use crate::arm::RunId;
use crate::cancel::Cancellation;
use crate::failure::RunFailure;
use crate::measure::Measurement;
use async_trait::async_trait;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

/// What an evaluation is told. Owned; tests make one with [`EvalContext::for_test`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EvalContext {
    /// Whose output is measured.
    pub run: RunId,
    /// The seed of that run.
    pub seed: u64,
    /// Goes up when the evaluation is to stop.
    pub cancel: Cancellation,
}

impl EvalContext {
    /// A context for unit tests.
    pub fn for_test(seed: u64) -> Self {
        Self { run: RunId(1), seed, cancel: Cancellation::new() }
    }

    pub(crate) fn new(run: RunId, seed: u64, cancel: Cancellation) -> Self {
        Self { run, seed, cancel }
    }
}

/// Measures what a run left behind, on the split that it was built for.
///
/// A study has up to three: the one that steers it (validation), the holdout and the test split. The holdout's may
/// be asked much later than the run, so an evaluator reads its input from `output` and holds no state of a run.
/// Give one value a unit (document, image) with [`Measurement::new`]: without them the holdout cannot know the
/// split's own noise.
///
/// # Cancel safety
/// The future is dropped when the study is; see [`Executor`](crate::Executor).
#[async_trait]
pub trait Evaluator<A: Send + Sync>: Send + Sync {
    /// Measures `output`.
    async fn evaluate(&self, output: &A, cx: EvalContext) -> Result<Measurement, RunFailure>;

    /// What decides the measurement besides the output: the split's data and how much of it is used. A stored study
    /// goes on only where this text is the same. The default says nothing.
    fn identity(&self) -> String {
        String::new()
    }
}

#[async_trait]
impl<A: Send + Sync, E: Evaluator<A> + ?Sized> Evaluator<A> for Arc<E> {
    async fn evaluate(&self, output: &A, cx: EvalContext) -> Result<Measurement, RunFailure> {
        (**self).evaluate(output, cx).await
    }
    fn identity(&self) -> String {
        (**self).identity()
    }
}

#[async_trait]
impl<A: Send + Sync, E: Evaluator<A> + ?Sized> Evaluator<A> for Box<E> {
    async fn evaluate(&self, output: &A, cx: EvalContext) -> Result<Measurement, RunFailure> {
        (**self).evaluate(output, cx).await
    }
    fn identity(&self) -> String {
        (**self).identity()
    }
}

/// An evaluator from a closure `|output| Ok(Measurement::new(…)?)`.
pub fn evaluator_fn<A, F>(measure: F) -> EvaluatorFn<A, F>
where
    A: Send + Sync,
    F: Fn(&A) -> Result<Measurement, RunFailure> + Send + Sync,
{
    EvaluatorFn(measure, PhantomData)
}

/// Made by [`evaluator_fn`].
pub struct EvaluatorFn<A, F>(F, PhantomData<fn(&A)>);

impl<A, F> fmt::Debug for EvaluatorFn<A, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EvaluatorFn")
    }
}

#[async_trait]
impl<A, F> Evaluator<A> for EvaluatorFn<A, F>
where
    A: Send + Sync,
    F: Fn(&A) -> Result<Measurement, RunFailure> + Send + Sync,
{
    async fn evaluate(&self, output: &A, _cx: EvalContext) -> Result<Measurement, RunFailure> {
        (self.0)(output)
    }
}
