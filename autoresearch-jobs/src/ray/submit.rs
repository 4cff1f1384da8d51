//! The submission of a job, which is made once however often that takes.

use super::client::Trouble;
use super::package::Package;
use super::resources;
use super::run::{Run, Submitted, blocking, unique};
use super::spec::Read;
use super::wire::{ATTEMPT, CONTENT, LAUNCH, RUN, RuntimeEnv, Submit};
use crate::error::LaunchError;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::time::sleep;

/// How long Ray may fail over a job before that is taken for its answer: a head that is busy fails for a while.
const REFUSES: Duration = Duration::from_secs(30);

impl Run<'_> {
    /// Uploads what is not there yet, and submits the job, however often that takes, once.
    pub(super) async fn submit(&self, read: &Arc<Read>) -> Result<Submitted, LaunchError> {
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
            let (written, writing) = oneshot::channel();
            *self.writing.lock().unwrap_or_else(PoisonError::into_inner) = Some(writing);
            let hand = move || {
                let handed = read.hand(&launch, at.as_deref(), &core.settings);
                let _ = written.send(());
                handed
            };
            blocking(hand).await??
        };
        self.upload(&handed.package).await?;
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

    /// Of many launches with one package the first uploads it, while the others wait.
    async fn upload(&self, package: &Package) -> Result<(), LaunchError> {
        let (core, name) = (self.core, &package.name);
        let upload = core.upload(name);
        let _one = upload.lock().await;
        if !core.ask(|| core.client.has_package(name)).await? {
            core.ask(|| core.client.put_package(name, package.bytes.clone())).await?;
        }
        Ok(())
    }

    /// A submission that got no answer, or a bad one, may have come through.
    async fn post(&self, submit: &Submit, launch: &str) -> Result<(), LaunchError> {
        let (core, began, mut refused) = (self.core, Instant::now(), None::<Instant>);
        let mut pause = Duration::from_millis(250);
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
                Trouble::Refused { .. } => drop(refused.get_or_insert_with(Instant::now)),
                Trouble::Away(_) => refused = None,
            }
            match core.ask(|| core.client.get(&submit.submission_id)).await? {
                Some(info) if info.meta(LAUNCH) == Some(launch) => return Ok(()),
                Some(_) => {
                    let why = format!("another driver has just submitted {}", submit.submission_id);
                    return Err(LaunchError::Infrastructure(why));
                }
                None if refused.is_some_and(|since| since.elapsed() > REFUSES.min(core.patience()))
                    || began.elapsed() > core.patience() =>
                {
                    let time = began.elapsed().as_secs();
                    return Err(LaunchError::Infrastructure(format!(
                        "Ray has not taken the job for {time} s: {why}"
                    )));
                }
                None => {
                    tracing::debug!(%why, "Ray is given the job again");
                    sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(4));
                }
            }
        }
    }
}

/// What Ray starts. The shell gives way to it, so that it sees when its supervisor is gone.
fn entrypoint(python: Option<&str>) -> String {
    let python = match python {
        Some(python) => format!("'{}'", python.replace('\'', r"'\''")),
        None => r#""$(command -v python3 || command -v python || echo python3)""#.into(),
    };
    format!("exec {python} -I autoresearch_job.py")
}
