//! A block of fresh runs in which some of what is in an arm is switched on and off by a two-level design.

use crate::accept::decision::{Plan, Step};
use crate::accept::{Cohort, Role};
use crate::arm::{Arm, RunId};
use crate::stats::{Design, GroupFit, StatsError, two_level_design};

#[derive(Debug)]
pub(super) struct Block {
    /// Everything switched on.
    all: Arm,
    /// What is switched, factor by factor.
    switched: Vec<Arm>,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    on: Vec<bool>,
    run: RunId,
    retried: bool,
}

/// The runs of a block that gave a number.
#[derive(Debug)]
pub(super) struct Results {
    pub(super) on: Vec<Vec<bool>>,
    pub(super) scores: Vec<f64>,
    pub(super) runs: Vec<RunId>,
}

impl Block {
    /// Begins a block of so many runs; the step makes them.
    pub(super) fn plan(all: Arm, switched: Vec<Arm>, runs: usize, cohort: &Cohort<'_>) -> (Self, Step) {
        let design = two_level_design(switched.len(), runs, cohort.fresh_seed(0)).unwrap_or_default();
        let row = |(i, on)| Row { on, run: cohort.next_run(i), retried: false };
        let rows = design.into_iter().enumerate().map(row).collect();
        let block = Self { all, switched, rows };
        let plan = |(row, i): (&Row, u32)| Plan::new(block.arm(&row.on), cohort.fresh_seed(i), Role::Confirm);
        let plans = block.rows.iter().zip(0..).map(plan).collect();
        (block, Step::Run(plans))
    }

    fn arm(&self, on: &[bool]) -> Arm {
        let off = self.switched.iter().zip(on).filter(|(_, on)| !**on);
        let off: Arm = off.flat_map(|(arm, _)| arm.parts().iter().copied()).collect();
        self.all.without(&off)
    }

    /// What came of it, or what is to be done first: a run that failed is made again once, on another seed.
    pub(super) fn collect(&mut self, cohort: &Cohort<'_>) -> Result<Results, Step> {
        if self.rows.iter().any(|row| cohort.run(row.run).is_none()) {
            return Err(Step::Wait);
        }
        let failed = |row: &Row| cohort.run(row.run).is_some_and(|run| run.loss.is_err());
        let mut plans = Vec::new();
        for i in 0..self.rows.len() {
            if failed(&self.rows[i]) && !self.rows[i].retried {
                let at = plans.len();
                plans.push(Plan::new(
                    self.arm(&self.rows[i].on),
                    cohort.fresh_seed(at as u32),
                    Role::Confirm,
                ));
                self.rows[i].run = cohort.next_run(at);
                self.rows[i].retried = true;
            }
        }
        if !plans.is_empty() {
            return Err(Step::Run(plans));
        }
        let (mut on, mut scores, mut runs) = (Vec::new(), Vec::new(), Vec::new());
        for row in &self.rows {
            if let Some(loss) = cohort.run(row.run).and_then(|run| run.loss.as_ref().ok()) {
                on.push(row.on.clone());
                scores.push(-loss);
                runs.push(row.run);
            }
        }
        Ok(Results { on, scores, runs })
    }
}

impl Results {
    /// The coefficient of every factor, which are called `units`.
    ///
    /// # Errors
    /// No run gave a number.
    pub(super) fn fit(&self, units: &[usize]) -> Result<GroupFit, StatsError> {
        let blocks = vec![0; self.on.len()];
        Design::new(&self.on, &blocks).and_then(|design| GroupFit::new(units, &design, &self.scores))
    }
}
