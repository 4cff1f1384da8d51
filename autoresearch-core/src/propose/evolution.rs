//! A population that ages.

use super::local::{STEPS, change};
use super::over_space::{Round, Searched};
use super::random::afresh;
use super::score::{Scored, Scores};
use super::{ProposeContext, ProposeError, Proposed, Proposer, TrialRecord};
use crate::candidate::Candidate;
use crate::compose::Compose;
use crate::space::ParamSpace;
use async_trait::async_trait;
use rand::seq::IndexedRandom;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// Regularised evolution (Real et al. 2019): the winner of a tournament among the latest settled settings, with a
/// small change.
///
/// The population is those of the last 20 settled settings ([`population`](Self::population)) whose effect is known, what a
/// policy that scouts ahead has taken up meanwhile, and the incumbent.
/// Members leave by age, however good they were: a setting that was lucky once leaves as well, unless its children do
/// well again. Of 5 members drawn at random ([`tournament`](Self::tournament)) the best is the parent; one of its
/// parameters takes a step, now and then two, as in [`LocalSearch`](super::LocalSearch). Until 20 are settled,
/// settings are drawn at random as in [`RandomSearch`](super::RandomSearch).
///
/// A proposal can differ from the incumbent in many parameters. So it finds its way out of a local optimum, at the price
/// that gains are harder to credit to single changes; policies that certify unit by unit take it apart again.
///
/// Settings are ranked by their measured effects, on the scale of the baseline: an effect is relative to the incumbent
/// of its time, and the effects of what was kept are added up. Policies that screen (`Fast`,
/// [`Guarded`](crate::Guarded)) reject most proposals without telling an effect; then hardly anybody but incumbents is
/// alive, and this is a local search. It never proposes a setting twice, and answers [`Proposed::Exhausted`] when a
/// discrete space is used up.
///
/// ```
/// use autoresearch_core::{testkit, Evolution, ParamSet, ParamSpace};
/// let space = ParamSpace::new().float("x", -1.0..=1.0).float("y", -1.0..=1.0);
/// let start = ParamSet::new().with("x", 0.9).with("y", -0.9);
/// let loss = |set: &ParamSet, _| set.float("x").unwrap().powi(2) + set.float("y").unwrap().powi(2);
/// let played = testkit::play(Evolution::over(space), start, 150, loss);
/// assert!(loss(played.incumbent(), 0) < 0.02);
/// ```
#[derive(Debug, Clone)]
pub struct Evolution {
    searched: Searched,
    scores: Scores,
    population: usize,
    tournament: usize,
}

impl Evolution {
    /// Searches this space. A mistake in the space comes out of the first proposal.
    pub fn over(space: ParamSpace) -> Self {
        Self { searched: Searched::new(space), scores: Scores::new(20), population: 20, tournament: 5 }
    }

    /// How many settings are alive, at least 2; 20 unless said.
    #[must_use]
    pub fn population(mut self, size: usize) -> Self {
        self.population = size.max(2);
        self.scores = Scores::new(self.population);
        self
    }

    /// How many of them compete to be the parent, at least 1, which is no competition; 5 unless said.
    #[must_use]
    pub fn tournament(mut self, size: usize) -> Self {
        self.tournament = size.max(1);
        self
    }

    /// Changes these parameters only; the space goes on to say what is valid.
    #[must_use]
    pub fn only<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.searched.only(names);
        self
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<C: Candidate + Serialize + DeserializeOwned> Proposer<C> for Evolution {
    async fn propose(&mut self, cx: ProposeContext<'_, C>) -> Result<Proposed<C>, ProposeError> {
        let round = Round::new(&self.searched, &cx)?;
        let all = round.selected.len();
        let unsettled = self.scores.unsettled(round.space(), round.parent(), &cx);
        // What is built upon is one of them.
        if self.scores.len() + unsettled.len() <= self.population {
            return round.run(1..=all, afresh);
        }
        let settled = self.scores.iter(&unsettled).filter(|s| s.score.is_finite());
        let alive: Vec<&Scored> = settled.chain(&unsettled).collect();
        round.run(1..=all, |round| {
            let mut draft = round.draft();
            let best =
                alive.sample(&mut round.rng, self.tournament).max_by(|a, b| a.score.total_cmp(&b.score));
            for i in round.selected.clone() {
                if let Some(value) = best.and_then(|b| b.values.get(i)).and_then(Option::as_ref) {
                    draft.set(i, value);
                }
            }
            change(round, &mut draft, 1..=2.min(all), STEPS);
            draft
        })
    }

    fn observe(&mut self, settled: &TrialRecord<C>) {
        self.searched.observe(settled);
        self.scores.observe(&self.searched.space, settled);
    }

    fn composer(&self) -> Option<Arc<dyn Compose<C>>> {
        Some(Arc::new(self.searched.space.composer()))
    }
}
