//! How full a launcher keeps its places.

use crate::figure::{Bound, Figure, Scale};
use autoresearch_core::RunId;
use autoresearch_jobs::{Job, JobId, LaunchError, Launcher, Watch};
use std::sync::Arc;
use std::time::Instant;

/// Jobs at once.
pub(crate) const SLOTS: usize = 8;
/// The most times of the ideal time that all jobs may take.
const TIMES: f64 = 1.15;

/// Many jobs that sleep for a second each, all launched at once.
pub(crate) async fn measure(
    scale: &Scale,
    name: &str,
    launcher: &Arc<dyn Launcher>,
) -> Result<Vec<Figure>, LaunchError> {
    let jobs = scale.of(200, SLOTS as u64);
    let ideal = jobs.div_ceil(SLOTS as u64) as f64;
    let times = seconds(launcher, "places", jobs).await? / ideal;
    let what = format!("{name}: {jobs} jobs of a second on {SLOTS} places, of the ideal time");
    Ok(vec![Figure::new(what, times, "times", Bound::AtMost(TIMES))])
}

/// The seconds that so many jobs of a second take that are all launched at once.
pub(crate) async fn seconds(
    launcher: &Arc<dyn Launcher>,
    study: &str,
    jobs: u64,
) -> Result<f64, LaunchError> {
    let begun = Instant::now();
    let mut all = tokio::task::JoinSet::new();
    for run in 0..jobs {
        let (launcher, id) = (Arc::clone(launcher), JobId::new(study, RunId(run), 0));
        all.spawn(async move { launcher.launch(&id, &Job::new(["sleep", "1"]), &Watch::default()).await });
    }
    while let Some(done) = all.join_next().await {
        let exit = done.map_err(|why| LaunchError::infrastructure(why.to_string()))??;
        if !exit.success() {
            return Err(LaunchError::infrastructure(exit.to_string()));
        }
    }
    Ok(begun.elapsed().as_secs_f64())
}
