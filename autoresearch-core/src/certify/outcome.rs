//! What the panel has found so far: the link between the running certification and its result.

use super::judge::Estimate;
use super::result::Verdict;
use super::speed::Curves;
use crate::arm::RunId;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Scores of two arms on equal seeds, and the runs.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Pairs {
    pub(super) origin: Vec<(RunId, f64)>,
    pub(super) now: Vec<(RunId, f64)>,
}

impl Pairs {
    /// The pairs of which both runs gave a number; they come origin first.
    pub(super) fn of(results: &[(RunId, Option<f64>)]) -> Self {
        let mut pairs = Self::default();
        for pair in results.chunks_exact(2) {
            if let [(a, Some(origin)), (b, Some(now))] = *pair {
                pairs.origin.push((a, origin));
                pairs.now.push((b, now));
            }
        }
        pairs
    }

    pub(super) fn scores(runs: &[(RunId, f64)]) -> Vec<f64> {
        runs.iter().map(|(_, score)| *score).collect()
    }
}

/// What can only be switched together.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct UnitOutcome {
    /// Stages of the lineage, counted from 0.
    pub(super) stages: Vec<usize>,
    pub(super) estimate: Option<Estimate>,
    pub(super) elsewhere: Option<Estimate>,
    pub(super) verdict: Verdict,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Outcome {
    pub(super) units: Vec<UnitOutcome>,
    /// The kept stack against the origin.
    pub(super) kept: Option<Pairs>,
    /// What stands against the origin, and whether these runs are others than those of `kept`.
    pub(super) standing: Option<(Pairs, bool)>,
    pub(super) transfer: Option<Pairs>,
    /// Of the runs whose evaluator gives them.
    pub(super) curves: Curves,
    /// Runs planned: totals, parts, transfer.
    pub(super) runs: [u64; 3],
    pub(super) complete: bool,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Shared(Arc<Mutex<Outcome>>);

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Outcome> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
