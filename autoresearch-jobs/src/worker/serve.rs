//! The worker's side: one run, then the end of the process.

use super::wire::{self, BEGUN, FOLDER, NAME, OUTCOME, Outcome, REQUEST, Request};
use autoresearch_core::{Candidate, Executor, FailureKind, RunFailure, RunProgress};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::any::Any;
use std::fs;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The status of a worker that could not begin. The run it was started for is then lost to the infrastructure.
const UNABLE: i32 = 120;
/// The most often that progress is told, and how often after the first so many times: its lines count towards the job's output.
const PROGRESS: Duration = Duration::from_millis(100);
const LATER: Duration = Duration::from_secs(10);
const FIRST: u32 = 600;
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
    #[cfg(unix)]
    end_with_parent();
    let cx = wire::context(&request).reporting(tell());
    fs::write(folder.join(BEGUN), "").map_err(|why| format!("{}: {why}", folder.display()))?;
    let mut out = std::io::stdout().lock();
    let said = writeln!(out, "{}", wire::begun_line(&request.launch)).and_then(|()| out.flush());
    said.map_err(|why| format!("standard output: {why}"))?;
    drop(out);
    let run = || runtime.block_on(executor.execute(request.candidate, cx.clone()));
    let result = catch_unwind(AssertUnwindSafe(run))
        .unwrap_or_else(|panic| Err(RunFailure::candidate(format!("the run panicked: {}", what(&*panic)))));
    let outcome = Outcome { launch: request.launch, charges: cx.take_charges(), result };
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
    let told: Mutex<(u32, Option<Instant>)> = Mutex::default();
    move |progress| {
        let mut told = told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (times, last) = &mut *told;
        let often = if *times < FIRST { PROGRESS } else { LATER };
        let soon = last.is_some_and(|last| last.elapsed() < often);
        if soon && progress.of != Some(progress.step) {
            return;
        }
        (*times, *last) = (times.saturating_add(1), Some(Instant::now()));
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{}", wire::to_line(progress)).and_then(|()| out.flush());
    }
}

/// A worker whose study was killed has nobody to work for.
#[cfg(unix)]
fn end_with_parent() {
    let parent = std::os::unix::process::parent_id();
    let watch = move || {
        while std::os::unix::process::parent_id() == parent {
            std::thread::sleep(ORPHANED);
        }
        unable("the study that started it is gone");
    };
    // Without the thread it is ended when the study is resumed.
    drop(std::thread::Builder::new().name("parent".into()).spawn(watch));
}
