//! The pieces of user code that run as tasks of their own: a panic in one fails that piece, not the study.

use crate::arm::RunId;
use crate::cancel::Cancellation;
use crate::candidate::Candidate;
use crate::evaluate::{EvalContext, Evaluator};
use crate::execute::{Executor, RunContext};
use crate::failure::{Fault, RunFailure};
use crate::holdout::{HeldOut, Holdout};
use crate::measure::Measurement;
use crate::propose::{ProposeError, Proposed, Proposer};
use crate::state::PlannedRun;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tracing::Instrument;

/// How often in a row a proposer, or the measuring of a held-out split, may fail.
pub(super) const PATIENCE: u32 = 5;

/// A finished run.
pub(super) struct Done<A> {
    pub(super) run: RunId,
    pub(super) seconds: f64,
    pub(super) result: Result<(Arc<A>, Measurement), RunFailure>,
    /// Why the holdout could not measure this output; only the first run is tried on it.
    pub(super) holdout: Option<RunFailure>,
}

/// Waits a little longer before each further attempt: none, .1 s, .2 s … 30 s.
pub(super) fn backoff(attempt: u32) -> Duration {
    match attempt {
        0 => Duration::ZERO,
        n => Duration::from_millis(100 << (n - 1).min(9)).min(Duration::from_secs(30)),
    }
}

/// Runs a candidate and measures its output on validation.
pub(super) async fn run<C: Candidate, A: Send + Sync + 'static>(
    executor: Arc<dyn Executor<C, Output = A>>,
    evaluator: Arc<dyn Evaluator<A>>,
    holdout: Option<(Arc<dyn Evaluator<A>>, Holdout)>,
    run: PlannedRun<C>,
    cx: RunContext,
) -> Done<A> {
    // Code that cannot be dropped (a thread) learns through this guard that its future was.
    let _told = cx.cancel.on_drop();
    // Boxed, like the rehearsal: few runs come here, and the task is moved as a whole, room for them included.
    if run.attempt > 0 && !Box::pin(cx.cancel.sleep(backoff(run.attempt))).await {
        return Done { run: run.id, seconds: 0.0, result: Err(RunFailure::cancelled()), holdout: None };
    }
    let start = Instant::now();
    let eval = EvalContext::new(run.id, run.seed, cx.cancel.clone());
    let holdout = holdout.map(|(evaluator, rules)| (evaluator, rules, eval.clone()));
    let result = async {
        let output = Arc::new(executor.execute((*run.candidate).clone(), cx).await?);
        let measurement = evaluator.evaluate(&output, eval).await?;
        Ok((output, measurement))
    }
    .await;
    let seconds = start.elapsed().as_secs_f64();
    let holdout = match (&result, holdout) {
        (Ok((output, _)), Some((evaluator, rules, eval))) => {
            Box::pin(rehearse(Arc::clone(output), evaluator, rules, eval)).await.err()
        }
        _ => None,
    };
    Done { run: run.id, seconds, result, holdout }
}

/// Measures one output on the holdout and throws the measurement away: a holdout that cannot be measured or divided as
/// told comes to light with the first run, not when something is to be kept. It is no question: nothing is answered.
/// What is lost to the infrastructure is tried again, as it is when the holdout is asked.
async fn rehearse<A: Send + Sync + 'static>(
    output: Arc<A>,
    evaluator: Arc<dyn Evaluator<A>>,
    rules: Holdout,
    eval: EvalContext,
) -> Result<(), RunFailure> {
    let mut attempt = 0;
    let held = loop {
        let (output, evaluator, eval) = (Arc::clone(&output), Arc::clone(&evaluator), eval.clone());
        let cancel = eval.cancel.clone();
        match alone(async move { evaluator.evaluate(&output, eval).await }).await {
            Ok(measured) => break HeldOut::from(measured),
            Err(failure)
                if failure.fault() == Fault::Infrastructure && !failure.is_setup() && attempt < PATIENCE =>
            {
                attempt += 1;
                tracing::warn!(%failure, in_a_row = attempt, "the holdout could not be measured");
                if !cancel.sleep(backoff(attempt)).await {
                    return Err(RunFailure::cancelled());
                }
            }
            Err(failure) => return Err(failure),
        }
    };
    rules.fits(&held).map_err(RunFailure::infrastructure)
}

/// Does it in a task of its own, which ends with this future: a panic fails this piece alone.
async fn alone<T: Send + 'static>(
    work: impl Future<Output = Result<T, RunFailure>> + Send + 'static,
) -> Result<T, RunFailure> {
    let mut task = JoinSet::new();
    task.spawn(work.in_current_span());
    match task.join_next().await {
        Some(Ok(done)) => done,
        Some(Err(error)) => Err(RunFailure::candidate(format!("the evaluation {}", panic_message(error)))),
        None => Err(RunFailure::infrastructure("the evaluation never began")),
    }
}

/// One run whose output a held-out split is asked about.
pub(super) struct Exhibit<C, A> {
    pub(super) run: PlannedRun<C>,
    pub(super) cx: RunContext,
    pub(super) output: Option<Arc<A>>,
}

/// Measures the outputs of a question's runs on a held-out split; what a restart lost is found or made again.
pub(super) async fn held_out<C: Candidate, A: Send + Sync + 'static>(
    executor: Arc<dyn Executor<C, Output = A>>,
    evaluator: Arc<dyn Evaluator<A>>,
    exhibits: Vec<Exhibit<C, A>>,
    attempt: u32,
    cancel: Cancellation,
) -> Result<Vec<HeldOut>, RunFailure> {
    let _told: Vec<_> = exhibits.iter().map(|e| e.cx.cancel.on_drop()).collect();
    if attempt > 0 && !cancel.sleep(backoff(attempt)).await {
        return Err(RunFailure::cancelled());
    }
    let mut held = Vec::with_capacity(exhibits.len());
    for Exhibit { run, cx, output } in exhibits {
        let eval = EvalContext::new(run.id, run.seed, cx.cancel.clone());
        let (executor, evaluator) = (Arc::clone(&executor), Arc::clone(&evaluator));
        let candidate = Arc::clone(&run.candidate);
        // Whose output it is that makes it panic decides whom that counts against.
        let measured = alone(async move {
            let output = match output {
                Some(output) => output,
                None => Arc::new(match executor.reopen(&candidate, &cx).await {
                    Some(output) => output,
                    None => executor.execute((*candidate).clone(), cx).await?,
                }),
            };
            evaluator.evaluate(&output, eval).await
        });
        held.push(HeldOut::from(measured.await.map_err(|failure| not_the_proposals(&run, failure))?));
    }
    Ok(held)
}

/// A failure of the incumbent's own run must not count against the proposal that it is compared with.
fn not_the_proposals<C>(run: &PlannedRun<C>, failure: RunFailure) -> RunFailure {
    if run.arm.is_incumbent() && failure.fault() == Fault::Candidate {
        return RunFailure::infrastructure(format!("run {} of the incumbent: {failure}", run.id.0));
    }
    failure
}

/// A proposer with what it answered; it comes home with the answer.
pub(super) struct Thought<C: Candidate> {
    pub(super) proposer: Box<dyn Proposer<C>>,
    pub(super) answer: Result<Proposed<C>, ProposeError>,
}

/// What a task that ended badly says.
pub(super) fn panic_message(error: JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => {
            let text = panic.downcast_ref::<&str>().map(|s| (*s).to_string());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            format!("panicked: {}", text.unwrap_or_else(|| "no message".into()))
        }
        Err(_) => "was aborted".into(),
    }
}
