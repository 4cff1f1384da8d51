//! Small changes to the incumbent: the proposer to begin with.

use super::draft::Draft;
use super::over_space::{Round, Searched};
use super::{ProposeContext, ProposeError, Proposed, Proposer, TrialRecord};
use crate::candidate::Candidate;
use crate::compose::Compose;
use crate::space::{ParamSpace, Steps};
use async_trait::async_trait;
use rand::RngExt;
use rand::seq::IndexedRandom;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// How often a proposal that could stop changing parameters changes another one.
const ANOTHER: f64 = 0.2;
/// How far a number moves, unless said.
pub(super) const STEPS: Steps = Steps { least: 0.02, most: 0.5 };

/// Changes one parameter of the incumbent, now and then two.
///
/// * Numbers take a step up or down, in factors on a log scale. Its size is anything from 2 % to 50 % of the range,
///   small ones as often as large ones: a smaller step would change less than anybody can measure. A step that would
///   leave the range ends on its bound, or is reflected.
/// * Whole numbers move by one at least; so do choices among ascending numbers. Other choices and bools take another
///   value, any as likely as the next.
/// * A change that makes other parameters active gives them a value too, if they have no valid one.
///
/// It never proposes the incumbent, what is pending, or what was settled before. When everything that a discrete space
/// offers around the incumbent has been tried it answers [`Proposed::Exhausted`], or [`Proposed::Wait`] while
/// something is pending that may become the incumbent. (After 5000 settings in a row that were all tried it calls the
/// space exhausted without looking further.) What was settled it knows from [`observe`](Proposer::observe): a
/// wrapper must pass it on.
///
/// ```
/// use autoresearch_core::{LocalSearch, ParamSpace, ProposeContext, Proposed, Proposer};
/// use serde::{Deserialize, Serialize};
/// #[derive(Debug, Clone, Serialize, Deserialize)]
/// struct Recipe { lr: f64, width: u32 }
///
/// impl Recipe {
///     fn space() -> ParamSpace {
///         ParamSpace::new().log_float("lr", 1e-4..=1e-1).log_int("width", 32..=512)
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let baseline = Recipe { lr: 1e-3, width: 64 };
/// let mut proposer = LocalSearch::over(Recipe::space()).changes(1..=1);
/// let Proposed::Proposals(made) = proposer.propose(ProposeContext::for_test(&baseline, 3)).await? else {
///     panic!("there is plenty to try")
/// };
/// let title = &made[0].hypothesis.title;          // such as "lr 1.0e-3 -> 2.1e-3"
/// assert!(title.starts_with("lr 1.0") || title.starts_with("width 64 -> "));
/// # Ok::<(), autoresearch_core::ProposeError>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct LocalSearch {
    searched: Searched,
    changes: (usize, usize),
    steps: Steps,
}

impl LocalSearch {
    /// Searches around the incumbent in this space. A mistake in the space comes out of the first proposal.
    pub fn over(space: ParamSpace) -> Self {
        Self { searched: Searched::new(space), changes: (1, 2), steps: STEPS }
    }

    /// How many parameters one proposal changes, at least one; `1..=2` unless said. The smallest number is the usual
    /// one: a fifth of the proposals change one more, a fifth of these another one, and so on.
    #[must_use]
    pub fn changes(mut self, count: RangeInclusive<usize>) -> Self {
        let least = (*count.start()).max(1);
        self.changes = (least, (*count.end()).max(least));
        self
    }

    /// How far a number moves, as a share of its range: `0.02..=0.5` unless said. What lies outside of
    /// `0.0001..=1.0` is brought inside.
    #[must_use]
    #[expect(
        clippy::manual_clamp,
        reason = "`max` and `min` turn NaN into a bound; `clamp` would panic or pass it on"
    )]
    pub fn steps(mut self, share: RangeInclusive<f64>) -> Self {
        let least = share.start().max(1e-4).min(1.0);
        self.steps = Steps { least, most: share.end().max(least).min(1.0) };
        self
    }

    /// Changes these parameters only; the space goes on to say what is valid.
    #[must_use]
    pub fn only<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.searched.only(names);
        self
    }
}

/// Lets some of the selected parameters take a step, the smallest number of them as a rule.
pub(super) fn change(
    round: &mut Round<'_>,
    draft: &mut Draft<'_>,
    counts: RangeInclusive<usize>,
    steps: Steps,
) {
    let (mut count, most) = counts.into_inner();
    while count < most && round.rng.random_bool(ANOTHER) {
        count += 1;
    }
    let mut picked: Vec<usize> = round.selected.sample(&mut round.rng, count).copied().collect();
    picked.sort_unstable();
    for i in picked {
        // One that an earlier change made inactive is left alone.
        if let Some(param) = round.space().params().get(i).filter(|_| draft.is_active(i)) {
            let value = match draft.get(i) {
                Some(here) => param.kind.step(&here, steps, &mut round.rng),
                None => param.kind.draw(&mut round.rng),
            };
            draft.set(i, &value);
        }
    }
}

#[async_trait]
impl<C: Candidate + Serialize + DeserializeOwned> Proposer<C> for LocalSearch {
    async fn propose(&mut self, cx: ProposeContext<'_, C>) -> Result<Proposed<C>, ProposeError> {
        let mut round = Round::new(&self.searched, &cx)?;
        // A change to what is inactive would be none.
        let incumbent = round.draft();
        round.selected.retain(|i| incumbent.is_active(*i));
        let (least, most) =
            (self.changes.0.min(round.selected.len()), self.changes.1.min(round.selected.len()));
        round.run(least..=most, |round| {
            let mut draft = round.draft();
            change(round, &mut draft, least..=most, self.steps);
            draft
        })
    }

    fn observe(&mut self, settled: &TrialRecord<C>) {
        self.searched.observe(settled);
    }

    fn composer(&self) -> Option<Arc<dyn Compose<C>>> {
        Some(Arc::new(self.searched.space.composer()))
    }
}
