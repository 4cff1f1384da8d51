//! What stays behind of many runs.

use crate::figure::{Bound, Figure, Scale};
use autoresearch_core::RunId;
use autoresearch_jobs::{Job, JobExit, JobId, LaunchError, Launcher, Watch};
use std::path::Path;
use std::sync::Arc;

/// The most memory that the second half of the runs may add, in MiB: an allocator's own coming and going.
pub(crate) const GROWTH: f64 = 1.0;

/// Many runs, eight at a time; counts what is there afterwards that was not there before.
pub(crate) async fn measure(
    scale: &Scale,
    name: &str,
    launcher: &Arc<dyn Launcher>,
    folder: &Path,
) -> Result<Vec<Figure>, LaunchError> {
    let runs = scale.of(2_000, 20);
    let Played { growth, descriptors, lost } = play_halves(launcher, runs, 8).await?;
    if let Some(why) = lost.into_iter().next() {
        return Err(why);
    }
    let label = |what: &str| format!("{name}: {what} after {runs} runs");
    let none = |what: &str, count: usize| Figure::new(label(what), count as f64, "", Bound::AtMost(0.0));
    Ok(vec![
        none("processes left", children()),
        none("files and folders left", entries(folder)),
        none("descriptors more", descriptors),
        none("control groups left", groups(Path::new("/sys/fs/cgroup"), 4)),
        Figure::new(label("memory more since the half,"), growth, "MiB", Bound::AtMost(GROWTH)),
    ])
}

/// What playing has come to.
pub(crate) struct Played {
    /// MiB of memory that the second half of the runs has added.
    pub(crate) growth: f64,
    /// Descriptors likewise.
    pub(crate) descriptors: usize,
    /// What the infrastructure has lost, and a study would make again.
    pub(crate) lost: Vec<LaunchError>,
}

/// So many runs, so many of them at once.
pub(crate) async fn play_halves(
    launcher: &Arc<dyn Launcher>,
    runs: u64,
    at_once: u64,
) -> Result<Played, LaunchError> {
    let mut lost = play(launcher, 0..runs / 2, at_once).await?;
    let (half, descriptors) = (resident(), entries(Path::new("/proc/self/fd")));
    lost.extend(play(launcher, runs / 2..runs, at_once).await?);
    let growth = (resident() - half) / 1024.0;
    let descriptors = entries(Path::new("/proc/self/fd")).saturating_sub(descriptors);
    Ok(Played { growth, descriptors, lost })
}

async fn play(
    launcher: &Arc<dyn Launcher>,
    runs: std::ops::Range<u64>,
    at_once: u64,
) -> Result<Vec<LaunchError>, LaunchError> {
    let (mut all, mut lost) = (tokio::task::JoinSet::new(), Vec::new());
    let mut done = |done: Result<Result<JobExit, LaunchError>, tokio::task::JoinError>| {
        match done.map_err(|why| LaunchError::setup(why.to_string()))? {
            Err(why @ LaunchError::Infrastructure(_)) => lost.push(why),
            other => drop(other?),
        }
        Ok::<_, LaunchError>(())
    };
    for run in runs {
        if all.len() as u64 >= at_once
            && let Some(one) = all.join_next().await
        {
            done(one)?;
        }
        let launcher = Arc::clone(launcher);
        all.spawn(async move {
            let job = Job::new(["sh", "-c", "echo 1; exit 3"]).file("a", "b");
            launcher.launch(&JobId::new("left", RunId(run), 0), &job, &Watch::default()).await
        });
    }
    while let Some(one) = all.join_next().await {
        done(one)?;
    }
    Ok(lost)
}

pub(crate) fn entries(folder: &Path) -> usize {
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

/// Memory of this process in KiB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0.0)
}

/// Processes that this one has started, of any thread.
fn children() -> usize {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let of = |path: std::path::PathBuf| std::fs::read_to_string(path.join("children")).unwrap_or_default();
    threads.map(|thread| of(thread.path()).split_whitespace().count()).sum()
}

/// Control groups that this process has made.
fn groups(folder: &Path, depth: usize) -> usize {
    let own = format!("autoresearch_job_{}_", std::process::id());
    let folders = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = folders.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let count = |entry: std::fs::DirEntry| {
        let deeper = if depth > 0 { groups(&entry.path(), depth - 1) } else { 0 };
        usize::from(entry.file_name().to_string_lossy().starts_with(&own)) + deeper
    };
    folders.map(count).sum()
}
