//! One list of jobs at a time, for all launches together.

use super::client::Trouble;
use super::core::{Core, FAREWELL};
use super::wire::{JobInfo, RUN, Status};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// The pause between two lists where things are going on.
const LEAST: Duration = Duration::from_millis(150);

/// What was seen last.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    /// When it was asked for: what was submitted later cannot be in it.
    pub(super) asked: Instant,
    /// When it was last tried to ask, with whatever success.
    pub(super) tried: Instant,
    /// Jobs of studies, by their submission ids.
    pub(super) jobs: Arc<HashMap<String, JobInfo>>,
    /// When a job of this launcher was last seen to run, begin or end: others may run for ever, and say nothing of what is to wait.
    pub(super) moved: Instant,
    /// Since when nobody answers, and why.
    pub(super) away: Option<(Instant, Trouble)>,
}

impl Default for Snapshot {
    fn default() -> Self {
        let now = Instant::now();
        Self { asked: now, tried: now, jobs: Arc::default(), moved: now, away: None }
    }
}

/// Lists jobs while there is anything to wait for; then sleeps. Ends when the launcher is gone and all is ended.
pub(super) async fn poll(core: &Core) {
    let (most, mut pause) = (core.settings.poll.max(LEAST), LEAST);
    let mut closing: Option<Instant> = None;
    loop {
        if core.closing.load(Ordering::SeqCst) {
            if core.is_idle() {
                return;
            }
            let since = *closing.get_or_insert_with(Instant::now);
            if since.elapsed() > FAREWELL || (since.elapsed() > LEAST && core.only_waits()) {
                tracing::warn!(jobs = ?core.doomed().iter().map(|(id, _)| id).collect::<Vec<_>>(), "these jobs could not be ended on the cluster");
                return;
            }
        } else if core.is_idle() {
            core.wake.notified().await;
            pause = LEAST;
            continue;
        }
        let changed = look(core).await;
        reap(core).await;
        pause = if changed { LEAST } else { (pause * 3 / 2).min(most) };
        if closing.is_some() {
            pause = LEAST;
        }
        sleep(LEAST).await;
        tokio::select! {
            () = sleep(pause.saturating_sub(LEAST)) => {}
            () = core.wake.notified() => pause = LEAST,
        }
    }
}

/// Whether anything is different.
async fn look(core: &Core) -> bool {
    let (asked, before) = (Instant::now(), core.snapshots.borrow().clone());
    let list = match core.client.list().await {
        Ok(list) => list,
        Err(why) => {
            let since = before.away.as_ref().map_or(asked, |(since, _)| *since);
            if before.away.is_none() {
                tracing::warn!(%why, "Ray's dashboard is away; it is waited for");
            }
            core.snapshots.send_replace(Snapshot { tried: asked, away: Some((since, why)), ..before });
            return false;
        }
    };
    core.was_seen();
    // Ray brings a record back, without its metadata, that was deleted before it had noticed the job's end.
    let known = |job: &JobInfo| job.submission_id.as_ref().is_some_and(|id| core.is_doomed(id));
    let ours = list.into_iter().filter(|job| job.meta(RUN).is_some() || known(job));
    let jobs: HashMap<_, _> = ours.filter_map(|job| Some((job.submission_id.clone()?, job))).collect();
    let same =
        |(id, job): (&String, &JobInfo)| before.jobs.get(id).is_some_and(|old| old.status == job.status);
    let changed = jobs.len() != before.jobs.len() || !jobs.iter().all(same) || before.away.is_some();
    let moves = |(id, job): (&String, &JobInfo)| {
        let old = before.jobs.get(id).map(|job| &job.status);
        job.status == Status::Running || old.is_some_and(|old| *old != job.status)
    };
    let moving = jobs.iter().any(|(id, job)| core.is_mine(id) && moves((id, job)));
    let moved = if moving || before.away.is_some() { asked } else { before.moved };
    core.snapshots.send_replace(Snapshot { asked, tried: asked, jobs: Arc::new(jobs), moved, away: None });
    changed
}

/// Ends what could not be ended before: Ray does not let go of a job that has not begun.
async fn reap(core: &Core) {
    let now = core.snapshots.borrow().clone();
    if now.away.is_some() {
        return;
    }
    let (settle, again) = (core.settings.forget, Duration::from_secs(1));
    let since = |moment: &mut Option<Instant>| moment.get_or_insert(now.asked).elapsed();
    for (id, mut doom) in core.doomed() {
        let done = match now.jobs.get(&id).map(|job| &job.status) {
            None => match since(&mut doom.absent) >= settle {
                // It may have been submitted after the list was made.
                true => core.client.get(&id).await.map(|job| job.is_none()),
                false => Ok(false),
            },
            Some(status) => {
                doom.absent = None;
                if status.is_over() {
                    match since(&mut doom.over) >= settle {
                        true => core.client.delete(&id).await.map(|()| false),
                        false => Ok(false),
                    }
                } else if doom.told.is_none_or(|at| at.elapsed() > again) {
                    doom.told = Some(Instant::now());
                    core.client.stop(&id).await.map(|()| false)
                } else {
                    Ok(false)
                }
            }
        };
        match done {
            Ok(gone) => core.redoom(&id, (!gone).then_some(doom)),
            Err(Trouble::Away(_)) => return,
            Err(why) => tracing::debug!(%why, id, "a job is not gone yet"),
        }
    }
}
