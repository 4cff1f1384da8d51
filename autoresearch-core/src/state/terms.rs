//! What composes with every policy, because no policy sees it: constraints on metrics, and the credit of what is
//! simpler.
//!
//! The credit is part of the losses that acceptors see and of nothing else. It stays with a proposal that is kept:
//! from then on the losses of the incumbent, and of every arm on it, are lowered by as much, so that runs of before and
//! after an acceptance stay comparable for a policy that remembers them.

use super::{Event, StateError, StudyState};
use crate::accept::{Decision, EffectsClaim, Verdict};
use crate::arm::{Arm, Part, RunId};
use crate::candidate::Candidate;
use crate::compose::Unit;
use crate::constraint::Constraint;
use crate::holdout::HeldOut;
use crate::measure::Measurement;
use crate::stats::Moments;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// How complex a candidate is: lines, parameters, anything that is better lower.
pub(crate) type Complexity<C> = dyn Fn(&C) -> f64 + Send + Sync;

pub(super) struct Terms<C> {
    complexity: Option<Arc<Complexity<C>>>,
    /// The credit of everything that is in an incumbent, by version.
    incumbents: Vec<f64>,
    notes: BTreeMap<RunId, Note>,
    /// The acceptor's latest question about several factors: what is kept without a claim rests on its runs.
    pub(super) experiment: Option<EffectsClaim>,
}

/// What is known of a planned or a confirming run beside its loss.
#[derive(Default)]
struct Note {
    credit: f64,
    /// One value a constraint, in the order of the settings.
    metrics: Vec<f64>,
}

impl<C> Default for Terms<C> {
    fn default() -> Self {
        Self { complexity: None, incumbents: vec![0.0], notes: BTreeMap::new(), experiment: None }
    }
}

impl<C: Candidate> StudyState<C> {
    /// Lets simpler proposals be kept when they are no worse by more than `margin`, in the objective's units; see
    /// [`Study::simplify`](crate::Study::simplify). To be called before the first fact; of a study that was reopened,
    /// before its events are replayed, with the margin that it was opened with.
    ///
    /// # Errors
    /// The margin is not a positive number, something has happened already, or the stored margin is another.
    pub fn simplify(
        mut self,
        margin: f64,
        complexity: impl Fn(&C) -> f64 + Send + Sync + 'static,
    ) -> Result<Self, StateError> {
        if !(margin.is_finite() && margin > 0.0) {
            return Err(StateError::Settings(format!(
                "simplify: the margin is {margin}; give how much worse a simpler candidate may be, a positive number \
                 in the objective's units"
            )));
        }
        if self.ledger.proposed > 0 || self.ledger.ended > 0 {
            return Err(StateError::Settings(
                "simplify: something has happened in this study already; call it before the first fact"
                    .into(),
            ));
        }
        if let Some(Event::Opened { settings, .. }) = self.outbox.first_mut() {
            settings.simplify = Some(margin);
            self.settings.simplify = Some(margin);
        }
        super::replay::same("simplification", &allowance(self.settings.simplify), &allowance(Some(margin)))?;
        self.terms.complexity = Some(Arc::new(complexity));
        Ok(self)
    }

    /// Whether everything is there that the settings ask for.
    pub(super) fn check_terms(&self) -> Result<(), StateError> {
        match self.settings.simplify {
            Some(margin) if self.terms.complexity.is_none() => Err(StateError::Settings(format!(
                "the study was opened with `.simplify({margin}, …)`, and here nothing says what is simpler; call it \
                 again with the same margin"
            ))),
            _ => Ok(()),
        }
    }

    /// Passes on what keeps to the constraints of every run.
    pub(super) fn admit(&self, measurement: Measurement) -> super::Outcome {
        for constraint in &self.settings.constraints {
            constraint.admit(&measurement)?;
        }
        Ok(measurement)
    }

    /// The credit of each unit of a change. A change that is not simpler as a whole has none; of one that is, the units
    /// that are simpler by themselves share the margin, or all do where none is.
    pub(super) fn credits(&self, parent: &C, edited: &C, units: &[Unit<C>]) -> Vec<f64> {
        let (Some(margin), Some(complexity)) = (self.settings.simplify, &self.terms.complexity) else {
            return Vec::new();
        };
        // A measure that panics or is not a number calls nothing simpler.
        let of = |c: &C| catch_unwind(AssertUnwindSafe(|| complexity(c))).unwrap_or(f64::NAN);
        let before = of(parent);
        let simpler = |c: &C| of(c) < before;
        if !simpler(edited) {
            return Vec::new();
        }
        let own: Vec<bool> = units.iter().map(|unit| simpler(&unit.edited)).collect();
        let sharing = own.iter().filter(|own| **own).count();
        let (all, sharing) = if sharing == 0 { (true, units.len()) } else { (false, sharing) };
        own.iter().map(|own| if all || *own { margin / sharing as f64 } else { 0.0 }).collect()
    }

