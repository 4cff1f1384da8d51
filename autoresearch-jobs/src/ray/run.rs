//! One launch: what is left of earlier ones is adopted or ended, the job is submitted once, waited for, read and removed.

use super::client::Trouble;
use super::core::Core;
use super::record::{self, Lost, Record};
use super::resources;
use super::spec::Read;
use super::tail::Tail;
use super::wire::{ATTEMPT, CONTENT, JobInfo, LAUNCH, RUN, RuntimeEnv, Status, Submit, shorten};
use crate::error::LaunchError;
use crate::exit::JobExit;
use crate::id::JobId;
use crate::job::Job;
use crate::launch::Watch;
use autoresearch_core::Cancellation;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::time::sleep;

/// How long a job is looked for that Ray does not list any more.
const LOST: Duration = Duration::from_secs(10);
/// How long a record may take to be seen on shared storage, once Ray says that the job has ended.
const SEEN: Duration = Duration::from_secs(10);
/// How long the end of a job is waited for that has begun; what takes longer is ended by the poller.
const END: Duration = Duration::from_secs(60);
/// The same where the cluster is away, and for a job that has not begun: Ray does not end those before they do.
const NOT_YET: Duration = Duration::from_secs(2);
/// How often Ray may fail to take a job.
const REFUSALS: u32 = 3;
/// The status with which the script on the node says that it found nothing to do.
const TAKEN_BACK: i32 = 96;

/// A job on the cluster.
#[derive(Debug, Clone)]
struct Submitted {
    submission: String,
    launch: String,
    /// Its folder on shared storage.
    at: Option<PathBuf>,
    /// Whether Ray has said that it has it.
    known: bool,
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
    let there = Mutex::new(None);
    let run = Run { core: &core, id: &id, watch: &watch, there: &there };
    let done = tokio::select! {
        biased;
        () = &mut stop => Err(LaunchError::Cancelled),
        done = run.make(job) => done,
    };
    held.ends();
    let there = there.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(there) = there {
        end(&core, &there).await;
    }
    done
}

struct Run<'a> {
    core: &'a Arc<Core>,
    id: &'a JobId,
    watch: &'a Watch,
    there: &'a Mutex<Option<Submitted>>,
}

/// What came of waiting.
enum Waited {
    Ended(Box<JobInfo>),
    /// Ray gives up on what waits longer than a quarter of an hour; the queue moves on all the same.
    TurnedAway,
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

    fn note(&self, there: Option<Submitted>) {
        *self.there.lock().unwrap_or_else(PoisonError::into_inner) = there;
    }

    fn folder(&self, submission: &str) -> Option<PathBuf> {
        self.core.settings.folder.as_ref().map(|folder| folder.join(submission))
    }

    /// Ends what is left of other attempts and other jobs of the run; finds this very job, if it is there.
    async fn adopt(&self, read: &Read) -> Result<Option<Submitted>, LaunchError> {
        let (key, attempt) = (self.id.run_key(), self.id.attempt.to_string());
        let now = self.core.seen_after(Instant::now()).await?;
        let mut found = None;
        for info in now.jobs.values().filter(|info| info.meta(RUN) == Some(&key)) {
            let Some(submission) = info.submission_id.clone() else { continue };
            let launch = info.meta(LAUNCH).unwrap_or_default().to_owned();
            let at = self.folder(&submission);
            let there = Submitted { submission, launch, at, known: true };
            if self.core.is_doomed(&there.submission) {
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
                end(self.core, &there).await;
            }
        }
        Ok(found)
    }

