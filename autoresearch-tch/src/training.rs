//! The training loop, written once for every [`Trainer`].

use crate::blocking::on_thread;
use crate::budget::Budget;
use crate::checkpoint::{Checkpoint, Origin, RunMetrics, peak_memory_gb};
use crate::{Draws, Parameters, Trainer, optim};
use autoresearch_core::{
    Cancellation, Executor, FailureKind, Fidelity, RunContext, RunFailure, RunProgress, async_trait,
};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// An executor that trains the model of a [`Trainer`] within this process, on a thread of its own.
///
/// **Threads.** One libtorch thread a run unless said. Several runs at once with one thread each do more work than one
/// run with several, and with more threads than idle cores training becomes many times slower: give
/// cores / runs in flight, no more. Only with equal numbers of threads are results the same bit for bit.
///
/// **Stopping.** A cancelled run, or one whose future is dropped, stops before its next step.
///
/// **Failures.** The loss is checked at every step (on a CPU this costs nothing: libtorch has computed it by then).
/// A loss that is not finite is the candidate's failure and names the step.
pub struct Training<T> {
    pub(crate) trainer: Arc<T>,
    fidelity: Fidelity,
    threads: i32,
}

impl<T: Trainer> Training<T> {
    /// Trains for 1,000 steps a run, with one thread.
    pub fn of(trainer: T) -> Self {
        Self { trainer: Arc::new(trainer), fidelity: Fidelity::steps(1_000), threads: 1 }
    }

    /// How long a run goes on, where the study does not say.
    ///
    /// Never more than was granted, but at least one step. With a wall-clock budget equal seeds give equal results no
    /// longer, and the load of the machine becomes part of the noise.
    #[must_use]
    pub fn fidelity(mut self, fidelity: Fidelity) -> Self {
        self.fidelity = fidelity;
        self
    }

    /// libtorch threads a run.
    #[must_use]
    pub fn threads(mut self, threads: u32) -> Self {
        self.threads = i32::try_from(threads.max(1)).unwrap_or(i32::MAX);
        self
    }

    fn settings(&self, cx: &RunContext) -> Settings {
        let fidelity = cx.fidelity.unwrap_or(self.fidelity);
        let identity = format!("{}, {fidelity}, {} threads", self.trainer.identity(), self.threads);
        Settings { fidelity, identity }
    }
}

impl<T> Clone for Training<T> {
    fn clone(&self) -> Self {
        Self { trainer: Arc::clone(&self.trainer), ..*self }
    }
}

impl<T> fmt::Debug for Training<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Training({}, {} threads)", self.fidelity, self.threads)
    }
}

#[async_trait]
impl<T: Trainer> Executor<T::Candidate> for Training<T> {
    type Output = Checkpoint<T::Candidate>;

    async fn execute(&self, candidate: T::Candidate, cx: RunContext) -> Result<Self::Output, RunFailure> {
        let (trainer, settings) = (Arc::clone(&self.trainer), self.settings(&cx));
        let cancel = cx.cancel.clone();
        on_thread(self.threads, &cancel, move |stop| train(&*trainer, candidate, &settings, &cx, stop)).await
    }

    async fn reopen(&self, candidate: &T::Candidate, cx: &RunContext) -> Option<Self::Output> {
        let (folder, settings) = (cx.directory().ok()?, self.settings(cx));
        let (candidate, seed) = (candidate.clone(), cx.seed);
        let find = move || find(&folder, &candidate, &settings, seed);
        tokio::task::spawn_blocking(find).await.ok().flatten()
    }

    fn identity(&self) -> String {
        format!("{}, {}, {} threads", self.trainer.identity(), self.fidelity, self.threads)
    }
}

struct Settings {
    fidelity: Fidelity,
    identity: String,
}

fn find<C: serde::Serialize + Clone>(
    folder: &Path,
    candidate: &C,
    settings: &Settings,
    seed: u64,
) -> Option<Checkpoint<C>> {
    Checkpoint::find(folder, candidate, Origin { identity: &settings.identity, seed })
}

/// How often displays hear of a run.
const REPORT_EVERY: Duration = Duration::from_millis(100);

fn train<T: Trainer>(
    trainer: &T,
    candidate: T::Candidate,
    settings: &Settings,
    cx: &RunContext,
    stop: &Cancellation,
) -> Result<Checkpoint<T::Candidate>, RunFailure> {
    trainer.check(&candidate)?;
    let folder = cx.directory()?;
    let mut parameters = Parameters::seeded(cx.seed);
    let model = trainer.build(&candidate, &mut parameters)?;
    let mut optimizer = trainer.optimizer(&candidate, &parameters);
    let mut draws = Draws::new(cx.seed);
    let cost = trainer.cost(&candidate);
    let clip = trainer.clip(&candidate);

    // A deadline counts from here: building and compiling are not the candidate's training.
    let budget = Budget::new(settings.fidelity, cost)?;
    let start = Instant::now();
    let (mut step, mut smoothed, mut reported) = (0, Smoothed::default(), start);
    while let Some(progress) = budget.progress(step) {
        if stop.is_cancelled() {
            return Err(RunFailure::cancelled());
        }
        let loss = trainer.loss(&model, &mut draws)?;
        let value = loss.double_value(&[]);
        if !value.is_finite() {
            let message = format!("the loss is {value} at step {step}");
            return Err(RunFailure::candidate(message).kind(FailureKind::InvalidMetric));
        }
        smoothed.add(value);
        loss.backward();
        {
            let _guard = tch::no_grad_guard();
            if let Some(limit) = clip {
                optim::clip(&parameters, limit);
            }
            optimizer.step(trainer.rate(&candidate, progress));
            optim::clear(&parameters);
        }
        step += 1;
        if reported.elapsed() >= REPORT_EVERY {
            reported = Instant::now();
            cx.report(RunProgress { step, of: budget.steps(), loss: Some(smoothed.value()) });
        }
    }
    cx.report(RunProgress { step, of: Some(step), loss: Some(smoothed.value()) });

    let seconds = start.elapsed().as_secs_f64();
    let tokens = step * cost.tokens;
    let metrics = RunMetrics {
        train_loss: smoothed.value(),
        steps: step,
        tokens,
        parameters: parameters.count(),
        seconds,
        tokens_per_s: tokens as f64 / seconds.max(1e-9),
        memory_gb: peak_memory_gb(),
    };
    let origin = Origin { identity: &settings.identity, seed: cx.seed };
    Checkpoint::write(&folder, candidate, metrics, origin, &parameters)
}

/// A mean that forgets: over about the last twenty steps, without the bias of starting at zero.
#[derive(Default)]
struct Smoothed {
    sum: f64,
    weight: f64,
}

impl Smoothed {
    const KEEP: f64 = 0.95;

    fn add(&mut self, value: f64) {
        self.sum = Self::KEEP * self.sum + (1.0 - Self::KEEP) * value;
        self.weight = Self::KEEP * self.weight + (1.0 - Self::KEEP);
    }

    fn value(&self) -> f64 {
        self.sum / self.weight
    }
}
