//! The incumbent's own runs: its mean, and the noise.

use super::{Engine, Judge, REPLACEMENTS};
use crate::accept::decision::{Plan, Step};
use crate::accept::{Cohort, Role};
use crate::arm::{Arm, RunId, Version};
use crate::stats::Moments;

/// The runs of the incumbent of now.
#[derive(Default)]
pub(super) struct Cache {
    pub(super) planned: Vec<RunId>,
    pub(super) runs: Vec<(u64, f64)>,
    pub(super) rounds: u32,
    pub(super) ready: bool,
}

impl<J: Judge> Engine<J> {
    /// Runs the incumbent until its mean is known; `None` once it is.
    pub(super) fn fill_cache(&mut self, cohort: &Cohort<'_>) -> Option<Step> {
        if self.cache.ready {
            return None;
        }
        let first = self.version == Some(Version(0));
        let want = if first { self.design.calibrate } else { self.design.refresh } as usize;
        if let Some(done) = self.cache.planned.iter().map(|id| cohort.run(*id)).collect::<Option<Vec<_>>>() {
            self.cache.runs.extend(done.iter().filter_map(|r| Some((r.seed, *r.loss.as_ref().ok()?))));
            self.cache.planned.clear();
            let missing = want.saturating_sub(self.cache.runs.len());
            if missing > 0 && self.cache.rounds < REPLACEMENTS {
                self.cache.rounds += 1;
                self.cache.planned = (0..missing).map(|i| cohort.next_run(i)).collect();
                let plan = |i| Plan::new(Arm::incumbent(), cohort.fresh_seed(i), Role::Calibrate);
                return Some(Step::Run((0..missing as u32).map(plan).collect()));
            }
            let moments: Moments = self.cache.runs.iter().map(|r| r.1).collect();
            self.ss += moments.sum_of_squares();
            self.df += (moments.n() as f64 - 1.0).max(0.0);
            self.cache.ready = true;
            return None;
        }
        // The proposer may think while the incumbent is measured.
        if cohort.asked() == 0 && cohort.live().next().is_none() && !cohort.exhausted() {
            return Some(Step::propose(cohort.idle().max(1)));
        }
        Some(Step::Wait)
    }
}
