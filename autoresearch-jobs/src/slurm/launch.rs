//! One launch, from its preparation to its end.

use super::desk::{Desk, End, Submit, find};
use super::wire::{Phase, State};
use super::{Engine, options, verdict};
use crate::cluster::{Claim, Follow, LaunchFolder, Watched, digest, earlier};
use crate::error::LaunchError;
use crate::exit::JobExit;
use crate::id::JobId;
use crate::job::{ALWAYS, Job};
use crate::launch::Watch;
use crate::local::files;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// For how long nothing must have been heard of what may still run on a node that was lost.
const SILENT: Duration = Duration::from_secs(4);
/// A job whose record is there is not cleaned up after for longer than this: a node that hangs may do so for hours.
const CLEANING: Duration = Duration::from_secs(10);

/// Runs that are being ended in the background, by the paths of their folders.
static GIVING_BACK: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn giving_back() -> std::sync::MutexGuard<'static, BTreeSet<PathBuf>> {
    GIVING_BACK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The right to a run while it is being ended. Dropped, another may begin.
struct GivingBack {
    claim: Option<Claim>,
    run: PathBuf,
}

impl Drop for GivingBack {
    fn drop(&mut self) {
        self.claim = None;
        giving_back().remove(&self.run);
    }
}

/// All that a launch has. Dropped, it is ended in the background; nothing of it counts from that moment on.
struct Running {
    desk: Desk,
    folder: Option<LaunchFolder>,
    claim: Option<Claim>,
    run: PathBuf,
}

impl Running {
    fn hand_over(&mut self) -> Option<oneshot::Receiver<Result<(), LaunchError>>> {
        let folder = self.folder.take()?;
        folder.fence();
        giving_back().insert(self.run.clone());
        let keep = GivingBack { claim: self.claim.take(), run: self.run.clone() };
        let (reply, ended) = oneshot::channel();
        self.desk.end(End { folder, ended: false, keep: Box::new(keep), reply: Some(reply) });
        Some(ended)
    }

    /// Ends it and waits until nothing is left.
    async fn end(mut self) {
        if let Some(ended) = self.hand_over() {
            let _ = ended.await;
        }
    }

    /// Slurm has ended it: collects what there is to collect, and clears away.
    async fn clear(mut self, job: &Job, exit: Result<JobExit, LaunchError>) -> Result<JobExit, LaunchError> {
        let (folder, claim, job) = (self.folder.take(), self.claim.take(), job.clone());
        blocking(move || {
            let Some(folder) = folder else { return exit };
            let exit = exit.and_then(|mut exit| {
                exit.files = folder.collect(&job)?;
                Ok(exit)
            });
            folder.remove();
            drop(claim);
            exit
        })
        .await?
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.hand_over();
    }
}

pub(super) async fn launch(
    engine: &Arc<Engine>,
    id: &JobId,
    job: &Job,
    watch: &Watch,
) -> Result<JobExit, LaunchError> {
    job.check()?;
    job.limits.kept_on_clusters()?;
    files::patterns(job)?;
    let settings = &engine.settings;
    let defaults = (settings.cpus, settings.gpus);
    let mut args = options::options(&settings.options, settings.gpu_type.as_deref(), defaults, job)?;
    args.push(if settings.set.requeue { "--requeue" } else { "--no-requeue" }.into());
    let inherited = inherited(job)?;
    let begun = tokio::select! {
        biased;
        () = watch.cancel.cancelled() => None,
        begun = begin(engine, id, job, args, inherited) => Some(begun?),
    };
    let Some(begun) = begun else {
        // What may have been submitted just then is being ended.
        let run = engine.root()?.join(id.run_key());
        while giving_back().contains(&run) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        return Err(LaunchError::Cancelled);
    };
    follow(engine, begun, job, watch).await
}

/// A launch that Slurm has.
struct Begun<'a> {
    running: Running,
    name: String,
    _slot: Option<tokio::sync::SemaphorePermit<'a>>,
}

