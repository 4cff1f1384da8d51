//! Runs that ended.

use super::cost::{positive, role_name};
use super::trial::find;
use super::{Fold, Share};
use crate::text;
use autoresearch_core::{Fault, ResultsTable, Role, RunFailure, RunSpec};
use serde::Serialize;

/// A run that ended.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Run {
    /// Its number.
    pub id: u64,
    /// What was switched on: proposals.
    pub arm: Vec<u64>,
    /// Whether of some of them only a part was.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// The same by parts of their changes.
    #[serde(skip)]
    pub(crate) parts: Vec<(u64, Option<u16>)>,
    /// The incumbent that it was applied to.
    pub version: u32,
    /// Its seed.
    pub seed: u64,
    /// What it was for.
    pub role: Role,
    /// Whose judgement it belongs to, where the arm does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<u64>,
    /// Its objective on validation; `None`: it failed.
    pub objective: Option<f64>,
    /// How it failed, shortened to 200 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Seconds that it took.
    pub seconds: f64,
    /// Seconds that the study had been running by its end.
    pub elapsed: f64,
}

impl Fold {
    pub(super) fn finished(
        &mut self,
        run: RunSpec,
        outcome: Result<f64, RunFailure>,
        seconds: f64,
        elapsed: f64,
    ) {
        let seconds = positive(seconds);
        self.cost.compute += seconds;
        self.cost.elapsed = self.cost.elapsed.max(positive(elapsed));
        if let Err(failure) = outcome.as_ref()
            && failure.fault() != Fault::Cancelled
        {
            self.broke(&run, failure);
        }
        let share = Share { role: run.role, runs: 0, seconds: 0.0 };
        let share = self.roles.entry(role_name(run.role)).or_insert(share);
        share.seconds += seconds;
        match &outcome {
            Err(failure) if failure.fault() == Fault::Infrastructure => {
                self.cost.lost += 1;
                return;
            }
            Err(failure) if failure.fault() == Fault::Cancelled => {
                self.cost.interrupted += 1;
                return;
            }
            Err(_) => self.cost.failed += 1,
            Ok(_) => {}
        }
        self.cost.runs += 1;
        share.runs += 1;
        let arm: Vec<u64> = run.arm.proposals().map(|p| p.0).collect();
        let (at_run, at_time) = (self.runs.len() as u64 + 1, self.cost.elapsed);
        for id in &arm {
            let carried = self.carries(&run, *id);
            if let Some(trial) = find(&mut self.trials, *id) {
                trial.runs += 1;
                trial.confirming += u64::from(run.role == Role::Confirm);
                trial.seconds += seconds;
                trial.share += seconds / arm.len() as f64;
                if trial.fate.is_none() && !carried {
                    (trial.at_run, trial.at_time) = (at_run, at_time);
                }
            }
        }
        self.runs.push(Run {
            id: run.id.0,
            arm,
            parts: run.arm.parts().iter().map(|part| (part.proposal.0, part.unit)).collect(),
            partial: run.arm.parts().iter().any(|part| part.unit.is_some()),
            version: run.version.0,
            seed: run.seed,
            role: run.role,
            about: run.about.map(|p| p.0),
            objective: outcome.as_ref().ok().copied(),
            failure: outcome.err().map(|failure| text::line(&failure.to_string(), 200)),
            seconds,
            elapsed: at_time,
        });
    }

    pub(super) fn remember(&mut self, run: &RunSpec, memory: Option<f64>) {
        let Some(memory) = memory else { return };
        let more = |of: &mut Option<f64>| *of = Some(of.unwrap_or(0.0).max(memory));
        if ResultsTable::is_of_baseline(run) {
            more(&mut self.baseline_memory);
        }
        for proposal in run.arm.proposals() {
            if let Some(trial) = find(&mut self.trials, proposal.0) {
                more(&mut trial.memory_gb);
            }
        }
    }
}
