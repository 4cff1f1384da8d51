//! Waits for the end of a launch.

use super::launch::{Begun, blocking};
use super::lines::Lines;
use super::wire::{Outlook, Phase, State};
use super::{Engine, verdict};
use crate::cluster::{LaunchFolder, Record};
use crate::error::LaunchError;
use crate::exit::JobExit;
use crate::job::Job;
use crate::launch::Watch;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// For how long nothing must have been heard of what may still run on a node that was lost.
const SILENT: Duration = Duration::from_secs(4);
/// A job whose record is there is not cleaned up after for longer than this: a node that hangs may do so for hours.
const CLEANING: Duration = Duration::from_secs(10);

/// While a record is late, Slurm is asked no more often than this why the job has ended.
const WHY: Duration = Duration::from_secs(5);

/// A job that Slurm has ended, or does not show any more.
struct Ended {
    since: Instant,
    /// When Slurm was last asked for more than `squeue` tells, and what it has said.
    asked: Option<Instant>,
    told: Option<State>,
}

impl Ended {
    fn now() -> Self {
        Self { since: Instant::now(), asked: None, told: None }
    }

    /// All that Slurm says of it: why it ended where there is no record, and anything at all where `squeue` has forgotten it.
    async fn state(
        &mut self,
        engine: &Arc<Engine>,
        name: &str,
        seen: Option<State>,
        recorded: bool,
    ) -> Result<Option<State>, LaunchError> {
        let knows = seen.as_ref().is_some_and(|state| recorded || state.exit.is_some());
        let due = self.asked.is_none_or(|asked| asked.elapsed() >= WHY);
        if !knows && self.told.is_none() && due {
            self.asked = Some(Instant::now());
            let (client, name) = (engine.client(), name.to_owned());
            self.told = blocking(move || client.scontrol(&name)).await?;
        }
        Ok(if knows { seen } else { self.told.clone().or(seen) })
    }
}

