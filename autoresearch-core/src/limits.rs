//! When a study stops by itself, and why it stopped.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// How far a study may go. Without any limit it ends when the proposer has nothing more to say.
///
/// ```
/// use autoresearch_core::Limits;
/// use std::time::Duration;
/// let night = Limits::new().runs(700).wall_clock(Duration::from_secs(8 * 3600));
/// # let _ = night;
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    pub(crate) proposals: Option<u64>,
    pub(crate) runs: Option<u64>,
    pub(crate) accepted: Option<u64>,
    pub(crate) wall_clock: Option<Duration>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) compute: Option<Duration>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) money: Option<f64>,
    pub(crate) consecutive_failures: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            proposals: None,
            runs: None,
            accepted: None,
            wall_clock: None,
            compute: None,
            money: None,
            consecutive_failures: 20,
        }
    }
}

impl Limits {
    /// No limit but 20 failed runs in a row.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says what cannot work as a limit.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.runs == Some(0) {
            let what =
                "the limit on runs is 0, so that not even the baseline could be measured; give at least 1";
            return Err(what.into());
        }
        match self.money {
            Some(money) if !(money > 0.0 && money.is_finite()) => Err(format!(
                "the limit on money is {money}; give an amount above 0, in the currency in which runs and answers are charged"
            )),
            _ => Ok(()),
        }
    }

    /// At most this many proposals.
    #[must_use]
    pub fn proposals(mut self, n: u64) -> Self {
        self.proposals = Some(n);
        self
    }

    /// At most this many runs of the search; retries after infrastructure failures are not counted, nor are the
    /// final runs that open the test split.
    #[must_use]
    pub fn runs(mut self, n: u64) -> Self {
        self.runs = Some(n);
        self
    }

    /// Stop once this many proposals were kept.
    #[must_use]
    pub fn accepted(mut self, n: u64) -> Self {
        self.accepted = Some(n);
        self
    }

    /// Stop after this much time; runs under way are ended, final runs come on top. It goes on counting where a resumed
    /// study left off (where one was killed: at the end of its last finished run).
    #[must_use]
    pub fn wall_clock(mut self, duration: Duration) -> Self {
        self.wall_clock = Some(duration);
        self
    }

    /// Stop once the runs of the search, failed ones, retries and interrupted ones included, took this much time
    /// together; what is under way then is finished and judged. With two runs under way an hour has two hours of it.
    /// What the runs of a killed or dropped study took that had not ended is not known.
    #[must_use]
    pub fn compute(mut self, duration: Duration) -> Self {
        self.compute = Some(duration);
        self
    }

    /// Stop once this much was charged for, in whatever currency executor and proposer charge
    /// ([`RunContext::charge`](crate::RunContext::charge), [`ProposeContext::charge`](crate::ProposeContext::charge));
    /// what is under way then is finished and judged, so that a little more may be spent.
    #[must_use]
    pub fn money(mut self, amount: f64) -> Self {
        self.money = Some(amount);
        self
    }

    /// Stop when this many runs in a row failed, whoever's fault it was (default 20). Runs that the infrastructure lost
    /// count together, as one failure, until one of them is lost again: an outage takes all that are under way, and it is
    /// the attempts in a row that tell it from a hiccup (20 of one run take six minutes of pauses). Where runs are judged
    /// in the order of their planning ([`AsProposed`](crate::DecisionOrder::AsProposed)), failures of candidates are
    /// counted in that order, and lost runs in a row of their own.
    #[must_use]
    pub fn consecutive_failures(mut self, n: u32) -> Self {
        self.consecutive_failures = n.max(1);
        self
    }
}

/// Why a study stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StopReason {
    /// The proposer had nothing more to say and everything is settled.
    Exhausted,
    /// The limit on runs.
    Runs,
    /// The limit on proposals, and all of them are settled.
    Proposals,
    /// The limit on accepted proposals.
    Accepted,
    /// The limit on time.
    WallClock,
    /// The limit on the time that runs take together.
    Compute,
    /// The limit on money.
    Money,
    /// Somebody cancelled it; it can be resumed.
    Cancelled,
    /// The holdout's query budget is spent, so nothing more can be kept.
    HoldoutSpent,
    /// Too many runs failed in a row; the text is the last failure.
    ConsecutiveFailures(String),
    /// The baseline itself does not run.
    BaselineFailed(String),
    /// The proposer failed too often in a row.
    ProposerFailed(String),
    /// The limit on runs is so low that the policy cannot even begin.
    TooFewRuns {
        /// What the policy wants to run before it can judge anything.
        needed: u64,
        /// The limit.
        limit: u64,
    },
    /// The acceptor broke its contract.
    AcceptorFailed(String),
    /// What every run needs is missing or was asked for wrongly, and no run has worked since the study was started. Resuming
    /// tries again.
    SetupFailed(String),
    /// A held-out split could not be measured, at the sixth attempt where it was lost to the infrastructure. Resuming tries
    /// again, as often.
    HeldOutFailed(String),
}

impl StopReason {
    /// Whether the study came to its end, so that the test split may be opened.
    pub fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Exhausted
                | Self::Runs
                | Self::Proposals
                | Self::Accepted
                | Self::WallClock
                | Self::Compute
                | Self::Money
                | Self::HoldoutSpent
        )
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exhausted => f.write_str("nothing left to try"),
            Self::Runs => f.write_str("the limit on runs was reached"),
            Self::Proposals => f.write_str("the limit on proposals was reached, and everything is settled"),
            Self::Accepted => f.write_str("the limit on accepted proposals was reached"),
            Self::WallClock => f.write_str("the time was up"),
            Self::Compute => f.write_str("the limit on compute time was reached"),
            Self::Money => f.write_str("the limit on money was reached"),
            Self::Cancelled => f.write_str("cancelled; it can be resumed"),
            Self::HoldoutSpent => f.write_str("the holdout's query budget is spent"),
            Self::ConsecutiveFailures(last) => {
                write!(f, "too many runs failed in a row, the last with: {last}")
            }
            Self::BaselineFailed(why) => write!(f, "the baseline itself fails: {why}"),
            Self::ProposerFailed(why) => write!(f, "the proposer failed too often in a row: {why}"),
            Self::HeldOutFailed(why) => {
                write!(f, "a held-out split could not be measured: {why}; resume to try again")
            }
            Self::TooFewRuns { needed, limit } => {
                write!(f, "the policy begins with {needed} runs, and the limit on runs is {limit}; raise it")
            }
            Self::SetupFailed(why) => write!(f, "no run can work: {why}; resume once that is mended"),
            Self::AcceptorFailed(why) => write!(f, "the acceptor broke its contract: {why}"),
        }
    }
}
