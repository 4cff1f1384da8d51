//! Screening: one run a proposal, until enough of them are worth a trial.

use super::colour::{stale, together};
use super::trial::Trial;
use super::{Factorial, Phase, budget};
use crate::accept::decision::{Decision, Plan, Step};
use crate::accept::{Cohort, HoldoutStatus, Role};
use crate::arm::{Arm, ProposalId, RunId};
use crate::failure::FailureKind;
use crate::propose::Effect;
use std::collections::BTreeSet;

/// Proposals that are screened, and those that wait for a trial, from before the incumbent of now as well.
#[derive(Debug, Default)]
pub(super) struct Stock {
    screening: Vec<Screen>,
    waiting: BTreeSet<ProposalId>,
    /// They came through screening and then met a conflict: what is made anew of them need not be screened again.
    excused: BTreeSet<ProposalId>,
}

#[derive(Debug)]
struct Screen {
    proposal: ProposalId,
    run: RunId,
    retried: bool,
}

impl Stock {
    pub(super) fn wait(&mut self, proposals: impl IntoIterator<Item = ProposalId>) {
        self.waiting.extend(proposals);
    }

    pub(super) fn settled(&mut self, proposal: ProposalId) {
        self.waiting.remove(&proposal);
        self.screening.retain(|screen| screen.proposal != proposal);
    }

    /// Lets those wait that are made anew from what had come through screening.
    fn excuse(&mut self, cohort: &Cohort<'_>) {
        if self.excused.is_empty() {
            return;
        }
        for proposal in cohort.live() {
            // Once for each conflict: a second proposal of the same change is screened like any other.
            if cohort.rebases(proposal).is_some_and(|earlier| self.excused.remove(&earlier)) {
                self.waiting.insert(proposal);
            }
        }
    }
}

impl Factorial {
    /// One step towards the next trial; `None` where the phase has changed.
    pub(super) fn gather(&mut self, cohort: &Cohort<'_>) -> Option<Step> {
        if let Some(step) = self.read_screens(cohort) {
            return Some(step);
        }
        if cohort.holdout() == HoldoutStatus::Spent {
            // Nothing can be kept any more: what is left to do is to say what has been gained. Asking for more then
            // ends the search, with what waits still pending.
            if self.is_unmeasured(cohort) {
                self.phase = Phase::measure(budget::CHECK);
                return None;
            }
            return Some(Step::propose(1));
        }
        self.stock.excuse(cohort);
        let known = |p: &ProposalId| {
            self.stock.waiting.contains(p) || self.stock.screening.iter().any(|screen| screen.proposal == *p)
        };
        let fresh: Vec<ProposalId> = cohort.live().filter(|p| !known(p)).collect();
        let report = if self.is_unmeasured(cohort) { budget::CHECK as u64 } else { 0 };
        let left = cohort.runs_affordable().map(|left| left.saturating_sub(report));
        let reserve = budget::reserve(self.stock.waiting.len() + 1);
        let is_full = self.stock.waiting.len() >= self.rules.cohort;
        let is_short = left.is_some_and(|left| left <= reserve);
        let is_last = cohort.exhausted() && fresh.is_empty();
        if is_full || is_short || is_last {
            return self.begin_trial(cohort, left);
        }
        if !fresh.is_empty() {
            let room = left.map_or(usize::MAX, |left| (left - reserve) as usize);
            return Some(self.start_screens(fresh, room, cohort));
        }
        if cohort.asked() == 0 { Some(Step::propose(cohort.idle().max(1))) } else { Some(Step::Wait) }
    }

    /// Starts the first runs of as many proposals as there are free slots.
    fn start_screens(&mut self, fresh: Vec<ProposalId>, room: usize, cohort: &Cohort<'_>) -> Step {
        let mut plans = Vec::new();
        for proposal in fresh.into_iter().take(cohort.idle().min(room)) {
            let run = cohort.next_run(plans.len());
            self.stock.screening.push(Screen { proposal, run, retried: false });
            plans.push(Plan::new(Arm::single(proposal), cohort.fresh_seed(plans.len() as u32), Role::Screen));
        }
        if plans.is_empty() { Step::Wait } else { Step::Run(plans) }
    }

    /// Takes in what has been screened: drops, and repeats what was lost for the first time.
    fn read_screens(&mut self, cohort: &Cohort<'_>) -> Option<Step> {
        let hurdle = self.rules.screen * self.s();
        let mut left = cohort.runs_affordable().unwrap_or(u64::MAX);
        let (mut decisions, mut plans) = (Vec::new(), Vec::new());
        for mut screen in std::mem::take(&mut self.stock.screening) {
            let proposal = screen.proposal;
            match cohort.run(screen.run).map(|run| &run.loss) {
                None => self.stock.screening.push(screen),
                Some(Ok(loss)) => {
                    let gain = self.reference - loss;
                    // Without any incumbent run there is nothing to compare with: the trial decides.
                    if gain > hurdle || gain.is_nan() {
                        self.stock.wait([proposal]);
                    } else {
                        let reason = format!("screening: {gain:+.4}, not above {hurdle:.4}");
                        let effect = Effect::new(gain, (f64::NAN, f64::NAN), 0.95, 1, false);
                        decisions.push(Decision::reject(proposal, reason).effect(Some(effect)));
                    }
                }
                Some(Err(failure)) if failure.what() == FailureKind::Conflict => {
                    decisions.push(Decision::rebase(proposal, failure.to_string()));
                }
                Some(Err(failure)) if screen.retried || left == 0 => {
                    decisions.push(Decision::failed(proposal, failure.clone()));
                }
                Some(Err(_)) => {
                    left -= 1;
                    let seed = cohort.fresh_seed(plans.len() as u32);
                    (screen.run, screen.retried) = (cohort.next_run(plans.len()), true);
                    self.stock.screening.push(screen);
                    plans.push(Plan::new(Arm::single(proposal), seed, Role::Screen));
                }
            }
        }
        if !plans.is_empty() {
            self.overdue = decisions;
            return Some(Step::Run(plans));
        }
        decisions.append(&mut self.overdue);
        (!decisions.is_empty()).then_some(Step::Decide(decisions))
    }

    /// Stacks the oldest that go together, once nothing is being screened any more.
    fn begin_trial(&mut self, cohort: &Cohort<'_>, left: Option<u64>) -> Option<Step> {
        if !self.stock.screening.is_empty() {
            return Some(Step::Wait);
        }
        let stale = stale(self.stock.waiting.iter().copied(), cohort);
        if !stale.is_empty() {
            self.stock.excused.extend(stale.iter().copied());
            return Some(Step::Decide(stale.into_iter().map(conflict).collect()));
        }
        let waiting = self.stock.waiting.iter().copied();
        let mut chosen = together(waiting, self.rules.cohort, |arm| cohort.composes(arm));
        chosen.truncate(budget::affordable(chosen.len(), left));
        if chosen.is_empty() {
            self.phase = Phase::Close;
            return None;
        }
        chosen.iter().for_each(|p| {
            self.stock.waiting.remove(p);
        });
        self.phase = Phase::Trial(Box::new(Trial::new(chosen, self.known)));
        None
    }
}

fn conflict(proposal: ProposalId) -> Decision {
    Decision::rebase(proposal, "it does not merge with the incumbent of now")
}
