//! Stage A ranks, stage B tests: fresh blocks of runs until every proposal is kept or given up.

use super::block::Block;
use super::budget::{self, MOST};
use super::look::{Look, Seen};
use super::trial::{Drawn, Levels, Stage, State, Trial};
use crate::accept::claim::{EffectsClaim, EffectsGroup, EffectsTest, Noise};
use crate::accept::decision::Step;
use crate::accept::{Cohort, HoldoutStatus, Role};
use crate::arm::{Arm, RunId};
use crate::stats::{fold_over, ridge, two_level_design};

/// What the ranking lets through, in sigma, and how much it shrinks.
const WORTH: f64 = 0.5;
const SHRINK: f64 = 0.25;

impl Trial {
    /// Stage A, which chooses and never tests; `None` when it is over.
    pub(super) fn rank(&mut self, cohort: &Cohort<'_>, levels: &mut Levels) -> Option<Step> {
        if let Stage::Rank(Some(block)) = &mut self.stage {
            if let Some(step) = block.collect(cohort) {
                return Some(step);
            }
            let Stage::Rank(Some(block)) = std::mem::replace(&mut self.stage, Stage::Rank(None)) else {
                return None;
            };
            if !self.blame(&block, cohort) {
                self.cut(&block, cohort);
                self.begin_test(levels);
                return None;
            }
        }
        let active = self.places(&State::Active);
        let runs = budget::ranking(active.len());
        let affordable = cohort.runs_affordable().is_none_or(|left| left >= runs as u64);
        if runs == 0 || !affordable {
            self.begin_test(levels);
            return None;
        }
        let design = two_level_design(active.len(), runs, cohort.fresh_seed(0)).unwrap_or_default();
        let rows: Vec<_> = design.iter().map(|switched| self.row(&active, switched)).collect();
        let (block, step) = Block::plan(rows, Role::Screen, cohort);
        self.stage = Stage::Rank(Some(block));
        Some(step)
    }

    /// Drops what the ranking does not find worth a test.
    fn cut(&mut self, block: &Block, cohort: &Cohort<'_>) {
        let active = self.places(&State::Active);
        let (mut on, mut scores) = (Vec::new(), Vec::new());
        for (row, result) in block.results(cohort) {
            if let Ok(score) = result {
                on.push(active.iter().map(|&j| row.on[j]).collect());
                scores.push(score);
            }
        }
        // Where nothing is left to rank by, all are tested.
        let Ok(gains) = ridge(&on, &scores, SHRINK) else { return };
        let hurdle = WORTH * self.known.variance().unwrap_or(0.0).sqrt();
        for (j, gain) in active.into_iter().zip(gains).filter(|(_, gain)| *gain <= hurdle) {
            let reason = format!("ranked in a stack: {gain:+.4}, not above {hurdle:.4}");
            self.factors[j].state = State::Dropped(reason);
        }
    }

    fn begin_test(&mut self, levels: &mut Levels) {
        for factor in self.factors.iter_mut().filter(|f| f.state == State::Active) {
            factor.level = Some(levels.begin());
        }
        self.stage = Stage::Test(None);
    }

    /// Stage B; `None` when it is over.
    pub(super) fn test(&mut self, cohort: &Cohort<'_>) -> Option<Step> {
        if let Stage::Test(Some(block)) = &mut self.stage {
            if let Some(step) = block.collect(cohort) {
                return Some(step);
            }
            if let Stage::Test(Some(block)) = std::mem::replace(&mut self.stage, Stage::Test(None)) {
                self.take(&block, cohort);
            }
            if let Some(step) = self.judge() {
                return Some(step);
            }
        }
        let active = self.places(&State::Active);
        let runs = budget::block(active.len());
        let is_over = active.is_empty() || self.spent >= MOST;
        if is_over || !self.can_go_on(runs, cohort) {
            if is_over {
                for j in active {
                    self.drop(j, "undecided");
                }
            }
            self.stage = Stage::Check(None);
            return None;
        }
        let rows = self.draw(active, runs, cohort);
        let (block, step) = Block::plan(rows, Role::Confirm, cohort);
        self.stage = Stage::Test(Some(block));
        Some(step)
    }

    /// Whether another block would be of use: what it confirms must be checked, and the holdout asked.
    fn can_go_on(&self, runs: usize, cohort: &Cohort<'_>) -> bool {
        let with_check = runs + budget::check(self.places(&State::Kept).len());
        cohort.runs_affordable().is_none_or(|left| left >= with_check as u64)
            && cohort.holdout() != HoldoutStatus::Spent
            && self.places(&State::Pending).is_empty()
    }

    /// The next block's rows. The fold-over of a block frees main effects of all two-factor interactions.
    fn draw(&mut self, active: Vec<usize>, runs: usize, cohort: &Cohort<'_>) -> Vec<(Vec<bool>, Arm)> {
        let (design, folded) = match self.last.take() {
            Some(last) if !last.folded && last.active == active => (fold_over(&last.design), true),
            _ => {
                let design = two_level_design(active.len(), runs, cohort.fresh_seed(0));
                (design.unwrap_or_default(), false)
            }
        };
        let rows = design.iter().map(|switched| self.row(&active, switched)).collect();
        self.last = Some(Drawn { active, design, folded });
        rows
    }

    /// Takes a finished block in, unless its failures had a culprit: then it is drawn again without it.
    fn take(&mut self, block: &Block, cohort: &Cohort<'_>) {
        if self.blame(block, cohort) {
            self.last = None;
            return;
        }
        self.blocks += 1;
        self.spent += block.rows.len();
        for (row, result) in block.results(cohort) {
            if let Ok(score) = result {
                self.seen.push(Seen { on: row.on.clone(), block: self.blocks, run: row.run, score });
            }
        }
        self.look = Look::new(&self.seen, self.known);
    }

    /// A look: asks the holdout about what convinces, drops what is futile.
    fn judge(&mut self) -> Option<Step> {
        let look = self.look.take()?;
        let mut asked = Vec::new();
        for j in self.places(&State::Active) {
            let threshold = -self.factors[j].level.unwrap_or(0.0).ln();
            self.factors[j].log_e = look.log_e(j).or(self.factors[j].log_e);
            if look.log_e(j).is_some_and(|log_e| log_e >= threshold) {
                asked.push(j);
            } else if look.is_futile(j, threshold) {
                self.drop(j, "not worth further runs");
            }
        }
        let noise = Noise::new(look.noise.ss, look.noise.df);
        self.look = Some(look);
        (!asked.is_empty()).then(|| self.ask(asked, noise))
    }

    fn ask(&mut self, asked: Vec<usize>, noise: Noise) -> Step {
        let factors = asked.iter().map(|&j| Arm::single(self.factors[j].proposal)).collect();
        let levels = asked.iter().map(|&j| self.factors[j].level.unwrap_or(0.0)).collect();
        let mut blocks: Vec<Vec<RunId>> = vec![Vec::new(); self.blocks as usize];
        self.seen.iter().for_each(|run| blocks[run.block as usize - 1].push(run.run));
        blocks.retain(|block| !block.is_empty());
        self.stage = Stage::Asking(asked);
        Step::Ask(EffectsClaim::new(
            factors,
            vec![EffectsGroup::new(blocks, noise)],
            EffectsTest::Levels(levels),
        ))
    }

    fn drop(&mut self, j: usize, why: &str) {
        let runs = self.seen.len();
        self.factors[j].state = State::Dropped(format!("{why} after {runs} runs of its stack"));
    }
}
