//! Expected gain per cost.

use super::calibration::{Edge, Promises, Tilt};
use super::differ::apart;
use super::worth::{Earned, Groups, Scale, named};
use super::{Curator, Ranking, Settled, Waiting};
use crate::arm::ProposalId;
use crate::propose::{Effect, Fate, Hypothesis, Source};
use crate::state::mix;
use crate::stats::normal_cdf;
use std::collections::HashMap;

/// A measured effect counts as if so many runs had said that there is none.
const SCEPTICAL_RUNS: f64 = 3.0;
/// What a source's cost for an idea is held against at first: that of all ideas, with the weight of so many.
const COST_WEIGHT: f64 = 5.0;

/// Expected gain per cost: the default curator.
///
/// An idea that was tried earned its measured effect where that is positive, shrunk for the fewness of its runs, and
/// nothing otherwise. What an idea that waits will earn is the product of
/// * what the ideas of its source earned so far, and of those under each of its tags, relative to the average and
///   shrunk towards it;
/// * how its promise ([`Hypothesis::expected`] with its spread, else [`Hypothesis::kept`]) compares with the others of
///   its source, as far as more promise has meant more reward in that source before: negatively where predictions were
///   inverted, and not at all where they proved to be noise;
///
/// divided by what it will cost: [`Hypothesis::cost`], or the runs that the source's ideas took.
///
/// What stands on a policy's unproven stack ([`Ranking::stack`]) counts until it is settled as if one run had said that
/// it is better, by the root mean square of what single runs said of others: a policy that scouts ahead settles at once
/// what it turns down, and only much later what it took.
///
/// Each of these is drawn from what is believed of it (Thompson sampling: Thompson 1933), once a ranking, so that
/// nothing starves that is not known to be worthless. What is pinned comes first.
///
/// Learning from an idea changes a handful of sums.
#[derive(Debug, Clone, Default)]
pub struct ExpectedGain {
    model: Model,
    /// What was counted of ideas that may be settled once more.
    open: HashMap<ProposalId, Counted>,
}

/// Sums over what was tried.
#[derive(Debug, Clone, Default)]
struct Model {
    all: Earned,
    sources: Groups,
    tags: Groups,
    promises: HashMap<String, Promises>,
    /// Effects measured in one run: how many, and the sum of their squares.
    single: (f64, f64),
}

#[derive(Debug, Clone, Copy)]
struct Counted {
    reward: f64,
    runs: f64,
    /// What the source's worth and the tags' was then.
    by_source: f64,
    by_tags: f64,
}

impl ExpectedGain {
    /// Knows nothing yet: the first order is as good as that of arrival.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the ideas of a source are worth relative to the average: 1 where nothing is known.
    pub fn worth_of_source(&self, source: &Source) -> f64 {
        self.model.sources.scale(&self.model.all).mean(&self.model.sources.get(&source.to_string()))
    }

    /// What the ideas under a tag are worth relative to the average: 1 where nothing is known.
    pub fn worth_of_tag(&self, tag: &str) -> f64 {
        self.model.tags.scale(&self.model.all).mean(&self.model.tags.get(tag))
    }

    /// How far a source's own predictions are trusted.
    pub fn edge(&self, source: &Source) -> Edge {
        self.model.promises.get(&source.to_string()).copied().unwrap_or_default().edge()
    }
}

impl Model {
    /// The same with what is on the stack counted as if a run had said that it is better.
    fn with_stack(&self, stack: &[&Hypothesis]) -> Self {
        let mut model = self.clone();
        let (n, squares) = self.single;
        if n > 0.0 {
            let reward = shrunk((squares / n).sqrt(), 1.0);
            let runs = self.all.runs / self.all.tried.max(1.0);
            for hypothesis in stack {
                let counted = self.counted(hypothesis, reward, runs);
                model.count(1.0, hypothesis, counted);
            }
        }
        model
    }

    /// What is to be counted of an idea: its exposure depends on what is known when it is tried.
    fn counted(&self, hypothesis: &Hypothesis, reward: f64, runs: f64) -> Counted {
        let scale = Scale::assumed(&self.all);
        let tag = |tag: &String| scale.mean(&self.tags.get(tag));
        let by_source = scale.mean(&self.sources.get(&name(hypothesis)));
        Counted { reward, runs, by_source, by_tags: hypothesis.tags.iter().map(tag).product() }
    }

    fn count(&mut self, sign: f64, hypothesis: &Hypothesis, counted: Counted) {
        let Counted { reward, runs, by_source, by_tags } = counted;
        let source = name(hypothesis);
        self.all.add(sign, by_source * by_tags, reward, runs);
        self.sources.entry(&source).add(sign, by_tags, reward, runs);
        let tags = &hypothesis.tags;
        for tag in tags {
            // Each tag is held against what the source alone would have earned.
            self.tags.entry(tag).add(sign, by_source, reward, runs);
        }
        if let Some(x) = promise(hypothesis) {
            self.promises.entry(source).or_default().add(sign, x, reward);
        }
    }
}

fn name(hypothesis: &Hypothesis) -> String {
    hypothesis.source.as_ref().map(Source::to_string).unwrap_or_default()
}

