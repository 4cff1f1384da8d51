//! What the state machine wants done.

use crate::accept::Role;
use crate::arm::{Arm, ProposalId, QuestionId, RunId, Version};
use crate::limits::StopReason;
use crate::state::RunSpec;
use std::sync::Arc;

/// What is to be done next.
#[derive(Debug, Clone)]
pub enum Action<C> {
    /// Make proposals and hand them to [`StudyState::proposed`](crate::StudyState::proposed).
    Propose {
        /// How many are wanted.
        wanted: usize,
    },
    /// Run this and hand the outcome to [`StudyState::finished`](crate::StudyState::finished).
    Run(PlannedRun<C>),
    /// Measure the outputs of these runs on a held-out split and hand the measurements, in this order, to
    /// [`StudyState::held_out`](crate::StudyState::held_out).
    AskHoldout(HoldoutQuery<C>),
    /// Nothing until something that is under way comes back.
    Wait,
    /// The study is over.
    Stop(StopReason),
}

/// A run to be made.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PlannedRun<C> {
    /// Its number.
    pub id: RunId,
    /// What to train.
    pub candidate: Arc<C>,
    /// With which seed.
    pub seed: u64,
    /// Which changes are in it.
    pub arm: Arm,
    /// Applied to which incumbent.
    pub version: Version,
    /// What it is for.
    pub role: Role,
    /// 0, or how often it was lost to the infrastructure.
    pub attempt: u32,
}

impl<C> PlannedRun<C> {
    pub(crate) fn new(spec: &RunSpec, candidate: Arc<C>, attempt: u32) -> Self {
        Self {
            id: spec.id,
            candidate,
            seed: spec.seed,
            arm: spec.arm.clone(),
            version: spec.version,
            role: spec.role,
            attempt,
        }
    }
}

/// Which held-out split is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// The holdout: one bit about a proposal that won on validation.
    Holdout,
    /// The holdout's own measurement of the final runs, for the report alone.
    HoldoutReport,
    /// The test split, once, at the end.
    Test,
}

/// Runs whose outputs a held-out split is asked about.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HoldoutQuery<C> {
    /// The question's number.
    pub id: QuestionId,
    /// Which split.
    pub split: Split,
    /// About which proposal; none at the end.
    pub proposal: Option<ProposalId>,
    /// Whose outputs. They are complete runs, so that an output which was lost can be made again.
    pub runs: Vec<PlannedRun<C>>,
}