/// Takes over what an earlier driver has left of the very same launch, or ends what is left and submits anew.
async fn begin<'a>(
    engine: &'a Arc<Engine>,
    id: &JobId,
    job: &Job,
    args: Vec<String>,
    inherited: BTreeMap<String, String>,
) -> Result<Begun<'a>, LaunchError> {
    let slot = match &engine.slots {
        Some(slots) => {
            Some(slots.acquire().await.map_err(|why| LaunchError::Infrastructure(why.to_string()))?)
        }
        None => None,
    };
    let office = engine.office()?;
    let (key, root) = (id.run_key(), blocking_root(engine).await?);
    let run = root.join(&key);
    while giving_back().contains(&run) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (claim, mut left) = {
        let (root, key) = (root.clone(), key.clone());
        blocking(move || Ok::<_, LaunchError>((Claim::take(&root, &key)?, earlier(&root, &key)))).await??
    };
    let desk = office.desk.clone();
    let mut running = Running { desk, folder: None, claim: Some(claim), run };
    let set = &engine.settings.set;
    // What the driver does with what comes back is no part of what the job is.
    let asked = Job { collect_into: None, stdout: None, stderr: None, ..job.clone() };
    let digest = digest(&asked, set, &(&args, &given(job)))?;
    let same = left.iter().rposition(|one| one.note.id == *id && one.note.digest == digest);
    let adopted = same.map(|at| left.remove(at));
    // Should this end while it waits, that one is to end, too.
    running.folder = adopted.clone();
    for folder in left {
        let (reply, ended) = oneshot::channel();
        tracing::info!(id = %folder.note.id, "what an earlier driver had left is ended");
        office.desk.end(End { folder, ended: false, keep: Box::new(()), reply: Some(reply) });
        ended.await.map_err(|_| LaunchError::infrastructure("the thread that ends jobs is gone"))??;
    }
    if let Some(folder) = adopted {
        if let Some(name) = known(&folder, office.poller.watch(None), engine.settings.patience).await? {
            tracing::info!(%id, name, "what an earlier driver has launched is taken over");
            return Ok(Begun { running, name, _slot: slot });
        }
        running.folder = None;
    }
    let folder = {
        let (id, job, set) = (id.clone(), job.clone(), set.clone());
        blocking(move || LaunchFolder::make(&root, &id, &job, &set, digest, &inherited)).await??
    };
    running.folder = Some(folder.clone());
    let (reply, submitted) = oneshot::channel();
    office.desk.submit(Submit { args, folder, reply });
    let gone = |_| LaunchError::infrastructure("the thread that submits jobs is gone");
    let name = submitted.await.map_err(gone).and_then(|submitted| submitted);
    match name {
        Ok(name) => {
            tracing::debug!(%id, name, "submitted");
            Ok(Begun { running, name, _slot: slot })
        }
        Err(why) => {
            running.end().await;
            Err(why)
        }
    }
}

/// The values of the variables that the job inherits by name.
fn given(job: &Job) -> BTreeMap<&str, Option<String>> {
    job.inherit.iter().map(|name| (name.as_str(), std::env::var(name).ok())).collect()
}

/// Slurm's name of a launch that an earlier driver has made; a launch that Slurm has never heard of is cleared away.
async fn known(
    folder: &LaunchFolder,
    mut looks: Watched<State>,
    patience: Duration,
) -> Result<Option<String>, LaunchError> {
    if let Some(name) = folder.name() {
        return Ok(Some(name));
    }
    if folder.was_asked().is_some() {
        loop {
            let looked = looks.next().await.ok_or_else(no_looks)?;
            match looked.jobs {
                Ok(jobs) => match find(folder, &jobs) {
                    Some(name) => {
                        let _ = folder.submitted(&name);
                        return Ok(Some(name));
                    }
                    None => break,
                },
                Err((since, why)) if since.elapsed() > patience => return Err(away(since, &why)),
                Err(_) => {}
            }
        }
    }
    let folder = folder.clone();
    blocking(move || folder.remove()).await?;
    Ok(None)
}

fn no_looks() -> LaunchError {
    LaunchError::infrastructure("the thread that looks at Slurm's queue is gone")
}

fn away(since: Instant, why: &str) -> LaunchError {
    LaunchError::Infrastructure(format!("Slurm has not answered for {} s: {why}", since.elapsed().as_secs()))
}

