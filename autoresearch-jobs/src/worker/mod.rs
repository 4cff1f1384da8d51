//! Runs in worker processes.

mod charged;
mod launcher;
mod pace;
mod private;
mod program;
mod serve;
mod told;
mod wire;

use crate::error::LaunchError;
use crate::exit::{Ended, JobExit};
use crate::job::Job;
use crate::launch::{Launcher, Watch};
use autoresearch_core::{Candidate, Executor, FailureKind, RunContext, RunFailure, async_trait};
use charged::{Charged, Sum};
use launcher::default_launcher;
use private::Private;
use program::Program;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::any::type_name;
use std::fmt;
use std::fs;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use told::Told;
use wire::{BEGUN, Kept, NAME, OUTCOME, Outcome, REQUEST, Request};

/// The most bytes of an outcome: the study reads it as a whole.
const MOST_OUTCOME: u64 = 256 << 20;

fn too_large(size: u64) -> String {
    format!(
        "the run's output is {size} bytes of JSON, and at most {MOST_OUTCOME} are read; leave large things in the run's folder and give \
         their path"
    )
}

/// What a shell says of a program that it cannot start.
const NOT_STARTED: [Ended; 2] = [Ended::Status(126), Ended::Status(127)];

/// What programs read of the environment to find their libraries and their threads.
const INHERITED: [&str; 12] = [
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "RUST_BACKTRACE",
    "RUST_LOG",
    "RAYON_NUM_THREADS",
    "TOKIO_WORKER_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "CUDA_HOME",
    "CUDA_PATH",
    "CUDA_VISIBLE_DEVICES",
    "CUBLAS_WORKSPACE_CONFIG",
];

/// Makes each run of an executor in a process of its own, so that a run that panics, aborts or takes all the memory fails
/// alone, and can be limited, confined and sent elsewhere.
///
/// ```no_run
/// use autoresearch_core::{RunContext, executor_fn};
/// use autoresearch_jobs::WorkerExecutor;
/// # let study = |_: WorkerExecutor<f64, _>| {};
/// // The program says as its first line what its workers run …
/// let train = || executor_fn(|rate: f64, run: RunContext| async move { Ok(rate + run.seed as f64) });
/// autoresearch_jobs::worker_main::<f64, _>(train);
/// // … and wraps the executor, with what each worker may use.
/// let executor = WorkerExecutor::new(train()).job(|job| job.memory(8 << 30));
/// # study(executor);
/// ```
///
/// # How a worker comes to its executor
/// A worker is this same program, started again with the same arguments, in the same folder as far as its launcher lets it
/// see that. [`worker_main`], as the first line of `main`, builds the executor, makes the one run and ends the process: nothing
/// else of `main` is done a second time. Without that line `main` goes on until it comes to [`new`](Self::new), which
/// then does the same; all that stands before it happens in each worker, too, so it should read and not write. A worker
/// that comes to neither ends with a message when an executor is called: workers never start workers of their own study.
/// The executor is found by its type; two of one type in a program are told apart by [`named`](Self::named).
///
/// Why not the registration of functions before `main`, or a table of names? The first needs the linker's help, and the second
/// forgets; the type is always there.
///
/// # What it charges
/// What a run [charges](autoresearch_core::RunContext::charge) is told in that moment, by a line of output, and counts also where the
/// worker is ended later, however that happens; of a run that charges more than some hundred times, within the second at first and
/// later within minutes, and in any case with its outcome. Where a launcher tells no lines of a job that is lost (Ray without a
/// folder), what that has charged is lost with it. What is spent and not charged yet is known to nobody: charge before you spend.
/// After a restart nothing counts a second time but what was charged in the very moment in which the study was killed.
///
/// # What it needs
/// Candidate and output as JSON, exactly: what does not survive that (numbers that are not finite) fails the run with a message;
/// so do outputs of more than 256 MiB. Paths in an output must lead into [`RunContext::directory`], which is the same folder for both.
///
/// # Whose fault
/// What the executor returns is handed on as it is. A panic, an abort, a crash, a limit, and memory that runs out are the
/// candidate's. A worker that could not begin (its executor could not be built, its program was rebuilt), that a person has ended
/// with `SIGTERM`, or that the launcher lost, is the infrastructure's. One that ends by `SIGTERM` three times in a row is taken to
/// do so itself, and is the candidate's.
///
/// # After a restart
/// Runs that had finished are found by [`reopen`](Executor::reopen), by the executor itself or by a note in the run's folder. Those
/// that had not are ended by the launcher; workers also end by themselves within a second when the process that started them is
/// gone.
///
/// # Cancel safety
/// A run that is cancelled or dropped has its worker killed.
pub struct WorkerExecutor<C, E> {
    inner: E,
    name: String,
    program: Result<Program, String>,
    launcher: Arc<dyn Launcher>,
    job: Job,
    told: Told,
    of: PhantomData<fn() -> C>,
}

