//! The stack check: does everything that was kept still earn its place beside the rest?

use super::block::Block;
use super::budget::CHECK;
use crate::accept::decision::Step;
use crate::accept::{Cohort, Role};
use crate::arm::{Arm, ProposalId};
use crate::stats::mean;

/// Runs of the full stack, and of the stack without each of its proposals in turn.
#[derive(Debug)]
pub(super) struct Check {
    kept: Vec<usize>,
    block: Block,
}

/// What a check comes to.
pub(super) enum Finding {
    /// This one no longer helps, by this estimate.
    Drop(usize, f64),
    /// All stay; the scores of the full stack.
    Stands(Vec<f64>),
    /// The full stack does not run.
    Lost,
}

impl Check {
    /// Plans the check of these proposals, each given as its place in the trial.
    pub(super) fn plan(kept: Vec<(usize, ProposalId)>, cohort: &Cohort<'_>) -> (Self, Step) {
        let full: Arm = kept.iter().map(|(_, p)| *p).collect();
        let without = |(_, p): &(usize, ProposalId)| full.without(&Arm::single(*p));
        let arms: Vec<Arm> = std::iter::once(full.clone()).chain(kept.iter().map(without)).collect();
        // In turn, so that a machine that drifts favours none of them.
        let rows = (0..CHECK * arms.len()).map(|i| (Vec::new(), arms[i % arms.len()].clone()));
        let (block, step) = Block::plan(rows, Role::Confirm, cohort);
        (Self { kept: kept.into_iter().map(|(j, _)| j).collect(), block }, step)
    }

    /// `None` once all runs are in.
    pub(super) fn collect(&mut self, cohort: &Cohort<'_>) -> Option<Step> {
        self.block.collect(cohort)
    }

    pub(super) fn finding(&self, cohort: &Cohort<'_>) -> Finding {
        let arms = self.kept.len() + 1;
        let mut scores = vec![Vec::new(); arms];
        for (i, (_, result)) in self.block.results(cohort).enumerate() {
            scores[i % arms].extend(result.ok());
        }
        let full = std::mem::take(&mut scores[0]);
        if full.is_empty() {
            return Finding::Lost;
        }
        let reference = mean(&full);
        // Where a stack without it does not run, nothing speaks against it.
        let others = scores[1..].iter().zip(&self.kept).filter(|(scores, _)| !scores.is_empty());
        let worst =
            others.map(|(scores, j)| (*j, reference - mean(scores))).min_by(|a, b| a.1.total_cmp(&b.1));
        match worst {
            Some((j, estimate)) if estimate <= 0.0 => Finding::Drop(j, estimate),
            _ => Finding::Stands(full),
        }
    }
}
