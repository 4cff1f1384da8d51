//! Keep if better: the yardstick.

use super::claim::{Claim, Noise};
use super::decision::{Decision, Plan, Step};
use super::engine::check;
use super::{Acceptor, Cohort, Guarantee, Role, RunRecord, Setup};
use crate::arm::{Arm, ProposalId, RunId, Version};
use crate::propose::Effect;
use crate::stats::Moments;
use std::collections::BTreeMap;

/// Keeps a proposal if the mean of its `k` runs is better than that of the incumbent's own.
///
/// **Guarantee**: none. In simulation 68-85 % of what it keeps with one run each is luck; it is here as the yardstick,
/// and for executors without noise.
#[derive(Debug, Clone)]
pub struct Greedy {
    k: u32,
    fixed_seed: bool,
    version: Option<Version>,
    seed: Option<u64>,
    reference: Vec<(RunId, f64)>,
    /// The first of the baseline's `k` runs, and of each proposal's.
    baseline: Option<RunId>,
    trials: BTreeMap<ProposalId, RunId>,
    winner: Option<Vec<(RunId, f64)>>,
    /// Within-arm sum of squares and its degrees of freedom; known where `k` is 2 or more.
    ss: f64,
    df: f64,
}

impl Default for Greedy {
    fn default() -> Self {
        Self::new()
    }
}

impl Greedy {
    /// One run each, on a seed of its own.
    pub fn new() -> Self {
        Self {
            k: 1,
            fixed_seed: false,
            version: None,
            seed: None,
            reference: Vec::new(),
            baseline: None,
            trials: BTreeMap::new(),
            winner: None,
            ss: 0.0,
            df: 0.0,
        }
    }

    /// The mean of `k` runs each.
    #[must_use]
    pub fn runs(mut self, k: u32) -> Self {
        self.k = k;
        self
    }

    /// One and the same seed for every first run, as the original autoresearch does.
    #[must_use]
    pub fn fixed_seed(mut self) -> Self {
        self.fixed_seed = true;
        self
    }

    /// Plans the runs of an arm, besides those that this step plans already, and says which is the first of them.
    fn plan(&mut self, cohort: &Cohort<'_>, arm: Arm, plans: &mut Vec<Plan>) -> RunId {
        let before = plans.len();
        let seed = |i: u32| match self.seed {
            Some(first) if self.fixed_seed => (first + u64::from(i)) & u64::from(u32::MAX),
            _ => cohort.fresh_seed(before as u32 + i),
        };
        let arms = std::iter::repeat_n(arm, self.k as usize);
        plans.extend((0..).zip(arms).map(|(i, arm)| Plan::new(arm, seed(i), Role::Confirm)));
        self.seed = self.seed.or(plans.get(before).map(|p| p.seed));
        cohort.next_run(before)
    }

    /// The runs of an arm, of which this is the first; `None` before all of them have ended.
    fn ended<'a>(&self, cohort: &Cohort<'a>, first: RunId) -> Option<Vec<&'a RunRecord>> {
        (first.0..first.0 + u64::from(self.k)).map(|id| cohort.run(RunId(id))).collect()
    }

    fn judge(&mut self, cohort: &Cohort<'_>) -> Vec<Decision> {
        let mut decisions = Vec::new();
        let reference: Moments = self.reference.iter().map(|r| r.1).collect();
        for (&proposal, &first) in &self.trials {
            let Some(runs) = self.ended(cohort, first) else { continue };
            if decisions.is_empty() {
                decisions.reserve_exact(1); // seldom more, and they are large
            }
            if let Some(failure) = runs.iter().find_map(|r| r.loss.as_ref().err()) {
                decisions.push(Decision::failed(proposal, failure.clone()));
                continue;
            }
            let moments: Moments = losses(&runs).map(|l| l.1).collect();
            self.ss += moments.sum_of_squares();
            self.df += moments.n() as f64 - 1.0;
            let gain = reference.mean() - moments.mean();
            let effect = Effect::new(gain, (f64::NAN, f64::NAN), 0.95, self.k, false);
            let reason = format!("{gain:+.4} in {} run(s)", self.k);
            if gain > 0.0 {
                let winner: Vec<(RunId, f64)> = losses(&runs).collect();
                let ids = |runs: &[(RunId, f64)]| runs.iter().map(|r| r.0).collect::<Vec<_>>();
                let noise = Noise::new(2.0 * self.ss, self.df);
                let claim = Claim::new(ids(&winner), ids(&self.reference), false, 0.1, noise);
                decisions.push(Decision::accept(proposal, claim, reason).effect(Some(effect)));
                self.winner = Some(winner);
                // If the holdout can answer no more, it stays pending, and is not to be decided upon again and again.
                self.trials.remove(&proposal);
                // The others wait: they were measured against an incumbent that may be about to change.
                return decisions;
            }
            decisions.push(Decision::reject(proposal, reason).effect(Some(effect)));
        }
        decisions
    }
}

fn losses(runs: &[&RunRecord]) -> impl Iterator<Item = (RunId, f64)> {
    runs.iter().filter_map(|r| Some((r.id, *r.loss.as_ref().ok()?)))
}

impl Acceptor for Greedy {
    fn next(&mut self, cohort: &Cohort<'_>) -> Step {
        if self.version != Some(cohort.version()) {
            self.version = Some(cohort.version());
            self.trials.clear(); // made on the incumbent of before: run again on this one
        }
        if self.reference.is_empty() {
            let Some(first) = self.baseline else {
                let mut plans = Vec::new();
                self.baseline = Some(self.plan(cohort, Arm::incumbent(), &mut plans));
                return Step::Run(plans);
            };
            let Some(done) = self.ended(cohort, first) else { return Step::Wait };
            self.reference = losses(&done).collect();
            if self.reference.is_empty() {
                self.baseline = None;
                return Step::Wait;
            }
        }
        let decisions = self.judge(cohort);
        if !decisions.is_empty() {
            return Step::Decide(decisions);
        }
        let (mut plans, mut slots) = (Vec::new(), cohort.idle().max(1));
        for proposal in cohort.live() {
            if slots == 0 {
                break;
            }
            if !self.trials.contains_key(&proposal) {
                let first = self.plan(cohort, Arm::single(proposal), &mut plans);
                self.trials.insert(proposal, first);
                slots -= 1;
            }
        }
        if !plans.is_empty() {
            return Step::Run(plans);
        }
        if cohort.asked() == 0 && !cohort.exhausted() {
            return Step::propose(cohort.idle().max(1));
        }
        let busy = cohort.outstanding() > 0 || cohort.asked() > 0;
        if busy { Step::Wait } else { Step::Finish }
    }

    fn settled(&mut self, proposal: ProposalId, kept: bool) {
        self.trials.remove(&proposal);
        if let Some(winner) = self.winner.take_if(|_| kept) {
            self.reference = winner;
        }
    }

    fn check(&self, setup: &Setup) -> Result<(), String> {
        let k = u64::from(self.k);
        check::at_least("greedy", "runs", k, 1, "without a run there is no mean to compare")?;
        check::runs("greedy", setup, 2 * k, &format!("{k} of the baseline, {k} of a proposal"))
    }

    fn guarantee(&self) -> Guarantee {
        Guarantee::None
    }

    fn describe(&self) -> String {
        format!("greedy k={} fixed_seed={}", self.k, self.fixed_seed)
    }
}
