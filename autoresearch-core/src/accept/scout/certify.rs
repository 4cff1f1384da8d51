//! The certificate: everything in the stack is switched on and off on fresh runs, twice where it takes two looks.

use super::REPORT;
use super::block::Block;
use super::reserve::{Ground, groups};
use super::stack::StackUnit;
use crate::accept::claim::{EffectsClaim, EffectsGroup, EffectsTest, Noise};
use crate::accept::decision::Step;
use crate::accept::{Cohort, HoldoutStatus};
use crate::arm::RunId;
use crate::stats::{GroupFit, Residual, RoundNoise, UnitEvidence, block_runs};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

/// From this ratio of variances on units interact, and a second round of many is dealt into groups again.
const INTERACTING: f64 = 1.5;
const GROUP: usize = 26;
const GROUP_RUNS: usize = 32;
/// Looks at the undecided, at most.
const ROUNDS: u32 = 6;

#[derive(Debug)]
pub(super) struct Certificate {
    pub(super) units: Vec<Candidate>,
    pub(super) calibration: Residual,
    pub(super) alpha: f64,
    pub(super) before: usize,
    drop: f64,
    ground: Ground,
    last: bool,
    round: u32,
    pub(super) noise: Option<RoundNoise>,
    waiting: VecDeque<Vec<usize>>,
    /// The design under way, and the units that it switches.
    block: Option<(Vec<usize>, Block)>,
    /// Of this round: residuals, fits, and the runs for the claim.
    residual: Residual,
    fits: Vec<GroupFit>,
    runs: Vec<Vec<RunId>>,
    /// All groups judged so far.
    claimed: Vec<EffectsGroup>,
    asking: bool,
    finished: bool,
}

#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) unit: StackUnit,
    pub(super) evidence: UnitEvidence,
    /// Coefficients summed with their information, and that information.
    pub(super) sum: f64,
    pub(super) information: f64,
    pub(super) runs: u32,
    pub(super) dropped: bool,
    pub(super) certified: bool,
}

impl Certificate {
    pub(super) fn new(
        units: Vec<StackUnit>,
        calibration: Residual,
        alpha: f64,
        before: usize,
        drop: f64,
        ground: Ground,
        last: bool,
    ) -> Self {
        let candidate = |unit| Candidate {
            unit,
            evidence: UnitEvidence::default(),
            sum: 0.0,
            information: 0.0,
            runs: 0,
            dropped: false,
            certified: false,
        };
        Self {
            units: units.into_iter().map(candidate).collect(),
            calibration,
            alpha,
            before,
            drop,
            ground,
            last,
            round: 0,
            noise: None,
            waiting: VecDeque::new(),
            block: None,
            residual: Residual::default(),
            fits: Vec::new(),
            runs: Vec::new(),
            claimed: Vec::new(),
            asking: false,
            finished: false,
        }
    }

    /// The next step; `None` when it is finished.
    pub(super) fn next(&mut self, cohort: &Cohort<'_>) -> Option<Step> {
        loop {
            if self.finished {
                return None;
            }
            if self.asking {
                return Some(Step::Wait);
            }
            if self.block.is_some() {
                if let Some(step) = self.collect(cohort) {
                    return Some(step);
                }
                continue;
            }
            if let Some(units) = self.waiting.pop_front() {
                let units: Vec<usize> = units.into_iter().filter(|&j| !self.units[j].dropped).collect();
                if !units.is_empty() {
                    return Some(self.plan(units, cohort));
                }
                continue;
            }
            if !self.fits.is_empty() {
                return Some(self.ask());
            }
            self.begin_round(cohort);
        }
    }

    pub(super) fn answered(&mut self, answers: &[Option<bool>]) {
        self.asking = false;
        for (candidate, answer) in self.units.iter_mut().zip(answers) {
            candidate.certified = *answer == Some(true);
        }
    }

    /// Deals the units of the next round into groups, if there is one.
    fn begin_round(&mut self, cohort: &Cohort<'_>) {
        self.round += 1;
        let mut rng = ChaCha8Rng::seed_from_u64(cohort.fresh_seed(0));
        let mut open: Vec<usize> =
            (0..self.units.len()).filter(|&j| !self.units[j].dropped && !self.units[j].certified).collect();
        // The last certificate may use what is left for further looks.
        let more = self.last && cohort.runs_affordable().is_some() && !cohort.time_binds();
        let most = if more { ROUNDS } else { 2 };
        // Without a question left no further look can change anything.
        if self.round > most || open.is_empty() || cohort.holdout() == HoldoutStatus::Spent {
            self.finished = true;
            return;
        }
        if self.round >= 2 {
            self.fit_into_budget(&mut open, cohort);
        }
        if self.round >= 2 && self.together(open.len()) {
            self.waiting.extend([open].into_iter().filter(|units| !units.is_empty()));
        } else {
            let (count, _) = groups(open.len(), self.ground);
            open.shuffle(&mut rng);
            let mut dealt: Vec<Vec<usize>> = vec![Vec::new(); count];
            open.into_iter().enumerate().for_each(|(i, j)| dealt[i % count].push(j));
            self.waiting.extend(dealt);
        }
        if self.waiting.is_empty() {
            self.finished = true;
        }
    }

