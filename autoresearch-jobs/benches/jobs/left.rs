//! What stays behind of many runs.

use crate::figure::{Bound, Figure, Scale};
use autoresearch_core::RunId;
use autoresearch_jobs::{Job, JobId, LaunchError, Launcher, Watch};
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
    let (growth, descriptors) = play_halves(launcher, runs, 8).await?;
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

/// So many runs; how much memory in MiB and how many descriptors the second half of them has added.
pub(crate) async fn play_halves(
    launcher: &Arc<dyn Launcher>,
    runs: u64,
    at_once: u64,
) -> Result<(f64, usize), LaunchError> {
    play(launcher, 0..runs / 2, at_once).await?;
    let (half, descriptors) = (resident(), entries(Path::new("/proc/self/fd")));
    play(launcher, runs / 2..runs, at_once).await?;
    let growth = (resident() - half) / 1024.0;
    Ok((growth, entries(Path::new("/proc/self/fd")).saturating_sub(descriptors)))
}

async fn play(
    launcher: &Arc<dyn Launcher>,
    runs: std::ops::Range<u64>,
    at_once: u64,
) -> Result<(), LaunchError> {
    let mut all = tokio::task::JoinSet::new();
    for run in runs {
        if all.len() as u64 >= at_once
            && let Some(done) = all.join_next().await
        {
            done.map_err(|why| LaunchError::infrastructure(why.to_string()))??;
        }
        let launcher = Arc::clone(launcher);
        all.spawn(async move {
            let job = Job::new(["sh", "-c", "echo 1; exit 3"]).file("a", "b");
            launcher.launch(&JobId::new("left", RunId(run), 0), &job, &Watch::default()).await
        });
    }
    while let Some(done) = all.join_next().await {
        done.map_err(|why| LaunchError::infrastructure(why.to_string()))??;
    }
    Ok(())
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
