//! A proposer that follows a script.

use crate::candidate::Candidate;
use crate::propose::{Proposal, ProposeContext, ProposeError, Proposed, Proposer};
use async_trait::async_trait;

/// Proposes these, in this order, however many are wanted at a time; then it is exhausted.
///
/// In a study that goes on after a restart, the same script goes on after what the study has of it.
pub fn scripted<C: Candidate>(proposals: impl IntoIterator<Item = Proposal<C>>) -> Scripted<C> {
    Scripted { script: proposals.into_iter().collect(), given: 0 }
}

/// Made by [`scripted`].
#[derive(Debug, Clone)]
pub struct Scripted<C> {
    script: Vec<Proposal<C>>,
    given: usize,
}

#[async_trait]
impl<C: Candidate> Proposer<C> for Scripted<C> {
    async fn propose(&mut self, cx: ProposeContext<'_, C>) -> Result<Proposed<C>, ProposeError> {
        let made = usize::try_from(cx.proposals).unwrap_or(usize::MAX);
        let rest = self.script.get(self.given.max(made)..).unwrap_or_default();
        let next = rest[..cx.wanted.clamp(1, rest.len().max(1)).min(rest.len())].to_vec();
        self.given = self.script.len() - rest.len() + next.len();
        Ok(if next.is_empty() { Proposed::Exhausted } else { next.into() })
    }
}
