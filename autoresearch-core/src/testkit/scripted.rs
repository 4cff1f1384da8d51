//! A proposer that follows a script.

use crate::candidate::Candidate;
use crate::propose::{Proposal, ProposeContext, ProposeError, Proposed, Proposer};
use async_trait::async_trait;
use std::collections::VecDeque;

/// Proposes these, in this order, however many are wanted at a time; then it is exhausted.
pub fn scripted<C: Candidate>(proposals: impl IntoIterator<Item = Proposal<C>>) -> Scripted<C> {
    Scripted(proposals.into_iter().collect())
}

/// Made by [`scripted`].
#[derive(Debug, Clone)]
pub struct Scripted<C>(VecDeque<Proposal<C>>);

#[async_trait]
impl<C: Candidate> Proposer<C> for Scripted<C> {
    async fn propose(&mut self, cx: ProposeContext<'_, C>) -> Result<Proposed<C>, ProposeError> {
        let n = cx.wanted.clamp(1, self.0.len().max(1));
        let next: Vec<_> = self.0.drain(..n.min(self.0.len())).collect();
        Ok(if next.is_empty() { Proposed::Exhausted } else { next.into() })
    }
}
