//! One launch, from its preparation to its end.

use super::desk::{End, Submit, find};
use super::follow::{away, follow, no_looks};
use super::running::{Clearing, Running};
use super::wire::State;
use super::{Engine, options};
use crate::cluster::{Claim, LaunchFolder, Watched, digest, earlier};
use crate::error::LaunchError;
use crate::exit::JobExit;
use crate::id::JobId;
use crate::job::{ALWAYS, Job};
use crate::launch::Watch;
use crate::local::files;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

pub(super) async fn launch(
    engine: &Arc<Engine>,
    id: &JobId,
    job: &Job,
    watch: &Watch,
) -> Result<JobExit, LaunchError> {
    job.check()?;
    job.limits.kept_on_clusters()?;
    let job = &Job { limits: job.limits.within_reach(), ..job.clone() };
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
        // What may have been made or submitted just then is being cleared away.
        let engine = Arc::clone(engine);
        let root = blocking(move || engine.root()).await??;
        Clearing::is_over(&root.join(id.run_key())).await;
        return Err(LaunchError::Cancelled);
    };
    follow(engine, begun, job, watch).await
}

/// A launch that Slurm has.
pub(super) struct Begun<'a> {
    pub(super) running: Running,
    pub(super) name: String,
    pub(super) _slot: Option<tokio::sync::SemaphorePermit<'a>>,
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
    Clearing::is_over(&run).await;
    // Whatever is broken off from here on: work that goes on without its launch is known of until it has cleared up after itself.
    let (mut running, mut left) = {
        let (root, desk, clearing) = (root.clone(), office.desk()?, Clearing::of(&run));
        let took = move || {
            let claim = Claim::take(&root, &key)?;
            let left = earlier(&root, &key)?;
            Ok::<_, LaunchError>((Running { desk, folder: None, claim: Some(claim), run }, left, clearing))
        };
        let (running, left, _) = blocking(took).await??;
        (running, left)
    };
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
        running.desk.end(End { folder, ended: false, keep: Box::new(()), reply: Some(reply) });
        ended.await.map_err(|_| LaunchError::infrastructure("the thread that ends jobs is gone"))??;
    }
    if let Some(folder) = adopted {
        if let Some(name) = known(&folder, office.poller.watch(None), engine.settings.patience).await? {
            tracing::info!(%id, name, "what an earlier driver has launched is taken over");
            return Ok(Begun { running, name, _slot: slot });
        }
        running.folder = None;
    }
    let (running, folder) = {
        let (id, job, set, clearing) = (id.clone(), job.clone(), set.clone(), Clearing::of(&running.run));
        let make = move || {
            let folder = LaunchFolder::make(&root, &id, &job, &set, digest, &inherited)?;
            running.folder = Some(folder.clone());
            Ok::<_, LaunchError>((running, folder, clearing))
        };
        let (running, folder, _) = blocking(make).await??;
        (running, folder)
    };
    let (reply, submitted) = oneshot::channel();
    running.desk.submit(Submit { args, folder, reply });
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

async fn blocking_root(engine: &Arc<Engine>) -> Result<PathBuf, LaunchError> {
    let engine = Arc::clone(engine);
    blocking(move || engine.root()).await?
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, LaunchError> {
    tokio::task::spawn_blocking(work).await.map_err(|why| LaunchError::Infrastructure(why.to_string()))
}