/// The first line of `main`: in a worker, builds the executor, makes the run and ends the process; else does nothing.
///
/// A program that is only a worker ([`WorkerExecutor::binary`]) consists of this line. Several executors of different types are
/// served by several such lines, those of one type by [`worker_main_named`].
pub fn worker_main<C, E>(executor: impl FnOnce() -> E)
where
    C: Candidate + DeserializeOwned,
    E: Executor<C>,
    E::Output: Serialize + DeserializeOwned,
{
    worker_main_named::<C, E>(&name_of::<C, E>(), executor);
}

/// The same as [`worker_main`] for an executor with a [name](WorkerExecutor::named).
pub fn worker_main_named<C, E>(name: &str, executor: impl FnOnce() -> E)
where
    C: Candidate + DeserializeOwned,
    E: Executor<C>,
    E::Output: Serialize + DeserializeOwned,
{
    if serve::wanted().as_deref() == Some(name) {
        serve::serve::<C, E>(&executor());
    }
}

fn name_of<C, E>() -> String {
    format!("{} of {}", type_name::<E>(), type_name::<C>())
}

impl<C, E> WorkerExecutor<C, E>
where
    C: Candidate + Serialize + DeserializeOwned,
    E: Executor<C>,
    E::Output: Serialize + DeserializeOwned,
{
    /// Runs the executor in workers that are this same program, as processes of this machine ([`on`](Self::on) says where else).
    ///
    /// In a worker that was started for this executor it makes the run and ends the process, and does not return.
    pub fn new(inner: E) -> Self {
        let this = Self {
            inner,
            name: name_of::<C, E>(),
            program: Program::own(),
            launcher: default_launcher(),
            job: Job::default().inherit(INHERITED),
            told: Told::default(),
            of: PhantomData,
        };
        this.serve_if_wanted()
    }

    /// Tells it from other executors of the same type.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self.serve_if_wanted()
    }

    fn serve_if_wanted(self) -> Self {
        if serve::wanted().as_deref() == Some(&self.name) {
            serve::serve::<C, E>(&self.inner);
        }
        self
    }

    /// Launches the workers with this.
    #[must_use]
    pub fn on(mut self, launcher: impl Launcher + 'static) -> Self {
        self.launcher = Arc::new(launcher);
        self
    }

    /// Changes the job that each worker is: limits, resources, variables, what it may read and write. The command and the files
    /// that go in and out are not up for change; a run that is to have them anyway is not started
    /// ([`LaunchError::Setup`]).
    ///
    /// A worker has an empty home of its own, and of this process's variables those that [`Job`] names and those by which libraries
    /// and threads are found (`LD_LIBRARY_PATH`, `OMP_NUM_THREADS` and the like); `.job(|job| job.inherit(["API_KEY"]))` adds to
    /// them. A limit on output is for what the run prints: for its own lines, by which a worker tells progress and charges, the launcher
    /// is given 1 MiB more, and they never come to that; so a run may print up to 1 MiB more as well.
    #[must_use]
    pub fn job(mut self, change: impl FnOnce(Job) -> Job) -> Self {
        self.job = change(self.job);
        self
    }

    /// Starts this program, which calls [`worker_main`] with the same executor, in place of this one.
    ///
    /// An executor is found by its type, and the name of a type begins with its crate. One that is defined in the study's own program
    /// (a closure in its `main`, say) is another type in each program that has the same lines: then say [`named`](Self::named) here and
    /// [`worker_main_named`] there, or put the executor into a library that both use.
    #[must_use]
    pub fn binary(mut self, path: impl Into<PathBuf>) -> Self {
        self.program = Program::at(path.into(), Vec::new());
        self
    }

    async fn launched(
        &self,
        request: &Request<C>,
        into: &Path,
        cx: &RunContext,
        charged: &Arc<Charged>,
    ) -> Result<(JobExit, bool), LaunchError> {
        let program = self.program.as_ref().map_err(|why| LaunchError::Setup(why.clone()))?;
        program.check().map_err(LaunchError::Setup)?;
        let text =
            serde_json::to_string(request).map_err(|why| LaunchError::Infrastructure(why.to_string()))?;
        let here = std::env::current_dir().map_err(LaunchError::io("the current folder is gone"))?;
        // Each worker has a folder of its own: what two of them shared would be taken for one another's.
        if self.job.folder.is_some() || !self.job.files_out.is_empty() {
            let why = "a worker has a folder of its own and hands out nothing but its outcome; leave `folder` and `collect` out of \
                       `.job(…)`, and have the run write its files to its context's `directory()`";
            return Err(LaunchError::Setup(why.into()));
        }
        let mut job = self.job.clone();
        job.limits.output = job.limits.output.map(|most| most.saturating_add(pace::MOST));
        // Not copied before it is known to be no more than is read.
        job.limits.collected = Some(job.limits.collected.unwrap_or(u64::MAX).min(MOST_OUTCOME));
        job.command = ["/bin/sh", "-c", wire::ENTER, "sh"].map(String::from).into();
        for word in [here.into_os_string(), program.path.clone().into()]
            .into_iter()
            .chain(program.args.iter().cloned())
        {
            job.command.push(word.into_string().map_err(|word| {
                LaunchError::Setup(format!(
                    "{word:?} is no UTF-8, as a worker's folder, program and arguments must be"
                ))
            })?);
        }
        let job = job.file(REQUEST, text).env(NAME, &self.name);
        let job = job.collect([OUTCOME, BEGUN], into);
        let job = job.readable(&program.path).writable(&request.directory);
        let (context, launch) = (cx.clone(), request.launch.clone());
        let said = Arc::new(AtomicBool::new(false));
        let (begun, charged) = (Arc::clone(&said), Arc::clone(charged));
        let watch = Watch::new(&cx.cancel).lines(move |line| {
            if let Some(progress) = wire::from_line(line) {
                context.report(progress);
            } else if let Some(sum) = wire::has_charged(line) {
                charged.hear(&sum);
            } else if wire::has_begun(line, &launch) {
                begun.store(true, Ordering::Relaxed);
            }
        });
        let exit = self.launcher.launch(&request.id, &job, &watch).await?;
        let begun = said.load(Ordering::Relaxed) || exit.files.iter().any(|file| file == BEGUN);
        Ok((exit, begun))
    }

    /// What came of the run. `begun`: the executor was called.
    fn outcome(
        &self,
        mut exit: JobExit,
        begun: bool,
        request: &Request<C>,
        from: &Path,
        charged: &Charged,
    ) -> Result<E::Output, RunFailure> {
        exit.stdout = wire::without_own(&exit.stdout);
        let has = |name: &str| exit.files.iter().any(|file| file == name);
        // A worker that wrote an outcome ended well; one that was ended may have had it written by somebody else.
        if has(OUTCOME) && exit.success() {
            let path = from.join(OUTCOME);
            let size = fs::metadata(&path)?.len();
            if size > MOST_OUTCOME {
                return Err(RunFailure::candidate(too_large(size)));
            }
            let text = fs::read(&path)?;
            let outcome: Outcome<E::Output> = serde_json::from_slice(&text).map_err(|why| {
                RunFailure::candidate(format!(
                    "the worker's outcome {} cannot be read: {why}",
                    path.display()
                ))
            })?;
            if outcome.launch != request.launch {
                let what = format!("{} is of another launch", path.display());
                // Once the executor is called, nobody writes there but the run itself.
                return Err(if begun {
                    RunFailure::candidate(what)
                } else {
                    RunFailure::infrastructure(what)
                });
            }
            let (charges, wrong): (Vec<f64>, Vec<f64>) =
                outcome.charges.iter().partition(|amount| charged::is_amount(**amount));
            let (launch, worker, total) = (outcome.launch, outcome.worker, charges.iter().sum());
            charged.hear(&Sum { launch, worker, total });
            if let Some(wrong) = wrong.first() {
                return Err(RunFailure::candidate(format!(
                    "the run charged {wrong}, which is no amount; charge what it costs, from 0"
                )));
            }
            let output = outcome.result?;
            self.keep(&output, request);
            return Ok(output);
        }
        // It wrote one that is not copied.
        let large = exit.not_collected.iter().find(|what| what.starts_with(OUTCOME));
        if let Some(why) = large.filter(|_| begun && exit.success()) {
            return Err(RunFailure::candidate(format!(
                "the run's output could not be taken ({why}; at most {MOST_OUTCOME} bytes are)"
            )));
        }
        match (begun, exit.failure()) {
            (true, Some(failure)) => Err(failure),
            (true, None) => Err(RunFailure::candidate("the run ended its process and gave no outcome")),
            (false, Some(_)) if NOT_STARTED.contains(&exit.ended) => Err(LaunchError::Setup(format!(
                "the worker's program {} cannot be started where its job runs; it has to be there under the same path, or be named \
                 with `.binary(…)`: {exit}",
                self.program.as_ref().map_or("", |program| program.path.to_str().unwrap_or_default())
            ))
            .into()),
            (false, Some(_)) => {
                Err(RunFailure::infrastructure(format!("the worker could not begin: {exit}")))
            }
            (false, None) => Err(LaunchError::Setup(format!(
                "the worker ended without a run: its `main` came neither to `worker_main` nor to `WorkerExecutor::new` for {}. \
                 In another program the same line may be of another type, since types are named by their crate: say \
                 `.named(\"…\")` here and `worker_main_named(\"…\", …)` there",
                self.name
            ))
            .into()),
        }
    }

    /// Best effort: without it the run is made again after a restart.
    fn keep(&self, output: &E::Output, request: &Request<C>) {
        let kept = Kept {
            identity: self.inner.identity(),
            candidate: &request.candidate,
            seed: request.seed,
            fidelity: request.fidelity,
            output,
        };
        let written = serde_json::to_vec(&kept).map_err(std::io::Error::from);
        if let Err(why) = written.and_then(|text| wire::keep(&request.directory, &text)) {
            let folder = request.directory.display();
            tracing::warn!("{folder}: {why}; the run would be made again after a restart");
        }
    }

    fn find(&self, candidate: &C, cx: &RunContext) -> Option<E::Output> {
        let text = wire::kept(&cx.directory().ok()?, MOST_OUTCOME)?;
        let kept: Kept<serde_json::Value, E::Output> = serde_json::from_slice(&text).ok()?;
        let same = kept.identity == self.inner.identity()
            && kept.candidate == serde_json::to_value(candidate).ok()?
            && (kept.seed, kept.fidelity) == (cx.seed, cx.fidelity);
        same.then_some(kept.output)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<C, E> Executor<C> for WorkerExecutor<C, E>
where
    C: Candidate + Serialize + DeserializeOwned,
    E: Executor<C>,
    E::Output: Serialize + DeserializeOwned,
{
    type Output = E::Output;

    async fn execute(&self, candidate: C, cx: RunContext) -> Result<E::Output, RunFailure> {
        if let Some(wanted) = serve::wanted() {
            serve::unable(&format!("`main` came to a study before it came to the executor {wanted}"));
        }
        let survives = serde_json::to_vec(&candidate).and_then(|text| serde_json::from_slice::<C>(&text));
        if let Err(why) = survives {
            let message =
                format!("the candidate cannot be told as JSON, as numbers that are not finite cannot: {why}");
            return Err(RunFailure::candidate(message).kind(FailureKind::InvalidCandidate));
        }
        let directory = std::path::absolute(cx.directory()?)?;
        let program = self.program.as_ref().map(Program::stamp).unwrap_or_default();
        let request = Request::new(candidate, &cx, directory, program)?;
        let charged = Arc::new(Charged::new(&request.launch, &cx, &request.directory));
        // Not the run's folder: what runs there could leave links in it, and have others' files written through them.
        let private = Private::new()?;
        let (exit, begun) = self.launched(&request, private.path(), &cx, &charged).await?;
        let told = Told::is_told(&exit, begun);
        let outcome = self.outcome(exit, begun, &request, private.path(), &charged);
        match self.told.note(&request.id.run_key(), told) {
            Some(failure) => Err(failure),
            None => outcome,
        }
    }

    async fn reopen(&self, candidate: &C, cx: &RunContext) -> Option<E::Output> {
        match self.inner.reopen(candidate, cx).await {
            Some(output) => Some(output),
            None => self.find(candidate, cx),
        }
    }

    fn identity(&self) -> String {
        self.inner.identity()
    }
}

impl<C, E: fmt::Debug> fmt::Debug for WorkerExecutor<C, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits = &self.job.limits;
        f.debug_struct("WorkerExecutor")
            .field("inner", &self.inner)
            .field("limits", limits)
            .finish_non_exhaustive()
    }
}
