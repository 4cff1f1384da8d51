//! An idea of the backlog: what is said of it, where it stands, and how that can move.

use crate::arm::{Arm, ProposalId, Version};
use crate::propose::{Fate, Hypothesis, Proposal};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// How an idea of the backlog moves. The first six come from people; the others follow from what is known, and are
/// stored as conclusions are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Move {
    /// Somebody does not want it tried for now.
    Shelved {
        /// Why.
        reason: String,
    },
    /// Somebody does not want it tried at all.
    Vetoed {
        /// Why.
        reason: String,
    },
    /// It waits again, after it was shelved or vetoed.
    Restored,
    /// Somebody wants it next, or no longer does.
    Pinned(bool),
    /// Somebody gave it this place in the order, counted from 0, or took it back.
    Placed(Option<u64>),
    /// Somebody expects something else of it.
    Expected {
        /// The expected improvement.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expected: Option<f64>,
        /// Its standard deviation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spread: Option<f64>,
        /// The probability of being kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kept: Option<f64>,
    },
    /// It is tried, as this proposal.
    Taken {
        /// Its number from here on.
        proposal: ProposalId,
    },
    /// More waited than there is room for, and others were ranked before it: it is shelved.
    PassedOver,
    /// Nothing else waits, and nobody has anything new: it is taken from the shelf.
    Recalled,
    /// It does not apply to the incumbent of now: it is shelved.
    Outdated {
        /// Why.
        reason: String,
    },
    /// It is known, so it is not tried.
    Known {
        /// The idea that it repeats; nothing: it is what the incumbent is anyway.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<ProposalId>,
        /// What was found out the last time.
        found: String,
    },
}

impl Move {
    /// Whether it follows from the facts before it.
    pub(crate) fn is_derived(&self) -> bool {
        matches!(
            self,
            Self::Taken { .. }
                | Self::PassedOver
                | Self::Recalled
                | Self::Outdated { .. }
                | Self::Known { .. }
        )
    }
}

/// Where an idea of the backlog stands.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum IdeaState {
    /// It waits.
    New,
    /// It is not tried for now, for this reason.
    Shelved(String),
    /// It is not tried, because somebody said so.
    Vetoed(String),
    /// It is being judged, as this proposal.
    Running(ProposalId),
    /// It was judged.
    Settled(ProposalId, Fate),
    /// It was recognised, with what was found out the last time.
    Known(String),
}

impl fmt::Display for IdeaState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New => f.write_str("new"),
            Self::Shelved(why) => write!(f, "shelved: {why}"),
            Self::Vetoed(why) => write!(f, "vetoed: {why}"),
            Self::Running(as_what) => write!(f, "running as {as_what}"),
            Self::Settled(as_what, fate) => write!(f, "settled as {as_what}: {fate}"),
            Self::Known(found) => write!(f, "known: {found}"),
        }
    }
}

/// An idea of the backlog, as [`StudyState::backlog`](crate::StudyState::backlog) tells of it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct BacklogEntry {
    /// Its number in the backlog. As a proposal it gets another, when it is tried.
    pub id: ProposalId,
    /// What is said of it.
    pub hypothesis: Hypothesis,
    /// Where it stands.
    pub state: IdeaState,
    /// Whether somebody wants it next.
    pub pinned: bool,
    /// The place that somebody gave it, counted from 0.
    pub place: Option<u64>,
}

/// An idea with what it takes to try it.
pub(super) struct Idea<C> {
    pub(super) proposal: Arc<Proposal<C>>,
    /// What it was made on: that candidate, which arm it was, and the incumbent's version below.
    pub(super) parent: Arc<C>,
    pub(super) on: Arm,
    pub(super) version: Version,
    /// What its change switches; nothing where that is not known.
    pub(super) keys: Vec<Arc<str>>,
    pub(super) state: IdeaState,
    pub(super) pinned: bool,
    pub(super) place: Option<u64>,
    /// Of one that was settled: when, and what was found.
    pub(super) settled: Version,
    pub(super) found: String,
    /// It was measured to be better and not kept: worth another look when the incumbent has moved.
    pub(super) near: bool,
}

impl<C> Idea<C> {
    pub(super) fn entry(&self, id: ProposalId) -> BacklogEntry {
        BacklogEntry {
            id,
            hypothesis: self.proposal.hypothesis.clone(),
            state: self.state.clone(),
            pinned: self.pinned,
            place: self.place,
        }
    }
}