    /// Uploads what is not there yet, and submits the job, however often that takes, once.
    async fn submit(&self, read: &Arc<Read>) -> Result<Submitted, LaunchError> {
        let (core, launch) = (self.core, unique());
        let submission = self.free_name(read).await?;
        let at = self.folder(&submission);
        let handed = {
            let (read, core, launch, at) = (Arc::clone(read), Arc::clone(core), launch.clone(), at.clone());
            self.note(Some(Submitted {
                submission: submission.clone(),
                launch: launch.clone(),
                at: at.clone(),
                known: true,
            }));
            blocking(move || read.hand(&launch, at.as_deref(), &core.settings)).await??
        };
        let name = &handed.package.name;
        if !core.ask(|| core.client.has_package(name)).await? {
            core.ask(|| core.client.put_package(name, handed.package.bytes.clone())).await?;
        }
        let needs = resources::of(&read.job, &core.settings)?;
        let metadata = [
            (RUN, self.id.run_key()),
            (ATTEMPT, self.id.attempt.to_string()),
            (CONTENT, read.content.clone()),
            (LAUNCH, launch.clone()),
        ];
        let submit = Submit {
            entrypoint: entrypoint(core.settings.python.as_deref()),
            submission_id: submission.clone(),
            runtime_env: RuntimeEnv { working_dir: handed.package.uri(), env_vars: handed.variables },
            metadata: metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
            entrypoint_num_cpus: needs.cpus,
            entrypoint_num_gpus: needs.gpus,
            entrypoint_memory: needs.memory,
            entrypoint_resources: needs.resources,
            entrypoint_label_selector: needs.labels,
        };
        let mut there = Submitted { submission, launch, at, known: false };
        self.note(Some(there.clone()));
        self.post(&submit, &there.launch).await?;
        there.known = true;
        self.note(Some(there.clone()));
        core.wake.notify_one();
        Ok(there)
    }

    /// The first name that no job has: one that waits in vain keeps its own for a while.
    async fn free_name(&self, read: &Read) -> Result<String, LaunchError> {
        let base = format!("{}-{}", self.id, read.content);
        for n in 1..=1000 {
            let name = if n == 1 { base.clone() } else { format!("{base}-{n}") };
            // Also one that is being deleted is not free: what is ended under its name would be the new job.
            if !self.core.is_doomed(&name) && self.core.ask(|| self.core.client.get(&name)).await?.is_none() {
                return Ok(name);
            }
        }
        Err(LaunchError::Infrastructure(format!(
            "a thousand jobs of the name {base} wait on the cluster; end them"
        )))
    }

    /// A submission that got no answer, or a bad one, may have come through.
    async fn post(&self, submit: &Submit, launch: &str) -> Result<(), LaunchError> {
        let (core, began, mut refusals) = (self.core, Instant::now(), 0);
        loop {
            let why = match core.client.submit(submit).await {
                Ok(()) => return Ok(()),
                Err(why) => why,
            };
            match &why {
                Trouble::Denied(why) => return Err(LaunchError::Setup(why.clone())),
                Trouble::Refused { status: 400..500, .. } => {
                    return Err(LaunchError::Setup(format!("Ray does not take the job: {why}")));
                }
                Trouble::Refused { .. } => refusals += 1,
                Trouble::Away(_) => {}
            }
            match core.ask(|| core.client.get(&submit.submission_id)).await? {
                Some(info) if info.meta(LAUNCH) == Some(launch) => return Ok(()),
                Some(_) => {
                    let why = format!("another driver has just submitted {}", submit.submission_id);
                    return Err(LaunchError::Infrastructure(why));
                }
                None if refusals >= REFUSALS || began.elapsed() > core.patience() => {
                    return Err(LaunchError::Infrastructure(format!("Ray does not take the job: {why}")));
                }
                None => sleep(Duration::from_millis(500)).await,
            }
        }
    }

