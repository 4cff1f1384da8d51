//! Scouting: every run trains the stack plus one bundle of proposals, and what beats the stack's mean joins it.

use super::{Scout, blame, refine};
use crate::accept::decision::{Decision, Plan, Step};
use crate::accept::{Cohort, Role};
use crate::arm::{ProposalId, RunId};
use crate::propose::Effect;
use crate::stats::{Moments, Residual};
use std::collections::VecDeque;

/// The stack is run again when the variance of its mean, in units of a run's, has grown beyond `MOST`, or when
/// `PATIENCE` bundles in a row were turned down and it is above `LEAST`. An acceptance adds `STEP`.
const STEP: f64 = 0.6;
const MOST: f64 = 3.0;
const LEAST: f64 = 0.15;
const PATIENCE: u32 = 25;
/// Results at one bundle size before it changes.
const WINDOW: usize = 8;
/// Up above one fifth of successes, if so much of the claimed gains is real; down below a tenth, or below that share.
const SHARE_UP: f64 = 0.35;
const SHARE_DOWN: f64 = 0.2;

#[derive(Debug)]
pub(super) struct Climb {
    mean: f64,
    /// Variance of the mean, in units of a run's.
    variance: f64,
    /// The share of claimed gains that re-runs realise, as a ratio of two decaying sums.
    realised: f64,
    claims: f64,
    /// Claimed since the last re-run, and the mean then.
    claimed: f64,
    mean_then: f64,
    turned_down: u32,
    bundle: usize,
    window: VecDeque<bool>,
    /// Re-runs of the stack as it is now.
    reruns: Moments,
    flying: Vec<(RunId, Flight)>,
    queue: VecDeque<ProposalId>,
    newest: ProposalId,
    /// Turned down, oldest first: offered again when nothing new comes.
    rejected: VecDeque<ProposalId>,
    /// Asked for since the last bundle.
    asked: bool,
    /// Runs of the stack that are to come before anything else.
    owed: u32,
}

/// Runs of a stack whose mean is not known.
const FRESH: u32 = 2;

#[derive(Debug)]
enum Flight {
    Stack,
    Bundle { proposals: Vec<ProposalId>, mean: f64 },
}

impl Flight {
    fn new_values(&self, cohort: &Cohort<'_>) -> usize {
        match self {
            Self::Stack => 0,
            Self::Bundle { proposals, .. } => proposals.iter().map(|p| cohort.units(*p).len()).sum(),
        }
    }
}

impl Default for Climb {
    fn default() -> Self {
        Self {
            mean: 0.0,
            variance: 1.0,
            realised: 1.5,
            claims: 5.0,
            claimed: 0.0,
            mean_then: 0.0,
            turned_down: 0,
            bundle: 1,
            window: VecDeque::new(),
            reruns: Moments::new(),
            flying: Vec::new(),
            queue: VecDeque::new(),
            newest: ProposalId(0),
            rejected: VecDeque::new(),
            asked: false,
            owed: 0,
        }
    }
}

impl Climb {
    pub(super) fn bundle(&self) -> usize {
        self.bundle
    }

    /// Whether there is nothing that could be tried.
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.rejected.is_empty() && self.flying.is_empty()
    }

    /// Begins at this mean; where it is not known, the stack is to be run first.
    pub(super) fn restart(&mut self, mean: f64, variance: f64, known: bool) {
        (self.mean, self.mean_then, self.claimed) = (mean, mean, 0.0);
        self.owed = if known { 0 } else { FRESH };
        self.variance = if known { variance } else { f64::INFINITY };
        self.turned_down = 0;
        self.reruns = Moments::new();
    }

    pub(super) fn settled(&mut self, proposal: ProposalId, kept: bool) {
        if kept {
            self.rejected.retain(|p| *p != proposal);
        }
    }

    fn rho(&self) -> f64 {
        if self.claims > 0.0 { (self.realised / self.claims).clamp(0.0, 1.0) } else { 0.0 }
    }

    /// A run of the stack itself.
    fn remeasure(&mut self, score: f64, noise: &mut Residual) {
        self.owed = self.owed.saturating_sub(1);
        let before = self.reruns.sum_of_squares();
        self.reruns.push(score);
        if self.reruns.n() > 1 {
            *noise = noise.pooled(Residual::new(self.reruns.sum_of_squares() - before, 1.0));
        }
        let s = noise.variance().unwrap_or(0.0).sqrt();
        if self.claimed > 0.0 && s > 0.0 {
            self.realised = 0.8 * self.realised + (score - self.mean_then) / s;
            self.claims = 0.8 * self.claims + self.claimed / s;
            self.claimed = 0.0;
        }
        let weight = if self.variance.is_finite() { self.variance / (self.variance + 1.0) } else { 1.0 };
        self.mean += weight * (score - self.mean);
        self.variance = weight;
        self.mean_then = self.mean;
    }

    fn needs_rerun(&self) -> bool {
        let under_way = self.flying.iter().any(|(_, flight)| matches!(flight, Flight::Stack));
        let due =
            self.owed > 0 || self.variance > MOST || self.turned_down >= PATIENCE && self.variance > LEAST;
        due && !under_way
    }

    /// The 1/5 success rule (Rechenberg 1973), held in check by the share of claims that was real.
    fn adapt(&mut self, success: bool, most: usize) {
        self.window.push_back(success);
        if self.window.len() > WINDOW {
            self.window.pop_front();
        }
        if self.window.len() < WINDOW {
            return;
        }
        let share = self.window.iter().filter(|s| **s).count() as f64 / WINDOW as f64;
        let bundle = if share > 0.2 && self.rho() > SHARE_UP && self.bundle < most {
            (2 * self.bundle).min(most)
        } else if self.bundle > 1 && (share < 0.1 || self.rho() < SHARE_DOWN) {
            self.bundle / 2
        } else {
            return;
        };
        self.bundle = bundle;
        self.window.clear();
    }
}

