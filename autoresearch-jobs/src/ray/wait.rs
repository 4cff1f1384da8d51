//! Waits for the end of a job.

use super::resources;
use super::run::{Run, Submitted};
use super::spec::Read;
use super::tail::Tail;
use super::wire::{JobInfo, Status};
use crate::error::LaunchError;
use std::time::{Duration, Instant};

/// How long a job is looked for that Ray does not list any more.
const LOST: Duration = Duration::from_secs(10);

/// What came of waiting.
pub(super) enum Waited {
    Ended(Box<JobInfo>),
    /// Ray gives up on what waits longer than a quarter of an hour; the queue moves on all the same.
    TurnedAway,
}

impl Run<'_> {
    /// Waits until the job has ended, or Ray gives up on it.
    pub(super) async fn wait(
        &self,
        there: &Submitted,
        read: &Read,
        began: Instant,
    ) -> Result<Waited, LaunchError> {
        let (core, since) = (self.core, Instant::now());
        let mut news = core.snapshots.subscribe();
        let mut lost: Option<Instant> = None;
        let mut unknown: Option<Instant> = None;
        let mut tail =
            there.at.as_ref().filter(|_| self.watch.wants_lines()).map(|at| Tail::new(at.join("stdout")));
        loop {
            let now = news.borrow_and_update().clone();
            if let Some((from, why)) = &now.away
                && from.elapsed() > core.patience()
            {
                let time = from.elapsed().as_secs();
                return Err(LaunchError::Infrastructure(format!(
                    "{why} (for {time} s, while a job was there)"
                )));
            }
            match now.jobs.get(&there.submission) {
                // Of a job nothing is known meanwhile, and nothing of before counts.
                _ if now.away.is_some() => lost = None,
                _ if now.asked < since => {}
                Some(info) if info.status.is_over() => {
                    let timeout = info.error_type.as_deref() == Some("JOB_SUPERVISOR_ACTOR_START_TIMEOUT");
                    if timeout && now.moved.max(began).elapsed() < core.settings.start {
                        return Ok(Waited::TurnedAway);
                    }
                    if let Some(tail) = &mut tail {
                        tail.end(self.watch);
                    }
                    return Ok(Waited::Ended(Box::new(info.clone())));
                }
                Some(info) => {
                    lost = None;
                    match &info.status {
                        Status::Other(word) => {
                            let since = *unknown.get_or_insert_with(Instant::now);
                            if since.elapsed() > core.settings.start {
                                let time = since.elapsed().as_secs();
                                return Err(LaunchError::Infrastructure(format!(
                                    "the job {} has had the status {word} for {time} s, which this library does not know; Ray says: {} \
                                     (wait longer with `.start_within(…)`)",
                                    there.submission,
                                    info.said()
                                )));
                            }
                        }
                        _ => unknown = None,
                    }
                    let waited = now.moved.max(began).elapsed();
                    if info.status == Status::Pending && waited > core.settings.start {
                        return Err(never(
                            &there.submission,
                            waited,
                            info,
                            &resources::of(&read.job, &core.settings)?,
                        ));
                    }
                }
                None if lost.get_or_insert_with(Instant::now).elapsed() > LOST.min(core.settings.away) => {
                    return Err(LaunchError::Infrastructure(format!(
                        "Ray does not know the job {} any more: its head was started anew, or somebody deleted the job",
                        there.submission
                    )));
                }
                None => core.wake.notify_one(),
            }
            if let Some(tail) = &mut tail {
                tail.read(self.watch);
            }
            if news.changed().await.is_err() {
                return Err(LaunchError::Infrastructure("the launcher is gone".into()));
            }
        }
    }
}

fn never(name: &str, waited: Duration, info: &JobInfo, needs: &resources::Needs) -> LaunchError {
    let waited = waited.as_secs();
    LaunchError::Infrastructure(format!(
        "the job {name} has not begun for {waited} s, while no other of this launcher's ran; Ray says: {} (it asks for {needs}; \
         compare `ray status`, ask for less, or wait longer with `.start_within(…)`)",
        info.said()
    ))
}
