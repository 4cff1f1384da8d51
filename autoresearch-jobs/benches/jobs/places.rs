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
    let begun = Instant::now();
    let mut all = tokio::task::JoinSet::new();
    for run in 0..jobs {
        let launcher = Arc::clone(launcher);
        all.spawn(async move {
            let id = JobId::new("places", RunId(run), 0);
            launcher.launch(&id, &Job::new(["sleep", "1"]), &Watch::default()).await
        });
    }
    while let Some(done) = all.join_next().await {
        let exit = done.map_err(|why| LaunchError::infrastructure(why.to_string()))??;
        if !exit.success() {
            return Err(LaunchError::infrastructure(exit.to_string()));
        }
    }
    let ideal = jobs.div_ceil(SLOTS as u64) as f64;
    let times = begun.elapsed().as_secs_f64() / ideal;
    let what = format!("{name}: {jobs} jobs of a second on {SLOTS} places, of the ideal time");
    Ok(vec![Figure::new(what, times, "times", Bound::AtMost(TIMES))])
}
