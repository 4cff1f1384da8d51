//! The frame of all policies that judge one proposal at a time: calibrate, screen, then fresh pairs until a verdict.
//!
//! Free slots are filled with screening runs of further proposals while a pair is under way. Whatever was screened
//! against an incumbent of before is put back and screened again.

use super::decision::{Decision, Noise, Plan, Step, Verdict};
use super::evidence::Evidence;
use super::{Cohort, Role, Seeds};
use crate::arm::{Arm, ProposalId, RunId, Version};
use crate::stats::{Moments, mean};
use std::collections::{BTreeMap, VecDeque};

/// What differs between the policies in this frame.
pub(super) trait Judge: Send {
    /// A proposal's first fresh run is about to be planned: fixes the level it will be held against.
    fn begin(&mut self) -> Option<f64>;
    /// Looks at all pairs so far.
    fn judge(&mut self, evidence: &Evidence) -> Verdict;
    /// The proposal that was last accepted is in the incumbent now.
    fn kept(&mut self);
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

struct Trial {
    proposal: ProposalId,
    evidence: Evidence,
    planned: Vec<(RunId, RunId)>,
    lost: u32,
}

#[derive(Default)]
struct Cache {
    planned: Vec<RunId>,
    runs: Vec<(u64, f64)>,
    rounds: u32,
    ready: bool,
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

    /// Runs the incumbent until its mean is known; `None` once it is.
    fn fill_cache(&mut self, cohort: &Cohort<'_>) -> Option<Step> {
        if self.cache.ready {
            return None;
        }
        let first = self.version == Some(Version(0));
        let want = if first { self.design.calibrate } else { self.design.refresh } as usize;
        if let Some(done) = self.cache.planned.iter().map(|id| cohort.run(*id)).collect::<Option<Vec<_>>>() {
            self.cache.runs.extend(done.iter().filter_map(|r| Some((r.seed, *r.loss.as_ref().ok()?))));
            self.cache.planned.clear();
            let missing = want.saturating_sub(self.cache.runs.len());
            if missing > 0 && self.cache.rounds < REPLACEMENTS {
                self.cache.rounds += 1;
                self.cache.planned = (0..missing).map(|i| cohort.next_run(i)).collect();
                let plan = |i| Plan::new(Arm::incumbent(), cohort.fresh_seed(i), Role::Calibrate);
                return Some(Step::Run((0..missing as u32).map(plan).collect()));
            }
            let moments: Moments = self.cache.runs.iter().map(|r| r.1).collect();
            self.ss += moments.sum_of_squares();
            self.df += (moments.n() as f64 - 1.0).max(0.0);
            self.cache.ready = true;
            return None;
        }
        // The proposer may think while the incumbent is measured.
        if cohort.asked() == 0 && cohort.live().next().is_none() && !cohort.exhausted() {
            return Some(Step::propose(cohort.idle().max(1)));
        }
        Some(Step::Wait)
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

    /// What a finished trial's fresh runs say of the run noise is pooled ever after.
    fn learn(&mut self, evidence: &Evidence) {
        for arm in [evidence.candidate(), evidence.incumbent()] {
            let moments = Moments::of(arm);
            self.ss += moments.sum_of_squares();
            self.df += (moments.n() as f64 - 1.0).max(0.0);
        }
    }

    fn start_trial(&mut self) {
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
    fn advance_trial(&mut self, cohort: &Cohort<'_>) -> Option<Step> {
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
                    let failed = Decision::failed(proposal, failure.clone()).effect(trial.evidence.effect());
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
        let shown = |e: &Evidence| match e.effect() {
            Some(effect) => format!("{} pairs: {effect}", e.pairs()),
            None => format!("{} pairs", e.pairs()),
        };
        let decision = match self.judge.judge(evidence) {
            Verdict::More { pairs } => return Some(self.plan_pairs(cohort, pairs.max(1))),
            Verdict::Accept if evidence.pairs() > 0 => {
                Decision::accept(proposal, evidence.claim(), shown(evidence))
            }
            Verdict::Requeue => {
                self.stages.insert(proposal, Stage::Parked);
                self.trial = None;
                return None;
            }
            _ => Decision::reject(proposal, shown(evidence)),
        };
        let decision = decision.effect(evidence.effect()).strength(evidence.strength());
        if let Some(trial) = self.trial.take() {
            self.learn(&trial.evidence);
        }
        Some(Step::Decide(vec![decision]))
    }

    /// Fresh pairs, candidate and incumbent in turn.
    fn plan_pairs(&mut self, cohort: &Cohort<'_>, pairs: u32) -> Step {
        let Some(trial) = self.trial.as_mut() else { return Step::Wait };
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
        if cohort.asked() == 0 && !cohort.exhausted() {
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
