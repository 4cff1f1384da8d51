//! The executor: a folder, a set-up, a run, and a look at what it has done.

use super::failure::{secrets, through_shell, with_log};
use super::job::{Told, link};
use super::output::{RunOutput, artifacts};
use super::workshop::{Split, Workshop};
use crate::metric::{self, Said};
use crate::task::CommandLine;
use crate::tree::GitTree;
use crate::work::{Folder, Verified};
use autoresearch_core::{Executor, FailureKind, Measurement, RunContext, RunFailure, async_trait};
use autoresearch_jobs::{Job, JobExit, JobId, Watch};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Runs candidates of a task: each in a folder of its own with the files of its tree, the set-up and the run command as jobs of the
/// task's launcher.
///
/// After each run every file of the folder is compared with the tree, byte by byte. A protected file that is not what it was fails the
/// run as [`FailureKind::Tampering`]; everything else that the run has changed or left is taken back, and nothing of it is seen by
/// another run. The folder has no `.git`, and git is never run in it.
///
/// Failures say what happened, with the end of the log: [`Crash`](FailureKind::Crash) (a bad status, a signal, the limits on output, disk
/// and processes), [`Timeout`](FailureKind::Timeout), [`OutOfMemory`](FailureKind::OutOfMemory),
/// [`InvalidMetric`](FailureKind::InvalidMetric), [`Tampering`](FailureKind::Tampering). What a launcher, a disk or git could not do is
/// the infrastructure's and never the candidate's.
#[derive(Debug, Clone)]
pub struct RepoExecutor(Arc<Workshop>);

impl RepoExecutor {
    pub(crate) fn new(workshop: &Arc<Workshop>) -> Self {
        Self(Arc::clone(workshop))
    }

    async fn folder(&self, candidate: &GitTree) -> Result<Folder, RunFailure> {
        let (workshop, candidate) = (Arc::clone(&self.0), candidate.clone());
        blocking(move || {
            let folder = workshop.pool.take(&candidate)?;
            link(&folder, &workshop.data.run)?;
            Ok(folder)
        })
        .await
    }

    /// Compares, puts back, and keeps the folder for the next run.
    async fn verify(&self, mut folder: Folder) -> Result<Verified, RunFailure> {
        let workshop = Arc::clone(&self.0);
        blocking(move || {
            let verified = folder.verify()?;
            if verified.stuck.is_none() && !verified.rewritten && workshop.keeps_folders() {
                workshop.pool.give(folder);
            }
            Ok(verified)
        })
        .await
    }

    async fn launch(&self, id: &JobId, job: &Job, cx: &RunContext) -> Result<JobExit, RunFailure> {
        Ok(self.0.launcher.launch(id, job, &Watch::new(&cx.cancel)).await?)
    }

    fn command(&self, what: What) -> &CommandLine {
        let spec = &self.0.spec;
        match (what, &spec.setup) {
            (What::Setup, Some(setup)) => setup,
            _ => &spec.run,
        }
    }

    fn job(&self, what: What, folder: &Folder, cx: &RunContext, into: &Path) -> Result<Job, RunFailure> {
        let (spec, command) = (&self.0.spec, self.command(what));
        let arguments = what == What::Run;
        let told = Told { seed: cx.seed, fidelity: cx.fidelity, artifacts: None, arguments };
        let mut job = self.0.job(command, &told, folder, &self.0.data.run, None)?;
        job.network = if what == What::Run { spec.network } else { spec.setup_network };
        let prefix = if what == What::Run { "" } else { "setup-" };
        job =
            job.output_to(into.join(format!("{prefix}stdout.log")), into.join(format!("{prefix}stderr.log")));
        if what == What::Run {
            let named =
                std::iter::once(&spec.objective).chain(spec.metrics.values()).filter_map(|o| o.file.clone());
            let wanted: Vec<String> = spec.artifacts.iter().cloned().chain(named).collect();
            if !wanted.is_empty() {
                job = job.collect(wanted, artifacts(into));
            }
        }
        Ok(job)
    }

