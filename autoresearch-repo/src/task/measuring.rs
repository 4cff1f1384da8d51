//! Commands that measure, and bounds on what they and the runs say.

use super::objective::Objective;
use super::units::CommandLine;
use autoresearch_core::Constraint;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A command that measures what a run has left, from a pristine checkout of the base.
///
/// It runs where edited code has no say: in a read-only checkout of the base (of all files, edited or not, as they are there), with the
/// run's artifacts in the folder that `{artifacts}` and the variable `AUTORESEARCH_ARTIFACTS` name, read-only as well. `data` is visible
/// to it and to no run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table with a command, as in `{ run = \"python3 evaluate.py {artifacts}\" }`"
)]
pub struct Measuring {
    /// The command.
    pub run: CommandLine,
    /// What it, and no run, may read. A relative path is one of the repository's working tree, and stands at that path in the
    /// command's folder, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<PathBuf>,
    /// Where its number stands; unless said, where the task's objective does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objective: Option<Objective>,
    /// At most so many minutes; unless said, the task's limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minutes: Option<f64>,
}

impl Measuring {
    /// This command.
    pub fn new(run: impl Into<CommandLine>) -> Self {
        Self { run: run.into(), data: Vec::new(), objective: None, minutes: None }
    }

    /// It may read this, and no run may.
    #[must_use]
    pub fn data(mut self, path: impl Into<PathBuf>) -> Self {
        self.data.push(path.into());
        self
    }

    /// Its number stands here.
    #[must_use]
    pub fn objective(mut self, objective: Objective) -> Self {
        self.objective = Some(objective);
        self
    }
}

/// A bound on a metric: `at_most` and `at_least` hold for every run, `within` (a share: 0.1 for 10 %) for every change that is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table with a metric and its bound, as in `{ metric = \"seconds\", at_most = 60 }`"
)]
pub struct ConstraintSpec {
    /// The metric's name.
    pub metric: String,
    /// Every run has at most this much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
    /// Every run has at least this much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// Nothing that is kept raises it by more than this share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<f64>,
}

impl ConstraintSpec {
    /// As the study has them.
    pub(crate) fn constraints(&self) -> impl Iterator<Item = Constraint> {
        let metric = &self.metric;
        let at_most = self.at_most.map(|x| Constraint::at_most(metric, x));
        let at_least = self.at_least.map(|x| Constraint::at_least(metric, x));
        let within = self.within.map(|x| Constraint::within(metric, x));
        [at_most, at_least, within].into_iter().flatten()
    }
}
