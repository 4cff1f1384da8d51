//! What can be put around a proposer.

use super::{Dedupe, Halving, Portfolio, Proposer, Take};
use crate::candidate::Candidate;
use crate::evaluate::Evaluator;
use crate::execute::Executor;
use crate::fidelity::Fidelity;

/// What can be put around any [`Proposer`]. Not to be implemented: every proposer has it.
///
/// Each call wraps what is before it. `.dedupe().take(20)` and `.take(20).dedupe()` both end with 20 proposals that the
/// study has.
///
/// ```
/// use autoresearch_core::{proposer_fn, testkit, Proposal, ProposeContext, ProposerExt};
/// let dice = proposer_fn(|cx: ProposeContext<'_, u64>| Ok(Proposal::new(cx.seed % 6 + 1).into()));
/// let played = testkit::play(dice.dedupe().tries(50).take(4), 6, 100, |side, _| *side as f64);
/// let mut sides: Vec<u64> = played.history().iter().map(|t| t.proposal.candidate).collect();
/// sides.sort();
/// sides.dedup();
/// assert_eq!(sides.len(), 4);
/// ```
/// The candidate's type is part of what comes out, so that proposers for all sorts of candidates can be wrapped before
/// it is known what they are for.
pub trait ProposerExt<C: Candidate>: Proposer<C> + Sized {
    /// Drops proposals whose candidate was proposed before, and asks again.
    fn dedupe(self) -> Dedupe<C, Self> {
        Dedupe::new(self)
    }

    /// Exhausted after `n` proposals.
    fn take(self, n: u64) -> Take<C, Self> {
        Take::new(self, n)
    }

    /// The first member of a portfolio, under this name; add others with [`Portfolio::with`].
    fn portfolio(self, name: impl Into<String>) -> Portfolio<C>
    where
        Self: 'static,
    {
        Portfolio::of(name, self)
    }

    /// Screens candidates in cheap runs of `executor`, measured by `evaluator`, at these fidelities (lowest first, all
    /// below the study's), and proposes those that come through: asynchronous successive halving. Needs tokio.
    fn halving<E, V>(
        self,
        executor: E,
        evaluator: V,
        rungs: impl IntoIterator<Item = Fidelity>,
    ) -> Halving<C, Self>
    where
        E: Executor<C> + 'static,
        V: Evaluator<E::Output> + 'static,
    {
        Halving::new(self, executor, evaluator, rungs)
    }
}

impl<C: Candidate, P: Proposer<C>> ProposerExt<C> for P {}
