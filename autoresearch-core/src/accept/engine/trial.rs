//! One proposal's fresh pairs, until its judge has a verdict.

use super::{Engine, Judge, REPLACEMENTS, Stage};
use crate::accept::decision::{Decision, Plan, Step, Verdict};
use crate::accept::evidence::Evidence;
use crate::accept::{Cohort, Role, Seeds};
use crate::arm::{Arm, ProposalId, RunId};
use crate::stats::Moments;

/// A rule may ask for more pairs than memory holds: so many are planned at once, at most.
const MOST_PAIRS: u32 = 1000;

/// A proposal that is being tested.
pub(super) struct Trial {
    pub(super) proposal: ProposalId,
    pub(super) evidence: Evidence,
    pub(super) planned: Vec<(RunId, RunId)>,
    pub(super) lost: u32,
}

impl<J: Judge> Engine<J> {
    /// What a finished trial's incumbent runs say of the run noise is pooled ever after. Not the candidate's: one that
    /// is wild would make all later tests blunt.
    pub(super) fn learn(&mut self, evidence: &Evidence) {
        let moments = Moments::of(evidence.incumbent());
        self.ss += moments.sum_of_squares();
        self.df += (moments.n() as f64 - 1.0).max(0.0);
        self.correlation.take(evidence);
    }

    pub(super) fn start_trial(&mut self) {
        if let Some(proposal) = self.passed.pop_front() {
            let evidence = Evidence {
                noise: self.noise(),
                sigma: self.sigma(),
                level: self.judge.begin(),
                ..Evidence::default()
            };
            self.trial = Some(Trial { proposal, evidence, planned: Vec::new(), lost: 0 });
        }
    }

    /// Takes finished pairs in and asks the judge; `None` while pairs are under way or there is no trial.
    pub(super) fn advance_trial(&mut self, cohort: &Cohort<'_>) -> Option<Step> {
        let trial = self.trial.as_mut()?;
        let proposal = trial.proposal;
        if !trial.planned.iter().all(|(c, b)| cohort.run(*c).is_some() && cohort.run(*b).is_some()) {
            return None;
        }
        let mut replace = 0;
        for (c, b) in std::mem::take(&mut trial.planned) {
            let (Some(candidate), Some(incumbent)) = (cohort.run(c), cohort.run(b)) else { continue };
            match (&candidate.loss, &incumbent.loss) {
                (Err(failure), _) => {
                    let failed = Decision::failed(proposal, failure.clone())
                        .effect(self.judge.effect(&trial.evidence));
                    self.trial = None;
                    return Some(Step::Decide(vec![failed]));
                }
                (Ok(_), Err(_)) => replace += 1,
                (Ok(loss), Ok(reference)) => {
                    trial.evidence.candidate.push(*loss);
                    trial.evidence.incumbent.push(*reference);
                    trial.evidence.candidate_runs.push(c);
                    trial.evidence.incumbent_runs.push(b);
                }
            }
        }
        trial.lost += replace;
        if replace > 0 && trial.lost <= REPLACEMENTS {
            return Some(self.plan_pairs(cohort, replace));
        }
        let evidence = &trial.evidence;
        let verdict = self.judge.judge(evidence);
        let effect = self.judge.effect(evidence);
        let shown = match &effect {
            Some(effect) => format!("{} pairs: {effect}", evidence.pairs()),
            None => format!("{} pairs", evidence.pairs()),
        };
        let decision = match verdict {
            Verdict::More { pairs } => return Some(self.plan_pairs(cohort, pairs.max(1))),
            Verdict::Accept if evidence.pairs() > 0 => Decision::accept(proposal, evidence.claim(), shown),
            Verdict::Requeue => {
                self.stages.insert(proposal, Stage::Parked);
                self.trial = None;
                return None;
            }
            _ => Decision::reject(proposal, shown),
        };
        let decision = decision.effect(effect).strength(self.judge.strength(evidence));
        if let Some(trial) = self.trial.take() {
            self.learn(&trial.evidence);
        }
        Some(Step::Decide(vec![decision]))
    }

    /// Fresh pairs, candidate and incumbent in turn.
    pub(super) fn plan_pairs(&mut self, cohort: &Cohort<'_>, pairs: u32) -> Step {
        let Some(trial) = self.trial.as_mut() else { return Step::Wait };
        let pairs = pairs.min(MOST_PAIRS);
        let mut plans = Vec::with_capacity(2 * pairs as usize);
        for i in 0..pairs {
            let (c, b) = match self.design.seeds {
                Seeds::Equal => (i, i),
                Seeds::Independent => (2 * i, 2 * i + 1),
            };
            let at = plans.len();
            trial.planned.push((cohort.next_run(at), cohort.next_run(at + 1)));
            let candidate = Arm::single(trial.proposal);
            plans.push(Plan::new(candidate, cohort.fresh_seed(c), Role::Confirm).about(trial.proposal));
            plans
                .push(Plan::new(Arm::incumbent(), cohort.fresh_seed(b), Role::Confirm).about(trial.proposal));
        }
        Step::Run(plans)
    }
}
