//! Peeling: before fused units are certified, the later edits of their chains are switched off one by one, on fresh runs.
//!
//! It only chooses what gets certified on further fresh runs, so it cannot hurt validity.

use super::block::{Block, Results};
use super::stack::Stack;
use crate::accept::Cohort;
use crate::accept::decision::{Decision, Step};
use crate::arm::{Arm, ProposalId};
use crate::propose::Effect;
use crate::stats::{Residual, block_runs, student_quantile};
use std::collections::BTreeSet;

/// The smallest block: an edit that is worth having must not go for the noise of a few runs.
const LEAST: usize = 16;

/// What so many fused edits may cost at most.
pub(super) fn cost(fused: usize) -> u64 {
    if fused == 0 { 0 } else { block_runs(fused).max(LEAST) as u64 }
}

#[derive(Debug, Default)]
pub(super) struct Peel {
    /// The edits that are being switched, and their runs.
    block: Option<(Vec<ProposalId>, Block)>,
    tested: BTreeSet<ProposalId>,
    residual: Residual,
}

impl Peel {
    /// The next step; `None` when no edit of the stack's units is left to be tested within so many runs.
    pub(super) fn next(
        &mut self,
        stack: &mut Stack,
        noise: Residual,
        drop: f64,
        most: u64,
        cohort: &Cohort<'_>,
    ) -> Option<Step> {
        if let Some((edits, block)) = &mut self.block {
            let results = match block.collect(cohort) {
                Ok(results) => results,
                Err(step) => return Some(step),
            };
            let edits = std::mem::take(edits);
            self.block = None;
            let decisions = self.judge(edits, &results, stack, noise, drop, cohort);
            if !decisions.is_empty() {
                return Some(Step::Decide(decisions));
            }
        }
        let edits = stack.last_of_chains(cohort);
        let edits: Vec<ProposalId> = edits.into_iter().filter(|p| !self.tested.contains(p)).collect();
        if edits.is_empty() || cost(edits.len()) > most {
            return None;
        }
        self.tested.extend(&edits);
        let switched = edits.iter().map(|p| Arm::single(*p)).collect();
        let (block, step) = Block::plan(stack.arm().clone(), switched, cost(edits.len()) as usize, cohort);
        self.block = Some((edits, block));
        Some(step)
    }

    /// Takes those out of the stack that did not earn their place.
    fn judge(
        &mut self,
        edits: Vec<ProposalId>,
        results: &Results,
        stack: &mut Stack,
        noise: Residual,
        drop: f64,
        cohort: &Cohort<'_>,
    ) -> Vec<Decision> {
        let factors: Vec<usize> = (0..edits.len()).collect();
        let Ok(fit) = results.fit(&factors) else { return Vec::new() };
        self.residual = self.residual.pooled(fit.residual);
        let s = noise.variance().unwrap_or(0.0).sqrt();
        let weak = fit.weak(self.residual, s, drop);
        let pooled = noise.pooled(self.residual);
        let half = -student_quantile(0.025, pooled.df) * pooled.variance().unwrap_or(f64::NAN).sqrt();
        let runs = (results.runs.len() / 2) as u32;
        let decision = |&j: &usize| {
            let (b, half) = (fit.coefficients[j], half / fit.information[j].sqrt());
            let reason = "peeled off its unit: switched on and off on fresh runs, it did not earn its place";
            let effect = Effect::new(b, (b - half, b + half), 0.95, runs, true);
            Decision::reject(edits[j], reason).effect(Some(effect))
        };
        let decisions = weak.iter().map(decision).collect();
        let peeled: Vec<ProposalId> = weak.iter().map(|&j| edits[j]).collect();
        stack.peel(&peeled, cohort);
        decisions
    }
}
