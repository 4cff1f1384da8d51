//! Independent random settings: the yardstick that every cleverer proposer has to beat.

use super::draft::Draft;
use super::over_space::{Round, Searched};
use super::{ProposeContext, ProposeError, Proposed, Proposer, TrialRecord};
use crate::candidate::Candidate;
use crate::compose::Compose;
use crate::space::ParamSpace;
use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// Draws every active parameter afresh, and leaves all else as the incumbent has it.
///
/// It wanders everywhere and learns nothing, so use it to start where nothing is known, or as a baseline for a search
/// of your own. Its proposals change everything at once: where gains are to be credited to single changes,
/// [`LocalSearch`](super::LocalSearch) is the one.
///
/// It never proposes a setting twice, and answers [`Proposed::Exhausted`] when the settings of a discrete space have
/// all been tried.
///
/// ```
/// use autoresearch_core::{ParamSet, ParamSpace, RandomSearch};
/// let space = ParamSpace::new().log_float("lr", 1e-4..=1e-1).choice("act", ["relu", "gelu"]);
/// let baseline = space.sample(0)?;
/// let proposer = RandomSearch::over(space).only(["lr"]);
/// # Ok::<(), autoresearch_core::SpaceError>(())
/// ```
#[derive(Debug, Clone)]
pub struct RandomSearch {
    searched: Searched,
}

impl RandomSearch {
    /// Searches this space. A mistake in the space comes out of the first proposal.
    pub fn over(space: ParamSpace) -> Self {
        Self { searched: Searched::new(space) }
    }

    /// Draws these parameters only; the space goes on to say what is valid.
    #[must_use]
    pub fn only<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.searched.only(names);
        self
    }
}

/// The incumbent with all selected parameters that are active drawn anew.
pub(super) fn afresh<'a>(round: &mut Round<'a>) -> Draft<'a> {
    let mut draft = round.draft();
    for i in round.selected.clone() {
        // Conditions look back only: what was drawn so far decides what is drawn next.
        if let Some(param) = round.space().params().get(i).filter(|_| draft.is_active(i)) {
            draft.set(i, &param.kind.draw(&mut round.rng));
        }
    }
    draft
}

#[async_trait]
impl<C: Candidate + Serialize + DeserializeOwned> Proposer<C> for RandomSearch {
    async fn propose(&mut self, cx: ProposeContext<'_, C>) -> Result<Proposed<C>, ProposeError> {
        let round = Round::new(&self.searched, &cx)?;
        let all = round.selected.len();
        round.run(1..=all, |round| afresh(round))
    }

    fn observe(&mut self, settled: &TrialRecord<C>) {
        self.searched.observe(settled);
    }

    fn composer(&self) -> Option<Arc<dyn Compose<C>>> {
        Some(Arc::new(self.searched.space.composer()))
    }
}
