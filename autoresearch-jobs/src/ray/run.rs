//! One launch: what is left of earlier ones is adopted or ended, the job is submitted once, waited for, read and removed.

use super::core::Core;
use super::end::{END, end};
use super::leftover;
use super::spec::Read;
use super::wait::Waited;
use super::wire::{ATTEMPT, CONTENT, LAUNCH, RUN, Status};
#[cfg(target_os = "linux")]
use crate::cluster::Claim;
use crate::error::LaunchError;
use crate::exit::JobExit;
use crate::id::JobId;
use crate::job::Job;
use crate::launch::Watch;
use autoresearch_core::Cancellation;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::oneshot;

/// A job on the cluster.
#[derive(Debug, Clone)]
pub(super) struct Submitted {
    pub(super) submission: String,
    pub(super) launch: String,
    /// Its folder on shared storage.
    pub(super) at: Option<PathBuf>,
    /// Whether Ray has said that it has it.
    pub(super) known: bool,
}

/// Makes a launch to its end, and removes all of it.
pub(super) async fn launch(
    core: Arc<Core>,
    id: JobId,
    job: Job,
    watch: Watch,
    dropped: Cancellation,
) -> Result<JobExit, LaunchError> {
    let stop = async {
        tokio::select! {
            () = watch.cancel.cancelled() => {}
            () = dropped.cancelled() => {}
        }
    };
    tokio::pin!(stop);
    let key = id.run_key();
    let held = tokio::select! {
        biased;
        () = &mut stop => return Err(LaunchError::Cancelled),
        held = core.hold(&key) => held?,
    };
    // Other drivers are kept away by a lock, where there is a folder for it.
    let claim = match core.settings.folder.clone() {
        Some(folder) => Some(blocking(move || Claim::take(&folder, &key)).await??),
        None => None,
    };
    let (there, writing) = (Mutex::new(None), Mutex::new(None));
    let run = Run { core: &core, id: &id, watch: &watch, there: &there, writing: &writing };
    let done = tokio::select! {
        biased;
        () = &mut stop => Err(LaunchError::Cancelled),
        done = run.make(job) => done,
    };
    held.ends();
    // What is written for it just now would come back after it was removed.
    let writing = writing.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(written) = writing {
        let _: Result<(), _> = written.await;
    }
    let there = there.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(there) = there {
        core.has(&there.submission, false);
        end(&core, &there).await;
    }
    if let Some(claim) = claim {
        let _ = blocking(move || drop(claim)).await;
    }
    done
}

pub(super) struct Run<'a> {
    pub(super) core: &'a Arc<Core>,
    pub(super) id: &'a JobId,
    pub(super) watch: &'a Watch,
    there: &'a Mutex<Option<Submitted>>,
    /// Comes when nothing is written for the launch any more.
    pub(super) writing: &'a Mutex<Option<oneshot::Receiver<()>>>,
}

impl Run<'_> {
    async fn make(&self, job: Job) -> Result<JobExit, LaunchError> {
        let read = blocking(move || Read::new(&job)).await??;
        let read = Arc::new(read);
        let began = Instant::now();
        loop {
            let there = match self.adopt(&read).await? {
                Some(there) => there,
                None => self.submit(&read).await?,
            };
            match self.wait(&there, &read, began).await? {
                Waited::Ended(info) => return self.exit(&there, &info, &read).await,
                Waited::TurnedAway => {
                    end(self.core, &there).await;
                    self.note(None);
                }
            }
        }
    }

    pub(super) fn note(&self, there: Option<Submitted>) {
        let mut noted = self.there.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = &*noted {
            self.core.has(&before.submission, false);
        }
        if let Some(there) = &there {
            self.core.has(&there.submission, true);
        }
        *noted = there;
    }

    pub(super) fn folder(&self, submission: &str) -> Option<PathBuf> {
        self.core.settings.folder.as_ref().map(|folder| folder.join(submission))
    }

    /// Ends what is left of other attempts and other jobs of the run; finds this very job, if it is there.
    async fn adopt(&self, read: &Read) -> Result<Option<Submitted>, LaunchError> {
        let (key, attempt) = (self.id.run_key(), self.id.attempt.to_string());
        let now = self.core.seen_after(Instant::now()).await?;
        let (mut found, mut ending) = (None, false);
        for info in now.jobs.values().filter(|info| info.meta(RUN) == Some(&key)) {
            let Some(submission) = info.submission_id.clone() else { continue };
            let launch = info.meta(LAUNCH).unwrap_or_default().to_owned();
            let at = self.folder(&submission);
            let there = Submitted { submission, launch, at, known: true };
            if self.core.is_doomed(&there.submission) {
                ending |= info.status.is_at_work();
                continue;
            }
            let same = info.meta(ATTEMPT) == Some(&attempt) && info.meta(CONTENT) == Some(&read.content);
            // Of one that has ended the result may have been taken, and its folder with it.
            let taken = info.status.is_over() && there.at.as_ref().is_some_and(|at| !at.exists());
            let same = same && !taken;
            if same && found.is_none() && !there.launch.is_empty() && info.status != Status::Stopped {
                tracing::info!(job = there.submission, "a job of an earlier driver is adopted");
                self.note(Some(there.clone()));
                found = Some(there);
            } else {
                tracing::info!(job = there.submission, "what an earlier launch left on the cluster is ended");
                ending |= info.status.is_at_work();
                end(self.core, &there).await;
            }
        }
        if ending {
            self.alone(&key, found.as_ref()).await?;
        }
        let keeps = |name: &str| now.jobs.contains_key(name) || self.core.is_doomed(name);
        leftover::remove(self.core, &key, keeps).await?;
        Ok(found)
    }

    /// Waits until nothing of the run is at work any more but what was adopted: two attempts never run at once.
    async fn alone(&self, key: &str, adopted: Option<&Submitted>) -> Result<(), LaunchError> {
        let began = Instant::now();
        loop {
            let now = self.core.seen_after(Instant::now()).await?;
            let mut others = now.jobs.values().filter(|info| {
                let is = |there: &Submitted| info.submission_id.as_ref() == Some(&there.submission);
                info.meta(RUN) == Some(key) && info.status.is_at_work() && !adopted.is_some_and(is)
            });
            let Some(other) = others.find_map(|info| info.submission_id.as_ref()) else { return Ok(()) };
            if began.elapsed() > END {
                let time = began.elapsed().as_secs();
                return Err(LaunchError::Infrastructure(format!(
                    "the job {other} of an earlier launch of the run {key} was told to stop and runs on for {time} s; two attempts \
                     at one run never run at once"
                )));
            }
            // The poller tells it again, and deletes it in the end.
            self.core.doom(other);
        }
    }
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, LaunchError> {
    tokio::task::spawn_blocking(work).await.map_err(|why| LaunchError::Infrastructure(why.to_string()))
}

/// A name that nothing else has.
pub(super) fn unique() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:x}-{:x}-{:x}", since.as_nanos(), std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}
/// Elsewhere there are no such locks.
#[cfg(not(target_os = "linux"))]
struct Claim;

#[cfg(not(target_os = "linux"))]
impl Claim {
    fn take(_: &std::path::Path, _: &str) -> Result<Self, LaunchError> {
        Ok(Self)
    }
}
