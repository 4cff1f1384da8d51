//! Who boards the next run, and what becomes of those who land.

use super::climb::{Flight, MOST};
use super::{Scout, refine};
use crate::accept::decision::{Decision, Plan, Step};
use crate::accept::{Cohort, Role, Seeds};
use crate::arm::{Arm, ProposalId};
use crate::failure::{FailureKind, RunFailure};
use crate::propose::Effect;
use std::collections::VecDeque;

impl Scout {
    /// One step of scouting; `None` when it is time to refine or to certify, or nothing is left to try.
    pub(super) fn climb(&mut self, cohort: &Cohort<'_>) -> Option<Step> {
        let settled = self.land(cohort);
        if !settled.is_empty() {
            return Some(Step::Decide(settled));
        }
        if self.is_time(cohort) {
            return (!self.climb.flying.is_empty()).then_some(Step::Wait);
        }
        if self.refinement_is_due(cohort) && self.climb.flying.is_empty() {
            return None;
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
            if let Ok(loss) = &run.loss {
                self.learn(&run.arm, -loss, flight.new_values(cohort), cohort);
            }
            match (flight, &run.loss) {
                (Flight::Stack, Ok(loss)) => {
                    self.climb.remeasure(-loss, &mut self.noise);
                    self.share(run.seed, -loss);
                }
                // A stack that does not run any more: the mean stays what it was.
                (Flight::Stack, Err(_)) => {
                    self.climb.owed = self.climb.owed.saturating_sub(1);
                    self.climb.variance = self.climb.variance.min(MOST);
                }
                (Flight::Bundle { proposals, .. }, Err(failure)) => match proposals.as_slice() {
                    [one] => {
                        self.climb.turned_down += 1;
                        decisions.push(Decision::failed(*one, failure.clone()));
                    }
                    // One of them is to blame: each is tried alone.
                    _ => self.climb.disband(proposals),
                },
                (Flight::Bundle { proposals, reference, generation }, Ok(loss)) => {
                    let as_then = generation == self.climb.generation;
                    if !as_then && !cohort.composes(&self.stack.with(&proposals, cohort)) {
                        // The stack of now is another: it is tried on that, or found to clash with it.
                        proposals.into_iter().rev().for_each(|p| self.climb.queue.push_front(p));
                    } else if self.judge(&proposals, -loss - reference, cohort, &mut decisions) && as_then {
                        self.share(run.seed, -loss);
                    }
                }
            }
        }
        decisions
    }

    /// The model takes a run in that has so many values which the stack has not.
    pub(super) fn learn(&mut self, arm: &Arm, score: f64, new_values: usize, cohort: &Cohort<'_>) {
        if !(self.stack.is_keyed() && self.s() > 0.0) {
            return;
        }
        let least = self.climb.mean - refine::CLIP * self.s();
        // Of several new values in a run that was clipped nobody knows which is to blame.
        if score > least || new_values < 2 {
            self.model.add(arm, score.max(least), &self.stack, cohort);
        }
    }

    /// From here on proposals run on this seed, on which the stack as it is has scored so much.
    pub(super) fn share(&mut self, seed: u64, score: f64) {
        self.climb.seed = (self.rules.seeds == Seeds::Equal).then_some((seed, score));
    }

    /// Whether the stack takes them.
    fn judge(
        &mut self,
        proposals: &[ProposalId],
        gain: f64,
        cohort: &Cohort<'_>,
        decisions: &mut Vec<Decision>,
    ) -> bool {
        let s = self.s();
        self.climb.adapt(gain > s, self.rules.bundle);
        let supersedes = proposals.iter().any(|p| self.stack.supersedes(cohort.units(*p)));
        let threshold = if supersedes { self.rules.supersede } else { self.rules.threshold };
        let effect =
            Effect::new(gain, (f64::NAN, f64::NAN), 0.95, 1, false).upon(self.climb.mean - self.climb.origin);
        if gain > threshold * s {
            let mut gone = Vec::new();
            proposals.iter().for_each(|p| gone.extend(self.stack.take(*p, cohort)));
            self.coverage = cohort.coverage(self.stack.arm());
            let before = self.climb.mean;
            self.climb.rise(gain, s, self.stack.is_keyed());
            self.climb.credit(proposals, before);
            let live = gone.into_iter().filter(|p| cohort.is_live(*p));
            let why = "the stack has other values for its keys now";
            decisions.extend(live.map(|p| Decision::set_aside(p, why).effect(self.climb.effect(p))));
            return true;
        }
        self.climb.turned_down += 1;
        let with = match proposals.len() {
            1 => String::new(),
            n => format!(" together with {} more", n - 1),
        };
        let reason = format!("scouted{with}: {gain:+.4} on the stack, not above {:.4}", threshold * s);
        for &proposal in proposals {
            self.climb.rejected.push_back(proposal);
            if cohort.is_live(proposal) {
                decisions.push(Decision::set_aside(proposal, reason.clone()).effect(Some(effect)));
            }
        }
        false
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
                let (on, standing) = (self.stack.arm().clone(), self.climb.standing(self.stack.arm()));
                return Some(Step::Propose { on, wanted: missing, standing });
            }
        }
        if self.climb.queue.is_empty() && cohort.runs_affordable().is_some() {
            // What was turned down is offered again, in the context of now.
            let again = self.model.again(&mut self.climb.rejected, wanted, &self.stack, cohort);
            self.climb.queue.extend(again);
        }
        let (bundle, conflicts) = self.choose(wanted, cohort);
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
        let reference = self.climb.reference(bundle.len());
        let seed = self.climb.seed.map_or_else(|| cohort.fresh_seed(0), |(seed, _)| seed);
        let mut plan = Plan::new(arm, seed, Role::Screen);
        if cohort.is_live(bundle[0]) {
            plan = plan.about(bundle[0]); // whatever becomes of it, the run is not needed any more then
        }
        let flight = Flight::Bundle { proposals: bundle, reference, generation: self.climb.generation };
        self.climb.flying.push((cohort.next_run(0), flight));
        Some(Step::Run(vec![plan]))
    }

    /// The next proposals that fit together on the stack, and those that do not fit on it even alone.
    fn choose(&mut self, wanted: usize, cohort: &Cohort<'_>) -> (Vec<ProposalId>, Vec<ProposalId>) {
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
        (bundle, conflicts)
    }
}

fn conflict(proposal: ProposalId) -> Decision {
    let failure = RunFailure::candidate("it does not apply to the stack of now").kind(FailureKind::Conflict);
    Decision::failed(proposal, failure)
}
