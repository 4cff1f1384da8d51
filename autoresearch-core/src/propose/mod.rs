//! What to try next: proposals, their hypotheses, and the trait of those who make them.

mod dedupe;
mod draft;
mod evolution;
mod ext;
mod halving;
mod history;
mod local;
mod over_space;
mod portfolio;
mod random;
mod score;
mod source;
mod take;
mod tpe;

pub use dedupe::Dedupe;
pub use evolution::Evolution;
pub use ext::ProposerExt;
pub use halving::{Halving, Screens};
pub use history::{Effect, Fate, History, Taken, TrialRecord};
pub use local::LocalSearch;
pub(crate) use portfolio::MARK;
pub use portfolio::Portfolio;
pub use random::RandomSearch;
pub use source::Source;
pub use take::Take;
pub use tpe::Tpe;

use crate::arm::{Arm, ProposalId};
use crate::candidate::Candidate;
use crate::compose::Compose;
use crate::measure::Direction;
use crate::meter::{Charge, Commitment, Meter};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Why somebody thinks a candidate might be better. Only the title matters to readers; nothing here sways a test.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Hypothesis {
    /// One line: what changes.
    pub title: String,
    /// What differs from what it was made on, in a few words or lines, where whoever proposed it can tell.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub change: String,
    /// Why it should help.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rationale: String,
    /// The expected improvement of the objective, positive for better.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<f64>,
    /// The standard deviation of what is expected, in the objective's own units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<f64>,
    /// How probable it is said to be that this is kept, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<f64>,
    /// Labels to group by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Whose idea it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Earlier proposals that it builds on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub builds_on: Vec<ProposalId>,
    /// Earlier proposals whose outcome it doubts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contradicts: Vec<ProposalId>,
    /// What judging it is expected to cost, in runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
}

/// A candidate with its hypothesis.
///
/// ```
/// use autoresearch_core::Proposal;
/// let p = Proposal::new(3e-3).title("lr 3e-3").rationale("the loss still falls fast at the end").expecting(0.01);
/// assert_eq!(p.hypothesis.title, "lr 3e-3");
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Proposal<C> {
    /// The whole edited candidate, not the difference.
    pub candidate: C,
    /// Why it might be better.
    pub hypothesis: Hypothesis,
    /// The earlier proposal whose change this is, made anew upon what it builds on now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebases: Option<ProposalId>,
}

impl<C> Proposal<C> {
    /// A proposal without a hypothesis; give it at least a title.
    pub fn new(candidate: C) -> Self {
        Self { candidate, hypothesis: Hypothesis::default(), rebases: None }
    }

    /// One line that says what changes.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.hypothesis.title = title.into();
        self
    }

    /// What differs from what it was made on, in a few words or lines.
    #[must_use]
    pub fn changing(mut self, difference: impl Into<String>) -> Self {
        self.hypothesis.change = difference.into();
        self
    }

    /// Why it should help.
    #[must_use]
    pub fn rationale(mut self, rationale: impl Into<String>) -> Self {
        self.hypothesis.rationale = rationale.into();
        self
    }

    /// The expected improvement of the objective, positive for better; a number that is not finite is left out.
    #[must_use]
    pub fn expecting(mut self, improvement: f64) -> Self {
        self.hypothesis.expected = improvement.is_finite().then_some(improvement);
        self
    }

    /// The standard deviation of what is expected; one that is negative or not finite is left out.
    #[must_use]
    pub fn give_or_take(mut self, spread: f64) -> Self {
        self.hypothesis.spread = (spread.is_finite() && spread >= 0.0).then_some(spread);
        self
    }

    /// How probable it is that this is kept; a number that is not between 0 and 1 is left out.
    #[must_use]
    pub fn likely(mut self, probability: f64) -> Self {
        self.hypothesis.kept = (0.0..=1.0).contains(&probability).then_some(probability);
        self
    }

    /// Whose idea it is.
    #[must_use]
    pub fn source(mut self, source: Source) -> Self {
        self.hypothesis.source = Some(source);
        self
    }

    /// An earlier proposal that it builds on.
    #[must_use]
    pub fn builds_on(mut self, earlier: ProposalId) -> Self {
        self.hypothesis.builds_on.push(earlier);
        self
    }

    /// An earlier proposal whose outcome it doubts.
    #[must_use]
    pub fn contradicts(mut self, earlier: ProposalId) -> Self {
        self.hypothesis.contradicts.push(earlier);
        self
    }

    /// What judging it is expected to cost, in runs; a number that is not positive and finite is left out.
    #[must_use]
    pub fn costing(mut self, runs: f64) -> Self {
        self.hypothesis.cost = (runs.is_finite() && runs > 0.0).then_some(runs);
        self
    }

    /// Says that this is the change of an earlier proposal, made anew where that one met a conflict
    /// ([`Fate::Conflict`]). A policy may then spare it a second screening; that it is better it has to show like any
    /// other, on runs of its own. Said of a proposal without a conflict it changes nothing.
    #[must_use]
    pub fn rebases(mut self, earlier: ProposalId) -> Self {
        self.rebases = Some(earlier);
        self
    }

    /// Adds a label.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.hypothesis.tags.push(tag.into());
        self
    }
}

