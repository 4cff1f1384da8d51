//! By hand, and by somebody else where no hand has been.

use super::{Curator, Ranking, Settled, Waiting};
use crate::arm::ProposalId;
use std::fmt;

/// The order that a person gave: what is pinned, then what has a place, then the rest as another curator has it.
///
/// ```
/// use autoresearch_core::{Curator, Fifo, Hypothesis, Person, ProposalId, Ranking, Waiting};
/// let idea = Hypothesis::default();
/// let backlog = [
///     Waiting::new(ProposalId(1), &idea, 0),
///     Waiting::new(ProposalId(2), &idea, 1).place(0),
///     Waiting::new(ProposalId(3), &idea, 2).pinned(),
/// ];
/// let order = Person::first(Fifo::new()).rank(&backlog, &Ranking::new(1, 0));
/// assert_eq!(order, [ProposalId(3), ProposalId(2), ProposalId(1)]);
/// ```
pub struct Person(Box<dyn Curator>);

impl Person {
    /// The person first, then this curator.
    pub fn first(then: impl Curator + 'static) -> Self {
        Self(Box::new(then))
    }
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

impl Curator for Person {
    fn rank(&mut self, backlog: &[Waiting<'_>], cx: &Ranking<'_>) -> Vec<ProposalId> {
        let by_hand = |idea: &&Waiting<'_>| idea.pinned || idea.place.is_some();
        let mut order: Vec<&Waiting<'_>> = backlog.iter().filter(by_hand).collect();
        order.sort_by_key(|idea| (!idea.pinned, idea.place.unwrap_or(u64::MAX), idea.arrived));
        let mut order: Vec<ProposalId> = order.into_iter().map(|idea| idea.id).collect();
        let rest: Vec<Waiting<'_>> = backlog.iter().filter(|idea| !by_hand(idea)).cloned().collect();
        let mut cx = *cx;
        cx.wanted = cx.wanted.saturating_sub(order.len());
        order.extend(self.0.rank(&rest, &cx));
        order
    }

    fn settled(&mut self, outcome: &Settled<'_>) {
        self.0.settled(outcome);
    }

    fn describe(&self) -> String {
        format!("by hand, then {}", self.0.describe())
    }
}
