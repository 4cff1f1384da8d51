//! The scout stack: unproven changes on the incumbent, and what of them can be switched alone.

use crate::accept::{Cohort, UnitInfo};
use crate::arm::{Arm, Part, ProposalId};
use crate::compose::Level;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What can be switched alone: a key's value, or edits that overlap.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StackUnit {
    /// Empty for edits.
    pub(super) key: Arc<str>,
    pub(super) arm: Arm,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Stack {
    units: Vec<StackUnit>,
    arm: Arm,
    /// The incumbent's value of every key seen so far.
    base: BTreeMap<Arc<str>, Level>,
    keyed: bool,
}

impl Stack {
    pub(super) fn units(&self) -> &[StackUnit] {
        &self.units
    }

    pub(super) fn len(&self) -> usize {
        self.units.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.units.is_empty()
    }

    /// Whether units are keys of a parameter set.
    pub(super) fn is_keyed(&self) -> bool {
        self.keyed
    }

    pub(super) fn arm(&self) -> &Arm {
        &self.arm
    }

    pub(super) fn proposals(&self) -> impl Iterator<Item = ProposalId> + '_ {
        self.arm.proposals()
    }

    /// The part that gives a key its value in the stack.
    pub(super) fn part(&self, key: &str) -> Option<Part> {
        self.find(key).and_then(|i| self.units[i].arm.parts().first().copied())
    }

    /// The incumbent's value of a key.
    pub(super) fn base(&self, key: &str) -> Option<&Level> {
        self.base.get(key)
    }

    /// Remembers the incumbent's values of the keys that a proposal is the first to change.
    pub(super) fn meet(&mut self, units: &[UnitInfo]) {
        for unit in units.iter().filter(|unit| !unit.key.is_empty()) {
            self.keyed = true;
            if let (Some(from), None) = (&unit.from, self.find(&unit.key)) {
                self.base.entry(Arc::clone(&unit.key)).or_insert_with(|| from.clone());
            }
        }
    }

    /// The incumbent alone, with what is known of it.
    pub(super) fn emptied(&self) -> Self {
        Self { units: Vec::new(), arm: Arm::incumbent(), ..self.clone() }
    }

    /// With the incumbent's values for these keys.
    pub(super) fn without(&self, keys: &[Arc<str>]) -> Self {
        let mut without = self.clone();
        without.units.retain(|unit| !keys.contains(&unit.key));
        without.rebuild();
        without
    }

    /// With a value for a key that it has none for.
    pub(super) fn put(&self, key: Arc<str>, part: Part) -> Self {
        let mut with = self.clone();
        with.units.push(StackUnit { key, arm: Arm::from_iter([part]) });
        with.rebuild();
        with
    }

    /// Whether a proposal would replace a value that the stack has for a key.
    pub(super) fn supersedes(&self, units: &[UnitInfo]) -> bool {
        units.iter().any(|unit| !unit.key.is_empty() && self.find(&unit.key).is_some())
    }

    fn find(&self, key: &str) -> Option<usize> {
        self.units.iter().position(|unit| *unit.key == *key)
    }

    /// The arm with these proposals on top: their values replace those that their keys have now.
    pub(super) fn with(&self, proposals: &[ProposalId], cohort: &Cohort<'_>) -> Arm {
        let mut arm = self.arm.clone();
        for &proposal in proposals {
            for (part, unit) in parts(proposal, cohort.units(proposal)) {
                if let Some(i) = (!unit.key.is_empty()).then(|| self.find(&unit.key)).flatten() {
                    arm = arm.without(&self.units[i].arm);
                }
                arm = arm.with(part);
            }
        }
        arm
    }

    /// Takes a proposal up. Gives the proposals that are in the stack no longer.
    pub(super) fn take(&mut self, proposal: ProposalId, cohort: &Cohort<'_>) -> Vec<ProposalId> {
        let before: Vec<ProposalId> = self.proposals().collect();
        for (part, unit) in parts(proposal, cohort.units(proposal)) {
            if unit.key.is_empty() { self.fuse(proposal, cohort) } else { self.set(part, unit) }
        }
        self.rebuild();
        let gone = |p: &ProposalId| !self.arm.proposals().any(|q| q == *p);
        before.into_iter().chain([proposal]).filter(gone).collect()
    }

    /// A value for a key; none where it is the incumbent's own.
    fn set(&mut self, part: Part, unit: &UnitInfo) {
        if let Some(i) = self.find(&unit.key) {
            self.units.remove(i);
        }
        if unit.level.is_none() || unit.level.as_ref() != self.base.get(&unit.key) {
            self.units.push(StackUnit { key: Arc::clone(&unit.key), arm: Arm::from_iter([part]) });
        }
    }

    /// An edit joins all units that it needs.
    fn fuse(&mut self, proposal: ProposalId, cohort: &Cohort<'_>) {
        let mut arm = Arm::single(proposal);
        self.units.retain(|unit| {
            let needed = unit.arm.proposals().any(|earlier| cohort.needs(proposal, earlier));
            if needed {
                arm = arm.and(&unit.arm);
            }
            !needed
        });
        self.units.push(StackUnit { key: "".into(), arm });
    }

    /// How many edits are in units that others began.
    pub(super) fn fused(&self) -> usize {
        self.chains().map(|unit| unit.arm.proposals().count() - 1).sum()
    }

    /// Units of several edits.
    fn chains(&self) -> impl Iterator<Item = &StackUnit> {
        self.units.iter().filter(|unit| unit.key.is_empty() && unit.arm.proposals().nth(1).is_some())
    }

    /// The edits of fused units that no other needs, so that each can be switched off alone.
    pub(super) fn last_of_chains(&self, cohort: &Cohort<'_>) -> Vec<ProposalId> {
        let edits = self.chains().flat_map(|unit| {
            let is_last = |p: &ProposalId| !unit.arm.proposals().any(|q| q > *p && cohort.needs(q, *p));
            unit.arm.proposals().filter(is_last).collect::<Vec<_>>()
        });
        edits.filter(|p| cohort.composes(&self.arm.without(&Arm::single(*p)))).collect()
    }

    /// Takes these edits, which no others need, out of their units; what is left of a unit may be several.
    pub(super) fn peel(&mut self, edits: &[ProposalId], cohort: &Cohort<'_>) {
        let gone: Arm = edits.iter().copied().collect();
        let (smaller, same): (Vec<StackUnit>, Vec<StackUnit>) =
            std::mem::take(&mut self.units).into_iter().partition(|unit| unit.arm != unit.arm.without(&gone));
        self.units = same;
        for unit in smaller {
            unit.arm.without(&gone).proposals().for_each(|p| self.fuse(p, cohort));
        }
        self.rebuild();
    }

    /// The same stack with these units only.
    pub(super) fn only(&self, units: Vec<StackUnit>) -> Self {
        let mut stack = Self { units, arm: Arm::incumbent(), base: BTreeMap::new(), keyed: self.keyed };
        stack.rebuild();
        stack
    }

    fn rebuild(&mut self) {
        self.arm = self.units.iter().flat_map(|unit| unit.arm.parts().iter().copied()).collect();
    }
}

/// A proposal's parts: its units, or the whole where it has but one without a key.
fn parts(proposal: ProposalId, units: &[UnitInfo]) -> impl Iterator<Item = (Part, &UnitInfo)> {
    units.iter().zip(0u16..).map(move |(unit, k)| {
        let unit_of = if unit.key.is_empty() { None } else { Some(k) };
        (Part { proposal, unit: unit_of }, unit)
    })
}
