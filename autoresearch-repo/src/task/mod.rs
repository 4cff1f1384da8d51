//! A task: a repository, what may change in it, how to run it, and where its number stands.

mod build;
mod check;
mod data;
mod devices;
mod limits;
mod measuring;
mod objective;
mod open;
mod origin;
mod passed;
mod proposer;
mod spec;
mod stored;
mod study;
mod units;

pub use limits::LimitsSpec;
pub use measuring::{ConstraintSpec, Measuring};
pub use objective::{Objective, Take};
pub use passed::{FidelitySpec, Passed};
pub use proposer::ProposerSpec;
pub use spec::TaskSpec;
pub use study::StudySpec;
pub use units::{Bytes, CommandLine};

pub(crate) use data::{AllData, Data};
pub(crate) use objective::Place;
pub(crate) use passed::number;
pub(crate) use spec::home;

/// The memory that each of so many runs at once may have, in bytes.
pub(crate) fn share_of_memory(at_once: usize) -> Option<u64> {
    Some(limits::memory_here()? / 10 * 9 / at_once.max(1) as u64)
}

use crate::TaskError;
use crate::history::{About, Recorder};
use crate::run::{RepoEvaluator, RepoExecutor, RunOutput, Split, Workshop};
use crate::tree::{GitMerge, GitTree, Repo, RepoCodec};
use crate::work::unique;
use autoresearch_core::{
    EvalContext, Evaluator, Executor, FailureKind, Measurement, Proposer, RunContext, RunFailure, Study,
};
use autoresearch_jobs::Launcher;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A task that is open: its repository was found, its files and commands make sense, its sandbox works.
///
/// ```no_run
/// use autoresearch_core::SqliteStore;
/// use autoresearch_repo::Task;
/// # async fn f(proposer: impl autoresearch_core::Proposer<autoresearch_repo::GitTree> + 'static) -> Result<(), Box<dyn std::error::Error>> {
/// let task = Task::from_toml("task.toml")?;
/// let report = task.study(proposer).store(SqliteStore::open("study.db")?).run().await?;
/// task.finalize(&report, "improved")?; // a clean branch, one commit per certified edit
/// # Ok(()) }
/// ```
///
/// # What it writes
/// Into the repository: objects, the branch `autoresearch/<name>`, three references below `refs/autoresearch/<name>/`, and in the folder
/// `autoresearch` of its own folder notes of runs and the empty repository in which merges are made. Never the branch that is checked out, an index, a working tree, the configuration. Elsewhere: folders of runs below
/// [`work`](TaskSpec::work), which are gone when the runs are.
#[derive(Clone)]
pub struct Task(Arc<Inner>);

struct Inner {
    spec: TaskSpec,
    repo: Arc<Repo>,
    merge: GitMerge,
    codec: RepoCodec,
    workshop: Arc<Workshop>,
    notices: Vec<String>,
}

impl Task {
    /// A task in this repository, to be described in code.
    pub fn at(repository: impl Into<PathBuf>) -> TaskSpec {
        TaskSpec::new(repository)
    }

    /// Reads a `task.toml` and opens it.
    ///
    /// # Errors
    /// The file makes no sense, or the task cannot be opened ([`TaskSpec::open`]).
    pub fn from_toml(path: impl AsRef<Path>) -> Result<Self, TaskError> {
        TaskSpec::read(path)?.open()
    }

    /// Runs commands with this launcher, on a cluster say, instead of the task's sandbox: what it keeps away from what is its affair.
    /// The folders of runs must be where its jobs see them ([`TaskSpec::work`]). They are made anew for each run.
    #[must_use]
    pub fn on(self, launcher: impl Launcher + 'static) -> Self {
        let inner = &self.0;
        let workshop = inner.workshop.with_launcher(Arc::new(launcher));
        Self(Arc::new(Inner {
            spec: inner.spec.clone(),
            repo: Arc::clone(&inner.repo),
            merge: inner.merge.clone(),
            codec: inner.codec.clone(),
            workshop: Arc::new(workshop),
            notices: inner.notices.clone(),
        }))
    }

    /// What the task says.
    pub fn spec(&self) -> &TaskSpec {
        &self.0.spec
    }

    /// Its name, and that of its branch.
    pub fn name(&self) -> &str {
        &self.0.spec.name
    }

    /// What its user should know: changes that are not committed and so no part of the base, what is believed because nothing measures
    /// it apart, what it means that there is no holdout.
    pub fn notices(&self) -> &[String] {
        &self.0.notices
    }

    /// A folder for the study's store, inside of the repository's own folder, where no working tree and no sandbox sees it. It is not
    /// made here.
    pub fn home(&self) -> PathBuf {
        home(self.0.repo.git.dir(), self.name())
    }

    /// The tree of the base.
    pub fn baseline(&self) -> GitTree {
        GitTree::at_base(&self.0.repo)
    }

    /// Reads a model's edits of the task's trees.
    pub fn codec(&self) -> RepoCodec {
        self.0.codec.clone()
    }

    /// Merges changes of the task's trees.
    pub fn composer(&self) -> GitMerge {
        self.0.merge.clone()
    }

    /// Runs candidates: each in a folder of its own, as jobs.
    pub fn executor(&self) -> RepoExecutor {
        RepoExecutor::new(&self.0.workshop)
    }

