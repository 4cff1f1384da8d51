//! Trimming: before the keys of a steep stack are certified, those are dropped that it does as well without, a few at a time.
//!
//! Values that stand in for one another look useless one by one, and are not together: dropped all at once after a
//! certificate, they take much of the gain along. Dropped a few at a time, with a look at what is left each time, the last
//! of them stays, and is worth something alone by then. It only chooses what gets certified on further fresh runs, so it
//! cannot hurt validity.

use super::Scout;
use super::stack::Stack;
use crate::accept::decision::{Decision, Plan, Step};
use crate::accept::{Cohort, Role};
use crate::arm::RunId;
use crate::stats::{Moments, Residual};
use std::collections::VecDeque;
use std::sync::Arc;

/// Runs of the whole stack, and of each that is left.
const WHOLE: u32 = 4;
const RUNS: u32 = 2;
/// The stack's keys are first tried without in so many groups.
const GROUPS: usize = 6;
/// What is left may be worse than the whole by so many standard errors of the difference.
const WORSE: f64 = 0.5;

/// What trimming so many keys may cost.
pub(super) fn cost(keys: usize) -> u64 {
    if keys == 0 { 0 } else { u64::from(WHOLE) + keys as u64 }
}

#[derive(Debug, Default)]
pub(super) struct Trim {
    /// The runs of the whole stack.
    whole: Option<Moments>,
    /// Groups of keys that are to be tried without.
    waiting: VecDeque<Vec<Arc<str>>>,
    flying: Option<Flight>,
}

/// A stack that is being run: which keys it does without, of the whole none.
#[derive(Debug)]
struct Flight {
    without: Vec<Arc<str>>,
    stack: Stack,
    runs: Vec<RunId>,
}

impl Trim {
    fn fly(&mut self, without: Vec<Arc<str>>, stack: Stack, runs: u32, cohort: &Cohort<'_>) -> Step {
        let plan = |i| Plan::new(stack.arm().clone(), cohort.fresh_seed(i), Role::Screen);
        let step = Step::Run((0..runs).map(plan).collect());
        let runs = (0..runs as usize).map(|i| cohort.next_run(i)).collect();
        self.flying = Some(Flight { without, stack, runs });
        step
    }

    /// The keys of a group, in two halves; a single key that is needed stays.
    fn split(&mut self, group: &[Arc<str>]) {
        if group.len() > 1 {
            let (one, other) = group.split_at(group.len() / 2);
            self.waiting.push_front(other.to_vec());
            self.waiting.push_front(one.to_vec());
        }
    }
}

impl Scout {
    /// The next step of trimming; `None` when every key of the stack was missed, or nothing is left to pay for it.
    pub(super) fn trim(&mut self, trim: &mut Trim, cohort: &Cohort<'_>) -> Option<Step> {
        if let Some(Flight { without, stack, runs }) = trim.flying.take() {
            let Some(done) = runs.iter().map(|id| cohort.run(*id)).collect::<Option<Vec<_>>>() else {
                trim.flying = Some(Flight { without, stack, runs });
                return Some(Step::Wait);
            };
            let scores: Option<Moments> = done.iter().map(|run| Some(-run.loss.as_ref().ok()?)).collect();
            for run in &done {
                if let Ok(loss) = &run.loss {
                    self.learn(&run.arm, -loss, 1, cohort);
                }
            }
            if let Some(scores) = &scores {
                let df = scores.n() as f64 - 1.0;
                self.noise = self.noise.pooled(Residual::new(scores.sum_of_squares(), df));
            }
            match (&trim.whole, scores) {
                // A stack that does not run is left to the certificate.
                (None, None) => return None,
                (None, Some(scores)) => {
                    trim.whole = Some(scores);
                    trim.waiting = self.groups();
                }
                (Some(whole), Some(scores)) if self.is_as_good(&scores, whole) => {
                    let before = std::mem::replace(&mut self.stack, stack);
                    self.climb.generation += 1;
                    let left = before.proposals().filter(|p| !self.stack.proposals().any(|q| q == *p));
                    let why = "the stack does as well without its values";
                    let left: Vec<Decision> =
                        left.filter(|p| cohort.is_live(*p)).map(|p| Decision::set_aside(p, why)).collect();
                    if !left.is_empty() {
                        return Some(Step::Decide(left));
                    }
                }
                _ => trim.split(&without),
            }
        }
        if trim.whole.is_none() {
            return Some(trim.fly(Vec::new(), self.stack.clone(), WHOLE, cohort));
        }
        // What is left must suffice for a certificate of what there is.
        let needed = self.certificate_cost(self.stack.len()) + u64::from(RUNS);
        if cohort.runs_affordable().is_some_and(|left| left < needed) {
            return None;
        }
        while let Some(group) = trim.waiting.pop_front() {
            let stack = self.stack.without(&group);
            if !stack.is_empty() && cohort.composes(stack.arm()) {
                return Some(trim.fly(group, stack, RUNS, cohort));
            }
            trim.split(&group);
        }
        None
    }

    /// What the model thinks least of comes first, in groups.
    fn groups(&self) -> VecDeque<Vec<Arc<str>>> {
        let mut keys: Vec<(f64, Arc<str>)> = self
            .stack
            .units()
            .iter()
            .map(|unit| (self.model.worth(&unit.arm), Arc::clone(&unit.key)))
            .collect();
        keys.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let keys: Vec<Arc<str>> = keys.into_iter().map(|(_, key)| key).collect();
        keys.chunks(keys.len().div_ceil(GROUPS).max(1)).map(<[Arc<str>]>::to_vec).collect()
    }

    fn is_as_good(&self, scores: &Moments, whole: &Moments) -> bool {
        let error = self.s() * (1.0 / scores.n() as f64 + 1.0 / whole.n() as f64).sqrt();
        scores.mean() >= whole.mean() - WORSE * error
    }
}
