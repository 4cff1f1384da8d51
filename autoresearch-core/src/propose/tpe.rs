//! Tree-structured Parzen estimators.

use super::over_space::{Round, Searched};
use super::random::afresh;
use super::score::{Scored, Scores, values};
use super::{ProposeContext, ProposeError, Proposed, Proposer, TrialRecord};
use crate::candidate::Candidate;
use crate::compose::{Compose, Level};
use crate::space::{ParamKind, ParamSpace, ParamValue, json};
use ::tpe::density_estimation::DefaultEstimatorBuilder;
use ::tpe::{
    TpeOptimizer, TpeOptimizerBuilder, categorical_range, histogram_estimator, parzen_estimator, range,
};
use async_trait::async_trait;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// How many settled settings the densities are made of: what a proposal costs does not grow with the history.
const WINDOW: usize = 500;
/// How many proposals are drawn at random all the same.
const AT_RANDOM: f64 = 0.1;

/// Tree-structured Parzen estimators (Bergstra et al. 2011): draws each parameter where good settings were dense and
/// others were not.
///
/// Of the settings settled so far (the last 500, and the incumbent) the best tenth ([`good`](Self::good)) count as
/// good. For each parameter, densities of the good and of the other values are estimated; of 24 draws from the first
/// the one with the largest ratio of both is taken. The first 10 settings ([`startup`](Self::startup)) and a tenth of
/// those that follow are drawn at random as in [`RandomSearch`](super::RandomSearch), so that it never stops looking
/// elsewhere (as Falkner et al. 2018 do).
///
/// What failed, and what was rejected without its effect being told (as policies that screen do), is never good.
///
/// Parameters are looked at one by one: that one is good only together with another it does not see. Conditions are
/// minded: a parameter learns from the settings in which it was active. What is being judged counts as bad until it is
/// known, so that proposals made at one time differ. A proposal sets all searched parameters, so it can differ from the
/// incumbent in all of them; what [`Evolution`](super::Evolution) says of that, and of the ranking of settings by
/// their measured effects, holds here too. It never proposes a setting twice, and answers
/// [`Proposed::Exhausted`] when a discrete space is used up.
///
/// ```
/// use autoresearch_core::{testkit, ParamSet, ParamSpace, Tpe};
/// let space = ParamSpace::new().log_float("lr", 1e-4..=1.0).choice("act", ["relu", "gelu"]);
/// let start = ParamSet::new().with("lr", 1.0).with("act", "relu");
/// let loss = |set: &ParamSet, _| {
///     let act = if set.text("act").unwrap() == "gelu" { 0.0 } else { 0.5 };
///     (set.float("lr").unwrap().log10() + 2.5).abs() + act
/// };
/// let played = testkit::play(Tpe::over(space), start, 100, loss);
/// assert!(loss(played.incumbent(), 0) < 0.1);
/// ```
#[derive(Debug, Clone)]
pub struct Tpe {
    searched: Searched,
    scores: Scores,
    startup: usize,
    good: f64,
}

impl Tpe {
    /// Searches this space. A mistake in the space comes out of the first proposal.
    pub fn over(space: ParamSpace) -> Self {
        Self { searched: Searched::new(space), scores: Scores::new(WINDOW), startup: 10, good: 0.1 }
    }

    /// How many settings must have been settled before it learns from them, at least 2; 10 unless said.
    #[must_use]
    pub fn startup(mut self, settings: usize) -> Self {
        self.startup = settings.max(2);
        self
    }

    /// The share of settings that count as good; 0.1 unless said. What lies outside of `0.01..=0.5` is brought
    /// inside. The noisier the runs, the larger.
    #[must_use]
    #[expect(
        clippy::manual_clamp,
        reason = "`max` and `min` turn NaN into a bound; `clamp` would pass it on"
    )]
    pub fn good(mut self, share: f64) -> Self {
        self.good = share.max(0.01).min(0.5);
        self
    }

    /// Searches these parameters only; the space goes on to say what is valid.
    #[must_use]
    pub fn only<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.searched.only(names);
        self
    }
}

