//! Refinement of parameter sets: a model of all runs so far moves each key to the best value that was tried.
//!
//! It only chooses what gets certified on fresh runs, so it cannot hurt validity.

use super::Scout;
use super::stack::Stack;
use crate::accept::{Cohort, UnitInfo};
use crate::arm::{Arm, Part, ProposalId};
use crate::compose::Level;
use crate::stats::{AdditiveRidge, Posterior, Setting};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Runs between refinements.
const EVERY: u64 = 100;
/// The standard deviation of a weight beforehand, in that of a run.
const PRIOR: f64 = 2.0;
/// A value must be this many posterior standard deviations better.
const CAUTION: f64 = 0.25;
/// A run that is worse than the stack's mean by more than this many sigma says no more than that.
pub(super) const CLIP: f64 = 5.0;
/// Places on a numeric key's scale that the model tells apart, two to the distance between its knots.
const CELLS: f64 = 24.0;

/// What all runs say of the values of keys.
#[derive(Debug, Default)]
pub(super) struct Model {
    ridge: AdditiveRidge,
    /// The value that a part gives its key; `None`: the incumbent's own.
    values: BTreeMap<Part, Option<usize>>,
    /// The part that gives each value.
    parts: Vec<(Arc<str>, Part)>,
    last: u64,
    /// As of the last refinement.
    posterior: Option<Posterior>,
    /// Offered again since then.
    offered: BTreeSet<ProposalId>,
}

impl Model {
    /// Takes a run in.
    pub(super) fn add(&mut self, arm: &Arm, score: f64, stack: &Stack, cohort: &Cohort<'_>) {
        let values: Vec<usize> =
            arm.parts().iter().filter_map(|part| self.value(*part, stack, cohort)).collect();
        self.ridge.add(&values, score);
    }

    fn value(&mut self, part: Part, stack: &Stack, cohort: &Cohort<'_>) -> Option<usize> {
        if let Some(known) = self.values.get(&part) {
            return *known;
        }
        let unit = cohort.units(part.proposal).get(usize::from(part.unit?))?;
        let base = stack.base(&unit.key);
        let value = (unit.level.is_none() || unit.level.as_ref() != base).then(|| {
            let setting = setting(unit.level.as_ref(), part);
            let base =
                base.map_or(Setting::Choice("the incumbent's".into()), |b| self::setting(Some(b), part));
            self.ridge.value(&unit.key, &base, &setting)
        });
        self.values.insert(part, value);
        if let Some(value) = value {
            let entry = (Arc::clone(&unit.key), part);
            if value < self.parts.len() {
                self.parts[value] = entry; // the newest that gives this value
            } else {
                self.parts.push(entry);
            }
        }
        value
    }

    /// The best value tried of each key, with how good it is; keys that are best left alone are not named.
    fn best(&mut self, s: f64, cohort: &Cohort<'_>) -> Vec<(Arc<str>, Part, f64)> {
        let posterior = self.ridge.posterior(PRIOR * s, s);
        let mut best: BTreeMap<Arc<str>, (Part, f64)> = BTreeMap::new();
        for (value, (key, part)) in self.parts.iter().enumerate() {
            let (mean, sd) = posterior.difference(Some(value), None);
            let worth = mean - CAUTION * sd;
            let usable = || !cohort.units(part.proposal).is_empty();
            let better = worth > best.get(key).map_or(0.0, |(_, w)| *w);
            if better && usable() {
                best.insert(Arc::clone(key), (*part, worth));
            }
        }
        self.posterior = Some(posterior);
        self.offered.clear();
        best.into_iter().map(|(key, (part, worth))| (key, part, worth)).collect()
    }

    /// What a value of the stack adds to the incumbent's, as of the last refinement.
    pub(super) fn worth(&self, arm: &Arm) -> f64 {
        let Some(posterior) = &self.posterior else { return 0.0 };
        let values = arm.parts().iter().filter_map(|part| self.values.get(part).copied().flatten());
        values.map(|value| posterior.difference(Some(value), None).0).sum()
    }

    /// How much a proposal may still turn out to be worth against the stack: mean plus standard deviation.
    fn promise(&self, proposal: ProposalId, stack: &Stack, cohort: &Cohort<'_>) -> f64 {
        let Some(posterior) = &self.posterior else { return 0.0 };
        let known = |part: Part| self.values.get(&part).copied().flatten();
        let units = cohort.units(proposal).iter().zip(0u16..);
        let one = |(unit, k): (&UnitInfo, u16)| {
            let now = stack.part(&unit.key).and_then(known);
            let (mean, sd) = posterior.difference(known(Part { proposal, unit: Some(k) }), now);
            mean + sd
        };
        units.map(one).sum()
    }

    /// Of what was turned down, so many that may be worth another try: in the order of their promise where there is a
    /// model, else the oldest.
    pub(super) fn again(
        &mut self,
        rejected: &mut VecDeque<ProposalId>,
        wanted: usize,
        stack: &Stack,
        cohort: &Cohort<'_>,
    ) -> Vec<ProposalId> {
        if self.posterior.is_none() {
            return rejected.drain(..wanted.min(rejected.len())).collect();
        }
        if rejected.iter().all(|p| self.offered.contains(p)) {
            self.offered.clear();
        }
        let fresh = rejected.iter().filter(|p| !self.offered.contains(p));
        let mut ranked: Vec<(f64, ProposalId)> =
            fresh.map(|p| (self.promise(*p, stack, cohort), *p)).collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let chosen: Vec<ProposalId> = ranked.into_iter().take(wanted).map(|(_, p)| p).collect();
        rejected.retain(|p| !chosen.contains(p));
        self.offered.extend(&chosen);
        chosen
    }
}

fn setting(level: Option<&Level>, part: Part) -> Setting {
    match level {
        // Values that lie close together count as one: the model is to stay small however many are tried.
        Some(Level::Number(x)) => Setting::Place((x * CELLS).round() / CELLS),
        Some(Level::Choice(text)) => Setting::Choice(text.clone()),
        None => Setting::Choice(format!("{part:?}")),
    }
}

impl Scout {
    pub(super) fn refinement_is_due(&self, cohort: &Cohort<'_>) -> bool {
        self.rules.refine && self.stack.is_keyed() && cohort.started() >= self.model.last + EVERY
    }

    /// The stack with the best values tried, at most `most` of them; `None` where that is the stack of now.
    pub(super) fn refined(&mut self, most: usize, cohort: &Cohort<'_>) -> Option<Stack> {
        self.model.last = cohort.started();
        // Without noise there is no scale for the model, and no need of one.
        if !(self.rules.refine && self.stack.is_keyed() && self.s() > 0.0) {
            return None;
        }
        let mut best = self.model.best(self.s(), cohort);
        best.sort_by(|a, b| b.2.total_cmp(&a.2));
        best.truncate(most);
        let mut stack = self.stack.emptied();
        for (key, part, _) in best {
            let with = stack.put(key, part);
            // Values that are good alone may not be valid together.
            if cohort.composes(with.arm()) {
                stack = with;
            }
        }
        (stack.arm() != self.stack.arm()).then_some(stack)
    }
}
