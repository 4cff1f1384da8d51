//! Runs of the incumbent itself that no decision has picked: the sentinels of drift and of the endpoint.

use crate::accept::Role;
use crate::arm::{ProposalId, RunId, Version};
use crate::state::RunSpec;
use std::collections::BTreeMap;

/// One run of the incumbent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sentinel {
    pub(super) run: RunId,
    pub(super) version: Version,
    pub(super) loss: f64,
}

/// Picks sentinels from the runs that policies make anyway.
///
/// Calibration runs count at once. Of the runs that a proposal was tested against only the first counts, once the
/// proposal was not kept: how many there are, and when a version of the incumbent ends, depends on what they showed, so
/// that the others lean to one side.
#[derive(Debug, Default)]
pub(super) struct Sentinels {
    waiting: BTreeMap<ProposalId, Sentinel>,
}

impl Sentinels {
    pub(super) fn finished(&mut self, spec: &RunSpec, loss: f64) -> Option<Sentinel> {
        let sentinel = Sentinel { run: spec.id, version: spec.version, loss };
        match (spec.arm.is_incumbent(), spec.role, spec.about) {
            (true, Role::Calibrate, _) | (true, Role::Confirm, None) => Some(sentinel),
            (true, Role::Confirm, Some(proposal)) => {
                let first = self.waiting.entry(proposal).or_insert(sentinel);
                if sentinel.run < first.run {
                    *first = sentinel;
                }
                None
            }
            _ => None,
        }
    }

    pub(super) fn settled(&mut self, proposal: ProposalId, kept: bool) -> Option<Sentinel> {
        self.waiting.remove(&proposal).filter(|_| !kept)
    }
}
