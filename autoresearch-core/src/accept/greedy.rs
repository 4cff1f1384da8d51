//! Keep if better: the yardstick.

use super::claim::{Claim, Noise};
use super::decision::{Decision, Plan, Step};
use super::engine::check;
use super::{Acceptor, Cohort, Guarantee, Role, Setup};
use crate::arm::{Arm, ProposalId, RunId, Version};
use crate::propose::Effect;
use crate::stats::{Moments, mean};
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
    baseline: Vec<RunId>,
    trials: BTreeMap<ProposalId, Vec<RunId>>,
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
            baseline: Vec::new(),
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

    fn plans(&mut self, cohort: &Cohort<'_>, arm: &Arm, before: usize) -> (Vec<RunId>, Vec<Plan>) {
        let seed = |i: u32| match self.seed {
            Some(first) if self.fixed_seed => (first + u64::from(i)) & u64::from(u32::MAX),
            _ => cohort.fresh_seed(before as u32 + i),
        };
        let plans: Vec<Plan> = (0..self.k).map(|i| Plan::new(arm.clone(), seed(i), Role::Confirm)).collect();
        self.seed = self.seed.or(plans.first().map(|p| p.seed));
        ((0..plans.len()).map(|i| cohort.next_run(before + i)).collect(), plans)
    }

    fn judge(&mut self, cohort: &Cohort<'_>) -> Vec<Decision> {
        let mut decisions = Vec::new();
        let mean_of = |runs: &[(RunId, f64)]| mean(&runs.iter().map(|r| r.1).collect::<Vec<_>>());
        for (proposal, ids) in self.trials.clone() {
            let Some(runs) = ids.iter().map(|id| cohort.run(*id)).collect::<Option<Vec<_>>>() else {
                continue;
            };
            if let Some(failure) = runs.iter().find_map(|r| r.loss.as_ref().err()) {
                decisions.push(Decision::failed(proposal, failure.clone()));
                continue;
            }
            let losses: Vec<(RunId, f64)> =
                runs.iter().filter_map(|r| Some((r.id, *r.loss.as_ref().ok()?))).collect();
            let moments: Moments = losses.iter().map(|l| l.1).collect();
            self.ss += moments.sum_of_squares();
            self.df += moments.n() as f64 - 1.0;
            let gain = mean_of(&self.reference) - moments.mean();
            let effect = Effect::new(gain, (f64::NAN, f64::NAN), 0.95, self.k, false);
            let reason = format!("{gain:+.4} in {} run(s)", self.k);
            if gain > 0.0 {
                let ids = |runs: &[(RunId, f64)]| runs.iter().map(|r| r.0).collect::<Vec<_>>();
                let noise = Noise::new(2.0 * self.ss, self.df);
                let claim = Claim::new(ids(&losses), ids(&self.reference), false, 0.1, noise);
                decisions.push(Decision::accept(proposal, claim, reason).effect(Some(effect)));
                self.winner = Some(losses);
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

impl Acceptor for Greedy {
    fn next(&mut self, cohort: &Cohort<'_>) -> Step {
        if self.version != Some(cohort.version()) {
            self.version = Some(cohort.version());
            self.trials.clear(); // made on the incumbent of before: run again on this one
        }
        if self.reference.is_empty() {
            if self.baseline.is_empty() {
                let (ids, plans) = self.plans(cohort, &Arm::incumbent(), 0);
                self.baseline = ids;
                return Step::Run(plans);
            }
            let done: Option<Vec<_>> = self.baseline.iter().map(|id| cohort.run(*id)).collect();
            let Some(done) = done else { return Step::Wait };
            self.reference = done.iter().filter_map(|r| Some((r.id, *r.loss.as_ref().ok()?))).collect();
            if self.reference.is_empty() {
                self.baseline.clear();
                return Step::Wait;
            }
        }
        let decisions = self.judge(cohort);
        if !decisions.is_empty() {
            return Step::Decide(decisions);
        }
        let fresh: Vec<ProposalId> =
            cohort.live().filter(|p| !self.trials.contains_key(p)).take(cohort.idle().max(1)).collect();
        if !fresh.is_empty() {
            let mut all = Vec::new();
            for proposal in fresh {
                let (ids, plans) = self.plans(cohort, &Arm::single(proposal), all.len());
                self.trials.insert(proposal, ids);
                all.extend(plans);
            }
            return Step::Run(all);
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
