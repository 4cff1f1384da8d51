//! Measuring what a run has left.

use super::executor::{blocking, with_metrics};
use super::failure::{secrets, through_shell, with_log};
use super::job::{Told, link};
use super::output::RunOutput;
use super::workshop::{Split, Workshop};
use crate::metric::{self, Said};
use crate::sandbox::Sandbox;
use crate::task::Measuring;
use crate::tree::GitTree;
use crate::work::{Folder, unique};
use autoresearch_core::{EvalContext, Evaluator, Fault, Measurement, RunFailure, RunId, async_trait};
use autoresearch_jobs::{JobExit, JobId, Watch};
use autoresearch_llm::Secrets;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Measures a run: with a command of the task that runs apart from all edited code, or, where the task has none, by what the run
/// itself has printed.
///
/// The command runs in a checkout of the base, not of the candidate, with what was kept of the run beside it.
#[derive(Debug, Clone)]
pub struct RepoEvaluator {
    workshop: Arc<Workshop>,
    split: Split,
    /// Whether what a command for held-out data prints may be told: where it measures the user's own code.
    tells: bool,
}

impl RepoEvaluator {
    pub(crate) fn new(workshop: &Arc<Workshop>, split: Split) -> Self {
        Self { workshop: Arc::clone(workshop), split, tells: false }
    }

    /// For the baseline alone, outside of a study.
    pub(crate) fn of_baseline(self) -> Self {
        Self { tells: true, ..self }
    }

    async fn measure(
        &self,
        measuring: &Measuring,
        output: &RunOutput,
        cx: &EvalContext,
    ) -> Result<Measurement, RunFailure> {
        let (workshop, split) = (Arc::clone(&self.workshop), self.split);
        let folder = blocking(move || {
            let folder = workshop.pool.take(&GitTree::at_base(&workshop.repo))?;
            link(&folder, workshop.measuring(split).map_or(&[], |(_, data)| data))?;
            Ok(folder)
        })
        .await?;
        let exit = self.launch(measuring, output, &folder, cx).await?;
        self.put_back(folder).await?;
        let secrets = secrets(&self.workshop.spec.env);
        let told = |failure: RunFailure| self.told(failure, &exit, &secrets);
        if let Some(failure) = exit.failure() {
            return Err(told(failure));
        }
        let said = Said { stdout: &exit.stdout, files: std::path::Path::new(""), outside: &[] };
        let objective = self.workshop.objective(measuring);
        let mut measured = metric::objective(objective, &said).map_err(&told)?;
        for (name, place) in self.workshop.spec.metrics.iter().filter(|(_, place)| place.file.is_none()) {
            if let Some(value) = metric::metric(name, place, &said).map_err(&told)? {
                measured = measured.metric(name, value)?;
            }
        }
        Ok(measured)
    }

    async fn launch(
        &self,
        measuring: &Measuring,
        output: &RunOutput,
        folder: &Folder,
        cx: &EvalContext,
    ) -> Result<JobExit, RunFailure> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let workshop = &self.workshop;
        let artifacts = output.artifacts_folder();
        let told = Told { seed: cx.seed, fidelity: None, artifacts: Some(&artifacts), arguments: false };
        let data = workshop.measuring(self.split).map_or(&[][..], |(_, data)| data);
        let job = workshop.job(&measuring.run, &told, folder, data, measuring.minutes)?;
        let logs = blocking({
            let pool = Arc::clone(&workshop.pool);
            move || {
                let scratch = pool.scratch()?;
                std::fs::create_dir(scratch.path())?;
                Ok(scratch)
            }
        })
        .await?;
        let (stdout, stderr) = (logs.path().join("stdout.log"), logs.path().join("stderr.log"));
        let job = workshop.read_only(job.readable(&artifacts)).output_to(&stdout, stderr);
        // One measures the same run as often as it is asked to, also at the same time.
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let study = format!("{}-{}-{}-{number}", workshop.spec.name, self.split.name(), unique());
        let id = JobId::new(study, RunId(cx.run.0), 0);
        let mut exit = workshop.launcher.launch(&id, &job, &Watch::new(&cx.cancel)).await?;
        // All of it, and not only the end.
        if let Some(all) = metric::output(&stdout) {
            exit.stdout = all;
        }
        Ok(through_shell(exit, &measuring.run))
    }

    /// A failure of the command as proposers may read it: of held-out splits nothing that was printed.
    fn told(&self, failure: RunFailure, exit: &JobExit, secrets: &Secrets) -> RunFailure {
        let name = self.split.name();
        if failure.fault() != Fault::Candidate {
            return failure;
        }
        let kind = failure.what();
        if self.split == Split::Validation || self.tells {
            let message = format!("the command of [{name}]: {}", failure.message());
            return with_log(&RunFailure::candidate(message).kind(kind), exit, secrets);
        }
        tracing::warn!("the command of [{name}]: {}; {exit}", failure.message());
        RunFailure::candidate(format!("the command of [{name}] gave no number")).kind(kind)
    }

    /// A folder that could only be read is as it was, but for the links to data.
    async fn put_back(&self, mut folder: Folder) -> Result<(), RunFailure> {
        let (workshop, split) = (Arc::clone(&self.workshop), self.split);
        blocking(move || {
            let data = workshop.measuring(split).map_or(&[][..], |(_, data)| data);
            let untouched =
                workshop.sandbox == Some(Sandbox::Bubblewrap) && data.iter().all(|data| data.at.is_none());
            let stuck = if untouched { None } else { folder.verify()?.stuck };
            if let Some(stuck) = &stuck {
                tracing::warn!("the command of [{}] left what cannot be removed: {stuck}", split.name());
            }
            if stuck.is_none() && workshop.keeps_folders() {
                workshop.pool.give(folder);
            }
            Ok(())
        })
        .await
    }
}

#[async_trait]
impl Evaluator<RunOutput> for RepoEvaluator {
    async fn evaluate(&self, output: &RunOutput, cx: EvalContext) -> Result<Measurement, RunFailure> {
        let measured = match (self.workshop.measuring(self.split), &output.printed) {
            (Some((measuring, _)), _) => self.measure(measuring, output, &cx).await?,
            (None, Some(printed)) => printed.clone(),
            (None, None) => {
                let split = self.split.name();
                return Err(RunFailure::infrastructure(format!(
                    "the task has no [{split}] command, and the run printed no number"
                )));
            }
        };
        with_metrics(measured.direction(self.workshop.spec.objective.direction()), &output.metrics)
    }

    /// The command, what it reads, and where its number stands.
    fn identity(&self) -> String {
        let spec = &self.workshop.spec;
        let place = serde_json::json!([spec.objective, spec.metrics, spec.env]);
        match self.workshop.measuring(self.split) {
            None => format!("as printed, {place}"),
            Some((measuring, data)) => {
                let data: Vec<String> = data.iter().map(|data| data.from.display().to_string()).collect();
                let place = serde_json::json!([self.workshop.objective(measuring), spec.metrics, spec.env]);
                format!("`{}` reading {data:?}, {place}", measuring.run)
            }
        }
    }
}
