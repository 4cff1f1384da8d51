//! Running a candidate, and what can be put around it.

mod cache;
mod ext;
mod leash;
mod limit;
mod retry;
mod timeout;

pub use cache::Cache;
pub use ext::ExecutorExt;
pub use limit::Limit;
pub use retry::Retry;
pub use timeout::Timeout;

use crate::arm::{Arm, RunId};
use crate::cancel::Cancellation;
use crate::candidate::Candidate;
use crate::failure::RunFailure;
use crate::fidelity::Fidelity;
use crate::meter::{Charge, Meter, RUNS};
use async_trait::async_trait;
use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How far a run is, for displays.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RunProgress {
    /// Steps done.
    pub step: u64,
    /// Steps in all, where known.
    pub of: Option<u64>,
    /// The latest training loss.
    pub loss: Option<f64>,
}

pub(crate) type Sink = Arc<dyn Fn(RunId, RunProgress) + Send + Sync>;
type Charged = Arc<dyn Fn(f64) + Send + Sync>;

/// Where a run's folder is.
#[derive(Clone)]
pub(crate) enum Scratch {
    /// This is it.
    At(Arc<Path>),
    /// In this one, under the run's number: most runs ask for none, and need no name for it.
    Within(Arc<Path>),
}

/// What a run is told. Owned and cheap to clone; tests make one with [`RunContext::for_test`].
#[derive(Clone)]
#[non_exhaustive]
pub struct RunContext {
    /// The study's own identifier.
    pub study: Arc<str>,
    /// Which run this is.
    pub run: RunId,
    /// Which changes it trains, for display only: the candidate has them already.
    pub arm: Arm,
    /// 0 for the first attempt; a run lost to the infrastructure is attempted again with the same seed.
    pub attempt: u32,
    /// The seed: below 2^31, so that it suits every language's generators; in a study that was opened before that was so, below 2^32.
    pub seed: u64,
    /// What the study grants this run; `None`: what the executor was built with.
    pub fidelity: Option<Fidelity>,
    /// Goes up when the run is to stop.
    pub cancel: Cancellation,
    pub(crate) scratch: Scratch,
    pub(crate) progress: Option<Sink>,
    pub(crate) charged: Option<Charged>,
    pub(crate) meter: Meter,
}

impl RunContext {
    /// A context for unit tests: run 1, the incumbent's arm, a scratch folder under the system's temporary one.
    pub fn for_test(seed: u64) -> Self {
        let scratch = std::env::temp_dir().join(format!("autoresearch-test-{}-{seed}", std::process::id()));
        Self {
            study: "test".into(),
            run: RunId(1),
            arm: Arm::incumbent(),
            attempt: 0,
            seed,
            fidelity: None,
            cancel: Cancellation::new(),
            scratch: Scratch::At(scratch.into()),
            progress: None,
            charged: None,
            meter: Meter::default(),
        }
    }

    /// Puts the run's folder elsewhere.
    #[must_use]
    pub fn in_directory(mut self, directory: impl AsRef<Path>) -> Self {
        self.scratch = Scratch::At(directory.as_ref().into());
        self
    }

    /// This run's own folder, created when first asked for and the same again after a restart.
    ///
    /// It lives as long as the study may still need the run's output, then it is deleted.
    ///
    /// # Errors
    /// The folder cannot be made; the message names it.
    pub fn directory(&self) -> std::io::Result<PathBuf> {
        let path = self.folder();
        std::fs::create_dir_all(&path).map_err(|e| {
            std::io::Error::new(e.kind(), format!("cannot make the run's folder {}: {e}", path.display()))
        })?;
        Ok(path)
    }

    /// Where the run's folder is, or would be.
    pub(crate) fn folder(&self) -> PathBuf {
        match &self.scratch {
            Scratch::At(folder) => folder.to_path_buf(),
            Scratch::Within(folder) => folder.join(self.run.to_string()),
        }
    }

    /// Says that this run costs money, in the currency of [`Limits::money`](crate::Limits::money): once or in parts, also
    /// for a run that fails. An amount that is negative or not a number ends the study with a message.
    pub fn charge(&self, amount: f64) {
        self.meter.charge(Charge::new(amount, RUNS));
        if let Some(told) = &self.charged {
            told(amount);
        }
    }

    /// Passes what [`report`](Self::report) is told on to this. For those who run executors elsewhere, and for tests; a study
    /// sets it by itself.
    #[must_use]
    pub fn reporting(mut self, told: impl Fn(RunProgress) + Send + Sync + 'static) -> Self {
        self.progress = Some(Arc::new(move |_, progress| told(progress)));
        self
    }

    /// Passes what is [charged](Self::charge) on to this as well, in the moment in which it is. For those who run executors
    /// elsewhere, where a run may be ended before it can be asked.
    #[must_use]
    pub fn charging(mut self, told: impl Fn(f64) + Send + Sync + 'static) -> Self {
        self.charged = Some(Arc::new(told));
        self
    }