    /// Whether the second round is one block.
    fn together(&self, open: usize) -> bool {
        self.ground != Ground::Steep
            && (open <= GROUP || self.noise.is_none_or(|noise| noise.ratio < INTERACTING))
    }

    fn cost_of_second(&self, open: usize) -> usize {
        match self.ground {
            Ground::Steep => {
                let (groups, runs) = groups(open, self.ground);
                groups * runs
            }
            _ if self.together(open) => block_runs(open),
            _ => open.div_ceil(GROUP) * GROUP_RUNS,
        }
    }

    /// Drops the weakest until the block fits what is left.
    fn fit_into_budget(&mut self, open: &mut Vec<usize>, cohort: &Cohort<'_>) {
        let Some(left) = cohort.runs_affordable() else { return };
        let left = (left as usize).saturating_sub(REPORT);
        open.sort_by(|&a, &b| {
            let strength = |j: usize| self.units[j].evidence.log_e_validation();
            strength(b).total_cmp(&strength(a))
        });
        while !open.is_empty() && self.cost_of_second(open.len()) > left {
            open.pop();
        }
    }

    fn plan(&mut self, units: Vec<usize>, cohort: &Cohort<'_>) -> Step {
        let together = self.round >= 2 && self.together(units.len());
        let runs = if together { block_runs(units.len()) } else { groups(units.len(), self.ground).1 };
        let on = self.units.iter().filter(|c| !c.dropped).flat_map(|c| c.unit.arm.parts());
        let switched = units.iter().map(|&j| self.units[j].unit.arm.clone()).collect();
        let (block, step) = Block::plan(on.copied().collect(), switched, runs, cohort);
        self.block = Some((units, block));
        step
    }

    /// Takes a finished design in; a step where runs are missing.
    fn collect(&mut self, cohort: &Cohort<'_>) -> Option<Step> {
        let (units, mut block) = self.block.take()?;
        match block.collect(cohort) {
            Err(step) => {
                self.block = Some((units, block));
                return Some(step);
            }
            Ok(results) => match results.fit(&units) {
                Ok(fit) => self.take(fit, &results.on, results.runs),
                // No run of it gave a number: nothing in it can be believed.
                Err(_) => units.iter().for_each(|&j| self.units[j].dropped = true),
            },
        }
        None
    }

    fn take(&mut self, fit: GroupFit, on: &[Vec<bool>], runs: Vec<RunId>) {
        self.residual = self.residual.pooled(fit.residual);
        for (column, ((&j, &b), &s)) in
            fit.units.iter().zip(&fit.coefficients).zip(&fit.information).enumerate()
        {
            let candidate = &mut self.units[j];
            if s > 0.0 {
                candidate.sum += s * b;
                candidate.information += s;
                candidate.runs += on.iter().filter(|row| row[column]).count() as u32;
            } else {
                candidate.dropped = true; // never seen both on and off
            }
        }
        if self.round == 1 {
            let s = self.calibration.variance().unwrap_or(0.0).sqrt();
            for j in fit.weak(self.residual, s, self.drop) {
                self.units[j].dropped = true;
            }
        }
        self.fits.push(fit);
        self.runs.push(runs);
    }

    /// The round is in: its evidence, and the question to the holdout.
    fn ask(&mut self) -> Step {
        let noise = RoundNoise::new(self.residual, self.calibration, self.noise.as_ref());
        for fit in std::mem::take(&mut self.fits) {
            for ((&j, &b), &s) in fit.units.iter().zip(&fit.coefficients).zip(&fit.information) {
                self.units[j].evidence.add_validation(b, s, &noise);
            }
        }
        let pooled = Noise::new(noise.pooled.ss, noise.pooled.df);
        for runs in std::mem::take(&mut self.runs) {
            self.claimed.push(EffectsGroup::new(vec![runs], pooled));
        }
        self.noise = Some(noise);
        self.residual = Residual::default();
        self.asking = true;
        let factors = self.units.iter().map(|c| c.unit.arm.clone()).collect();
        let strength =
            |c: &Candidate| if c.dropped { f64::NEG_INFINITY } else { c.evidence.log_e_validation() };
        let test = EffectsTest::Certificate {
            log_e: self.units.iter().map(strength).collect(),
            alpha: self.alpha,
            of: self.units.len(),
            before: self.before,
        };
        Step::Ask(EffectsClaim::new(factors, self.claimed.clone(), test))
    }
}