impl Scout {
    /// One step of scouting; `None` when it is time to certify, or nothing is left to try.
    pub(super) fn climb(&mut self, cohort: &Cohort<'_>) -> Option<Step> {
        let settled = self.land(cohort);
        if !settled.is_empty() {
            return Some(Step::Decide(settled));
        }
        if self.is_time(cohort) {
            return (!self.climb.flying.is_empty()).then_some(Step::Wait);
        }
        if self.refinement_is_due(cohort) && self.climb.flying.is_empty() {
            let (left, moved) = self.refine_stack(usize::MAX, cohort);
            if moved {
                self.climb.restart(self.climb.mean, 1.0, false);
            }
            if !left.is_empty() {
                return Some(Step::Decide(left));
            }
        }
        if self.climb.needs_rerun() {
            let plan = Plan::new(self.stack.arm().clone(), cohort.fresh_seed(0), Role::Screen);
            self.climb.flying.push((cohort.next_run(0), Flight::Stack));
            return Some(Step::Run(vec![plan]));
        }
        if self.climb.owed > 0 || !self.climb.variance.is_finite() {
            return Some(Step::Wait); // the stack's own run comes first
        }
        self.board(cohort)
    }

    /// Takes in what has finished.
    fn land(&mut self, cohort: &Cohort<'_>) -> Vec<Decision> {
        let mut decisions = Vec::new();
        let (landed, flying) =
            std::mem::take(&mut self.climb.flying).into_iter().partition(|(id, _)| cohort.run(*id).is_some());
        self.climb.flying = flying;
        for (id, flight) in landed {
            let Some(run) = cohort.run(id) else { continue };
            if let (Ok(loss), true) = (&run.loss, self.stack.is_keyed()) {
                let least = self.climb.mean - refine::CLIP * self.s();
                // Of several new values in a run that was clipped nobody knows which is to blame.
                if -loss > least || flight.new_values(cohort) < 2 {
                    self.model.add(&run.arm, least.max(-loss), &self.stack, cohort);
                }
            }
            match (flight, &run.loss) {
                (Flight::Stack, Ok(loss)) => self.climb.remeasure(-loss, &mut self.noise),
                // A stack that does not run any more: the mean stays what it was.
                (Flight::Stack, Err(_)) => {
                    self.climb.owed = self.climb.owed.saturating_sub(1);
                    self.climb.variance = self.climb.variance.min(MOST);
                }
                (Flight::Bundle { proposals, .. }, Err(failure)) => {
                    self.climb.turned_down += 1;
                    decisions.extend(blame(&proposals, failure));
                }
                (Flight::Bundle { proposals, mean }, Ok(loss)) => {
                    decisions.extend(self.judge(&proposals, -loss - mean, cohort));
                }
            }
        }
        decisions
    }

