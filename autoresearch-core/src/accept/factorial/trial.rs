//! A trial: some proposals stacked in orthogonal designs until each is kept or dropped. This file has its course and
//! its end; `confirm` has the ranking and the test.

use super::block::Block;
use super::budget;
use super::check::{Check, Finding};
use super::look::{Look, Seen};
use crate::accept::decision::{Decision, Step, Strength};
use crate::accept::{Cohort, HoldoutStatus};
use crate::arm::{Arm, ProposalId};
use crate::failure::RunFailure;
use crate::stats::{ELond, Residual};

/// The levels of the whole stream.
#[derive(Debug, Clone)]
pub(super) struct Levels {
    pub(super) elond: ELond,
    /// Tests begun, and proposals that are in the incumbent because of them.
    pub(super) tests: u64,
    pub(super) kept: u64,
}

impl Levels {
    /// The level of the next test, with what has been kept by now.
    pub(super) fn begin(&mut self) -> f64 {
        self.tests += 1;
        self.elond.level(self.tests, self.kept)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum State {
    /// Switched on and off.
    Active,
    /// Convincing on validation and on the holdout: on in all further runs.
    Kept,
    /// Off in all further runs, for this reason.
    Dropped(String),
    Failed(RunFailure),
    /// Off, and undecided: it waits for another trial.
    Pending,
}

#[derive(Debug)]
pub(super) struct Factor {
    pub(super) proposal: ProposalId,
    pub(super) state: State,
    /// Fixed before its first run of stage B.
    pub(super) level: Option<f64>,
    pub(super) log_e: Option<f64>,
    /// Lost runs that it was in since the last that was not.
    pub(super) lost: usize,
}

/// The design of the last block, so that it can be folded over.
#[derive(Debug)]
pub(super) struct Drawn {
    pub(super) active: Vec<usize>,
    pub(super) design: Vec<Vec<bool>>,
    pub(super) folded: bool,
}

#[derive(Debug)]
pub(super) enum Stage {
    Rank(Option<Block>),
    Test(Option<Block>),
    /// The holdout is being asked about these.
    Asking(Vec<usize>),
    Check(Option<Check>),
    Done,
}

#[derive(Debug)]
pub(super) struct Trial {
    pub(super) factors: Vec<Factor>,
    pub(super) stage: Stage,
    /// What was known of the noise of single runs when it began.
    pub(super) known: Residual,
    pub(super) seen: Vec<Seen>,
    pub(super) blocks: u32,
    pub(super) spent: usize,
    pub(super) last: Option<Drawn>,
    pub(super) look: Option<Look>,
    /// Scores of the stack that is kept, from its check.
    full: Vec<f64>,
}

/// What a trial comes to.
pub(super) struct Outcome {
    pub(super) decisions: Vec<Decision>,
    /// How many of them keep.
    pub(super) kept: u64,
    /// Undecided: they wait again.
    pub(super) pending: Vec<ProposalId>,
    /// What stage B says of the noise of single runs.
    pub(super) residual: Residual,
    /// Scores of the new incumbent, where the check has measured it.
    pub(super) full: Vec<f64>,
}

impl Trial {
    pub(super) fn new(proposals: Vec<ProposalId>, known: Residual) -> Self {
        let factor = |proposal| Factor { proposal, state: State::Active, level: None, log_e: None, lost: 0 };
        Self {
            factors: proposals.into_iter().map(factor).collect(),
            stage: Stage::Rank(None),
            known,
            seen: Vec::new(),
            blocks: 0,
            spent: 0,
            last: None,
            look: None,
            full: Vec::new(),
        }
    }

    /// The next step; `None` when it is over.
    pub(super) fn next(&mut self, cohort: &Cohort<'_>, levels: &mut Levels) -> Option<Step> {
        loop {
            let step = match &self.stage {
                Stage::Rank(_) => self.rank(cohort, levels),
                Stage::Test(_) => self.test(cohort),
                Stage::Asking(_) => Some(Step::Wait),
                Stage::Check(_) => self.check(cohort),
                Stage::Done => return None,
            };
            if step.is_some() {
                return step;
            }
        }
    }

    /// The places of those in this state.
    pub(super) fn places(&self, state: &State) -> Vec<usize> {
        (0..self.factors.len()).filter(|&j| self.factors[j].state == *state).collect()
    }

    /// What the active ones are switched to, with everything that is kept on and the rest off.
    pub(super) fn row(&self, active: &[usize], switched: &[bool]) -> (Vec<bool>, Arm) {
        let mut on: Vec<bool> = self.factors.iter().map(|f| f.state == State::Kept).collect();
        active.iter().zip(switched).for_each(|(&j, &is_on)| on[j] = is_on);
        let arm = self.factors.iter().zip(&on).filter(|(_, on)| **on).map(|(f, _)| f.proposal).collect();
        (on, arm)
    }

    /// Fails those whose presence explains why runs are missing. All proposals that all missing runs share and no
    /// other run has, once it cannot be chance alone; or, whatever else is missing, one that never runs.
    pub(super) fn blame(&mut self, block: &Block, cohort: &Cohort<'_>) -> bool {
        const NEVER: usize = 8;
        let (mut done, mut missing) = (Vec::new(), Vec::new());
        for (row, result) in block.results(cohort) {
            match result {
                Ok(_) => done.push(row),
                Err(failure) => missing.push((row, failure.clone())),
            }
        }
        let mut guilty = false;
        for (j, factor) in self.factors.iter_mut().enumerate().filter(|(_, f)| f.state == State::Active) {
            if done.iter().any(|row| row.on[j]) {
                factor.lost = 0;
                continue;
            }
            let mut own = missing.iter().filter(|(row, _)| row.on[j]);
            factor.lost += own.clone().count();
            let shared = factor.lost >= 2 && missing.iter().all(|(row, _)| row.on[j]);
            if let Some((_, failure)) = own.next_back().filter(|_| shared || factor.lost >= NEVER) {
                factor.state = State::Failed(failure.clone());
                guilty = true;
            }
        }
        guilty
    }

    /// The holdout has answered.
    pub(super) fn answered(&mut self, answers: &[Option<bool>]) {
        let Stage::Asking(asked) = std::mem::replace(&mut self.stage, Stage::Test(None)) else { return };
        for (j, answer) in asked.into_iter().zip(answers) {
            self.factors[j].state = match answer {
                Some(true) => State::Kept,
                Some(false) => {
                    State::Dropped("convincing on validation; the holdout does not confirm it".into())
                }
                None => State::Pending,
            };
        }
    }

    /// Drops what no longer helps beside the rest, as long as there is such a thing.
    fn check(&mut self, cohort: &Cohort<'_>) -> Option<Step> {
        if let Stage::Check(Some(check)) = &mut self.stage {
            if let Some(step) = check.collect(cohort) {
                return Some(step);
            }
            let dropped = match check.finding(cohort) {
                Finding::Stands(full) => {
                    self.full = full;
                    self.stage = Stage::Done;
                    return None;
                }
                Finding::Drop(j, estimate) => {
                    Some((j, format!("beside the rest of its stack it no longer helps: {estimate:+.4}")))
                }
                Finding::Lost => self.weakest().map(|j| (j, "the stack that it is in does not run".into())),
            };
            if let Some((j, reason)) = dropped {
                self.factors[j].state = State::Dropped(reason);
            }
        }
        let kept = self.places(&State::Kept);
        let runs = budget::check(kept.len());
        // With the holdout's questions spent, no run may start that could lead to more: what has its answer is kept.
        let possible = cohort.holdout() != HoldoutStatus::Spent
            && cohort.runs_affordable().is_none_or(|left| left >= runs as u64);
        if runs == 0 || !possible {
            self.stage = Stage::Done;
            return None;
        }
        let kept = kept.into_iter().map(|j| (j, self.factors[j].proposal)).collect();
        let (check, step) = Check::plan(kept, cohort);
        self.stage = Stage::Check(Some(check));
        Some(step)
    }

    fn weakest(&self) -> Option<usize> {
        let strength = |j: &usize| self.factors[*j].log_e.unwrap_or(f64::NEG_INFINITY);
        self.places(&State::Kept).into_iter().min_by(|a, b| strength(a).total_cmp(&strength(b)))
    }

    /// What becomes of every proposal.
    pub(super) fn outcome(&mut self) -> Outcome {
        let mut outcome = Outcome {
            decisions: Vec::new(),
            kept: 0,
            pending: Vec::new(),
            residual: self.look.as_ref().map_or(Residual::default(), |look| look.residual),
            full: std::mem::take(&mut self.full),
        };
        let of = self.factors.len();
        for (j, factor) in self.factors.iter().enumerate() {
            let proposal = factor.proposal;
            let decision = match &factor.state {
                State::Kept => {
                    outcome.kept += 1;
                    Decision::keep(proposal, format!("confirmed in a stack of {of}"))
                }
                State::Dropped(reason) => Decision::reject(proposal, reason.as_str()),
                State::Failed(failure) => Decision::failed(proposal, failure.clone()),
                State::Active | State::Pending => {
                    outcome.pending.push(proposal);
                    continue;
                }
            };
            let runs = self.seen.iter().filter(|run| run.on[j]).count() as u32;
            let effect = self.look.as_ref().and_then(|look| look.effect(j, runs));
            let strength = factor.log_e.zip(factor.level).map(|(log_e, level)| Strength::new(log_e, level));
            outcome.decisions.push(decision.effect(effect).strength(strength));
        }
        outcome
    }
}