/// Waits for the end of a launch.
pub(super) async fn follow(
    engine: &Arc<Engine>,
    begun: Begun<'_>,
    job: &Job,
    watch: &Watch,
) -> Result<JobExit, LaunchError> {
    let Begun { running, name, _slot } = begun;
    let Some(folder) = running.folder.clone() else { return Err(no_looks()) };
    let settings = &engine.settings;
    let mut watched = engine.office()?.poller.watch(Some(&name));
    let mut lines = Lines::new(watch, &folder);
    let (begun, mut at_work) = (Instant::now(), false);
    let mut odd: Option<(Instant, Option<SystemTime>)> = None;
    let (mut ended, mut stuck, mut cleaning) = (None::<Ended>, None::<Instant>, None::<Instant>);
    loop {
        // A record shows the end at once, and looking for it costs Slurm nothing.
        let nap = (begun.elapsed() / 20).clamp(Duration::from_millis(500), Duration::from_secs(10));
        let nap = if watch.wants_lines() { nap.min(Duration::from_secs(1)) } else { nap };
        let looked = tokio::select! {
            biased;
            () = watch.cancel.cancelled() => {
                running.end().await;
                return Err(LaunchError::Cancelled);
            }
            looked = watched.next() => looked.ok_or_else(no_looks)?,
            () = tokio::time::sleep(nap), if at_work => {
                lines.look(false).await?;
                let folder = folder.clone();
                if cleaning.is_none() && blocking(move || folder.record().is_some()).await? {
                    watched.soon();
                }
                continue;
            }
        };
        lines.look(false).await?;
        let jobs = match looked.jobs {
            Ok(jobs) => jobs,
            // It goes on to be tried to end it.
            Err((since, why)) if since.elapsed() > settings.patience => return Err(away(since, &why)),
            Err(_) => continue,
        };
        let state = jobs.get(&name).cloned();
        let phase = state.as_ref().map_or(Phase::Ended, State::phase);
        at_work = phase == Phase::AtWork;
        if phase != Phase::Ended {
            ended = None;
        }
        match (phase, &state) {
            (Phase::Waiting, Some(state)) if state.outlook() != Outlook::Open => {
                let since = *stuck.get_or_insert_with(Instant::now);
                if since.elapsed() >= settings.start_within {
                    running.end().await;
                    return Err(never(state, since, job));
                }
                watched.soon();
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            (Phase::Waiting, _) => stuck = None,
            (Phase::AtWork, Some(state)) if !state.is_known() && read(&folder).await?.is_none() => {
                stuck = None;
                // As long as it is heard of it runs, whatever that is called.
                let beat = folder.clone();
                let beat = blocking(move || beat.beat()).await?;
                if odd.is_none() {
                    tracing::warn!(
                        state = &*state.name,
                        job = name,
                        "Slurm has a state that is not known here"
                    );
                }
                match odd {
                    Some((since, last)) if last == beat => {
                        if since.elapsed() >= settings.patience.max(SILENT) {
                            silence(&folder).await;
                            running.end().await;
                            return Err(unknown(state, since));
                        }
                    }
                    _ => odd = Some((Instant::now(), beat)),
                }
            }
            (Phase::AtWork, Some(state)) => {
                (stuck, odd) = (None, None);
                if &*state.name != "COMPLETING" {
                    cleaning = None;
                    continue;
                }
                let since = *cleaning.get_or_insert_with(Instant::now);
                if since.elapsed() < CLEANING.min(settings.patience) {
                    watched.soon();
                    continue;
                }
                // The record is the last thing that a job writes: what Slurm still clears away there, it does without us. One that
                // is to be queued anew is waited for.
                let record =
                    read(&folder).await?.filter(|record| !(settings.set.requeue && record.terminated()));
                if let Some(record) = record {
                    lines.look(true).await?;
                    let exit = verdict::with(&record, Some(state), &folder, job);
                    return running.clear(job, exit).await;
                }
            }
            (Phase::Ended, _) | (Phase::AtWork, None) => {
                let ended = ended.get_or_insert_with(Ended::now);
                let record = read(&folder).await?;
                let state = ended.state(engine, &name, state, record.is_some()).await?;
                let recorded = record.is_some();
                let exit = match record {
                    Some(record) => Some(verdict::with(&record, state.as_ref(), &folder, job)),
                    None => {
                        let (since, delay) = (ended.since.elapsed(), settings.storage_delay);
                        verdict::without(state.as_ref(), since, delay, &folder, job)
                    }
                };
                if let Some(exit) = exit {
                    lines.look(true).await?;
                    if !recorded {
                        silence(&folder).await;
                    }
                    return running.clear(job, exit).await;
                }
                watched.soon();
            }
        }
    }
}

fn unknown(state: &State, since: Instant) -> LaunchError {
    LaunchError::Infrastructure(format!(
        "Slurm says {} of the job, which is no state that is known here, and nothing was heard of the job for {:.0} s{}",
        state.name,
        since.elapsed().as_secs_f64(),
        if state.reason.is_empty() || &*state.reason == "None" {
            String::new()
        } else {
            format!(" ({})", state.reason)
        },
    ))
}

fn never(state: &State, since: Instant, job: &Job) -> LaunchError {
    let (reason, waited) = (&state.reason, since.elapsed().as_secs_f64());
    match state.outlook() {
        Outlook::Held => LaunchError::Infrastructure(format!(
            "the job is held back: Slurm says {reason} for {waited:.0} s now; `scontrol release` lets jobs go, where the account may"
        )),
        _ => LaunchError::Setup(format!(
            "the job cannot start: Slurm says {reason} for {waited:.0} s now; change what the job asks for ({}), or its partition",
            asked(job)
        )),
    }
}

fn asked(job: &Job) -> String {
    let resources = &job.resources;
    let mut parts: Vec<String> =
        resources.options.iter().map(|(name, value)| format!("{name}={value}")).collect();
    parts.extend(resources.cpus.map(|cpus| format!("{cpus} CPUs")));
    parts.extend((resources.gpus > 0).then(|| format!("{} GPUs", resources.gpus)));
    parts.extend(job.limits.memory.map(|memory| format!("memory of {}", crate::limits::bytes(memory))));
    parts.extend(job.limits.wall_clock.map(|limit| format!("{:.0} s", limit.as_secs_f64())));
    if parts.is_empty() { "nothing of its own".into() } else { parts.join(", ") }
}

async fn read(folder: &LaunchFolder) -> Result<Option<Record>, LaunchError> {
    let folder = folder.clone();
    blocking(move || folder.record()).await
}

/// On a node that was lost the job may be running on: without its fence it ends, and says nothing from then on.
async fn silence(folder: &LaunchFolder) {
    folder.fence();
    let mut last = folder.beat();
    if last.is_none() {
        return;
    }
    for _ in 0..5 {
        tokio::time::sleep(SILENT).await;
        let now = folder.beat();
        if now == last {
            return;
        }
        last = now;
    }
    tracing::warn!("{} is still being written to by a node that was lost", folder.path().display());
}

pub(super) fn no_looks() -> LaunchError {
    LaunchError::infrastructure("the thread that looks at Slurm's queue is gone")
}

pub(super) fn away(since: Instant, why: &str) -> LaunchError {
    LaunchError::Infrastructure(format!("Slurm has not answered for {} s: {why}", since.elapsed().as_secs()))
}
