//! A rule or a model that gives marks.

use super::{Curator, Ranking, Waiting};
use crate::arm::ProposalId;
use std::fmt;

/// Ranks by the marks of a critic: a rule, or what a model said of each idea beforehand. The highest mark comes first,
/// equal ones in the order of arrival, what has no mark last.
///
/// The critic has to be pure. A model is asked before, where the idea is made, and its mark stored with the idea, in
/// [`Hypothesis::kept`](crate::Hypothesis::kept) or as a tag.
///
/// ```
/// use autoresearch_core::{Critic, Curator, Hypothesis, Proposal, ProposalId, Ranking, Waiting};
/// let (a, b) = (Proposal::new(()).likely(0.1).hypothesis, Proposal::new(()).likely(0.4).hypothesis);
/// let backlog = [Waiting::new(ProposalId(1), &a, 0), Waiting::new(ProposalId(2), &b, 1)];
/// let mut critic = Critic::new("model's word", |idea: &Hypothesis| idea.kept);
/// assert_eq!(critic.rank(&backlog, &Ranking::new(1, 0)), [ProposalId(2), ProposalId(1)]);
/// ```
pub struct Critic<F> {
    name: String,
    mark: F,
}

impl<F: FnMut(&crate::Hypothesis) -> Option<f64> + Send> Critic<F> {
    /// A critic under this name, which a stored study knows it by.
    pub fn new(name: impl Into<String>, mark: F) -> Self {
        Self { name: name.into(), mark }
    }
}

impl<F> fmt::Debug for Critic<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Critic({})", self.name)
    }
}

impl<F: FnMut(&crate::Hypothesis) -> Option<f64> + Send> Curator for Critic<F> {
    fn rank(&mut self, backlog: &[Waiting<'_>], _cx: &Ranking<'_>) -> Vec<ProposalId> {
        let mark = |idea: &Waiting<'_>| {
            let mark = (self.mark)(idea.hypothesis).filter(|mark| !mark.is_nan());
            (mark.unwrap_or(f64::NEG_INFINITY), idea.arrived, idea.id)
        };
        let mut marked: Vec<_> = backlog.iter().map(mark).collect();
        marked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        marked.into_iter().map(|(.., id)| id).collect()
    }

    fn describe(&self) -> String {
        format!("critic {}", self.name)
    }
}
