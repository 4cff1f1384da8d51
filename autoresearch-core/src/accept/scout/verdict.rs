//! What a certificate comes to: for every proposal a decision, and what stays in the stack.

use super::certify::{Candidate, Certificate};
use super::stack::{Stack, StackUnit};
use crate::accept::decision::{Decision, Strength};
use crate::arm::ProposalId;
use crate::propose::Effect;
use crate::stats::student_quantile;
use std::collections::{BTreeMap, BTreeSet};

/// A unit's share in the bolder stack: its estimate must be above this many sigma.
const BOLD: f64 = 0.5;
/// What a certificate comes to.
pub(super) struct Settled {
    pub(super) decisions: Vec<Decision>,
    pub(super) stack: Stack,
    /// How many certified units each accepted proposal brings; edits of one unit share it.
    pub(super) promised: BTreeMap<ProposalId, usize>,
}

/// The proposals of those of the units that are of several.
fn fused(units: &[&Candidate]) -> BTreeSet<ProposalId> {
    let several = units.iter().filter(|c| c.unit.arm.proposals().nth(1).is_some());
    several.flat_map(|c| c.unit.arm.proposals()).collect()
}

impl Candidate {
    fn estimate(&self) -> Option<f64> {
        (self.information > 0.0).then(|| self.sum / self.information)
    }
}

impl Certificate {
    /// What becomes of every proposal, and what stays in the stack.
    pub(super) fn settle(&self, stack: &Stack, is_last: bool) -> Settled {
        let certified = self.units.iter().filter(|c| c.certified).count();
        let variance = self.noise.map_or(f64::NAN, |noise| noise.variance());
        let s = self.calibration.variance().unwrap_or(0.0).sqrt();
        let bold = |c: &Candidate| !c.certified && !c.dropped && c.estimate().is_some_and(|b| b > BOLD * s);
        let open = |c: &Candidate| !c.certified && !c.dropped && !is_last;
        let mut of: BTreeMap<ProposalId, Vec<&Candidate>> = BTreeMap::new();
        for candidate in &self.units {
            candidate.unit.arm.proposals().for_each(|p| of.entry(p).or_default().push(candidate));
        }
        let mut decisions = Vec::new();
        let mut staying: Vec<StackUnit> = Vec::new();
        for (proposal, units) in of {
            let chosen = |which: &dyn Fn(&Candidate) -> bool| -> Vec<&Candidate> {
                units.iter().copied().filter(|c| which(c)).collect()
            };
            let kept = chosen(&|c| c.certified);
            let pending = chosen(&open);
            let undecided = chosen(&bold);
            let decision = if !kept.is_empty() {
                let reason = self.reason(&kept, certified);
                self.add(Decision::keep(proposal, reason), proposal, &kept, variance, certified)
            } else if !pending.is_empty() {
                for candidate in pending {
                    // Edits of one unit come by one after the other.
                    if !staying.contains(&candidate.unit) {
                        staying.push(candidate.unit.clone());
                    }
                }
                continue;
            } else if !undecided.is_empty() {
                let reason = "not certified, and not found harmful: part of the bolder stack";
                self.add(Decision::undecided(proposal, reason), proposal, &undecided, variance, certified)
            } else {
                let reason = "switched on and off in a certificate, it did not earn its place";
                let decision =
                    self.add(Decision::reject(proposal, reason), proposal, &units, variance, certified);
                Decision { units: None, ..decision } // none of it is kept
            };
            decisions.push(decision);
        }
        let mut promised: BTreeMap<ProposalId, usize> = BTreeMap::new();
        for candidate in self.units.iter().filter(|c| c.certified) {
            if let Some(first) = candidate.unit.arm.proposals().next() {
                *promised.entry(first).or_default() += 1;
            }
        }
        Settled { decisions, stack: stack.only(staying), promised }
    }

    fn reason(&self, kept: &[&Candidate], certified: usize) -> String {
        let edits: Vec<String> = fused(kept).iter().map(ToString::to_string).collect();
        let unit = match edits.as_slice() {
            [] => String::new(),
            // The certificate speaks of the unit; which of its edits do the work it cannot tell.
            edits => format!(", with {} as one unit, since they overlap", edits.join(", ")),
        };
        format!("certified: one of {certified} of {} units{unit}", self.units.len())
    }

    fn add(
        &self,
        decision: Decision,
        proposal: ProposalId,
        units: &[&Candidate],
        variance: f64,
        certified: usize,
    ) -> Decision {
        let Some(first) = units.first() else { return decision };
        let parts = units.iter().flat_map(|c| c.unit.arm.parts());
        let of_it: Vec<u16> = parts.filter(|p| p.proposal == proposal).filter_map(|p| p.unit).collect();
        let decision = if of_it.is_empty() { decision } else { decision.units(of_it) };
        let mean: Option<f64> = units.iter().map(|c| c.estimate()).sum();
        let effect = mean.map(|mean| {
            let se = units.iter().map(|c| variance / c.information).sum::<f64>().sqrt();
            let df = self.noise.map_or(1.0, |noise| noise.pooled.df);
            let half = -student_quantile(0.025, df) * se;
            Effect::new(mean, (mean - half, mean + half), 0.95, first.runs, true)
        });
        let level = self.alpha * (self.before + certified).max(1) as f64 / self.units.len() as f64;
        let log_e = first.evidence.log_e_validation();
        decision.together(fused(units)).effect(effect).strength(Some(Strength::new(log_e, level.min(1.0))))
    }
}