    /// What the run has said and left, as an output.
    fn output(&self, exit: &JobExit, into: &Path) -> Result<RunOutput, RunFailure> {
        let spec = &self.0.spec;
        let invalid = |message: String| Err(RunFailure::candidate(message).kind(FailureKind::InvalidMetric));
        let stdout = metric::output(&into.join("stdout.log")).unwrap_or_else(|| exit.stdout.clone());
        let kept = artifacts(into);
        // What the edited code says of these is not asked, unless the task maps them.
        let said = Said { stdout: &stdout, files: &kept, outside: &OUTSIDE };
        let apart = self.0.measuring(Split::Validation).is_some();
        let printed = if apart { None } else { Some(metric::objective(&spec.objective, &said)?) };
        let mut metrics = outside(exit);
        for (name, place) in &spec.metrics {
            if let Some(value) = metric::metric(name, place, &said)? {
                metrics.retain(|(known, _)| known != name);
                metrics.push((name.clone(), value));
            }
        }
        for pattern in &spec.artifacts {
            // Checked when the task was opened.
            let globs = autoresearch_llm::Globs::new([pattern.clone()]);
            if globs.is_ok_and(|globs| !exit.files.iter().any(|file| globs.matches(file))) {
                return invalid(format!(
                    "the run left no file `{pattern}` (links and special files are not taken), and it is to be measured on that"
                ));
            }
        }
        let (folder, artifacts) = (into.to_path_buf(), exit.files.clone());
        Ok(RunOutput { folder, artifacts, seconds: exit.wall_seconds, printed, metrics })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Setup,
    Run,
}

/// The metrics that are known of a run without asking it.
const OUTSIDE: [&str; 3] = ["seconds", "cpu_seconds", "memory_gb"];

fn outside(exit: &JobExit) -> Vec<(String, f64)> {
    const GIB: f64 = (1_u64 << 30) as f64;
    let memory = exit.peak_memory.map(|bytes| bytes as f64 / GIB);
    let known = OUTSIDE.into_iter().zip([Some(exit.wall_seconds), exit.cpu_seconds, memory]);
    known.filter_map(|(name, value)| Some((name.into(), value?))).collect()
}

/// The metrics of a run beside those that its measurement has.
pub(super) fn with_metrics(
    mut measured: Measurement,
    metrics: &[(String, f64)],
) -> Result<Measurement, RunFailure> {
    for (name, value) in metrics {
        if !measured.metrics().contains_key(name) {
            measured = measured.metric(name, *value)?;
        }
    }
    Ok(measured)
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, RunFailure> {
    let done = tokio::task::spawn_blocking(work).await;
    let done =
        done.map_err(|why| RunFailure::infrastructure(format!("a thread of the executor is gone: {why}")))?;
    done.map_err(|why| RunFailure::infrastructure(why.to_string()))
}

/// The run's own folder, without what an earlier attempt has left in it.
fn prepared(cx: &RunContext) -> std::io::Result<PathBuf> {
    let folder = std::path::absolute(cx.directory()?)?;
    autoresearch_jobs::disk::remove(&artifacts(&folder))?;
    fs::create_dir(artifacts(&folder))?;
    Ok(folder)
}

/// # Cancel safety
/// Dropping the future ends the job and everything that it has started, and removes the folder.
#[async_trait]
impl Executor<GitTree> for RepoExecutor {
    type Output = RunOutput;

    async fn execute(&self, candidate: GitTree, cx: RunContext) -> Result<RunOutput, RunFailure> {
        let into = prepared(&cx)?;
        let id = JobId::of(&cx);
        // Before the jobs, so that it is dropped after them.
        let folder = self.folder(&candidate).await?;
        let secrets = secrets(&self.0.spec.env);
        let steps = if self.0.spec.setup.is_some() { &[What::Setup, What::Run][..] } else { &[What::Run] };
        let mut exit = None;
        for &what in steps {
            let job = self.job(what, &folder, &cx, &into)?;
            let ended = through_shell(self.launch(&id, &job, &cx).await?, self.command(what));
            let failed = !ended.success();
            exit = Some((what, ended));
            if failed {
                break;
            }
        }
        let Some((what, exit)) = exit else { return Err(RunFailure::infrastructure("no command was run")) };
        let verified = self.verify(folder).await?;
        // What a run has tampered with says more than how it ended.
        if let Some(stuck) = &verified.stuck {
            let message = format!("the run left in its folder what cannot be removed: {stuck}");
            let failure = RunFailure::candidate(message).kind(FailureKind::Tampering);
            return Err(with_log(&failure, &exit, &secrets));
        }
        let protected: Vec<&String> =
            verified.changed.iter().filter(|path| self.0.repo.protects(path)).collect();
        if let Some(first) = protected.first() {
            let more = if protected.len() > 1 {
                format!(" and {} more", protected.len() - 1)
            } else {
                String::new()
            };
            let message = format!("the run changed the file `{first}`{more}, which is protected");
            return Err(with_log(
                &RunFailure::candidate(message).kind(FailureKind::Tampering),
                &exit,
                &secrets,
            ));
        }
        if let Some(failure) = exit.failure() {
            let failure = match what {
                What::Setup => {
                    RunFailure::candidate(format!("the set-up: {}", failure.message())).kind(failure.what())
                }
                What::Run => failure,
            };
            return Err(with_log(&failure, &exit, &secrets));
        }
        let output = self.output(&exit, &into).map_err(|failure| with_log(&failure, &exit, &secrets))?;
        output.note(self.identity(), &candidate, &cx);
        Ok(output)
    }

    async fn reopen(&self, candidate: &GitTree, cx: &RunContext) -> Option<RunOutput> {
        let folder = std::path::absolute(cx.directory().ok()?).ok()?;
        RunOutput::noted(&folder, &self.identity(), candidate, cx)
    }

    /// The base, the commands with what they are told, the data, where numbers stand, what is protected, and the limits that decide
    /// which runs fail. What data holds is not looked at, nor the values of variables.
    fn identity(&self) -> String {
        let spec = &self.0.spec;
        let setup = spec.setup.as_ref().map(|setup| format!(" after `{setup}`")).unwrap_or_default();
        let data: Vec<String> = self.0.data.run.iter().map(|data| data.from.display().to_string()).collect();
        let said =
            serde_json::json!([spec.set, spec.seed, spec.fidelity, spec.artifacts, data, spec.objective]);
        let more =
            serde_json::json!([spec.metrics, spec.env, spec.network, spec.setup_network, spec.protected]);
        let limits = &spec.limits;
        format!(
            "`{}`{setup} on {}, told {said} and {more}, within {:?} min, {:?} min of CPU, {:?} bytes",
            spec.run,
            self.0.repo.base,
            limits.minutes,
            limits.cpu_minutes,
            limits.memory.map(|memory| memory.0)
        )
    }
}
