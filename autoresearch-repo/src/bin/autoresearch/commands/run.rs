//! `autoresearch run` and `autoresearch resume`.

use super::failure::Failure;
use super::out::say;
use super::store::{place, stored};
use super::{End, Given, tell};
use autoresearch_core::{Cancellation, Progress, SqliteStore, StopReason};
use autoresearch_repo::{Task, TaskSpec};
use std::path::Path;
use tokio::signal::unix::{SignalKind, signal};

pub(super) async fn run(given: Given, quiet: bool) -> Result<End, Failure> {
    let place = place(&given)?;
    if place.store.exists() {
        return Err(Failure::input(format!(
            "there is a study at {} already: `autoresearch resume {}` goes on with it; for a new one give the task another `name`",
            place.store.display(),
            given.task.display()
        )));
    }
    study(place.spec.open()?, &place.store, &given, quiet).await
}

pub(super) async fn resume(given: Given, quiet: bool) -> Result<End, Failure> {
    let place = stored(&given)?;
    let begun = TaskSpec::base_of(&SqliteStore::open_read_only(&place.store)?).await?;
    // What was checked out since is no matter of a study that has begun.
    let spec = begun.into_iter().fold(place.spec, TaskSpec::base);
    study(spec.open()?, &place.store, &given, quiet).await
}

async fn study(task: Task, path: &Path, given: &Given, quiet: bool) -> Result<End, Failure> {
    let proposer = task.proposer()?;
    tell(task.notices(), quiet);
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)
            .map_err(|why| Failure::input(format!("{} cannot be made: {why}", folder.display())))?;
    }
    let stop = Cancellation::new();
    stops(&stop)?;
    let progress = if quiet { Progress::quiet() } else { Progress::bar() };
    let begun = path.exists();
    let study = task.study(proposer).store(SqliteStore::open(path)?).observer(progress);
    let ended = study.cancelled_by(&stop).run().await;
    if ended.is_err() {
        remove_empty(path).await;
    }
    let report = match ended {
        Ok(report) => report,
        Err(error) if begun => return Err(Failure::of_stored(error)),
        Err(error) => return Err(error.into()),
    };
    say(&report);
    let file = given.task.display();
    if report.stopped == StopReason::Cancelled {
        eprintln!("stopped; `autoresearch resume {file}` goes on");
        return Ok(End::Stopped);
    }
    if !report.stopped.is_final() {
        return Err(Failure::work(format!(
            "the study stopped before its end: {}; when that is mended, `autoresearch resume {file}` goes on",
            report.stopped
        )));
    }
    if !quiet {
        eprintln!(
            "`autoresearch report {file}` writes a page, `autoresearch finalize {file} BRANCH` a branch"
        );
    }
    Ok(End::Done)
}

/// Takes away the store of a study that was refused before it began, so that it can be begun when that is mended.
async fn remove_empty(path: &Path) {
    let Ok(store) = SqliteStore::open_read_only(path) else { return };
    if !matches!(TaskSpec::base_of(&store).await, Ok(None)) {
        return;
    }
    drop(store);
    for more in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(more);
        // What cannot be removed is told by the next `run`, which finds it.
        let _ = std::fs::remove_file(name);
    }
}

/// The first Ctrl-C (or SIGTERM) stops the study so that it can be resumed, the second ends the program.
fn stops(stop: &Cancellation) -> Result<(), Failure> {
    let cannot = |why: std::io::Error| Failure::work(format!("signals cannot be heard: {why}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    let stop = stop.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if stop.is_cancelled() {
                std::process::exit(130);
            }
            eprintln!("stopping; what is under way is ended (again: at once)");
            stop.cancel();
        }
    });
    Ok(())
}
