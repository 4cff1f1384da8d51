//! The frame of all policies that judge one proposal at a time: calibrate, screen, then fresh pairs until a verdict.
//!
//! Free slots are filled with screening runs of further proposals while a pair is under way. Whatever was screened
//! against an incumbent of before is put back and screened again.

mod cache;
pub(super) mod check;
mod seeds;
mod trial;

use cache::Cache;
use trial::Trial;

use super::claim::Noise;
use super::decision::{Decision, Plan, Step, Strength, Verdict};
use super::evidence::Evidence;
use super::{Cohort, Role, Seeds, Setup};
use crate::arm::{Arm, ProposalId, RunId, Version};
use crate::propose::Effect;
use crate::stats::mean;
use std::collections::{BTreeMap, VecDeque};

/// What differs between the policies in this frame.
pub(super) trait Judge: Send {
    /// A proposal's first fresh run is about to be planned: fixes the level it will be held against.
    fn begin(&mut self) -> Option<f64>;
    /// Looks at all pairs so far.
    fn judge(&mut self, evidence: &Evidence) -> Verdict;
    /// The proposal that was last accepted is in the incumbent now.
    fn kept(&mut self) {}
    /// The improvement as it is reported.
    fn effect(&self, evidence: &Evidence) -> Option<Effect> {
        evidence.effect()
    }
    /// The e-value and its level, where the rule is a test by e-values.
    fn strength(&self, evidence: &Evidence) -> Option<Strength> {
        evidence.strength()
    }
}

/// Numbers of the frame.
#[derive(Debug, Clone)]
pub(super) struct Design {
    /// Incumbent runs at the start.
    pub(super) calibrate: u32,
    /// Fresh incumbent runs after each acceptance.
    pub(super) refresh: u32,
    /// A screened proposal must gain more than this many sigma; `None`: no screening.
    pub(super) screen: Option<f64>,
    pub(super) seeds: Seeds,
}

/// With equal seeds the variance of a difference varies from edit to edit, so it is never pooled over edits. This is
/// what is assumed of it beforehand: .8 sigma², worth 2 degrees of freedom.
const EQUAL_SEEDS_VARIANCE: f64 = 0.8;
const EQUAL_SEEDS_DF: f64 = 2.0;
/// How often lost incumbent runs are replaced before the frame goes on with what it has.
const REPLACEMENTS: u32 = 3;

enum Stage {
    Screening(RunId),
    Passed,
    /// Put back by its rule until the incumbent changes.
    Parked,
}

pub(super) struct Engine<J> {
    pub(super) design: Design,
    pub(super) judge: J,
    version: Option<Version>,
    cache: Cache,
    /// Within-arm sum of squares of single incumbent runs, and its degrees of freedom.
    ss: f64,
    df: f64,
    rotation: usize,
    correlation: seeds::Correlation,
    stages: BTreeMap<ProposalId, Stage>,
    passed: VecDeque<ProposalId>,
    trial: Option<Trial>,
}

impl<J: Judge> Engine<J> {
    pub(super) fn new(design: Design, judge: J) -> Self {
        Self {
            design,
            judge,
            version: None,
            cache: Cache::default(),
            ss: 0.0,
            df: 0.0,
            rotation: 0,
            correlation: seeds::Correlation::default(),
            stages: BTreeMap::new(),
            passed: VecDeque::new(),
            trial: None,
        }
    }

    pub(super) fn next(&mut self, cohort: &Cohort<'_>) -> Step {
        if self.version != Some(cohort.version()) {
            self.start_over(cohort.version());
        }
        if let Some(step) = self.fill_cache(cohort) {
            return step;
        }
        let settled = self.read_screens(cohort);
        if !settled.is_empty() {
            return Step::Decide(settled);
        }
        loop {
            if self.trial.is_none() {
                self.start_trial();
            }
            if let Some(step) = self.advance_trial(cohort) {
                return step;
            }
            if self.trial.is_some() || self.passed.is_empty() {
                break;
            }
        }
        self.fill_slots(cohort)
    }

    pub(super) fn settled(&mut self, proposal: ProposalId, kept: bool) {
        self.stages.remove(&proposal);
        if kept {
            self.judge.kept();
        }
    }

    /// How much equal seeds were found to correlate; nothing where the arms do not share seeds.
    pub(super) fn seed_correlation(&self) -> Option<f64> {
        self.correlation.estimate().filter(|_| self.design.seeds == Seeds::Equal)
    }

    /// Whether the frame can work with these numbers, and accept anything by the t e-process at `level` within `max`
    /// pairs and the study's limit on runs.
    pub(super) fn check(
        &self,
        policy: &str,
        setup: &Setup,
        level: f64,
        min: u32,
        max: u32,
    ) -> Result<(), String> {
        let Design { calibrate, screen, seeds, .. } = self.design;
        check::at_least(policy, "calibrate", calibrate.into(), 2, "one run alone shows no noise")?;
        check::at_least(policy, "max_pairs", max.into(), min.into(), "no test ends before that many")?;
        check::sigmas(policy, "screen", screen.unwrap_or(0.0))?;
        let df = match seeds {
            Seeds::Equal => EQUAL_SEEDS_DF,
            Seeds::Independent => f64::from(calibrate) - 1.0,
        };
        let Some(pairs) = check::fewest_pairs(level, df, min, max) else {
            return Err(format!(
                "{policy}: max_pairs is {max}, and no gain however large reaches the level of the first test, \
                 {level:.2e}, within so few; allow more pairs, or raise the level (a larger alpha, a shorter horizon)"
            ));
        };
        let (calibrate, screened) = (u64::from(calibrate), u64::from(screen.is_some()));
        let least = calibrate + screened + 2 * u64::from(pairs);
        let parts = format!("{calibrate} calibrate, {screened} screens, {pairs} pairs at the least");
        check::runs(policy, setup, least, &parts)
    }

