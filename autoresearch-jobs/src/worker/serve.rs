//! The worker's side: one run, then the end of the process.

use super::MOST_OUTCOME;
use super::charged::{Sum, is_amount};
use super::pace::Pace;
use super::wire::{self, BEGUN, FOLDER, NAME, OUTCOME, Outcome, REQUEST, Request};
use autoresearch_core::{Candidate, Executor, FailureKind, RunFailure, RunProgress};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::any::Any;
use std::fs;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The status of a worker that could not begin. The run it was started for is then lost to the infrastructure.
const UNABLE: i32 = 120;
/// How often a worker looks whether its study is still there.
const ORPHANED: Duration = Duration::from_secs(1);

/// Whether this process is at work already: what is built from then on is part of the run.
static AT_WORK: AtomicBool = AtomicBool::new(false);

/// The executor that this process is to build, if it is a worker that has not begun. What a run starts has the worker's environment,
/// and may be the same program: it is no worker, since the run has begun.
pub(super) fn wanted() -> Option<String> {
    let has_begun = || std::env::var_os(FOLDER).is_some_and(|folder| Path::new(&folder).join(BEGUN).exists());
    if AT_WORK.load(Ordering::SeqCst) || has_begun() {
        return None;
    }
    std::env::var(NAME).ok()
}

/// Ends a worker that cannot begin.
pub(super) fn unable(why: &str) -> ! {
    eprintln!("this worker cannot begin: {why}");
    std::process::exit(UNABLE);
}

/// Makes the run that this process was started for, and ends the process.
pub(super) fn serve<C, E>(executor: &E) -> !
where
    C: Candidate + DeserializeOwned,
    E: Executor<C>,
    E::Output: Serialize + DeserializeOwned,
{
    AT_WORK.store(true, Ordering::SeqCst);
    // A thread of its own: the caller may be within a runtime, in which no other can be started.
    let done = std::thread::scope(|scope| scope.spawn(|| one::<C, E>(executor)).join());
    match done {
        Ok(Ok(())) => std::process::exit(0),
        Ok(Err(why)) => unable(&why),
        Err(_) => unable("the thread of the run panicked"),
    }
}

fn one<C, E>(executor: &E) -> Result<(), String>
where
    C: Candidate + DeserializeOwned,
    E: Executor<C>,
    E::Output: Serialize + DeserializeOwned,
{
    let folder: PathBuf = std::env::var_os(FOLDER).ok_or(format!("{FOLDER} is not set"))?.into();
    let path = folder.join(REQUEST);
    let text = fs::read(&path).map_err(|why| format!("{}: {why}", path.display()))?;
    let request: Request<C> =
        serde_json::from_slice(&text).map_err(|why| format!("{}: {why}", path.display()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|why| format!("no runtime: {why}"))?;
    let spent = Arc::new(Spent::new(&request.launch));
    #[cfg(unix)]
    end_with_parent(Arc::clone(&spent));
    let charging = Arc::clone(&spent);
    let cx = wire::context(&request).reporting(tell()).charging(move |amount| charging.add(amount));
    fs::write(folder.join(BEGUN), "").map_err(|why| format!("{}: {why}", folder.display()))?;
    let mut out = std::io::stdout().lock();
    let said = writeln!(out, "{}", wire::begun_line(&request.launch)).and_then(|()| out.flush());
    said.map_err(|why| format!("standard output: {why}"))?;
    drop(out);
    let run = || runtime.block_on(executor.execute(request.candidate, cx.clone()));
    let result = catch_unwind(AssertUnwindSafe(run))
        .unwrap_or_else(|panic| Err(RunFailure::candidate(format!("the run panicked: {}", what(&*panic)))));
    let worker = spent.worker();
    let outcome = Outcome { launch: request.launch, worker, charges: cx.take_charges(), result };
    let written = write(&folder, outcome);
    // What the run has left blocking threads with is not waited for: its outcome stands.
    runtime.shutdown_background();
    written
}

/// Whole or not at all, and only what can be read again.
fn write<A: Serialize + DeserializeOwned>(folder: &Path, mut outcome: Outcome<A>) -> Result<(), String> {
    let written = serde_json::to_vec(&outcome).and_then(|text| {
        serde_json::from_slice::<Outcome<A>>(&text)?;
        Ok(text)
    });
    let text = written.or_else(|why| {
        let message =
            format!("the run's output cannot be told as JSON, as numbers that are not finite cannot: {why}");
        outcome.result = Err(RunFailure::candidate(message).kind(FailureKind::InvalidMetric));
        serde_json::to_vec(&outcome).map_err(|why| why.to_string())
    })?;
    let text = match text.len() as u64 > MOST_OUTCOME {
        false => text,
        true => {
            outcome.result = Err(RunFailure::candidate(super::too_large(text.len() as u64)));
            serde_json::to_vec(&outcome).map_err(|why| why.to_string())?
        }
    };
    let (half, whole) = (folder.join(".half"), folder.join(OUTCOME));
    fs::write(&half, text)
        .and_then(|()| fs::rename(&half, &whole))
        .map_err(|why| format!("{}: {why}", whole.display()))
}

fn what(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}

/// Prints progress, the last of it always, the rest not too often.
fn tell() -> impl Fn(RunProgress) + Send + Sync {
    let pace = Mutex::new(Pace::new(Instant::now()));
    move |progress| {
        let mut pace = pace.lock().unwrap_or_else(PoisonError::into_inner);
        if pace.may(Instant::now(), progress.of == Some(progress.step)) {
            say(&wire::to_line(progress));
        }
    }
}

/// A line on standard output. Nobody hears it when that is closed, which is no reason to end.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// What this worker has charged, and how much of that was told.
struct Spent(Mutex<(Sum, f64, Pace)>);

impl Spent {
    fn new(launch: &str) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let worker = format!("{:x}-{:x}", since.as_nanos(), std::process::id());
        Self(Mutex::new((Sum { launch: launch.into(), worker, total: 0.0 }, 0.0, Pace::new(Instant::now()))))
    }

    fn worker(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.worker.clone()
    }

    /// What is no amount fails the run in the end.
    fn add(&self, amount: f64) {
        if is_amount(amount) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).0.total += amount;
            self.tell(true);
        }
    }

    /// Says what has not been said yet.
    fn tell(&self, hurry: bool) {
        let mut spent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (sum, told, pace) = &mut *spent;
        if sum.total > *told && pace.may(Instant::now(), hurry) {
            say(&wire::charged_line(sum));
            *told = sum.total;
        }
    }
}

/// A worker whose study was killed has nobody to work for.
#[cfg(unix)]
fn end_with_parent(spent: Arc<Spent>) {
    let parent = std::os::unix::process::parent_id();
    let watch = move || {
        while std::os::unix::process::parent_id() == parent {
            std::thread::sleep(ORPHANED);
            spent.tell(false);
        }
        unable("the study that started it is gone");
    };
    // Without the thread it is ended when the study is resumed.
    drop(std::thread::Builder::new().name("parent".into()).spawn(watch));
}
