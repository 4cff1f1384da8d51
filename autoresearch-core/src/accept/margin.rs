//! Better than the incumbent's mean by a margin: a z-test in plain clothes.

use super::claim::{Claim, Noise};
use super::decision::{Decision, Plan, Step};
use super::engine::check;
use super::{Acceptor, Cohort, Guarantee, Role, Setup};
use crate::arm::{Arm, ProposalId, RunId, Version};
use crate::propose::Effect;
use crate::stats::{Moments, student_quantile, student_sf};
use std::collections::BTreeMap;

/// How often lost incumbent runs are replaced.
const REPLACEMENTS: u32 = 3;

/// Keeps a proposal whose one run beats the incumbent's **mean** by `c` sigma.
///
/// The mean is that of `m` runs of the incumbent on seeds of their own (8 unless [`calibrate`](Self::calibrate) says
/// otherwise), measured anew after each acceptance: never its best run, because a lucky run as yardstick is a permanent
/// bias. Sigma is pooled over all such runs.
///
/// **Guarantee**: none is claimed. If sigma were known, a useless proposal would be kept with probability
/// `1 − Φ(c/√(1+1/m))` (the z-test; `c` = 3 and `m` = 8: .0023). It is estimated from few runs, and that errs: with
/// `m` runs the probability is `1 − T_{m−1}(c/√(1+1/m))` with Student's distribution (Student 1908, *Biometrika*
/// 6:1-25; here .0127), which [`error`](Self::error) computes. Even that holds only on average over calibrations, which
/// all proposals between two acceptances share, and if a proposal's runs scatter like the incumbent's: its one run says
/// nothing of that. The effect of what is kept is measured by the very run that selected it, and therefore inflated.
/// Only a holdout looks twice.
///
/// ```
/// use autoresearch_core::Margin;
/// assert!((Margin::new(3.0).error() - 0.0127).abs() < 1e-4);
/// ```
#[derive(Debug, Clone)]
pub struct Margin {
    c: f64,
    m: u32,
    version: Option<Version>,
    reference: Reference,
    trials: BTreeMap<ProposalId, RunId>,
    /// Within-batch sum of squares of incumbent runs, and its degrees of freedom.
    ss: f64,
    df: f64,
}

/// The runs of the incumbent of now.
#[derive(Debug, Clone, Default)]
struct Reference {
    planned: Vec<RunId>,
    runs: Vec<RunId>,
    losses: Moments,
    rounds: u32,
    ready: bool,
}

impl Margin {
    /// A margin of `c` sigma.
    pub fn new(c: f64) -> Self {
        Self {
            c,
            m: 8,
            version: None,
            reference: Reference::default(),
            trials: BTreeMap::new(),
            ss: 0.0,
            df: 0.0,
        }
    }

    /// How many runs the incumbent's mean rests on.
    #[must_use]
    pub fn calibrate(mut self, runs: u32) -> Self {
        self.m = runs;
        self
    }

    /// The probability of keeping a useless proposal with sigma estimated from the first `m` runs.
    pub fn error(&self) -> f64 {
        let m = f64::from(self.m);
        student_sf(self.c / (1.0 + 1.0 / m).sqrt(), m - 1.0)
    }

    /// Runs the incumbent until its mean is known; `None` once it is.
    fn measure(&mut self, cohort: &Cohort<'_>) -> Option<Step> {
        let reference = &mut self.reference;
        if reference.ready {
            return None;
        }
        let Some(done) = reference.planned.iter().map(|id| cohort.run(*id)).collect::<Option<Vec<_>>>()
        else {
            return Some(Step::Wait);
        };
        for run in done {
            if let Ok(loss) = run.loss {
                reference.runs.push(run.id);
                reference.losses.push(loss);
            }
        }
        let missing = (self.m as usize).saturating_sub(reference.runs.len());
        if missing > 0 && reference.rounds <= REPLACEMENTS {
            reference.rounds += 1;
            reference.planned = (0..missing).map(|i| cohort.next_run(i)).collect();
            // The holdout looks at these as well, so they confirm rather than calibrate.
            let plan = |i| Plan::new(Arm::incumbent(), cohort.fresh_seed(i), Role::Confirm);
            return Some(Step::Run((0..missing as u32).map(plan).collect()));
        }
        reference.planned.clear();
        self.ss += reference.losses.sum_of_squares();
        self.df += (reference.losses.n() as f64 - 1.0).max(0.0);
        reference.ready = true;
        None
    }

