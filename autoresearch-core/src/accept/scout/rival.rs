//! Another stack than the one of now, put forward by the model: it is run before it takes the place.

use super::Scout;
use super::stack::Stack;
use crate::accept::decision::{Decision, Plan, Step};
use crate::accept::{Cohort, Role};
use crate::arm::RunId;
use crate::stats::{Moments, Residual};

/// Runs of a rival.
const RUNS: u32 = 2;
/// It gives way if it is worse by more than so many standard errors: a model of additive effects is wrong where keys
/// depend on each other.
const WORSE: f64 = 1.0;

/// A rival under way.
#[derive(Debug)]
pub(super) struct Rival {
    stack: Stack,
    runs: Vec<RunId>,
    /// Whether the certificate comes next.
    pub(super) last: bool,
}

impl Rival {
    /// Sends it out.
    pub(super) fn plan(stack: Stack, last: bool, cohort: &Cohort<'_>) -> (Self, Step) {
        let plan = |i| Plan::new(stack.arm().clone(), cohort.fresh_seed(i), Role::Screen);
        let step = Step::Run((0..RUNS).map(plan).collect());
        let runs = (0..RUNS as usize).map(|i| cohort.next_run(i)).collect();
        (Self { stack, runs, last }, step)
    }
}

impl Scout {
    /// The rival's runs are in, if they are: it takes the place or gives way. What leaves the stack then.
    ///
    /// # Errors
    /// They are not in yet.
    pub(super) fn decide_rival(&mut self, rival: &Rival, cohort: &Cohort<'_>) -> Result<Vec<Decision>, Step> {
        let Some(runs) = rival.runs.iter().map(|id| cohort.run(*id)).collect::<Option<Vec<_>>>() else {
            return Err(Step::Wait);
        };
        let scores: Option<Vec<f64>> = runs.iter().map(|run| Some(-run.loss.as_ref().ok()?)).collect();
        let Some(scores) = scores else { return Ok(Vec::new()) };
        let moments: Moments = scores.iter().copied().collect();
        for run in &runs {
            self.learn(&run.arm, -run.loss.as_ref().copied().unwrap_or(f64::NAN), 1, cohort);
        }
        let n = f64::from(RUNS);
        self.noise = self.noise.pooled(Residual::new(moments.sum_of_squares(), n - 1.0));
        let doubt = self.s() * (1.0 / n + self.climb.variance).sqrt();
        if moments.mean() < self.climb.mean - WORSE * doubt {
            return Ok(Vec::new());
        }
        let before = std::mem::replace(&mut self.stack, rival.stack.clone());
        self.climb.restart(moments.mean(), 1.0 / n, true);
        self.climb.generation += 1;
        if let (Some(run), Some(score)) = (runs.last(), scores.last()) {
            self.share(run.seed, *score);
        }
        let left = before.proposals().filter(|p| !self.stack.proposals().any(|q| q == *p));
        let why = "by all runs so far, other values of its keys are better";
        Ok(left.filter(|p| cohort.is_live(*p)).map(|p| Decision::set_aside(p, why)).collect())
    }
}
