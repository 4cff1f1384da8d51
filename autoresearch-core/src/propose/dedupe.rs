//! Nothing twice.

use super::{ProposeContext, ProposeError, Proposed, Proposer, TrialRecord};
use crate::candidate::Candidate;
use crate::compose::Compose;
use crate::space::json;
use crate::state::mix;
use async_trait::async_trait;
use serde::Serialize;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::marker::PhantomData;
use std::sync::Arc;

/// Asks again for what was proposed before. Made by [`ProposerExt::dedupe`](super::ProposerExt::dedupe).
///
/// A proposal is a duplicate if its candidate's JSON is exactly that of the incumbent, of one that is being judged, of
/// one that was settled (before a restart too), or of one that came out of here. Duplicates are dropped; if nothing
/// new is left the proposer is asked again at once, with another seed, a few times in all (8 unless
/// [said](Self::tries)). If it then still repeats itself, the answer is [`Proposed::Wait`] while something is being
/// judged, from which it may learn, and [`Proposed::Exhausted`] if nothing is.
///
/// The study's own word on a proposal that it set aside is not undone by this: a policy takes it up again by itself.
/// Proposers over a parameter space drop duplicates themselves; this is for closures, models, and proposers together.
/// Of each proposal 8 bytes are remembered. That two candidates have the same is next to impossible, and costs one
/// proposal that could have been made. A candidate that cannot be written as JSON is passed on.
///
/// # Cancel safety
/// That of the proposer within; nothing is remembered of an answer that was not given.
#[derive(Debug, Clone)]
pub struct Dedupe<C, P> {
    inner: P,
    of: PhantomData<fn() -> C>,
    tries: u32,
    seen: HashSet<u64>,
}

impl<C, P> Dedupe<C, P> {
    pub(super) fn new(inner: P) -> Self {
        Self { inner, of: PhantomData, tries: 8, seen: HashSet::new() }
    }

    /// How often the proposer is asked for one answer, at least once.
    #[must_use]
    pub fn tries(mut self, tries: u32) -> Self {
        self.tries = tries.max(1);
        self
    }
}

fn fingerprint<C: Serialize>(candidate: &C) -> Option<u64> {
    let value = json(candidate).ok()?; // its keys are sorted
    let mut hasher = DefaultHasher::new();
    value.to_string().hash(&mut hasher);
    Some(hasher.finish())
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<C: Candidate + Serialize, P: Proposer<C>> Proposer<C> for Dedupe<C, P> {
    async fn propose(&mut self, cx: ProposeContext<'_, C>) -> Result<Proposed<C>, ProposeError> {
        let known: HashSet<u64> = cx
            .pending
            .iter()
            .map(|pending| &pending.candidate)
            .chain([cx.incumbent])
            .filter_map(fingerprint)
            .collect();
        for attempt in 0..u64::from(self.tries) {
            let mut again = cx.clone();
            if attempt > 0 {
                again.seed = mix(cx.seed, attempt);
            }
            let mut proposals = match self.inner.propose(again).await? {
                Proposed::Proposals(proposals) if !proposals.is_empty() => proposals,
                other => return Ok(other),
            };
            proposals.retain(|proposal| match fingerprint(&proposal.candidate) {
                Some(print) => !known.contains(&print) && self.seen.insert(print),
                None => true,
            });
            if !proposals.is_empty() {
                return Ok(proposals.into());
            }
            tracing::debug!(attempt, "the proposer repeated itself");
        }
        Ok(if cx.under_way { Proposed::Wait } else { Proposed::Exhausted })
    }

    fn observe(&mut self, settled: &TrialRecord<C>) {
        self.seen.extend(fingerprint(&settled.proposal.candidate));
        self.inner.observe(settled);
    }

    fn composer(&self) -> Option<Arc<dyn Compose<C>>> {
        self.inner.composer()
    }
}
