//! Which hypothesis deserves the next run: a backlog is ranked, and what becomes of its ideas is learned from.
//!
//! What waits, and every move of it, is the state machine's business; here is who puts it into an order, and what is
//! known of sources and tags by then. All of it is pure: the same history and the same seed give the same order.

mod calibration;
mod critic;
mod curation;
mod differ;
mod fifo;
mod gain;
mod lessons;
mod listing;
mod page;
mod person;
mod room;
mod worth;

pub use calibration::{Calibration, Edge};
pub use critic::Critic;
pub use curation::Curation;
pub(crate) use curation::Rules;
pub use fifo::Fifo;
pub use gain::ExpectedGain;
pub use lessons::{GroupLesson, Lessons, NearMiss, SignChange};
pub(crate) use listing::{Listed, Listing, Wanted};
pub use person::Person;
pub use room::Room;

use crate::arm::{ProposalId, Version};
use crate::propose::{Effect, Fate, Hypothesis, TrialRecord};
use std::fmt;
use std::sync::Arc;

/// An idea that waits.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Waiting<'a> {
    /// Its number.
    pub id: ProposalId,
    /// What is said of it.
    pub hypothesis: &'a Hypothesis,
    /// Its place in the order of arrival.
    pub arrived: u64,
    /// What its change switches, where the composer can tell: two ideas that share a key are alternatives.
    pub keys: &'a [Arc<str>],
    /// Whether a person wants it next, whatever a curator says.
    pub pinned: bool,
    /// The place that a person gave it, counted from 0 for the first.
    pub place: Option<u64>,
}

impl<'a> Waiting<'a> {
    /// An idea that nobody has touched, and of which it is not known what it switches.
    pub fn new(id: ProposalId, hypothesis: &'a Hypothesis, arrived: u64) -> Self {
        Self { id, hypothesis, arrived, keys: &[], pinned: false, place: None }
    }

    /// What its change switches.
    #[must_use]
    pub fn keys(mut self, keys: &'a [Arc<str>]) -> Self {
        self.keys = keys;
        self
    }

    /// Wanted next, whatever a curator says.
    #[must_use]
    pub fn pinned(mut self) -> Self {
        self.pinned = true;
        self
    }

    /// The place that a person gave it, counted from 0.
    #[must_use]
    pub fn place(mut self, place: u64) -> Self {
        self.place = Some(place);
        self
    }
}

/// An idea that was tried. It holds nothing of the holdout but the one bit in its [`fate`](Self::fate).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settled<'a> {
    /// Its number.
    pub id: ProposalId,
    /// What was said of it.
    pub hypothesis: &'a Hypothesis,
    /// What became of it.
    pub fate: Fate,
    /// The measured improvement on validation, if it was measured.
    pub effect: Option<Effect>,
    /// Runs that trained it.
    pub runs: u32,
    /// The incumbent's version when it was settled.
    pub version: Version,
    /// Why, in a sentence.
    pub reason: &'a str,
}

impl<'a> Settled<'a> {
    /// An idea of which nothing was measured.
    pub fn new(id: ProposalId, hypothesis: &'a Hypothesis, fate: Fate, runs: u32) -> Self {
        Self { id, hypothesis, fate, effect: None, runs, version: Version(0), reason: "" }
    }

    /// What was measured.
    #[must_use]
    pub fn effect(mut self, effect: Option<Effect>) -> Self {
        self.effect = effect;
        self
    }

    /// The incumbent's version when it was settled.
    #[must_use]
    pub fn version(mut self, version: Version) -> Self {
        self.version = version;
        self
    }

    /// Whether it was measured to be better, and was not kept.
    pub(crate) fn is_near(&self) -> bool {
        matches!(self.fate, Fate::Rejected | Fate::SetAside | Fate::Undecided)
            && self.effect.is_some_and(|effect| effect.mean > 0.0)
    }

    /// Why, in a sentence.
    #[must_use]
    pub fn because(mut self, reason: &'a str) -> Self {
        self.reason = reason;
        self
    }
}

impl<'a, C> From<&'a TrialRecord<C>> for Settled<'a> {
    fn from(record: &'a TrialRecord<C>) -> Self {
        let TrialRecord { id, proposal, fate, effect, runs, version, reason, .. } = record;
        let (id, hypothesis, reason) = (*id, &proposal.hypothesis, reason.as_str());
        Self { id, hypothesis, fate: *fate, effect: *effect, runs: *runs, version: *version, reason }
    }
}

/// What a curator is told when it is asked for an order.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Ranking<'a> {
    /// How many ideas are about to be taken. They are tried side by side: a set of several should differ.
    pub wanted: usize,
    /// A number that differs from ranking to ranking and is the same on replay.
    pub seed: u64,
    /// The incumbent's version.
    pub version: Version,
    /// What was said of the proposals that new ones build upon although they are unproven: the stack of a policy that
    /// scouts ahead. They were found better in a run, and are settled much later.
    pub stack: &'a [&'a Hypothesis],
}

impl<'a> Ranking<'a> {
    /// So many are wanted; all that is random follows from the seed.
    pub fn new(wanted: usize, seed: u64) -> Self {
        Self { wanted, seed, version: Version(0), stack: &[] }
    }

    /// What is on the stack.
    #[must_use]
    pub fn stack(mut self, stack: &'a [&'a Hypothesis]) -> Self {
        self.stack = stack;
        self
    }

    /// The incumbent's version.
    #[must_use]
    pub fn version(mut self, version: Version) -> Self {
        self.version = version;
        self
    }
}

/// Says which of the ideas that wait is tried next.
///
/// Pure: the order follows from what was [settled](Self::settled), the ideas and the seed. It reads no clock and has no
/// randomness of its own. What is chosen by it is tested on fresh runs all the same, so no order makes junk likelier to
/// be kept than the acceptor allows.
///
/// ```
/// use autoresearch_core::{Curator, ProposalId, Ranking, Settled, Waiting};
/// /// The shortest title first.
/// struct Terse;
/// impl Curator for Terse {
///     fn rank(&mut self, backlog: &[Waiting<'_>], _cx: &Ranking<'_>) -> Vec<ProposalId> {
///         let mut order: Vec<_> = backlog.iter().collect();
///         order.sort_by_key(|idea| (idea.hypothesis.title.len(), idea.arrived));
///         order.iter().map(|idea| idea.id).collect()
///     }
///     fn describe(&self) -> String { "terse".into() }
/// }
/// ```
pub trait Curator: Send {
    /// All of the backlog, best first. One that is left out comes after those that are named.
    fn rank(&mut self, backlog: &[Waiting<'_>], cx: &Ranking<'_>) -> Vec<ProposalId>;

    /// Called once for each idea that was tried, in store order, and again when a stored study is opened.
    fn settled(&mut self, _outcome: &Settled<'_>) {}

    /// Name and settings in one line; a stored study goes on only with the same.
    fn describe(&self) -> String;
}

#[deny(clippy::missing_trait_methods)]
impl<T: Curator + ?Sized> Curator for Box<T> {
    fn rank(&mut self, backlog: &[Waiting<'_>], cx: &Ranking<'_>) -> Vec<ProposalId> {
        (**self).rank(backlog, cx)
    }
    fn settled(&mut self, outcome: &Settled<'_>) {
        (**self).settled(outcome);
    }
    fn describe(&self) -> String {
        (**self).describe()
    }
}

impl fmt::Debug for dyn Curator + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}
