//! What the holdout was asked.

use super::Fold;
use super::trial::find;
use autoresearch_core::{Answer, Arm, Basis, Release};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// What the holdout was asked. It answers with bits, and they are all that is here.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct HoldoutUse {
    /// Questions that a shard answers.
    pub queries: u64,
    /// Shards.
    pub shards: u64,
    /// Bits that were answered.
    pub asked: u64,
    /// Those that were a yes.
    pub yes: u64,
    /// Answers about outputs that could not be measured, which count as a no.
    pub unmeasured: u64,
    /// Questions about several proposals at once that found the budget spent.
    pub refused: u64,
    /// What noise the answers took into account, and how often.
    pub basis: BTreeMap<String, u64>,
    /// What the holdout's rule released besides its bits, by its design.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<Release>,
}

impl HoldoutUse {
    /// Questions that are left.
    pub fn left(&self) -> u64 {
        (self.queries.saturating_mul(self.shards)).saturating_sub(self.asked)
    }
}

impl Fold {
    /// A question about one proposal.
    pub(super) fn asked_about_one(&mut self, proposal: u64, answer: Answer, release: Release) {
        self.answered(Some(answer.passed), answer.basis);
        self.released(release);
        if let Some(trial) = find(&mut self.trials, proposal) {
            trial.held_out = Some(answer.passed);
        }
    }

    /// A question about several at once.
    pub(super) fn asked_about_several(
        &mut self,
        factors: &[Arm],
        answers: &[Option<bool>],
        basis: Basis,
        release: Release,
    ) {
        for (factor, answer) in factors.iter().zip(answers) {
            self.answered(*answer, basis);
            let mut of: Vec<u64> = factor.proposals().map(|p| p.0).collect();
            if let (Some(passed), Some(only), true) = (answer, of.pop(), of.is_empty())
                && let Some(trial) = find(&mut self.trials, only)
            {
                // A proposal of several units has several answers.
                trial.held_out = Some(trial.held_out.unwrap_or(false) || *passed);
            }
        }
        self.released(release);
    }

    fn released(&mut self, release: Release) {
        if let Some(holdout) = &mut self.holdout {
            holdout.release = Some(release).filter(|r| *r != Default::default()).or(holdout.release);
        }
    }

    fn answered(&mut self, answer: Option<bool>, basis: Basis) {
        let holdout = self.holdout.get_or_insert_default();
        match answer {
            None => holdout.refused += 1,
            Some(passed) => {
                holdout.asked += 1;
                holdout.yes += u64::from(passed);
                holdout.unmeasured += u64::from(basis == Basis::Unmeasured);
                let basis = serde_json::to_value(basis).ok();
                let name = basis.as_ref().and_then(Value::as_str).unwrap_or("other").replace('_', " ");
                *holdout.basis.entry(name).or_default() += 1;
            }
        }
    }
}