    /// Measures what a run has left, for the search.
    pub fn evaluator(&self) -> RepoEvaluator {
        RepoEvaluator::new(&self.0.workshop, Split::Validation)
    }

    /// The same on the holdout, where the task has one.
    pub fn holdout(&self) -> Option<RepoEvaluator> {
        self.spec().holdout.as_ref().map(|_| RepoEvaluator::new(&self.0.workshop, Split::Holdout))
    }

    /// The same on the test split, where the task has one.
    pub fn test_split(&self) -> Option<RepoEvaluator> {
        self.spec().test.as_ref().map(|_| RepoEvaluator::new(&self.0.workshop, Split::Test))
    }

    /// A study of the task: baseline, executor, evaluators, merges, constraints, limits and direction are set, and what happens to
    /// proposals is written into the repository. Everything else of a [`Study`] can still be said.
    pub fn study(&self, proposer: impl Proposer<GitTree> + 'static) -> Study<GitTree, RunOutput> {
        let recorder = Recorder::new(proposer, &self.0.repo, &self.0.merge, self.about());
        let watcher = recorder.watcher();
        let study = Study::new(self.baseline(), recorder, self.executor(), self.evaluator());
        self.described(study).observer(watcher)
    }

    /// With all that the task says of a study.
    fn described(&self, study: Study<GitTree, RunOutput>) -> Study<GitTree, RunOutput> {
        let spec = self.spec();
        let mut study = study.compose(self.composer()).limits(spec.study.limits());
        if spec.objective.direction() == autoresearch_core::Direction::Maximize {
            study = study.maximize();
        }
        if let Some(holdout) = self.holdout() {
            study = study.holdout(holdout);
        }
        if let Some(test) = self.test_split() {
            study = study.test_split(test);
        }
        for constraint in spec.constraints.iter().flat_map(ConstraintSpec::constraints) {
            study = study.constraint(constraint);
        }
        // Checked when the task was opened.
        if let Some(fidelity) = spec.fidelity.as_ref().and_then(|fidelity| fidelity.fidelity().ok().flatten())
        {
            study = study.fidelity(fidelity);
        }
        if let Some(n) = spec.at_once() {
            study = study.in_flight(n);
        }
        if let Some(seed) = spec.study.seed {
            study = study.seed(seed);
        }
        study
    }

    /// Runs and measures the baseline once, outside of any study. Two of these with different seeds tell how noisy the objective is.
    ///
    /// # Errors
    /// The run gave no number; the failure says why.
    ///
    /// # Cancel safety
    /// Dropping the future ends the run and leaves nothing.
    pub async fn try_baseline(&self, seed: u64) -> Result<Measurement, RunFailure> {
        self.tried(seed, &[Split::Validation]).await
    }

    /// The same, and measures what the run leaves with every command that the task has, so that one that cannot work is found before
    /// a study depends on it. The failure shows what a command printed, of held-out data, too: the baseline is the user's own. Their
    /// numbers are not told.
    ///
    /// # Errors
    /// The run or one of the commands gave no number, or a constraint is on a metric that there is not.
    ///
    /// # Cancel safety
    /// As [`try_baseline`](Self::try_baseline).
    pub async fn try_everything(&self, seed: u64) -> Result<Measurement, RunFailure> {
        let measured = self.tried(seed, &[Split::Validation, Split::Holdout, Split::Test]).await?;
        let missing = |spec: &&ConstraintSpec| !measured.metrics().contains_key(&spec.metric);
        if let Some(spec) = self.spec().constraints.iter().find(missing) {
            let there: Vec<&str> = measured.metrics().keys().map(AsRef::as_ref).collect();
            let message = format!(
                "the task bounds the metric {:?}, and the baseline has none of that name; it has: {}",
                spec.metric,
                there.join(", ")
            );
            return Err(RunFailure::candidate(message).kind(FailureKind::InvalidMetric));
        }
        Ok(measured)
    }

    /// What the first of the splits says.
    async fn tried(&self, seed: u64, splits: &[Split]) -> Result<Measurement, RunFailure> {
        let folder = self.0.workshop.scratch()?;
        let mut cx = RunContext::for_test(seed).in_directory(folder.path());
        cx.study = format!("{}-try-{}-{}", self.name(), unique(), folder.number()).into();
        cx.fidelity = self.spec().fidelity.as_ref().and_then(|fidelity| fidelity.fidelity().ok().flatten());
        let output = self.executor().execute(self.baseline(), cx).await?;
        let evaluator = |split| RepoEvaluator::new(&self.0.workshop, split).of_baseline();
        let mut first = None;
        for &split in splits {
            if split == Split::Validation || self.0.workshop.measuring(split).is_some() {
                let measured = evaluator(split).evaluate(&output, EvalContext::for_test(seed)).await?;
                first.get_or_insert(measured);
            }
        }
        first.ok_or_else(|| RunFailure::infrastructure("nothing was measured"))
    }

    pub(crate) fn about(&self) -> About {
        About {
            name: self.name().into(),
            base: self.repo().base.to_string(),
            holdout: self.spec().holdout.is_some(),
        }
    }

    pub(crate) fn repo(&self) -> &Arc<Repo> {
        &self.0.repo
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("spec", &self.0.spec)
            .field("base", &self.0.repo.base)
            .finish_non_exhaustive()
    }
}