    fn judge(&mut self, proposals: &[ProposalId], gain: f64, cohort: &Cohort<'_>) -> Vec<Decision> {
        let s = self.s();
        self.climb.adapt(gain > s, self.rules.bundle);
        let supersedes = proposals.iter().any(|p| self.stack.supersedes(cohort.units(*p)));
        let threshold = if supersedes { self.rules.supersede } else { self.rules.threshold };
        let effect = Effect::new(gain, (f64::NAN, f64::NAN), 0.95, 1, false);
        if gain > threshold * s {
            let mut gone = Vec::new();
            proposals.iter().for_each(|p| gone.extend(self.stack.take(*p, cohort)));
            self.coverage = cohort.coverage(self.stack.arm());
            self.climb.mean += self.climb.rho() * gain;
            self.climb.claimed += gain;
            self.climb.variance += STEP;
            self.climb.turned_down = 0;
            self.climb.reruns = Moments::new();
            let live = gone.into_iter().filter(|p| cohort.is_live(*p));
            return live
                .map(|p| Decision::set_aside(p, "the stack has other values for its keys now"))
                .collect();
        }
        self.climb.turned_down += 1;
        let with = match proposals.len() {
            1 => String::new(),
            n => format!(" together with {} more", n - 1),
        };
        let reason = format!("scouted{with}: {gain:+.4} on the stack, not above {:.4}", threshold * s);
        let mut decisions = Vec::new();
        for &proposal in proposals {
            self.climb.rejected.push_back(proposal);
            if cohort.is_live(proposal) {
                decisions.push(Decision::set_aside(proposal, reason.clone()).effect(Some(effect)));
            }
        }
        decisions
    }

    /// Puts the next bundle on its way, asks for proposals, or waits; `None` when nothing is left to try.
    fn board(&mut self, cohort: &Cohort<'_>) -> Option<Step> {
        let newest = self.climb.newest;
        let mut new: Vec<ProposalId> = cohort.live().rev().take_while(|p| *p > newest).collect();
        new.reverse();
        self.climb.newest = new.last().copied().unwrap_or(newest);
        new.iter().for_each(|p| self.stack.meet(cohort.units(*p)));
        self.climb.queue.extend(new);
        let wanted = self.climb.bundle;
        let missing = wanted.saturating_sub(self.climb.queue.len());
        if missing > 0 && !cohort.exhausted() {
            if cohort.asked() > 0 {
                return Some(Step::Wait);
            }
            if !self.climb.asked || self.climb.queue.is_empty() {
                self.climb.asked = true;
                return Some(Step::Propose { on: self.stack.arm().clone(), wanted: missing });
            }
        }
        if self.climb.queue.is_empty() && cohort.runs_affordable().is_some() {
            // What was turned down is offered again, in the context of now.
            let again = self.climb.rejected.len().min(wanted);
            self.climb.queue.extend(self.climb.rejected.drain(..again));
        }
        let mut bundle: Vec<ProposalId> = Vec::new();
        let mut keys: Vec<&str> = Vec::new();
        let mut passed_over = VecDeque::new();
        let mut conflicts = Vec::new();
        while bundle.len() < wanted
            && let Some(proposal) = self.climb.queue.pop_front()
        {
            let units = cohort.units(proposal);
            let clashes = units.iter().any(|unit| !unit.key.is_empty() && keys.contains(&&*unit.key));
            bundle.push(proposal);
            if !clashes && cohort.composes(&self.stack.with(&bundle, cohort)) {
                keys.extend(units.iter().map(|unit| &*unit.key));
                continue;
            }
            bundle.pop();
            if clashes || !bundle.is_empty() {
                passed_over.push_back(proposal); // its turn comes when it is first
            } else if cohort.is_live(proposal) {
                conflicts.push(proposal);
            }
        }
        passed_over.extend(self.climb.queue.drain(..));
        self.climb.queue = passed_over;
        if !conflicts.is_empty() {
            bundle.into_iter().rev().for_each(|p| self.climb.queue.push_front(p));
            return Some(Step::Decide(conflicts.into_iter().map(conflict).collect()));
        }
        if bundle.is_empty() {
            let busy = !self.climb.flying.is_empty() || cohort.asked() > 0;
            return busy.then_some(Step::Wait);
        }
        self.climb.asked = false;
        let arm = self.stack.with(&bundle, cohort);
        let mut plan = Plan::new(arm, cohort.fresh_seed(0), Role::Screen);
        if cohort.is_live(bundle[0]) {
            plan = plan.about(bundle[0]); // whatever becomes of it, the run is not needed any more then
        }
        let flight = Flight::Bundle { proposals: bundle, mean: self.climb.mean };
        self.climb.flying.push((cohort.next_run(0), flight));
        Some(Step::Run(vec![plan]))
    }
}

fn conflict(proposal: ProposalId) -> Decision {
    use crate::failure::{FailureKind, RunFailure};
    let failure = RunFailure::candidate("it does not apply to the stack of now").kind(FailureKind::Conflict);
    Decision::failed(proposal, failure)
}