/// What a source promises of an idea: the positive part of what it expects, or how probably it is kept.
fn promise(hypothesis: &Hypothesis) -> Option<f64> {
    let Some(mean) = hypothesis.expected else { return hypothesis.kept };
    match hypothesis.spread {
        Some(sd) if sd > 0.0 => {
            let z = mean / sd;
            let density = (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt();
            Some(if z > 8.0 { mean } else { mean * normal_cdf(z) + sd * density })
        }
        _ => Some(mean),
    }
    .filter(|x| x.is_finite())
}

/// What an idea earned: its effect as far as so few runs can show it.
fn reward(fate: Fate, effect: Option<Effect>) -> f64 {
    match (fate, effect) {
        (Fate::Failed | Fate::Conflict | Fate::HeldBack | Fate::Revoked, _) | (_, None) => 0.0,
        (_, Some(effect)) => shrunk(effect.mean.max(0.0), f64::from(effect.runs.max(1))),
    }
}

fn shrunk(effect: f64, runs: f64) -> f64 {
    effect * runs / (runs + SCEPTICAL_RUNS)
}

/// What is drawn once for all ideas of a ranking.
struct Draws<'a> {
    model: &'a Model,
    seed: u64,
    scales: [Scale; 2],
    sources: HashMap<Option<&'a Source>, BySource>,
    tags: HashMap<&'a str, f64>,
}

#[derive(Clone, Copy)]
struct BySource {
    worth: f64,
    tilt: Tilt,
    cost: f64,
}

impl<'a> Draws<'a> {
    fn value(&mut self, hypothesis: &'a Hypothesis) -> f64 {
        let Self { model, seed, scales: [of_sources, of_tags], sources, tags } = self;
        let source = *sources.entry(hypothesis.source.as_ref()).or_insert_with(|| {
            let name = name(hypothesis);
            let (earned, hash) = (model.sources.get(&name), mix(*seed, named(&name)));
            let usual = if model.all.tried > 0.0 { model.all.runs / model.all.tried } else { 1.0 };
            let cost = (earned.runs + COST_WEIGHT * usual) / (earned.tried + COST_WEIGHT);
            BySource {
                worth: of_sources.draw(&earned, mix(hash, 11)),
                tilt: model.promises.get(&name).copied().unwrap_or_default().draw(mix(hash, 12)),
                cost: cost.max(0.1),
            }
        });
        let tag = |tag: &'a String| {
            let draw = || of_tags.draw(&model.tags.get(tag), mix(mix(*seed, named(tag)), 13));
            *tags.entry(tag.as_str()).or_insert_with(draw)
        };
        let by_tags: f64 = hypothesis.tags.iter().map(tag).product();
        let tilt = promise(hypothesis).map_or(1.0, |x| source.tilt.factor(x));
        let cost = hypothesis.cost.filter(|runs| *runs > 0.0).unwrap_or(source.cost);
        source.worth * by_tags * tilt / cost
    }
}

impl Curator for ExpectedGain {
    fn rank(&mut self, backlog: &[Waiting<'_>], cx: &Ranking<'_>) -> Vec<ProposalId> {
        let with_stack;
        let model = if cx.stack.is_empty() {
            &self.model
        } else {
            with_stack = self.model.with_stack(cx.stack);
            &with_stack
        };
        let scales = [model.sources.scale(&model.all), model.tags.scale(&model.all)];
        let (sources, tags) = (HashMap::new(), HashMap::new());
        let mut draws = Draws { model, seed: cx.seed, scales, sources, tags };
        let mut order: Vec<(bool, f64, &Waiting<'_>)> =
            backlog.iter().map(|idea| (!idea.pinned, draws.value(idea.hypothesis), idea)).collect();
        order.sort_unstable_by(|a, b| {
            a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)).then(a.2.arrived.cmp(&b.2.arrived))
        });
        let order: Vec<&Waiting<'_>> = order.into_iter().map(|(.., idea)| idea).collect();
        apart(&order, cx.wanted.max(1))
    }

    fn settled(&mut self, outcome: &Settled<'_>) {
        // It applied to nothing, which says nothing of the idea.
        if outcome.fate == Fate::Conflict {
            return;
        }
        let reward = reward(outcome.fate, outcome.effect);
        let counted = match self.open.remove(&outcome.id) {
            Some(before) => {
                self.model.count(-1.0, outcome.hypothesis, before);
                Counted { reward, runs: before.runs.max(f64::from(outcome.runs)), ..before }
            }
            None => self.model.counted(outcome.hypothesis, reward, f64::from(outcome.runs)),
        };
        self.model.count(1.0, outcome.hypothesis, counted);
        if let Some(effect) = outcome.effect.filter(|effect| effect.runs == 1) {
            self.model.single.0 += 1.0;
            self.model.single.1 += effect.mean * effect.mean;
        }
        if matches!(outcome.fate, Fate::Kept | Fate::SetAside | Fate::Undecided) {
            self.open.insert(outcome.id, counted);
        }
    }

    fn describe(&self) -> String {
        "expected-gain v1".into()
    }
}