    /// Takes out the amounts that this context was [charged](Self::charge) since the last time. For those who run executors
    /// elsewhere and pass them on; what is taken from a study's own context is lost to the study.
    pub fn take_charges(&self) -> Vec<f64> {
        let collected = self.meter.collect();
        collected.charges.into_iter().chain(collected.wrong).map(|charge| charge.amount).collect()
    }

    /// Tells displays how far the run is. Cheap, never blocks, may be ignored.
    pub fn report(&self, progress: RunProgress) {
        if let Some(sink) = &self.progress {
            sink(self.run, progress);
        }
    }
}

impl fmt::Debug for RunContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunContext")
            .field("run", &self.run)
            .field("arm", &self.arm)
            .field("attempt", &self.attempt)
            .field("seed", &self.seed)
            .field("fidelity", &self.fidelity)
            .finish_non_exhaustive()
    }
}

/// Runs a candidate once: trains the model, runs the benchmark, starts the job.
///
/// The output is a file or a handle, not a live tensor: evaluators read it, perhaps again after a restart.
/// The same candidate and seed should give the same output as far as the user cares: equal seeds in two arms are
/// what makes their difference less noisy.
///
/// Say whose fault a failure is ([`RunFailure::candidate`], [`RunFailure::infrastructure`]): the first counts
/// against the proposal, the second is retried. A panic fails the run as the candidate's fault, not the study.
///
/// ```
/// use autoresearch_core::{async_trait, Executor, RunContext, RunFailure};
/// struct Train;
/// #[async_trait]
/// impl Executor<f64> for Train {
///     type Output = f64;
///     async fn execute(&self, rate: f64, cx: RunContext) -> Result<f64, RunFailure> {
///         if rate <= 0.0 {
///             return Err(RunFailure::candidate(format!("rate {rate} is not positive")));
///         }
///         Ok((rate.log10() + 3.0).abs() + 1e-3 * (cx.seed % 7) as f64)
///     }
/// }
/// ```
///
/// # Cancel safety
/// The future of `execute` is dropped when the study is; whatever it started (threads, processes) must end then.
/// Threads that cannot be dropped watch [`RunContext::cancel`], which goes up in the same moment.
#[async_trait]
pub trait Executor<C: Candidate>: Send + Sync {
    /// What a run leaves behind for the evaluators.
    type Output: Send + Sync + 'static;

    /// Runs `candidate` once, with the seed and the limits of the context.
    async fn execute(&self, candidate: C, cx: RunContext) -> Result<Self::Output, RunFailure>;

    /// Finds the output of a run again that finished before a restart; `None`: it must be run again.
    async fn reopen(&self, _candidate: &C, _cx: &RunContext) -> Option<Self::Output> {
        None
    }

    /// What decides the outcome besides candidate and seed: data, fidelity, threads. A stored study goes on only
    /// where this text is the same. The default says nothing.
    fn identity(&self) -> String {
        String::new()
    }
}

macro_rules! forward {
    ($pointer:ident) => {
        #[async_trait]
        #[deny(clippy::missing_trait_methods)]
        impl<C: Candidate, E: Executor<C> + ?Sized> Executor<C> for $pointer<E> {
            type Output = E::Output;

            async fn execute(&self, candidate: C, cx: RunContext) -> Result<Self::Output, RunFailure> {
                (**self).execute(candidate, cx).await
            }

            async fn reopen(&self, candidate: &C, cx: &RunContext) -> Option<Self::Output> {
                (**self).reopen(candidate, cx).await
            }

            fn identity(&self) -> String {
                (**self).identity()
            }
        }
    };
}

forward!(Arc);
forward!(Box);

/// An executor from a closure `|candidate, cx| async move { … }`.
pub fn executor_fn<C, A, F, Fut>(run: F) -> ExecutorFn<F>
where
    C: Candidate,
    A: Send + Sync + 'static,
    F: Fn(C, RunContext) -> Fut + Send + Sync,
    Fut: Future<Output = Result<A, RunFailure>> + Send,
{
    ExecutorFn(run)
}

/// Made by [`executor_fn`].
pub struct ExecutorFn<F>(F);

impl<F> fmt::Debug for ExecutorFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExecutorFn")
    }
}

#[async_trait]
impl<C, A, F, Fut> Executor<C> for ExecutorFn<F>
where
    C: Candidate,
    A: Send + Sync + 'static,
    F: Fn(C, RunContext) -> Fut + Send + Sync,
    Fut: Future<Output = Result<A, RunFailure>> + Send,
{
    type Output = A;
    async fn execute(&self, candidate: C, cx: RunContext) -> Result<A, RunFailure> {
        (self.0)(candidate, cx).await
    }
}
