//! What every executor must do.

use super::{PATIENCE, in_time_of};
use crate::arm::RunId;
use crate::candidate::Candidate;
use crate::evaluate::{EvalContext, Evaluator};
use crate::execute::{Executor, RunContext};
use crate::failure::Fault;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Checks an executor against the contract of [`Executor`], with a candidate that runs and an evaluator for its output.
///
/// A seed gives the same objective each time (within `tolerance`, in the objective's units: 0 where runs are repeatable
/// bit for bit, more on a GPU that is not), also beside another run; an output that `reopen` finds again is the one that
/// was there; a run that is told to stop ends, and one whose future is dropped disturbs no later one; `identity` stays as
/// it is. Makes about eight runs, with numbers and folders of their own (under the system's temporary folder, which it
/// deletes), and gives each of them a minute; [`executor_within`] gives them as long as you say.
///
/// ```
/// use autoresearch_core::{executor_fn, testkit, testkit::conformance};
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let train = executor_fn(|rate: f64, run| async move { Ok(rate + run.seed as f64) });
/// conformance::executor(&train, &testkit::loss(), 0.5, 0.0).await;
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
/// The executor breaks the contract; the message says how.
pub async fn executor<C: Candidate, A: Send + Sync + 'static>(
    executor: &impl Executor<C, Output = A>,
    evaluator: &impl Evaluator<A>,
    candidate: C,
    tolerance: f64,
) {
    executor_within(PATIENCE, executor, evaluator, candidate, tolerance).await;
}

/// The same as [`executor()`] for runs that take longer (or not half as long) as a minute.
///
/// # Panics
/// The executor breaks the contract, or a run takes longer than `patience`; the message says how.
pub async fn executor_within<C: Candidate, A: Send + Sync + 'static>(
    patience: Duration,
    executor: &impl Executor<C, Output = A>,
    evaluator: &impl Evaluator<A>,
    candidate: C,
    tolerance: f64,
) {
    let folders = std::env::temp_dir().join(format!("autoresearch-conformance-{}", std::process::id()));
    let names = ["first", "again", "beside", "other", "never", "stopped", "dropped", "after"];
    let cx = |name: &str, seed| {
        let mut cx = RunContext::for_test(seed).in_directory(folders.join(name));
        cx.run = RunId(1 + names.iter().position(|n| *n == name).unwrap_or(names.len()) as u64);
        cx
    };
    let measure = |output: A, seed| async move {
        let measured = evaluator.evaluate(&output, EvalContext::for_test(seed)).await;
        measured.unwrap_or_else(|failure| panic!("the output cannot be measured: {failure}")).objective()
    };
    let (cx, measure) = (&cx, &measure);
    let run = |name: &'static str, seed| {
        let candidate = candidate.clone();
        async move {
            let output = in_time_of(patience, "a run", executor.execute(candidate, cx(name, seed))).await;
            let output =
                output.unwrap_or_else(|failure| panic!("a candidate that should run does not: {failure}"));
            measure(output, seed).await
        }
    };
    let same = |what: &str, a: f64, b: f64| {
        assert!((a - b).abs() <= tolerance, "{what}: {a} and then {b}, more than {tolerance} apart");
    };
    let first = run("first", 1).await;
    same("the same candidate and seed, run twice", first, run("again", 1).await);
    let (beside, _) = tokio::join!(run("beside", 1), run("other", 2));
    same("the same candidate and seed, beside another run", first, beside);

    if let Some(output) = executor.reopen(&candidate, &cx("first", 1)).await {
        same("a run's output, found again by `reopen`", first, measure(output, 1).await);
    }
    let never = cx("never", 3);
    assert!(
        executor.reopen(&candidate, &never).await.is_none(),
        "`reopen` finds the output of a run that never was"
    );

    let stopped = cx("stopped", 4);
    stopped.cancel.cancel();
    if let Err(failure) =
        in_time_of(patience, "a run that is told to stop", executor.execute(candidate.clone(), stopped)).await
    {
        let fault = failure.fault();
        assert_eq!(fault, Fault::Cancelled, "a run that is told to stop says that it failed: {failure}");
    }
    {
        let dropped = cx("dropped", 1);
        let told = dropped.cancel.on_drop();
        let mut future = pin!(executor.execute(candidate.clone(), dropped));
        let _: Poll<_> = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        drop(told);
    }
    same("the same candidate and seed, after a run that was dropped", first, run("after", 1).await);
    assert_eq!(executor.identity(), executor.identity(), "`identity` changes from call to call");
    let _ = std::fs::remove_dir_all(folders);
}