    fn judge(&mut self, cohort: &Cohort<'_>) -> Vec<Decision> {
        let n = self.reference.losses.n() as f64;
        let sigma = (self.ss / self.df).sqrt(); // NaN where nothing is known: then nothing is above the margin
        let mut decisions = Vec::new();
        for (proposal, id) in self.trials.clone() {
            let Some(run) = cohort.run(id) else { continue };
            let loss = match &run.loss {
                Ok(loss) => *loss,
                Err(failure) => {
                    decisions.push(Decision::failed(proposal, failure.clone()));
                    continue;
                }
            };
            let gain = self.reference.losses.mean() - loss;
            let half = -student_quantile(0.025, self.df) * sigma * (1.0 + 1.0 / n).sqrt();
            // Selected by the very run that measures it.
            let effect = Effect::new(gain, (gain - half, gain + half), 0.95, 1, false);
            let reason =
                format!("{gain:+.4} against the mean of {n} runs, with a margin of {:.4}", self.c * sigma);
            if gain > self.c * sigma {
                let noise = Noise::new(2.0 * self.ss, self.df);
                // A holdout is asked at the level that this rule would have with as many degrees of freedom as now.
                let level = student_sf(self.c / (1.0 + 1.0 / n).sqrt(), self.df);
                let claim = Claim::new(vec![run.id], self.reference.runs.clone(), false, level, noise);
                decisions.push(Decision::accept(proposal, claim, reason).effect(Some(effect)));
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

impl Acceptor for Margin {
    fn next(&mut self, cohort: &Cohort<'_>) -> Step {
        if self.version != Some(cohort.version()) {
            self.version = Some(cohort.version());
            self.reference = Reference::default();
            self.trials.clear(); // made on the incumbent of before: run again on this one
        }
        if let Some(step) = self.measure(cohort) {
            return step;
        }
        let decisions = self.judge(cohort);
        if !decisions.is_empty() {
            return Step::Decide(decisions);
        }
        let fresh: Vec<ProposalId> =
            cohort.live().filter(|p| !self.trials.contains_key(p)).take(cohort.idle().max(1)).collect();
        if !fresh.is_empty() {
            let mut plans = Vec::with_capacity(fresh.len());
            for (proposal, i) in fresh.into_iter().zip(0u32..) {
                self.trials.insert(proposal, cohort.next_run(plans.len()));
                plans.push(Plan::new(Arm::single(proposal), cohort.fresh_seed(i), Role::Confirm));
            }
            return Step::Run(plans);
        }
        if cohort.asked() == 0 && !cohort.exhausted() {
            return Step::propose(cohort.idle().max(1));
        }
        let busy = cohort.outstanding() > 0 || cohort.asked() > 0;
        if busy { Step::Wait } else { Step::Finish }
    }

    fn settled(&mut self, proposal: ProposalId, _kept: bool) {
        self.trials.remove(&proposal);
    }

    fn check(&self, setup: &Setup) -> Result<(), String> {
        let m = u64::from(self.m);
        check::sigmas("margin", "c", self.c)?;
        check::at_least("margin", "calibrate", m, 2, "one run alone shows no noise")?;
        check::runs("margin", setup, m + 1, &format!("{m} calibrate, 1 of a proposal"))
    }

    fn guarantee(&self) -> Guarantee {
        Guarantee::None
    }

    fn describe(&self) -> String {
        format!("margin c={} calibrate={}", self.c, self.m)
    }
}