/// The densities of one parameter.
struct Density<'a> {
    kind: &'a ParamKind,
    /// All values, where they have no order.
    values: Option<Vec<ParamValue>>,
    optimizer: TpeOptimizer,
}

impl<'a> Density<'a> {
    fn new(kind: &'a ParamKind, good: f64) -> Result<Self, ProposeError> {
        let say = |error: &dyn std::fmt::Display| ProposeError::new(format!("no density of {kind}: {error}"));
        let values = match kind.at(0.5) {
            Some(_) => None,
            None => Some(kind.values(u32::MAX).unwrap_or_default()),
        };
        let (estimator, range): (DefaultEstimatorBuilder, _) = match &values {
            // The estimator's range leaves its end out.
            None => (parzen_estimator(), range(0.0, 1.0_f64.next_up())),
            Some(values) => (histogram_estimator(), categorical_range(values.len())),
        };
        let range = range.map_err(|e| say(&e))?;
        let optimizer =
            TpeOptimizerBuilder::new().gamma(good).build(estimator, range).map_err(|e| say(&e))?;
        Ok(Self { kind, values, optimizer })
    }

    /// NaN is how the estimator is told that the parameter was not in use.
    fn place(&self, value: Option<&ParamValue>) -> f64 {
        let Some(value) = value else { return f64::NAN };
        match &self.values {
            Some(values) => values.iter().position(|v| v.is(value)).map_or(f64::NAN, |i| i as f64),
            None => match self.kind.level(value) {
                Level::Number(place) => place,
                Level::Choice(_) => f64::NAN,
            },
        }
    }

    fn tell(&mut self, value: Option<&ParamValue>, loss: f64) -> Result<(), ProposeError> {
        let place = self.place(value);
        self.optimizer.tell(place, loss).map_err(|e| ProposeError::new(e.to_string()))
    }