    /// By how much the losses of an arm on the incumbent of now are lowered, beyond the incumbent's own.
    pub(super) fn credit(&self, parts: &[Part]) -> f64 {
        let of = |part: &Part| {
            let live = self.live.get(&part.proposal).or_else(|| self.aside.get(&part.proposal));
            let credits = live.map_or(&[][..], |live| &live.credits);
            match part.unit {
                None => credits.iter().sum::<f64>(),
                Some(unit) => credits.get(usize::from(unit)).copied().unwrap_or(0.0),
            }
        };
        parts.iter().map(of).sum()
    }

    /// Remembers what a planned run's loss will be lowered by: until it ends, its proposals may be settled.
    pub(super) fn note_plan(&mut self, run: RunId, arm: &Arm) {
        let credit = self.terms.incumbents.last().unwrap_or(&0.0) + self.credit(arm.parts());
        if credit != 0.0 {
            self.terms.notes.insert(run, Note { credit, metrics: Vec::new() });
        }
    }

    /// What a run's loss is lowered by.
    pub(super) fn credit_of(&self, run: RunId) -> f64 {
        self.terms.notes.get(&run).map_or(0.0, |note| note.credit)
    }

    /// Remembers a run's metrics as far as constraints are about them.
    pub(super) fn note_metrics(&mut self, run: RunId, measurement: &Measurement) {
        if self.settings.constraints.iter().any(Constraint::is_soft) {
            let metrics = self.settings.constraints.iter().map(|c| c.admit(measurement).unwrap_or(f64::NAN));
            self.terms.notes.entry(run).or_default().metrics = metrics.collect();
        }
    }

    pub(super) fn forget_note(&mut self, run: RunId) {
        self.terms.notes.remove(&run);
    }

    /// These join the incumbent.
    pub(super) fn keep_credit(&mut self, arm: &Arm) {
        let credit = self.terms.incumbents.last().unwrap_or(&0.0) + self.credit(arm.parts());
        self.terms.incumbents.push(credit);
        self.terms.experiment = None;
    }

    /// Held-out measurements of these runs with the same credit that validation gave them.
    ///
    /// # Errors
    /// Numbers so large that the difference is none.
    pub(super) fn credited(
        &self,
        runs: impl Iterator<Item = RunId>,
        held: Vec<HeldOut>,
    ) -> Result<Vec<HeldOut>, StateError> {
        let direction = self.settings.direction;
        let credited = |(one, run): (HeldOut, RunId)| one.credited(self.credit_of(run), direction);
        held.into_iter().zip(runs).map(credited).collect::<Result<_, _>>().map_err(StateError::HeldOut)
    }

    /// Makes a decision's effect what it is, without the credit that it was judged with.
    pub(super) fn take_credit(&self, decision: &mut Decision) {
        if self.settings.simplify.is_none() {
            return;
        }
        let credit = match self.factors(decision) {
            factors if factors.is_empty() => self.credit(&super::court::parts(decision)),
            factors => {
                let all = factors.into_iter().fold(Arm::incumbent(), |all, factor| all.and(factor));
                self.credit(all.parts())
            }
        };
        if credit != 0.0 {
            if let Some(effect) = &mut decision.effect {
                effect.mean -= credit;
                for end in [&mut effect.low, &mut effect.high].into_iter().flatten() {
                    *end -= credit;
                }
            }
            decision.reason =
                format!("{}; judged with a credit of {credit} for being simpler", decision.reason);
        }
    }

    /// Why an acceptance breaks a constraint on what is kept.
    pub(super) fn objection(&self, decision: &Decision) -> Option<String> {
        if decision.verdict != Verdict::Accept {
            return None;
        }
        self.settings.constraints.iter().enumerate().filter(|(_, c)| c.is_soft()).find_map(|(i, c)| {
            let (with, without) = match &decision.claim {
                Some(claim) => (self.metric(&claim.candidate, i), self.metric(&claim.incumbent, i)),
                None => self.switched(decision, i),
            };
            c.objection(with, without)
        })
    }