/// Waits for the end of a launch.
async fn follow(
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
    let (mut ended, mut hopeless, mut cleaning) = (None, None::<Instant>, None::<Instant>);
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
            (Phase::Waiting, Some(state)) if state.hopeless() => {
                let since = *hopeless.get_or_insert_with(Instant::now);
                if since.elapsed() >= settings.start_within {
                    let why = format!(
                        "the job cannot start: Slurm says {} for {:.0} s now; change what the job asks for ({}), or its partition",
                        state.reason,
                        since.elapsed().as_secs_f64(),
                        asked(job)
                    );
                    running.end().await;
                    return Err(LaunchError::Setup(why));
                }
                watched.soon();
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            (Phase::Waiting, _) => hopeless = None,
            (Phase::AtWork, Some(state)) => {
                hopeless = None;
                if state.name != "COMPLETING" {
                    cleaning = None;
                    continue;
                }
                let since = *cleaning.get_or_insert_with(Instant::now);
                if since.elapsed() < CLEANING {
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
                let since = *ended.get_or_insert_with(Instant::now);
                let (record, state) = {
                    let (folder, client, name) = (folder.clone(), engine.client(), name.clone());
                    blocking(move || {
                        let record = folder.record();
                        let state = state.or_else(|| client.scontrol(&name));
                        // Why it ended is known only from there.
                        let code = match (&record, &state) {
                            (None, Some(state)) if state.exit.is_none() => client.scontrol(&name),
                            _ => None,
                        };
                        (record, code.or(state))
                    })
                    .await?
                };
                let recorded = record.is_some();
                let exit = match record {
                    Some(record) => Some(verdict::with(&record, state.as_ref(), &folder, job)),
                    None => verdict::without(
                        state.as_ref(),
                        since.elapsed(),
                        settings.storage_delay,
                        &folder,
                        job,
                    ),
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

async fn read(folder: &LaunchFolder) -> Result<Option<crate::cluster::Record>, LaunchError> {
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

/// Lines of output, where somebody wants them.
struct Lines<'a> {
    watch: &'a Watch,
    folder: &'a LaunchFolder,
    follow: Option<Follow>,
    incarnation: Option<u32>,
}

impl<'a> Lines<'a> {
    fn new(watch: &'a Watch, folder: &'a LaunchFolder) -> Self {
        Self { watch, folder, follow: Some(Follow::default()), incarnation: None }
    }

    async fn look(&mut self, last: bool) -> Result<(), LaunchError> {
        if !self.watch.wants_lines() {
            return Ok(());
        }
        let (folder, watch, was) = (self.folder.clone(), self.watch.clone(), self.incarnation);
        let mut follow = self.follow.take().unwrap_or_default();
        let (follow, now) = blocking(move || {
            let now = folder.incarnation();
            if now != was {
                follow = Follow::default();
            }
            if let Some(now) = now {
                // Not there yet, or not readable now: the next look tells more.
                let _ = follow.look(&folder.stdout(now), last, |line| watch.tell(line));
            }
            (follow, now)
        })
        .await?;
        (self.follow, self.incarnation) = (Some(follow), now);
        Ok(())
    }
}

/// What of the driver's environment the job gets.
fn inherited(job: &Job) -> Result<BTreeMap<String, String>, LaunchError> {
    let names = ALWAYS.into_iter().chain(job.inherit.iter().map(String::as_str));
    let mut all = BTreeMap::new();
    for name in names {
        match std::env::var(name) {
            Ok(value) => drop(all.insert(name.to_owned(), value)),
            Err(std::env::VarError::NotPresent) => {}
            Err(std::env::VarError::NotUnicode(_)) => {
                return Err(LaunchError::Setup(format!(
                    "the variable {name} is no UTF-8, as variables of jobs on clusters must be"
                )));
            }
        }
    }
    Ok(all)
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

async fn blocking_root(engine: &Arc<Engine>) -> Result<PathBuf, LaunchError> {
    let engine = Arc::clone(engine);
    blocking(move || engine.root()).await?
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, LaunchError> {
    tokio::task::spawn_blocking(work).await.map_err(|why| LaunchError::Infrastructure(why.to_string()))
}
