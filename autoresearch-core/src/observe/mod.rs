//! Watching a study. Nothing of the holdout or the test split comes through here but the verdicts, and the alarm that
//! validation is being mined.

#[cfg(feature = "progress")]
mod left;
#[cfg(feature = "progress")]
mod progress;

#[cfg(feature = "progress")]
pub use progress::Progress;

use crate::arm::{Arm, ProposalId, RunId};
use crate::checks::Concern;
use crate::execute::RunProgress;
use crate::failure::RunFailure;
use crate::limits::StopReason;
use crate::propose::{Effect, Fate};

/// Something that happened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Notice<'a> {
    /// The study begins, or goes on.
    Opened {
        /// Whether its store had a history already.
        resumed: bool,
    },
    /// A proposal was made.
    Proposed {
        /// Its number.
        proposal: ProposalId,
        /// Its title.
        title: &'a str,
    },
    /// A run started.
    RunStarted {
        /// Its number.
        run: RunId,
        /// What it trains.
        arm: &'a Arm,
        /// 0, or how often it was lost before.
        attempt: u32,
    },
    /// A run tells how far it is.
    RunProgress {
        /// Its number.
        run: RunId,
        /// How far.
        progress: RunProgress,
    },
    /// A run gave a number.
    RunFinished {
        /// Its number.
        run: RunId,
        /// What it trained.
        arm: &'a Arm,
        /// Its objective on validation.
        objective: f64,
        /// Seconds it took.
        seconds: f64,
    },
    /// A run gave none.
    RunFailed {
        /// Its number.
        run: RunId,
        /// Why.
        failure: &'a RunFailure,
    },
    /// A proposal was settled.
    Settled {
        /// Its number.
        proposal: ProposalId,
        /// Its title.
        title: &'a str,
        /// What became of it.
        fate: Fate,
        /// The measured improvement on validation.
        effect: Option<Effect>,
        /// Why.
        reason: &'a str,
    },
    /// An overfitting check raised an alarm, for the first time in this session. It is for whoever watches: no decision
    /// rests on it, and whoever tells a proposer of it tells it an answer of the holdout, if it is about the split.
    Concern {
        /// Which.
        concern: Concern,
    },
    /// The study stopped.
    Stopped {
        /// Why.
        reason: &'a StopReason,
    },
}

/// Where the study stands.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Status {
    /// Finished runs.
    pub runs: u64,
    /// How many there may be.
    pub runs_limit: Option<u64>,
    /// Proposals made.
    pub proposals: u64,
    /// How many there may be.
    pub proposals_limit: Option<u64>,
    /// Proposals kept.
    pub kept: u64,
    /// Runs under way.
    pub in_flight: usize,
    /// The baseline's mean objective, once it has run.
    pub baseline: Option<f64>,
    /// The incumbent's mean objective over its own runs, once it has run.
    pub incumbent: Option<f64>,
    /// What new proposals build upon without its being proved; `None`: they build upon the incumbent.
    pub stack: Option<Unproven>,
    /// Questions that the holdout still answers; `None` where there is no holdout.
    pub holdout_left: Option<u64>,
    /// Seconds that the study has been running, resumptions included.
    pub elapsed: f64,
    /// Seconds that it may run.
    pub wall_clock: Option<f64>,
    /// Seconds of all runs together.
    pub compute: f64,
    /// How many they may be.
    pub compute_limit: Option<f64>,
    /// What was charged for.
    pub money: f64,
    /// How much it may be.
    pub money_limit: Option<f64>,
}

/// A stack of edits that proposals build upon before it is tested ([`Scout`](crate::Scout)): nothing of it need hold.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Unproven {
    /// How many proposals it has something of.
    pub edits: u64,
    /// The mean objective of the runs of exactly this stack, which helped to choose it: it looks better than it is. `None`:
    /// it never ran as it is.
    pub objective: Option<f64>,
}

/// Is told what happens in a study, in order. Called between facts: be quick, or hand over to a thread of your own.
pub trait Observe: Send {
    /// Something happened, and this is where the study stands now.
    fn notice(&mut self, notice: &Notice<'_>, status: &Status);
}

/// A closure `|notice, status| …` observes.
impl<F: FnMut(&Notice<'_>, &Status) + Send> Observe for F {
    fn notice(&mut self, notice: &Notice<'_>, status: &Status) {
        self(notice, status);
    }
}
