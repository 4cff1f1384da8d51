//! What became of earlier proposals.

use crate::arm::{ProposalId, Version};
use crate::candidate::Candidate;
use crate::propose::Proposal;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// What became of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fate {
    /// It is part of the incumbent.
    Kept,
    /// It was not found better.
    Rejected,
    /// The policy accepted it on validation, and the holdout said no.
    HeldBack,
    /// It was not better in the run that scouted it. It may be taken up again, and be settled once more.
    SetAside,
    /// Neither shown to be useful nor found harmful: it is part of the bolder stack, not of the incumbent.
    Undecided,
    /// It crashed, ran out of memory or time, or gave no valid metric.
    Failed,
    /// It does not apply to the incumbent any more.
    Conflict,
    /// It was kept once and is not any more: certification no longer finds it useful.
    Revoked,
}

impl Fate {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Rejected => "rejected",
            Self::HeldBack => "held back",
            Self::SetAside => "set aside",
            Self::Undecided => "undecided",
            Self::Failed => "failed",
            Self::Conflict => "conflict",
            Self::Revoked => "revoked",
        }
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A measured improvement, in the objective's own units, positive for better.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Effect {
    /// The estimate.
    pub mean: f64,
    /// The lower end of the interval; `None`: nothing can be said.
    pub low: Option<f64>,
    /// The upper end of the interval; `None`: nothing can be said.
    pub high: Option<f64>,
    /// The interval's level, such as .95.
    pub level: f64,
    /// Runs of the candidate behind it.
    pub runs: u32,
    /// Whether all these runs are fresh: none of them helped to choose the proposal.
    pub fresh: bool,
    /// By how much the policy took what it was measured against to be better than the incumbent: above 0 for a stack of
    /// unproven proposals. It puts effects of different times on one scale, and nothing vouches for it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub upon: f64,
}

fn is_zero(x: &f64) -> bool {
    *x == 0.0
}

impl Effect {
    /// An estimate with an interval; ends that are not finite mean that nothing can be said.
    pub fn new(mean: f64, interval: (f64, f64), level: f64, runs: u32, fresh: bool) -> Self {
        let end = |x: f64| x.is_finite().then_some(x);
        Self { mean, low: end(interval.0), high: end(interval.1), level, runs, fresh, upon: 0.0 }
    }

    /// Measured against what seems to be so much better than the incumbent.
    #[must_use]
    pub fn upon(mut self, gain: f64) -> Self {
        self.upon = gain;
        self
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:+.4}", self.mean)?;
        match (self.low, self.high) {
            (Some(low), Some(high)) => write!(f, " [{low:+.4}, {high:+.4}]")?,
            _ => f.write_str(" [no interval]")?,
        }
        if !self.fresh {
            f.write_str(" (selected, not fresh)")?;
        }
        Ok(())
    }
}

/// A proposal that an unproven stack took up, before anything is certified.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Taken<C> {
    /// Its number.
    pub id: ProposalId,
    /// The candidate as it was proposed, and its hypothesis.
    pub proposal: Arc<Proposal<C>>,
    /// What it seemed to add: one run chose it and says so, shrunk as far as the policy trusts such runs.
    pub effect: Effect,
}

impl<C> Taken<C> {
    /// A proposal that was taken up: for unit tests, in which no policy says so.
    pub fn new(id: ProposalId, proposal: Arc<Proposal<C>>, effect: Effect) -> Self {
        Self { id, proposal, effect }
    }
}

/// A settled proposal. It holds nothing of the holdout but the one bit in its [`fate`](Self::fate).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TrialRecord<C> {
    /// Its number.
    pub id: ProposalId,
    /// The candidate and its hypothesis.
    pub proposal: Arc<Proposal<C>>,
    /// What it was made on: the incumbent of then, or an unproven stack. The change is the difference between the two.
    pub parent: Arc<C>,
    /// Which units of the change were kept, where not all.
    pub units: Option<Vec<u16>>,
    /// The proposals that were judged as one with it, itself among them: the effect is that of all of them. Empty where
    /// it was judged by itself.
    pub together: Vec<ProposalId>,
    /// The incumbent's version when it was settled.
    pub version: Version,
    /// What became of it.
    pub fate: Fate,
    /// The measured improvement on validation, if it was measured.
    pub effect: Option<Effect>,
    /// Why, in a sentence.
    pub reason: String,
    /// Runs that trained it.
    pub runs: u32,
    /// The keys whose values this is about, where it was judged key by key: each against the incumbent's value, which
    /// need not be the one that the proposal started from.
    pub keys: Vec<String>,
}

impl<C: Candidate> TrialRecord<C> {
    /// A proposal that was settled on the first incumbent after one run, made on a candidate like its own: for unit tests
    /// of what a proposer learns.
    pub fn for_test(id: ProposalId, proposal: Arc<Proposal<C>>, fate: Fate, effect: Option<Effect>) -> Self {
        let parent = Arc::new(proposal.candidate.clone());
        let (units, reason, keys, together) = (None, String::new(), Vec::new(), Vec::new());
        Self {
            id,
            proposal,
            parent,
            units,
            version: Version(0),
            fate,
            effect,
            reason,
            runs: 1,
            keys,
            together,
        }
    }
}

/// All settled proposals, oldest first: a snapshot that costs nothing to make and never changes.
pub struct History<C: Candidate> {
    log: Arc<boxcar::Vec<TrialRecord<C>>>,
    len: usize,
}

impl<C: Candidate> History<C> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing has been settled yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The `i`-th settled proposal, counted from 0.
    pub fn get(&self, i: usize) -> Option<&TrialRecord<C>> {
        if i < self.len { self.log.get(i) } else { None }
    }

    /// All of them, oldest first; `.rev()` for the newest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &TrialRecord<C>> + '_ {
        (0..self.len).filter_map(|i| self.log.get(i))
    }

    /// Only the state machine writes, and it holds the one growing view.
    pub(crate) fn push(&mut self, record: TrialRecord<C>) {
        self.log.push(record);
        self.len = self.log.count();
    }
}

impl<C: Candidate> Default for History<C> {
    fn default() -> Self {
        Self { log: Arc::new(boxcar::Vec::new()), len: 0 }
    }
}

impl<C: Candidate> Clone for History<C> {
    fn clone(&self) -> Self {
        Self { log: Arc::clone(&self.log), len: self.len }
    }
}

impl<C: Candidate> fmt::Debug for History<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "History({} settled)", self.len)
    }
}
