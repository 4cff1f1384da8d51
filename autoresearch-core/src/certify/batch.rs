//! Runs that are planned together and looked at together.

use crate::accept::{Cohort, Plan, Role, Step};
use crate::arm::{Arm, RunId};

#[derive(Debug)]
pub(super) struct Batch {
    role: Role,
    items: Vec<Item>,
}

#[derive(Debug)]
struct Item {
    arm: Arm,
    run: RunId,
    again: bool,
}

/// Where a batch stands.
pub(super) enum Poll {
    Step(Step),
    /// One result a run, in order: its number and its score (higher is better), where it gave one.
    Done(Vec<(RunId, Option<f64>)>),
}

impl Batch {
    /// Plans runs of these arms; those with the same number share a fresh seed.
    pub(super) fn plan(arms: Vec<(Arm, u32)>, role: Role, cohort: &Cohort<'_>) -> (Self, Step) {
        let plans = arms.iter().map(|(arm, seed)| Plan::new(arm.clone(), cohort.fresh_seed(*seed), role));
        let plans = plans.collect();
        let item = |(i, (arm, _))| Item { arm, run: cohort.next_run(i), again: false };
        (Self { role, items: arms.into_iter().enumerate().map(item).collect() }, Step::Run(plans))
    }

    /// What is to be done about it now. Up to `retries` runs that failed are made once more, on other seeds.
    pub(super) fn poll(&mut self, cohort: &Cohort<'_>, retries: usize) -> Poll {
        if self.items.iter().any(|item| cohort.run(item.run).is_none()) {
            return Poll::Step(Step::Wait);
        }
        let failed =
            |item: &&mut Item| !item.again && cohort.run(item.run).is_some_and(|run| run.loss.is_err());
        let mut plans = Vec::new();
        for item in self.items.iter_mut().filter(failed).take(retries) {
            let at = plans.len();
            plans.push(Plan::new(item.arm.clone(), cohort.fresh_seed(at as u32), self.role));
            (item.run, item.again) = (cohort.next_run(at), true);
        }
        if !plans.is_empty() {
            return Poll::Step(Step::Run(plans));
        }
        let score = |run| cohort.run(run).and_then(|run| run.loss.as_ref().ok()).map(|loss| -loss);
        Poll::Done(self.items.iter().map(|item| (item.run, score(item.run))).collect())
    }

    /// How many runs it has planned, those made once more included.
    pub(super) fn runs(&self) -> usize {
        self.items.iter().map(|item| 1 + usize::from(item.again)).sum()
    }
}
