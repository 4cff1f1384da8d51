//! The facts that a study is made of, as they are stored.

use crate::accept::{Role, Strength};
use crate::arm::{Arm, ProposalId, QuestionId, RunId, Version};
use crate::failure::RunFailure;
use crate::holdout::{Answer, Basis, FinalResult, Release};
use crate::limits::{Limits, StopReason};
use crate::measure::Measurement;
use crate::meter::Charge;
use crate::propose::{Effect, Fate, Proposal};
use crate::state::{Move, Settings};
use serde::{Deserialize, Serialize};

/// A run as it is planned: everything that decides its outcome but the candidate itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunSpec {
    /// Its number.
    pub id: RunId,
    /// What it trains.
    pub arm: Arm,
    /// The incumbent that the arm is applied to; 0 is the baseline.
    pub version: Version,
    /// Its seed.
    pub seed: u64,
    /// What it is for.
    pub role: Role,
    /// Whose judgement it belongs to, where the arm does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<ProposalId>,
}

/// What came of a run.
pub type Outcome = Result<Measurement, RunFailure>;

/// One entry of a study's history. Facts come from outside; `Settled` and `Stopped` follow from the facts, and are
/// stored so that a reader needs no acceptor to understand the history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event<C> {
    /// The study began.
    Opened {
        /// Its identifier.
        study: String,
        /// What it started from.
        baseline: C,
        /// Direction, seed, limits, holdout and test split.
        settings: Settings,
        /// The acceptor's name and settings.
        policy: String,
        /// What executor and evaluators said of themselves: data, fidelity, threads.
        executor: String,
    },
    /// The study was opened again, with other limits or after a stop.
    Resumed {
        /// The limits from here on.
        limits: Limits,
        /// Runs under way at once from here on.
        in_flight: usize,
    },
    /// The proposer answered.
    Proposed {
        /// The first proposal's number; the others count on from it.
        first: ProposalId,
        /// What they were built upon.
        on: Arm,
        /// The incumbent below that.
        version: Version,
        /// The candidates and their hypotheses.
        proposals: Vec<Proposal<C>>,
    },
    /// Ideas came, and wait in the backlog.
    Queued {
        /// The first idea's number in the backlog; the others count on from it.
        first: ProposalId,
        /// What they were built upon.
        on: Arm,
        /// The incumbent below that.
        version: Version,
        /// The candidates and their hypotheses.
        ideas: Vec<Proposal<C>>,
        /// Whether the proposer was asked for them; else they are a person's.
        asked: bool,
    },
    /// An idea of the backlog moved.
    Moved {
        /// Its number in the backlog.
        idea: ProposalId,
        /// How.
        to: Move,
    },
    /// The proposer will make no more proposals.
    Exhausted,
    /// The proposer has nothing to say before something else has happened. Stored where runs are judged in order
    /// ([`DecisionOrder::AsProposed`](crate::DecisionOrder::AsProposed)), since it decides when the next one is.
    Waited,
    /// The proposer's next answer would cost more than the limit on money leaves.
    Unaffordable,
    /// Something cost money.
    Charged(Charge),
    /// Somebody had something to say to whoever reads the history: why an answer of a model was not used, say.
    Remarked {
        /// What.
        text: String,
    },
    /// A run ended. A run lost to the infrastructure ends here too, and is then attempted again.
    Finished {
        /// Which run.
        run: RunSpec,
        /// Which attempt at it.
        attempt: u32,
        /// What came of it.
        outcome: Outcome,
        /// Seconds that it took, evaluation included.
        seconds: f64,
        /// Seconds that the study had been running by then.
        elapsed: f64,
    },
    /// A run was ended before its time: it was told to stop, or dropped. It is planned again; what it took is spent.
    Interrupted {
        /// Which run.
        run: RunId,
        /// Seconds that it took.
        seconds: f64,
    },
    /// The holdout answered.
    Answered {
        /// Which question.
        question: QuestionId,
        /// About which proposal.
        proposal: ProposalId,
        /// The one bit, and what it rests on.
        answer: Answer,
        /// What the holdout's rule released besides.
        #[serde(default, skip_serializing_if = "Release::is_nothing")]
        release: Release,
    },
    /// The holdout answered about several factors at once.
    Examined {
        /// Which question.
        question: QuestionId,
        /// About what.
        factors: Vec<Arm>,
        /// A bit for each; nothing where its budget did not suffice.
        answers: Vec<Option<bool>>,
        /// What the answers rest on.
        basis: Basis,
        /// What the holdout's rule released besides.
        #[serde(default, skip_serializing_if = "Release::is_nothing")]
        release: Release,
    },
    /// A proposal was accepted on validation, and the holdout has no question left for it: it stays pending.
    Deferred {
        /// Which.
        proposal: ProposalId,
        /// Why, in a sentence.
        reason: String,
    },
    /// The test split was opened.
    Tested {
        /// Baseline against incumbent.
        result: FinalResult,
    },
    /// A proposal was settled.
    Settled {
        /// Which.
        proposal: ProposalId,
        /// What became of it.
        fate: Fate,
        /// Which units of it were kept, where not all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        units: Option<Vec<u16>>,
        /// The proposals that were judged as one with it, itself among them; none where it was judged by itself. What
        /// was stored before this was noted has none.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        together: Vec<ProposalId>,
        /// The incumbent's version afterwards.
        version: Version,
        /// The measured improvement.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        effect: Option<Effect>,
        /// The e-value and its level.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        strength: Option<Strength>,
        /// Runs that trained it.
        runs: u32,
        /// Why.
        reason: String,
    },
    /// Somebody or the clock told the study to stop.
    Stopping {
        /// Why.
        reason: StopReason,
        /// Seconds that the study had been running by then.
        #[serde(default)]
        elapsed: f64,
    },
    /// The study stopped.
    Stopped {
        /// Why.
        reason: StopReason,
    },
}

impl<C> Event<C> {
    /// The event's name, as it is stored.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Opened { .. } => "opened",
            Self::Resumed { .. } => "resumed",
            Self::Proposed { .. } => "proposed",
            Self::Queued { .. } => "queued",
            Self::Moved { .. } => "moved",
            Self::Exhausted => "exhausted",
            Self::Waited => "waited",
            Self::Unaffordable => "unaffordable",
            Self::Charged(_) => "charged",
            Self::Remarked { .. } => "remarked",
            Self::Finished { .. } => "finished",
            Self::Interrupted { .. } => "interrupted",
            Self::Answered { .. } => "answered",
            Self::Examined { .. } => "examined",
            Self::Deferred { .. } => "deferred",
            Self::Tested { .. } => "tested",
            Self::Settled { .. } => "settled",
            Self::Stopping { .. } => "stopping",
            Self::Stopped { .. } => "stopped",
        }
    }

    /// Whether it follows from the facts before it.
    pub(crate) fn is_derived(&self) -> bool {
        match self {
            Self::Settled { .. } | Self::Deferred { .. } | Self::Stopped { .. } => true,
            Self::Moved { to, .. } => to.is_derived(),
            _ => false,
        }
    }
}
