//! Runs that belong together: planned at once, those that fail repeated once with another seed.

use crate::accept::decision::{Plan, Step};
use crate::accept::{Cohort, Role};
use crate::arm::{Arm, RunId};
use crate::failure::RunFailure;

/// One run of a design.
#[derive(Debug)]
pub(super) struct Row {
    /// Which of the trial's proposals are switched on.
    pub(super) on: Vec<bool>,
    arm: Arm,
    pub(super) run: RunId,
    retried: bool,
}

#[derive(Debug)]
pub(super) struct Block {
    pub(super) rows: Vec<Row>,
    role: Role,
}

impl Block {
    /// Plans the runs, in this order.
    pub(super) fn plan(
        arms: impl IntoIterator<Item = (Vec<bool>, Arm)>,
        role: Role,
        cohort: &Cohort<'_>,
    ) -> (Self, Step) {
        let row = |(i, (on, arm))| Row { on, arm, run: cohort.next_run(i), retried: false };
        let rows: Vec<Row> = arms.into_iter().enumerate().map(row).collect();
        let plan = |(row, i): (&Row, u32)| Plan::new(row.arm.clone(), cohort.fresh_seed(i), role);
        let plans = rows.iter().zip(0..).map(plan).collect();
        (Self { rows, role }, Step::Run(plans))
    }

    /// `None` once every run is in, or was lost twice.
    pub(super) fn collect(&mut self, cohort: &Cohort<'_>) -> Option<Step> {
        if self.rows.iter().any(|row| cohort.run(row.run).is_none()) {
            return Some(Step::Wait);
        }
        let lost = |row: &Row| !row.retried && cohort.run(row.run).is_some_and(|run| run.loss.is_err());
        let missing = self.rows.iter().filter(|row| lost(row)).count();
        if missing == 0 || cohort.runs_affordable().is_some_and(|left| left < missing as u64) {
            return None;
        }
        let mut plans = Vec::with_capacity(missing);
        for row in self.rows.iter_mut().filter(|row| lost(row)) {
            row.run = cohort.next_run(plans.len());
            row.retried = true;
            plans.push(Plan::new(row.arm.clone(), cohort.fresh_seed(plans.len() as u32), self.role));
        }
        Some(Step::Run(plans))
    }

    /// Each row with its score, or how it failed for the last time.
    pub(super) fn results<'a>(
        &'a self,
        cohort: &Cohort<'a>,
    ) -> impl Iterator<Item = (&'a Row, Result<f64, &'a RunFailure>)> {
        let cohort = *cohort;
        self.rows.iter().filter_map(move |row| {
            let run = cohort.run(row.run)?;
            Some((row, run.loss.as_ref().map(|loss| -loss)))
        })
    }
}