    /// Everything measured against the incumbent of before is put back.
    fn start_over(&mut self, version: Version) {
        self.version = Some(version);
        self.cache = Cache::default();
        self.stages.clear();
        self.passed.clear();
        self.trial = None;
    }

    fn sigma(&self) -> Option<f64> {
        (self.df > 0.0).then(|| (self.ss / self.df).sqrt())
    }

    /// What is known of the variance of a difference before its first pair.
    fn noise(&self) -> Noise {
        match (self.design.seeds, self.sigma()) {
            (_, None) => Noise::default(),
            (Seeds::Independent, Some(_)) => Noise::new(2.0 * self.ss, self.df),
            (Seeds::Equal, Some(s)) => {
                Noise::new(EQUAL_SEEDS_DF * EQUAL_SEEDS_VARIANCE * s * s, EQUAL_SEEDS_DF)
            }
        }
    }

    fn read_screens(&mut self, cohort: &Cohort<'_>) -> Vec<Decision> {
        let mut settled = Vec::new();
        let sigma = self.sigma().unwrap_or(0.0);
        for (&proposal, stage) in &mut self.stages {
            let Stage::Screening(id) = *stage else { continue };
            let Some(run) = cohort.run(id) else { continue };
            let loss = match &run.loss {
                Ok(loss) => *loss,
                Err(failure) => {
                    settled.push(Decision::failed(proposal, failure.clone()));
                    continue;
                }
            };
            let twin = self.cache.runs.iter().find(|(seed, _)| *seed == run.seed).map(|(_, loss)| *loss);
            let reference = match (self.design.seeds, twin) {
                (Seeds::Equal, Some(loss)) => loss,
                _ => mean(&self.cache.runs.iter().map(|r| r.1).collect::<Vec<_>>()),
            };
            let threshold = self.design.screen.unwrap_or(0.0);
            let gain = reference - loss;
            // Without any incumbent run left there is nothing to compare with: let the pairs decide.
            if gain > threshold * sigma || !reference.is_finite() {
                *stage = Stage::Passed;
                self.passed.push_back(proposal);
            } else {
                let reason =
                    format!("screening: {gain:+.4}, not above {threshold} sigma ({:.4})", threshold * sigma);
                settled.push(Decision::reject(proposal, reason));
            }
        }
        settled
    }

    /// Screens the oldest unscreened proposals, asks for more, or waits.
    fn fill_slots(&mut self, cohort: &Cohort<'_>) -> Step {
        let idle = cohort.idle();
        let fresh: Vec<ProposalId> =
            cohort.live().filter(|p| !self.stages.contains_key(p)).take(idle.max(1)).collect();
        if self.design.screen.is_none() && !fresh.is_empty() {
            for proposal in fresh {
                self.stages.insert(proposal, Stage::Passed);
                self.passed.push_back(proposal);
            }
            return if self.trial.is_none() { self.next(cohort) } else { Step::Wait };
        }
        if !fresh.is_empty() && idle > 0 {
            let mut plans = Vec::with_capacity(fresh.len());
            for proposal in fresh {
                let seed = self.screening_seed(cohort, plans.len() as u32);
                self.stages.insert(proposal, Stage::Screening(cohort.next_run(plans.len())));
                plans.push(Plan::new(Arm::single(proposal), seed, Role::Screen));
            }
            return Step::Run(plans);
        }
        let busy = cohort.outstanding() > 0 || cohort.asked() > 0;
        // Without screening nothing but the trial uses the slots: one proposal in store is enough.
        let stocked = self.design.screen.is_none() && !self.passed.is_empty();
        if cohort.asked() == 0 && !cohort.exhausted() && !stocked {
            return Step::propose(idle.max(1));
        }
        if !busy && self.trial.is_none() {
            // Nothing more will come that could change the incumbent for those that were put back.
            let parked = cohort.live().map(|p| Decision::reject(p, "put back, and nothing more to try"));
            let parked: Vec<Decision> = parked.collect();
            return if parked.is_empty() { Step::Finish } else { Step::Decide(parked) };
        }
        Step::Wait
    }

    /// With equal seeds the incumbent's cached seeds take turns, so that no lucky one decides everything.
    fn screening_seed(&mut self, cohort: &Cohort<'_>, ahead: u32) -> u64 {
        if self.design.seeds == Seeds::Equal && !self.cache.runs.is_empty() {
            self.rotation += 1;
            return self.cache.runs[self.rotation % self.cache.runs.len()].0;
        }
        cohort.fresh_seed(ahead)
    }
}