/// What a proposer answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Proposed<C> {
    /// These, in this order; more than were asked for are taken as well.
    Proposals(Vec<Proposal<C>>),
    /// Nothing now; ask again when something has been learned, or a little later.
    Wait,
    /// Nothing ever again.
    Exhausted,
}

impl<C> From<Proposal<C>> for Proposed<C> {
    fn from(proposal: Proposal<C>) -> Self {
        Self::Proposals(vec![proposal])
    }
}

impl<C> From<Vec<Proposal<C>>> for Proposed<C> {
    fn from(proposals: Vec<Proposal<C>>) -> Self {
        Self::Proposals(proposals)
    }
}

/// A proposer could not answer. The study asks again, and gives up after several failures in a row; where the answer
/// would cost more than the limit on money leaves, it asks no more, and ends with that reason when everything is judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ProposeError {
    message: String,
    unaffordable: bool,
    pause: Duration,
}

impl ProposeError {
    /// An error with this message.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), unaffordable: false, pause: Duration::ZERO }
    }

    /// The answer would cost more than is left; [`ProposeContext::commit`] says so.
    pub fn unaffordable(message: impl Into<String>) -> Self {
        Self { message: message.into(), unaffordable: true, pause: Duration::ZERO }
    }

    /// The study asks again after this much time at the earliest: where a service is away or wants to be left alone.
    #[must_use]
    pub fn ask_again_after(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// How long the study waits at least before it asks again.
    pub fn pause(&self) -> Duration {
        self.pause
    }

    /// Whether it is the money that is missing.
    pub fn is_unaffordable(&self) -> bool {
        self.unaffordable
    }
}

/// What a proposer knows when it is asked. It holds nothing of the holdout or the test split, and cannot.
///
/// ```compile_fail
/// fn peek<C: autoresearch_core::Candidate>(cx: autoresearch_core::ProposeContext<'_, C>) {
///     let _ = cx.holdout; // there is no such field
/// }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct ProposeContext<'a, C: Candidate> {
    /// What to build upon: the incumbent, or a stack of unproven proposals where the policy scouts ahead.
    pub incumbent: &'a C,
    /// What the study started from.
    pub baseline: Arc<C>,
    /// How many proposals are wanted. One is always welcome.
    pub wanted: usize,
    /// Every settled proposal, oldest first.
    pub history: History<C>,
    /// Those that are being judged now.
    pub pending: Vec<Arc<Proposal<C>>>,
    /// A number that differs from call to call and is the same on replay: seeds the proposer's own randomness.
    pub seed: u64,
    /// Proposals made so far.
    pub proposals: u64,
    /// Runs that the study may still start, where that is limited.
    pub runs_left: Option<u64>,
    /// Whether lower or higher is better; effects in the history are positive for better either way.
    pub direction: Direction,
    /// The mean validation objective of the baseline's runs, once it has run.
    pub baseline_objective: Option<f64>,
    /// The mean validation objective of the incumbent's own runs, once it has run. Not that of an unproven stack, and
    /// after an edit was kept not before the next run.
    pub incumbent_objective: Option<f64>,
    /// Whether runs are planned or under way, or the holdout is being asked. If not, nothing will change by waiting: a
    /// proposer that has nothing more to say is exhausted then, even where proposals are pending (a policy may keep
    /// them on an unproven stack until it is told that no more will come).
    pub under_way: bool,
    /// What a policy that scouts ahead took up into its stack since the incumbent was measured, in that order. Some may
    /// have been replaced since, and are settled as set aside; the others are among the pending ones, or were set
    /// aside before.
    pub taken: Vec<Taken<C>>,
    /// By how much that stack seems better than the incumbent, positive for better; nothing vouches for it. 0 for the
    /// incumbent itself.
    pub standing: f64,
    pub(crate) on: Arm,
    pub(crate) meter: Meter,
}

impl<'a, C: Candidate> ProposeContext<'a, C> {
    /// A context for unit tests: nothing tried yet.
    pub fn for_test(incumbent: &'a C, seed: u64) -> Self {
        Self {
            incumbent,
            baseline: Arc::new(incumbent.clone()),
            wanted: 1,
            history: History::default(),
            pending: Vec::new(),
            seed,
            proposals: 0,
            runs_left: None,
            direction: Direction::default(),
            baseline_objective: None,
            incumbent_objective: None,
            under_way: false,
            taken: Vec::new(),
            standing: 0.0,
            on: Arm::incumbent(),
            meter: Meter::default(),
        }
    }

