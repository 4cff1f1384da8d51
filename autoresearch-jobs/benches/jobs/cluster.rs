//! Launchers for clusters beside the engine's own client, and what they leave behind.

use crate::engine::Engine;
use crate::figure::{Bound, Figure, Scale};
use crate::{left, places};
use autoresearch_jobs::LaunchError;
use std::time::{Duration, Instant};

/// The most times of what the engine's own client needs that the launcher may take.
const TIMES: f64 = 1.3;
/// How often each is played, in turns.
const ROUNDS: u64 = 2;
/// What has ended is cleared away by the engine within this time.
const CLEARED: Duration = Duration::from_secs(20);

/// Many jobs that sleep for a second each, all launched at once, and the same jobs through the engine's own client.
pub(crate) async fn places(
    scale: &Scale,
    jobs: u64,
    engine: &impl Engine,
) -> Result<Vec<Figure>, LaunchError> {
    let launcher = engine.launcher()?;
    let (mut own, mut ours) = (0.0, 0.0);
    let rounds = scale.of(ROUNDS, 1);
    for round in 0..rounds {
        own += tokio::task::block_in_place(|| engine.own(jobs))?;
        ours += places::seconds(&launcher, &format!("places{round}"), jobs).await?;
    }
    let (name, slots, rounds) = (engine.name(), places::SLOTS, rounds as f64);
    let label = |what: &str| format!("{name}: {jobs} jobs of a second on {slots} places, {what}");
    Ok(vec![
        Figure::new(label(engine.client()), own / rounds, "s", Bound::None),
        Figure::new(label("launched"), ours / rounds, "s", Bound::None),
        Figure::new(label("of the client's time"), ours / own, "times", Bound::AtMost(TIMES)),
    ])
}

/// What is there after so many runs that was not there before.
pub(crate) async fn left(runs: u64, engine: &impl Engine) -> Result<Vec<Figure>, LaunchError> {
    let launcher = engine.launcher()?;
    // Launchers of clusters keep more in flight: each launch waits for its turn there.
    let left::Played { growth, descriptors, lost } =
        left::play_halves(&launcher, runs, 2 * places::SLOTS as u64).await?;
    lost.iter().for_each(|why| eprintln!("{}: lost: {why}", engine.name()));
    tokio::task::block_in_place(|| drop(launcher));
    let begun = Instant::now();
    while engine.processes() + engine.records()? > 0 && begun.elapsed() < CLEARED {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let name = engine.name();
    let label = |what: &str| format!("{name}: {what} after {runs} runs");
    let none = |what: &str, count: usize| Figure::new(label(what), count as f64, "", Bound::AtMost(0.0));
    Ok(vec![
        Figure::new(label("runs lost to the infrastructure"), lost.len() as f64, "", Bound::None),
        none("processes left", engine.processes()),
        none("files and folders left", left::entries(engine.folder())),
        none("job records left", engine.records()?),
        none("descriptors more", descriptors),
        Figure::new(label("memory more since the half,"), growth, "MiB", Bound::AtMost(left::GROWTH)),
    ])
}