    /// The mean of a constraint's metric over some runs; NaN where a run has none.
    fn metric<'a>(&self, runs: impl IntoIterator<Item = &'a RunId>, constraint: usize) -> f64 {
        let of = |run| self.terms.notes.get(run).and_then(|note| note.metrics.get(constraint)).copied();
        runs.into_iter().map(|run| of(run).unwrap_or(f64::NAN)).collect::<Moments>().mean()
    }

    /// The factors of the latest question that a decision without a claim of its own rests on.
    fn factors(&self, decision: &Decision) -> Vec<&Arm> {
        let Some(claim) = self.terms.experiment.as_ref().filter(|_| decision.claim.is_none()) else {
            return Vec::new();
        };
        let is_of = |part: &Part| {
            let unit = |units: &Vec<u16>| part.unit.is_none_or(|unit| units.contains(&unit));
            part.proposal == decision.proposal && decision.units.as_ref().is_none_or(unit)
        };
        claim.factors.iter().filter(|factor| factor.parts().iter().any(is_of)).collect()
    }

    /// A metric with and without a proposal, where its factors were switched among others: within each block the mean
    /// of the runs with a factor on against that of the others, blocks weighted by what they say of it.
    fn switched(&self, decision: &Decision, constraint: usize) -> (f64, f64) {
        let factors = self.factors(decision);
        let blocks = self.terms.experiment.iter().flat_map(|claim| &claim.groups).flat_map(|g| &g.blocks);
        let blocks: Vec<&Vec<RunId>> = blocks.collect();
        let (mut change, mut without) = (0.0, Moments::new());
        for factor in factors {
            let (mut weight, mut difference, mut off_mean) = (0.0, 0.0, 0.0);
            for block in &blocks {
                let is_on =
                    |run: &&RunId| self.confirmed.get(*run).is_some_and(|job| job.spec.arm.contains(factor));
                let (on, off): (Vec<&RunId>, Vec<&RunId>) = block.iter().partition(is_on);
                if on.is_empty() || off.is_empty() {
                    continue;
                }
                let (n, m) = (on.len() as f64, off.len() as f64);
                let (on, off) = (self.metric(on, constraint), self.metric(off, constraint));
                let w = n * m / (n + m);
                (weight, difference, off_mean) =
                    (weight + w, difference + w * (on - off), off_mean + w * off);
            }
            // 0/0 is NaN: what was never switched shows nothing.
            change += difference / weight;
            without.push(off_mean / weight);
        }
        (without.mean() + change, without.mean())
    }
}

/// The margin in words.
pub(crate) fn allowance(margin: Option<f64>) -> String {
    margin.map_or_else(|| "not wanted".into(), |margin| format!("allowed a margin of {margin}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accept::Greedy;
    use crate::state::Settings;

    /// Two numbers; the sum of both is how complex it is.
    type Pair = (f64, f64);

    fn credits(edited: Pair, units: &[Pair]) -> Vec<f64> {
        let study = StudyState::new((5.0, 5.0), Greedy::new(), Settings::new()).expect("settings");
        let study = study.simplify(0.3, |c: &Pair| c.0 + c.1).expect("in time");
        let units: Vec<Unit<Pair>> = units.iter().map(|unit| Unit::new("", *unit)).collect();
        study.credits(&(5.0, 5.0), &edited, &units)
    }

    #[test]
    fn the_units_that_are_simpler_share_the_margin() {
        assert_eq!(credits((4.0, 5.0), &[(4.0, 5.0)]), [0.3]);
        assert_eq!(credits((4.0, 4.0), &[(4.0, 5.0), (5.0, 4.0)]), [0.15, 0.15]);
        assert_eq!(credits((3.0, 6.0), &[(3.0, 5.0), (5.0, 6.0)]), [0.3, 0.0]);
        // Simpler only together.
        assert_eq!(credits((4.0, 4.0), &[(5.0, 5.0), (5.0, 5.0)]), [0.15, 0.15]);
        // Not simpler as a whole, or not comparable.
        assert_eq!(credits((3.0, 7.0), &[(3.0, 5.0), (5.0, 7.0)]), [0.0; 0]);
        assert_eq!(credits((f64::NAN, 5.0), &[(f64::NAN, 5.0)]), [0.0; 0]);
    }

    #[test]
    fn a_measure_that_panics_calls_nothing_simpler() {
        let study = StudyState::new(1.0, Greedy::new(), Settings::new()).expect("settings");
        let study = study.simplify(0.3, |_: &f64| panic!("no such file")).expect("in time");
        assert!(study.credits(&1.0, &0.5, &[Unit::new("", 0.5)]).is_empty());
    }
}