    /// Says that the answer costs money, in the currency of [`Limits::money`](crate::Limits::money); `what` names whom
    /// it is paid to, for the reader of the history. An amount that is negative or not a number ends the study with a
    /// message.
    pub fn charge(&self, amount: f64, what: &str) {
        self.meter.charge(Charge::new(amount, what));
    }

    /// Sets aside the most that something may cost before it is begun, so that the limit on money
    /// ([`Limits::money`](crate::Limits::money)) is never exceeded by it, whatever else is under way. Settle the
    /// commitment when the cost is known.
    ///
    /// # Errors
    /// The limit leaves less ([`ProposeError::is_unaffordable`]): hand the error on, and the study ends with that reason,
    /// once all that is under way is judged. The amount is negative or not a number.
    pub fn commit(&self, most: f64, what: &str) -> Result<Commitment, ProposeError> {
        self.meter.commit(most, what)
    }

    /// What the limit on money leaves, with what is set aside taken off; `None`: there is no limit.
    pub fn money_left(&self) -> Option<f64> {
        self.meter.left()
    }

    /// Leaves a line in the study's history that no decision rests on: why an answer of a model was not used, say. It is
    /// stored even where no proposal comes of it.
    pub fn remark(&self, text: impl Into<String>) {
        self.meter.remark(text.into());
    }

    /// The same context with a limit on money, so much of it spent: for unit tests.
    #[must_use]
    pub fn with_money(mut self, limit: f64, spent: f64) -> Self {
        self.meter = Meter::new(Some(limit), spent);
        self
    }

    /// What was charged and remarked since the last time: for unit tests, in which no study collects it.
    pub fn take_charges(&self) -> (Vec<Charge>, Vec<String>) {
        let collected = self.meter.collect();
        (collected.charges, collected.remarks)
    }

    /// The arm that [`incumbent`](Self::incumbent) is: empty for the incumbent itself.
    pub fn on(&self) -> &Arm {
        &self.on
    }
}

impl<C: Candidate> fmt::Debug for ProposeContext<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProposeContext")
            .field("incumbent", self.incumbent)
            .field("wanted", &self.wanted)
            .field("settled", &self.history.len())
            .field("pending", &self.pending.len())
            .finish_non_exhaustive()
    }
}

/// Makes proposals.
///
/// # Example
/// ```
/// use autoresearch_core::{async_trait, Proposal, ProposeContext, ProposeError, Proposed, Proposer};
/// struct HalveIt;
/// #[async_trait]
/// impl Proposer<f64> for HalveIt {
///     async fn propose(&mut self, cx: ProposeContext<'_, f64>) -> Result<Proposed<f64>, ProposeError> {
///         let rate = cx.incumbent / 2.0;
///         Ok(Proposal::new(rate).title(format!("rate {rate:.1e}")).into())
///     }
/// }
/// ```
/// For replay and resume a proposer draws its randomness from [`ProposeContext::seed`], not from the clock.
///
/// # Cancel safety
/// The future of `propose` is dropped when the study stops; nothing that it had in mind is then kept.
#[async_trait]
pub trait Proposer<C: Candidate>: Send {
    /// Says what to try next.
    async fn propose(&mut self, cx: ProposeContext<'_, C>) -> Result<Proposed<C>, ProposeError>;

    /// Called once for each settled proposal, in store order, and again when a stored study is opened.
    fn observe(&mut self, _settled: &TrialRecord<C>) {}

    /// How the candidates that this proposer makes are merged, if it knows; [`Study::compose`](crate::Study::compose)
    /// overrides it.
    fn composer(&self) -> Option<Arc<dyn Compose<C>>> {
        None
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<C: Candidate, P: Proposer<C> + ?Sized> Proposer<C> for Box<P> {
    async fn propose(&mut self, cx: ProposeContext<'_, C>) -> Result<Proposed<C>, ProposeError> {
        (**self).propose(cx).await
    }
    fn observe(&mut self, settled: &TrialRecord<C>) {
        (**self).observe(settled);
    }
    fn composer(&self) -> Option<Arc<dyn Compose<C>>> {
        (**self).composer()
    }
}

/// A proposer from a closure that needs no awaiting: `|cx| Ok(Proposal::new(…).into())`.
pub fn proposer_fn<C, F>(propose: F) -> ProposerFn<F>
where
    C: Candidate,
    F: FnMut(ProposeContext<'_, C>) -> Result<Proposed<C>, ProposeError> + Send,
{
    ProposerFn(propose)
}

/// Made by [`proposer_fn`].
pub struct ProposerFn<F>(F);

impl<F> fmt::Debug for ProposerFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProposerFn")
    }
}

#[async_trait]
impl<C, F> Proposer<C> for ProposerFn<F>
where
    C: Candidate,
    F: FnMut(ProposeContext<'_, C>) -> Result<Proposed<C>, ProposeError> + Send,
{
    async fn propose(&mut self, cx: ProposeContext<'_, C>) -> Result<Proposed<C>, ProposeError> {
        (self.0)(cx)
    }
}

#[cfg(test)]
mod over_space_tests;
