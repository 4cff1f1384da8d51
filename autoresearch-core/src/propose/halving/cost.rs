//! What screening has cost.

use crate::fidelity::Fidelity;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What the screening runs of a [`Halving`](super::Halving) have cost so far; a handle to keep while the study has the
/// proposer. None of them is among the runs that a study counts, limits or reports.
///
/// Counts are of this process: a restart begins at zero.
#[derive(Debug, Clone)]
pub struct Screens(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    rungs: Vec<(Fidelity, AtomicU64)>,
    lost: AtomicU64,
    proposed: AtomicU64,
}

impl Screens {
    pub(super) fn new(rungs: impl IntoIterator<Item = Fidelity>) -> Self {
        let rungs = rungs.into_iter().map(|fidelity| (fidelity, AtomicU64::new(0))).collect();
        Self(Arc::new(Counts { rungs, lost: AtomicU64::new(0), proposed: AtomicU64::new(0) }))
    }

    /// Screening runs started, lost ones too.
    pub fn runs(&self) -> u64 {
        self.by_rung().iter().map(|(_, runs)| runs).sum()
    }

    /// Screening runs started at each fidelity, lowest first.
    pub fn by_rung(&self) -> Vec<(Fidelity, u64)> {
        self.0.rungs.iter().map(|(fidelity, runs)| (*fidelity, runs.load(Ordering::Relaxed))).collect()
    }

    /// How many of them were lost to the infrastructure.
    pub fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }

    /// Settings that came through, and were proposed.
    pub fn proposed(&self) -> u64 {
        self.0.proposed.load(Ordering::Relaxed)
    }

    pub(super) fn started(&self, rung: usize) {
        if let Some((_, runs)) = self.0.rungs.get(rung) {
            runs.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn one_lost(&self) {
        self.0.lost.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn one_proposed(&self) {
        self.0.proposed.fetch_add(1, Ordering::Relaxed);
    }
}
