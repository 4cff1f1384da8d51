//! `tracing` spans with stable names and fields: `study` ⊃ `trial` ⊃ `run`.
//!
//! | span | fields |
//! |---|---|
//! | `study` | `study`: its identifier |
//! | `trial` | `trial`: the proposal's number; `title` |
//! | `run` | `run`: its number; `arm`; `role`; `version` of the incumbent; `seed`; `attempt` |
//!
//! A trial lasts from its proposal to its settlement; what was set aside and is taken up again is not reopened. A run of
//! one proposal lies in its trial, a run of the incumbent or of a stack in the study. Events: `a run failed`, `settled`,
//! `stopped` and the like. No number of the holdout or the test split is in either.

use crate::arm::ProposalId;
use crate::candidate::Candidate;
use crate::state::{Event, PlannedRun};
use std::collections::HashMap;
use tracing::Span;

/// The span of the study, and those of the trials that are open.
pub(super) struct Spans {
    pub(super) study: Span,
    trials: HashMap<ProposalId, Span>,
}

impl Spans {
    pub(super) fn new(study: &str) -> Self {
        Self { study: tracing::info_span!("study", study), trials: HashMap::new() }
    }

    /// Opens the spans of new proposals.
    pub(super) fn open<C: Candidate>(&mut self, event: &Event<C>) {
        let Event::Proposed { first, proposals, .. } = event else { return };
        for (id, proposal) in (first.0..).map(ProposalId).zip(proposals) {
            let title = &proposal.hypothesis.title;
            let span = tracing::info_span!(parent: &self.study, "trial", trial = id.0, title);
            if !span.is_disabled() {
                self.trials.insert(id, span);
            }
        }
    }

    /// The span of a proposal that is settled; it closes with the last use.
    pub(super) fn close(&mut self, trial: ProposalId) -> Span {
        self.trials.remove(&trial).unwrap_or_else(|| self.study.clone())
    }

    pub(super) fn run<C>(&self, run: &PlannedRun<C>) -> Span {
        let mut proposals = run.arm.proposals();
        let only = proposals.next().filter(|_| proposals.next().is_none());
        let parent = only.and_then(|trial| self.trials.get(&trial)).unwrap_or(&self.study);
        let (arm, role) = (&run.arm, run.role);
        tracing::info_span!(
            parent: parent, "run", run = run.id.0, arm = %arm, role = ?role, version = run.version.0,
            seed = run.seed, attempt = run.attempt
        )
    }
}
