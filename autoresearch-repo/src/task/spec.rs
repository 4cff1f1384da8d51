//! What a task.toml says.

use super::limits::LimitsSpec;
use super::measuring::{ConstraintSpec, Measuring};
use super::objective::Objective;
use super::origin::{Origin, line_of};
use super::passed::{FidelitySpec, Passed};
use super::proposer::ProposerSpec;
use super::study::StudySpec;
use super::units::CommandLine;
use crate::sandbox::Sandbox;
use crate::{Task, TaskError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A task as data: a repository, what may change in it, how to run it, and where its number stands. What a `task.toml` holds;
/// [`open`](Self::open) makes a [`Task`] of it.
///
/// ```
/// use autoresearch_repo::{Objective, Sandbox, TaskSpec};
/// let from_file = TaskSpec::parse(r#"
///     repository = "."
///     editable   = ["train.py"]
///     run        = "python train.py"
///     objective  = { line = "val_bpb:", direction = "minimize" }
///     limits     = { minutes = 10, memory = "8 GiB" }
///     sandbox    = "bubblewrap"
/// "#, "/home/me/project")?;
/// let mut in_code = TaskSpec::new("/home/me/project/.")
///     .editable(["train.py"])
///     .run("python train.py")
///     .objective(Objective::line("val_bpb:").minimize())
///     .minutes(10.0)
///     .memory(8 << 30)
///     .sandbox(Sandbox::bubblewrap());
/// assert_eq!(from_file, in_code);
/// # Ok::<(), autoresearch_repo::TaskError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskSpec {
    /// Its name, and that of the branch `autoresearch/<name>` (default: `study`).
    #[serde(default = "study")]
    pub name: String,
    /// The repository, or a folder in it; in a file relative to the file.
    pub repository: PathBuf,
    /// The commit to start from; what is checked out unless said. Changes that are not committed are no part of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Which files proposals may change: `train.py`, `src/**`, `*.rs`; `*` stays within a folder.
    pub editable: Vec<String>,
    /// Which files no run may change, checked after each. Unless said: every file of the base that is not editable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protected: Option<Vec<String>>,
    /// Which files proposers see besides those that are editable or named as protected. Unless said: all, of a repository with at
    /// most 2,000 files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub show: Option<Vec<String>>,
    /// Whether proposals may make new files, where the globs match.
    #[serde(default)]
    pub create: bool,
    /// Whether proposals may delete files.
    #[serde(default)]
    pub delete: bool,
    /// What prepares the folder of a run, before each run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setup: Option<CommandLine>,
    /// What runs a candidate.
    pub run: CommandLine,
    /// Variables of this process that commands get, where they are set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// Variables with their values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, String>,
    /// How the run command is told its seed.
    #[serde(default)]
    pub seed: Passed,
    /// How much a run is given, and how the run command is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fidelity: Option<FidelitySpec>,
    /// What the set-up and run commands may read besides the tree. A relative path is one of the repository's working tree, and
    /// stands at that path in the folder of the run, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<PathBuf>,
    /// Device files that all commands may use, as globs below `/dev`: `["/dev/nvidia*"]`, `["/dev/kfd", "/dev/dri/*"]`. A sandbox has
    /// no others than `/dev/null` and the like.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<String>,
    /// The GPUs, as `CUDA_VISIBLE_DEVICES` names them: each command has one of them to itself, and so many runs are under way at
    /// once unless `study.in_flight` says otherwise. Unless [`devices`](Self::devices) says otherwise, commands may use `/dev/nvidia*`.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "super::devices::names")]
    pub gpus: Vec<String>,
    /// What is kept of a run for the commands that measure: files relative to its folder, or globs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<String>,
    /// Where the number stands that the study steers by.
    pub objective: Objective,
    /// Further numbers, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, Objective>,
    /// Bounds on metrics.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<ConstraintSpec>,
    /// What a command may use.
    #[serde(default)]
    pub limits: LimitsSpec,
    /// Whether the run command may use the network.
    #[serde(default)]
    pub network: bool,
    /// Whether the set-up command may use the network.
    #[serde(default)]
    pub setup_network: bool,
    /// What keeps the commands from the rest of the machine. Unless said: bubblewrap, and where that is missing the task is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<Sandbox>,
    /// Where folders of runs are made, on a fast local disk; unless said: where the system has temporary files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<PathBuf>,
    /// Computes the objective apart from the run, from a pristine checkout of the base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluate: Option<Measuring>,
    /// The same on the holdout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holdout: Option<Measuring>,
    /// The same on the test split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Measuring>,
    /// How long the study goes on.
    #[serde(default)]
    pub study: StudySpec,
    /// Who proposes, for [`Task::proposer`].
    #[serde(default)]
    pub proposer: ProposerSpec,
    /// Where it was read, for messages.
    #[serde(skip)]
    pub(crate) origin: Origin,
}

fn study() -> String {
    "study".into()
}