    fn draw(&mut self, rng: &mut ChaCha8Rng) -> Option<ParamValue> {
        let Ok(place) = self.optimizer.ask(rng);
        match &self.values {
            Some(values) => values.get(place as usize).cloned(),
            None => self.kind.at(place),
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<C: Candidate + Serialize + DeserializeOwned> Proposer<C> for Tpe {
    async fn propose(&mut self, cx: ProposeContext<'_, C>) -> Result<Proposed<C>, ProposeError> {
        let round = Round::new(&self.searched, &cx)?;
        let all = round.selected.len();
        let space = round.space();
        let unsettled = self.scores.unsettled(space, round.parent(), &cx);
        // What is built upon is one of them.
        if self.scores.len() + unsettled.len() <= self.startup {
            return round.run(1..=all, afresh);
        }
        let scored = self.scores.iter(&unsettled).chain(&unsettled);
        let mut known: Vec<(&[Option<ParamValue>], f64)> =
            scored.map(|s: &Scored| (&s.values[..], -s.score)).collect();
        // Of what was taken up the outcome is known well enough.
        let is_open = |p: &&Arc<_>| cx.taken.iter().all(|taken| !Arc::ptr_eq(&taken.proposal, p));
        let pending: Vec<Vec<Option<ParamValue>>> = cx
            .pending
            .iter()
            .filter(is_open)
            .filter_map(|pending| Some(values(space, &json(&pending.candidate).ok()?)))
            .collect();
        known.extend(pending.iter().map(|values| (&values[..], f64::INFINITY)));
        // What failed is never good, however few others there are.
        let finite = known.iter().filter(|(_, loss)| loss.is_finite()).count() as f64;
        let good = self.good.min((finite - 0.5) / known.len() as f64);
        let mut densities = Vec::new();
        for i in &round.selected {
            let Some(param) = space.params().get(*i) else { continue };
            let mut density = Density::new(&param.kind, good)?;
            for (values, loss) in &known {
                density.tell(values.get(*i).and_then(Option::as_ref), *loss)?;
            }
            densities.push((*i, density));
        }
        round.run(1..=all, |round| {
            if round.rng.random_bool(AT_RANDOM) {
                return afresh(round);
            }
            let mut draft = round.draft();
            for (i, density) in &mut densities {
                // Conditions look back only: what was drawn so far decides what is drawn next.
                if draft.is_active(*i)
                    && let Some(value) = density.draw(&mut round.rng)
                {
                    draft.set(*i, &value);
                }
            }
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

#[cfg(test)]
mod tests {
    use super::super::Fate;
    use super::super::score::tests::settled;
    use super::*;
    use crate::space::ParamSet;
    use rand::SeedableRng;

    #[test]
    fn what_has_an_order_is_drawn_where_good_values_are() {
        let space = ParamSpace::new()
            .log_float("rate", 1e-4..=1.0)
            .int("n", 0..=100)
            .choice("size", [1, 2, 4, 8, 16])
            .choice("kind", ["a", "b", "c"])
            .bool("on");
        let good: [ParamValue; 5] = [1e-3.into(), 80.into(), 8.into(), "b".into(), true.into()];
        let bad: [ParamValue; 5] = [0.5.into(), 10.into(), 1.into(), "a".into(), false.into()];
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for (i, param) in space.params().iter().enumerate() {
            let mut density = Density::new(&param.kind, 0.2).expect("a density");
            for trial in 0..50 {
                let (value, loss) = if trial % 5 == 0 { (&good[i], 0.0) } else { (&bad[i], 1.0) };
                density.tell(Some(value), loss).expect("a number");
            }
            density.tell(None, 0.5).expect("not in use");
            let (near, far) = (density.place(Some(&good[i])), density.place(Some(&bad[i])));
            let drawn: Vec<ParamValue> = (0..40).filter_map(|_| density.draw(&mut rng)).collect();
            assert!(drawn.len() == 40 && drawn.iter().all(|v| param.kind.contains(v)), "{param}: {drawn:?}");
            let closer = |v: &&ParamValue| {
                let place = density.place(Some(v));
                (place - near).abs() < (place - far).abs()
            };
            assert!(drawn.iter().filter(closer).count() >= 36, "{param}: {drawn:?}");
        }
    }

    #[test]
    fn it_learns_from_bare_verdicts_too() {
        let space = ParamSpace::new().float("x", 0.0..=1.0);
        let mut tpe = Tpe::over(space);
        for i in 0..30 {
            let (x, fate) = (f64::from(i) / 30.0, if i < 3 { Fate::Kept } else { Fate::Rejected });
            let effect = (fate == Fate::Kept).then_some(0.01);
            tpe.observe(&settled(1 + i as u64, x, fate, effect));
        }
        let incumbent = ParamSet::new().with("x", 0.05);
        let mut small = 0;
        for seed in 0..50 {
            let cx = ProposeContext::for_test(&incumbent, seed);
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            let Ok(Proposed::Proposals(made)) = runtime.block_on(tpe.propose(cx)) else { panic!("one") };
            small += u32::from(made[0].candidate.float("x").expect("a number") < 0.3);
        }
        // Nine tenths are drawn by the densities; at random it would be 15.
        assert!(small >= 35, "{small}");
    }

    #[test]
    fn places_and_values_agree() {
        let space = ParamSpace::new()
            .log_float("a", 1e-4..=1.0)
            .float("b", -2.0..=3.0)
            .log_int("c", 16..=1024)
            .int("d", -5..=5)
            .choice("e", [1, 2, 4]);
        for param in space.params() {
            for place in [0.0, 0.5, 1.0] {
                let value = param.kind.at(place).expect("it has an order");
                assert!(param.kind.contains(&value), "{param}: {value}");
                let Level::Number(back) = param.kind.level(&value) else { panic!("{param} has an order") };
                assert!((back - place).abs() < 0.01, "{param}: {place} became {back}");
            }
        }
    }
}
