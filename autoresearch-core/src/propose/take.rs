//! A budget of proposals.

use super::{ProposeContext, ProposeError, Proposed, Proposer, TrialRecord};
use crate::candidate::Candidate;
use crate::compose::Compose;
use async_trait::async_trait;
use std::marker::PhantomData;
use std::sync::Arc;

/// Exhausted after so many proposals. Made by [`ProposerExt::take`](super::ProposerExt::take).
///
/// It counts what the study has of this proposer ([`ProposeContext::proposals`]) and nothing else, so a study that goes on
/// after a restart does not begin anew, and what a [`Dedupe`](super::Dedupe) around it drops does not count. Within a [`Portfolio`](super::Portfolio) that is what this arm proposed, within a
/// [`Halving`](super::Halving) what was drawn for screening. An answer that is too long is cut.
///
/// Unlike `Limits::proposals`, which ends the search, it leaves the others in a portfolio to go on.
///
/// # Cancel safety
/// That of the proposer within.
#[derive(Debug, Clone)]
pub struct Take<C, P> {
    inner: P,
    of: PhantomData<fn() -> C>,
    most: u64,
}

impl<C, P> Take<C, P> {
    pub(super) fn new(inner: P, most: u64) -> Self {
        Self { inner, of: PhantomData, most }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<C: Candidate, P: Proposer<C>> Proposer<C> for Take<C, P> {
    async fn propose(&mut self, mut cx: ProposeContext<'_, C>) -> Result<Proposed<C>, ProposeError> {
        let left = self.most.saturating_sub(cx.proposals);
        if left == 0 {
            return Ok(Proposed::Exhausted);
        }
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        cx.wanted = cx.wanted.min(left);
        let mut answer = self.inner.propose(cx).await?;
        if let Proposed::Proposals(proposals) = &mut answer {
            proposals.truncate(left);
        }
        Ok(answer)
    }

    fn observe(&mut self, settled: &TrialRecord<C>) {
        self.inner.observe(settled);
    }

    fn composer(&self) -> Option<Arc<dyn Compose<C>>> {
        self.inner.composer()
    }
}