impl TaskSpec {
    /// A task in this repository, with nothing editable, no command and no objective yet.
    pub fn new(repository: impl Into<PathBuf>) -> Self {
        Self {
            name: study(),
            repository: repository.into(),
            base: None,
            editable: Vec::new(),
            protected: None,
            show: None,
            create: false,
            delete: false,
            setup: None,
            run: CommandLine::Words(Vec::new()),
            env: Vec::new(),
            set: BTreeMap::new(),
            seed: Passed::default(),
            fidelity: None,
            data: Vec::new(),
            devices: Vec::new(),
            gpus: Vec::new(),
            artifacts: Vec::new(),
            objective: Objective::default(),
            metrics: BTreeMap::new(),
            constraints: Vec::new(),
            limits: LimitsSpec::default(),
            network: false,
            setup_network: false,
            sandbox: None,
            work: None,
            evaluate: None,
            holdout: None,
            test: None,
            study: StudySpec::default(),
            proposer: ProposerSpec::default(),
            origin: Origin::default(),
        }
    }

    /// Reads a `task.toml`. Its `repository`, `work` and `proposer.program` are relative to its folder; data is relative to the repository's top.
    ///
    /// # Errors
    /// The file cannot be read or makes no sense; the error names the line.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, TaskError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path)
            .map_err(|why| TaskError::new("", format!("it cannot be read: {why}")).in_file(path, None))?;
        let here = std::path::absolute(path).unwrap_or_else(|_| path.into());
        let folder = here.parent().unwrap_or(Path::new("."));
        let mut spec = Self::parse(&text, folder).map_err(|mut error| {
            let line = error.place.take().and_then(|(_, line)| line);
            error.in_file(path, line)
        })?;
        spec.origin.file = Some(path.into());
        Ok(spec)
    }

    /// The same from the text of such a file that stands in this folder.
    ///
    /// # Errors
    /// The text makes no sense; the error names the line.
    pub fn parse(text: &str, folder: impl AsRef<Path>) -> Result<Self, TaskError> {
        let line_at = |at: usize| text.get(..at).map(|before| before.matches('\n').count() + 1);
        let mut spec: Self = toml::from_str(text).map_err(|why| {
            let line = why.span().and_then(|span| line_at(span.start));
            TaskError::new("", in_words(why.message())).in_file("task.toml", line)
        })?;
        let folder = folder.as_ref();
        spec.repository = folder.join(&spec.repository);
        spec.work = spec.work.as_ref().map(|work| folder.join(work));
        spec.proposer.program = spec.proposer.program.as_ref().map(|program| folder.join(program));
        spec.origin.text = text.into();
        Ok(spec)
    }

    /// Finds the repository, its base and its files, checks all that can be checked, and tries the sandbox.
    ///
    /// # Errors
    /// Something is missing or makes no sense; the message says what to do.
    pub fn open(self) -> Result<Task, TaskError> {
        Task::open(self, true)
    }

    /// How many runs are under way at once, where the task says it.
    pub(crate) fn at_once(&self) -> Option<usize> {
        self.study.in_flight.or(Some(self.gpus.len()).filter(|n| *n > 0))
    }

    /// An error about a key, with its line where it is known.
    pub(crate) fn wrong(&self, key: &str, message: impl Into<String>) -> TaskError {
        let error = TaskError::new(key, message);
        match &self.origin.file {
            Some(file) => error.in_file(file, line_of(&self.origin.text, key)),
            None => error,
        }
    }
}

/// What the reader of TOML says it expected, in the words of its users.
fn in_words(message: &str) -> String {
    const WORDS: [(&str, &str); 5] = [
        ("expected a sequence", "expected a list, as in [\"train.py\"]"),
        ("expected f64", "expected a number"),
        ("expected u64", "expected a whole number, 0 or more"),
        ("expected usize", "expected a whole number, 0 or more"),
        ("expected a boolean", "expected true or false"),
    ];
    WORDS.iter().fold(message.into(), |message: String, (rust, word)| message.replace(rust, word))
}

/// A study's folder within a repository's own.
pub(crate) fn home(repository: &Path, name: &str) -> PathBuf {
    repository.join("autoresearch").join(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_told_with_its_line() {
        let error = TaskSpec::parse("repository = '.'\neditable = []\nspeed = 1\n", "/").unwrap_err();
        assert_eq!(error.place, Some(("task.toml".into(), Some(3))), "{error}");
        assert!(error.to_string().contains("unknown field `speed`"), "{error}");
        let text = "repository = '.'\neditable = []\nrun = 'x'\nobjective = { line = 'a' }\n\n[limits]\nmemory = 'much'\n";
        let error = TaskSpec::parse(text, "/").unwrap_err();
        assert_eq!(error.place, Some(("task.toml".into(), Some(7))), "{error}");
        assert!(error.to_string().contains("8 GiB"), "{error}");
    }

    #[test]
    fn it_survives_json() {
        let mut spec = TaskSpec::karpathy("/r").holdout(Measuring::new("python hold.py").data("/held"));
        spec.limits.memory = Some(crate::Bytes(8 << 30));
        let json = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<TaskSpec>(&json).unwrap(), spec);
    }
}
