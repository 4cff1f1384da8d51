//! A task in code: the methods of [`TaskSpec`], and what is ready made.

use super::measuring::{ConstraintSpec, Measuring};
use super::objective::Objective;
use super::passed::{FidelitySpec, Passed};
use super::spec::TaskSpec;
use super::units::{Bytes, CommandLine};
use crate::sandbox::Sandbox;
use std::path::PathBuf;

impl TaskSpec {
    /// The shape of the original autoresearch: `train.py` is editable and `prepare.py` protected, `python train.py` trains for five
    /// minutes and ends within ten, and prints `val_bpb:` and `peak_vram_mb:`. What it prints is believed: give it an
    /// [`evaluate`](Self::evaluate) command and a [`holdout`](Self::holdout), as soon as there are any.
    ///
    /// The original's `results.tsv` is what [`autoresearch_core::results_tsv`] writes of the study's store.
    pub fn karpathy(repository: impl Into<PathBuf>) -> Self {
        Self::new(repository)
            .editable(["train.py"])
            .protected(["prepare.py"])
            .run("python train.py")
            .objective(Objective::line("val_bpb:").minimize())
            .metric("peak_vram_mb", Objective::line("peak_vram_mb:"))
            .minutes(10.0)
    }

    /// The name of the task, and of its branch.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The commit to start from.
    #[must_use]
    pub fn base(mut self, revision: impl Into<String>) -> Self {
        self.base = Some(revision.into());
        self
    }

    /// Which files proposals may change.
    #[must_use]
    pub fn editable<S: Into<String>>(mut self, globs: impl IntoIterator<Item = S>) -> Self {
        self.editable = globs.into_iter().map(Into::into).collect();
        self
    }

    /// Which files no run may change; unless said, every file of the base that is not editable.
    #[must_use]
    pub fn protected<S: Into<String>>(mut self, globs: impl IntoIterator<Item = S>) -> Self {
        self.protected = Some(globs.into_iter().map(Into::into).collect());
        self
    }

    /// Which files proposers see besides.
    #[must_use]
    pub fn show<S: Into<String>>(mut self, globs: impl IntoIterator<Item = S>) -> Self {
        self.show = Some(globs.into_iter().map(Into::into).collect());
        self
    }

    /// Proposals may make new files, where the globs match.
    #[must_use]
    pub fn creating(mut self) -> Self {
        self.create = true;
        self
    }

    /// Proposals may delete files.
    #[must_use]
    pub fn deleting(mut self) -> Self {
        self.delete = true;
        self
    }

    /// What prepares the folder of a run, before each run.
    #[must_use]
    pub fn setup(mut self, command: impl Into<CommandLine>) -> Self {
        self.setup = Some(command.into());
        self
    }

    /// What runs a candidate.
    #[must_use]
    pub fn run(mut self, command: impl Into<CommandLine>) -> Self {
        self.run = command.into();
        self
    }

    /// Variables of this process that commands get.
    #[must_use]
    pub fn inherit<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.env.extend(names.into_iter().map(Into::into));
        self
    }

    /// A variable with its value.
    #[must_use]
    pub fn set(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.set.insert(name.into(), value.into());
        self
    }

    /// How the run command is told its seed.
    #[must_use]
    pub fn seed(mut self, passed: Passed) -> Self {
        self.seed = passed;
        self
    }

    /// How much a run is given, and how the run command is told.
    #[must_use]
    pub fn fidelity(mut self, fidelity: FidelitySpec) -> Self {
        self.fidelity = Some(fidelity);
        self
    }

    /// What the set-up and run commands may read besides the tree.
    #[must_use]
    pub fn data(mut self, path: impl Into<PathBuf>) -> Self {
        self.data.push(path.into());
        self
    }

    /// Device files that all commands may use.
    #[must_use]
    pub fn devices<S: Into<String>>(mut self, globs: impl IntoIterator<Item = S>) -> Self {
        self.devices.extend(globs.into_iter().map(Into::into));
        self
    }

    /// GPUs, of which each command has one to itself.
    #[must_use]
    pub fn gpus<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.gpus.extend(names.into_iter().map(Into::into));
        self
    }

    /// What is kept of a run for the commands that measure.
    #[must_use]
    pub fn artifacts<S: Into<String>>(mut self, globs: impl IntoIterator<Item = S>) -> Self {
        self.artifacts.extend(globs.into_iter().map(Into::into));
        self
    }

    /// Where the number stands that the study steers by.
    #[must_use]
    pub fn objective(mut self, objective: Objective) -> Self {
        self.objective = objective;
        self
    }

    /// A further number, by its name.
    #[must_use]
    pub fn metric(mut self, name: impl Into<String>, place: Objective) -> Self {
        self.metrics.insert(name.into(), place);
        self
    }

    /// Every run has at most this much of a metric.
    #[must_use]
    pub fn at_most(self, metric: impl Into<String>, bound: f64) -> Self {
        self.bound(metric, |spec| spec.at_most = Some(bound))
    }

    /// Every run has at least this much of a metric.
    #[must_use]
    pub fn at_least(self, metric: impl Into<String>, bound: f64) -> Self {
        self.bound(metric, |spec| spec.at_least = Some(bound))
    }

    /// Nothing that is kept raises a metric by more than this share.
    #[must_use]
    pub fn within(self, metric: impl Into<String>, share: f64) -> Self {
        self.bound(metric, |spec| spec.within = Some(share))
    }

    fn bound(mut self, metric: impl Into<String>, set: impl FnOnce(&mut ConstraintSpec)) -> Self {
        let mut spec = ConstraintSpec { metric: metric.into(), at_most: None, at_least: None, within: None };
        set(&mut spec);
        self.constraints.push(spec);
        self
    }

    /// At most so many minutes for a command.
    #[must_use]
    pub fn minutes(mut self, minutes: f64) -> Self {
        self.limits.minutes = Some(minutes);
        self
    }

    /// At most so many bytes of memory.
    #[must_use]
    pub fn memory(mut self, bytes: u64) -> Self {
        self.limits.memory = Some(Bytes(bytes));
        self
    }

    /// At most so many bytes on the disk.
    #[must_use]
    pub fn disk(mut self, bytes: u64) -> Self {
        self.limits.disk = Bytes(bytes);
        self
    }

    /// The run command may use the network.
    #[must_use]
    pub fn network(mut self) -> Self {
        self.network = true;
        self
    }

    /// What keeps the commands from the rest of the machine.
    #[must_use]
    pub fn sandbox(mut self, sandbox: Sandbox) -> Self {
        self.sandbox = Some(sandbox);
        self
    }

    /// Where folders of runs are made.
    #[must_use]
    pub fn work(mut self, folder: impl Into<PathBuf>) -> Self {
        self.work = Some(folder.into());
        self
    }

    /// Computes the objective apart from the run.
    #[must_use]
    pub fn evaluate(mut self, measuring: Measuring) -> Self {
        self.evaluate = Some(measuring);
        self
    }

    /// Computes the objective on the holdout.
    #[must_use]
    pub fn holdout(mut self, measuring: Measuring) -> Self {
        self.holdout = Some(measuring);
        self
    }

    /// Computes the objective on the test split.
    #[must_use]
    pub fn test(mut self, measuring: Measuring) -> Self {
        self.test = Some(measuring);
        self
    }
}