    async fn wait(&self, there: &Submitted, read: &Read, began: Instant) -> Result<Waited, LaunchError> {
        let (core, since) = (self.core, Instant::now());
        let mut news = core.snapshots.subscribe();
        let mut lost: Option<Instant> = None;
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
                _ if now.away.is_some() || now.asked < since => {}
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

    async fn exit(
        &self,
        there: &Submitted,
        info: &JobInfo,
        read: &Arc<Read>,
    ) -> Result<JobExit, LaunchError> {
        let (record, log) = self.record(there, info, read).await?;
        let why = match record {
            Ok(Record { refused: Some(why), .. }) => return Err(LaunchError::Setup(why)),
            Ok(record) => {
                self.keep_output(there, &read.job).await?;
                if there.at.is_none() && self.watch.wants_lines() {
                    record.exit.stdout.lines().for_each(|line| self.watch.tell(line));
                }
                return Ok(record::settled(record.exit, read.job.limits.file_size.is_some()));
            }
            Err(Lost::TooMuch(why)) => return Err(LaunchError::Setup(why)),
            Err(Lost::Io(why)) => return Err(LaunchError::Infrastructure(why)),
            Err(Lost::None(why)) => why,
        };
        let log = match log {
            None => self.core.client.logs(&there.submission).await.unwrap_or_default(),
            Some(log) => log,
        };
        let last: Vec<&str> = log.lines().rev().filter(|line| !line.trim().is_empty()).take(5).collect();
        let last = shorten(&last.into_iter().rev().collect::<Vec<_>>().join(" | "), 1000);
        let last = if last.is_empty() { last } else { format!("; its log ends with: {last}") };
        let name = &there.submission;
        if info.driver_exit_code == Some(TAKEN_BACK) && there.at.is_some() {
            let folder = self.core.settings.folder.as_deref().unwrap_or(Path::new("")).display();
            return Err(LaunchError::Setup(format!(
                "the job {name} has not found its folder below {folder}; it must be on storage that driver and nodes share, \
                 under one name{last}"
            )));
        }
        let what = match info.status {
            Status::Stopped => format!("the job {name} was stopped by somebody else"),
            _ => format!("the job {name} was lost; Ray says: {}", info.said()),
        };
        let kind = info.error_type.as_deref().map(|kind| format!(" [{kind}]")).unwrap_or_default();
        Err(LaunchError::Infrastructure(format!("{what}{kind} ({why}){last}")))
    }

    /// The record, and the log if it was read for that.
    async fn record(
        &self,
        there: &Submitted,
        info: &JobInfo,
        read: &Arc<Read>,
    ) -> Result<(Result<Record, Lost>, Option<String>), LaunchError> {
        let launch = there.launch.clone();
        if let Some(at) = &there.at {
            let path = at.join(format!("exit-{launch}.zip"));
            // A job that was lost with its node has most likely written none.
            let patience = if info.driver_exit_code.is_some() { SEEN } else { Duration::ZERO };
            let began = Instant::now();
            loop {
                let (read, path, launch) = (Arc::clone(read), path.clone(), launch.clone());
                let look = move || {
                    record::from_file(&path, &launch, &read.wanted, read.job.collect_into.as_deref())
                        .transpose()
                };
                match blocking(look).await? {
                    Some(record) => return Ok((record, None)),
                    None if info.driver_exit_code == Some(TAKEN_BACK) || began.elapsed() >= patience => break,
                    None => sleep(Duration::from_millis(100)).await,
                }
            }
            return Ok((Err(Lost::None("its folder has no record of how it ended".into())), None));
        }
        let log = match self.core.client.logs(&there.submission).await {
            Err(Trouble::Away(_)) => self.core.ask(|| self.core.client.logs(&there.submission)).await,
            // Of a node that is gone, Ray cannot tell the log.
            Err(why) => Err(LaunchError::Infrastructure(why.to_string())),
            Ok(log) => Ok(log),
        };
        let log = match log {
            Ok(log) => log,
            Err(why) => {
                return Ok((Err(Lost::None(format!("its log cannot be had: {why}"))), Some(String::new())));
            }
        };
        let found = record::in_log(&log, &launch);
        let record = match found {
            Err(lost) => Err(lost),
            Ok(data) => {
                let read = Arc::clone(read);
                let take =
                    move || record::from_bytes(data, &launch, &read.wanted, read.job.collect_into.as_deref());
                blocking(take).await?
            }
        };
        Ok((record, Some(log)))
    }

    async fn keep_output(&self, there: &Submitted, job: &Job) -> Result<(), LaunchError> {
        let Some(at) = &there.at else { return Ok(()) };
        let pairs = [("stdout", job.stdout.clone()), ("stderr", job.stderr.clone())];
        let pairs: Vec<_> = pairs.into_iter().filter_map(|(name, to)| Some((at.join(name), to?))).collect();
        let copied = blocking(move || {
            pairs.into_iter().try_for_each(|(from, to)| {
                let what = format!("cannot write the job's output to {}", to.display());
                std::fs::copy(from, to).map(drop).map_err(LaunchError::io(what))
            })
        });
        copied.await?
    }
}

/// Ends a job and removes all that is left of it. One that Ray does not let go of yet is left to the poller.
async fn end(core: &Core, there: &Submitted) {
    // From now on it finds nothing to do, should it only begin now.
    let folder = there.at.clone();
    let remove = move || {
        if let Some(folder) = folder {
            let _ = std::fs::remove_file(folder.join("spec.json"));
        }
    };
    let _ = blocking(remove).await;
    let (began, mut asked, mut missing) = (Instant::now(), None::<Instant>, 0);
    loop {
        match core.client.get(&there.submission).await {
            // A submission that was broken off may still come through.
            Ok(None) if !there.known && missing < 5 => missing += 1,
            Ok(None) if !there.known => {
                core.doom(&there.submission);
                break;
            }
            Ok(None) => break,
            // One of another driver's that has taken the name is not ours to end.
            Ok(Some(info)) if info.meta(LAUNCH).is_some_and(|launch| launch != there.launch) => return,
            Ok(Some(info)) if info.status.is_over() => {
                // Not at once: what Ray has not yet noticed the end of, it would bring back.
                core.doom(&there.submission);
                break;
            }
            Ok(Some(info)) => {
                if asked.is_none_or(|at| at.elapsed() > Duration::from_secs(3)) {
                    let _ = core.client.stop(&there.submission).await;
                    asked = Some(Instant::now());
                }
                if info.status == Status::Pending && began.elapsed() > NOT_YET {
                    core.doom(&there.submission);
                    break;
                }
            }
            Err(_) if began.elapsed() > NOT_YET => {
                core.doom(&there.submission);
                break;
            }
            Err(_) => {}
        }
        if began.elapsed() > END {
            core.doom(&there.submission);
            break;
        }
        sleep(Duration::from_millis(if missing > 0 { 300 } else { 50 })).await;
    }
    let folder = there.at.clone();
    let remove = move || {
        let Some(folder) = folder else { return };
        if let Err(why) = std::fs::remove_dir_all(&folder)
            && why.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(folder = %folder.display(), %why, "a job's folder could not be removed");
        }
    };
    let _ = blocking(remove).await;
}

fn never(name: &str, waited: Duration, info: &JobInfo, needs: &resources::Needs) -> LaunchError {
    let waited = waited.as_secs();
    LaunchError::Infrastructure(format!(
        "the job {name} has not begun for {waited} s, while no other of this launcher's ran; Ray says: {} (it asks for {needs}; \
         compare `ray status`, ask for less, or wait longer with `.start_within(…)`)",
        info.said()
    ))
}

/// What Ray starts. The shell gives way to it, so that it sees when its supervisor is gone.
fn entrypoint(python: Option<&str>) -> String {
    let python = match python {
        Some(python) => format!("'{}'", python.replace('\'', r"'\''")),
        None => r#""$(command -v python3 || command -v python || echo python3)""#.into(),
    };
    format!("exec {python} -I autoresearch_job.py")
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, LaunchError> {
    tokio::task::spawn_blocking(work).await.map_err(|why| LaunchError::Infrastructure(why.to_string()))
}

/// A name that nothing else has.
pub(super) fn unique() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:x}-{:x}-{:x}", since.as_nanos(), std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}
