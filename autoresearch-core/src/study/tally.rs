//! Running totals for displays and the report, taken from the same events that are stored.

use crate::accept::Role;
use crate::arm::{Arm, ProposalId, Version};
use crate::failure::Fault;
use crate::meter::Charge;
use crate::observe::Unproven;
use crate::propose::Fate;
use crate::state::Event;
use crate::stats::Moments;
use std::collections::{BTreeMap, BTreeSet};

/// Totals over a study's events.
#[derive(Debug, Default, Clone)]
pub(super) struct Tally {
    pub(super) runs: u64,
    pub(super) failed: u64,
    pub(super) lost: u64,
    pub(super) compute_seconds: f64,
    pub(super) money: f64,
    /// By what for.
    pub(super) charges: BTreeMap<String, Charge>,
    pub(super) remarks: u64,
    pub(super) proposals: u64,
    pub(super) fates: BTreeMap<&'static str, u64>,
    pub(super) kept: u64,
    /// The baseline's mean objective, once it has run.
    pub(super) baseline: Option<f64>,
    version: Version,
    incumbent: Moments,
    /// What proposals were last made on.
    on: Arm,
    /// Of each arm on the incumbent: the objectives of runs that look.
    looks: BTreeMap<Arm, Moments>,
    /// Proposals that are not settled.
    open: BTreeSet<ProposalId>,
}

impl Tally {
    pub(super) fn take<C>(&mut self, event: &Event<C>) {
        match event {
            Event::Proposed { first, on, proposals, .. } => {
                self.proposals += proposals.len() as u64;
                self.open.extend((first.0..).map(ProposalId).take(proposals.len()));
                self.on.clone_from(on);
            }
            Event::Finished { run, outcome, seconds, .. } => {
                self.compute_seconds += seconds;
                match outcome {
                    Err(failure) if failure.fault() != Fault::Candidate => self.lost += 1,
                    Err(_) => (self.runs, self.failed) = (self.runs + 1, self.failed + 1),
                    Ok(measurement) => {
                        self.runs += 1;
                        if run.role == Role::Screen && !run.arm.is_incumbent() && run.version == self.version
                        {
                            self.looks.entry(run.arm.clone()).or_default().push(measurement.objective());
                        }
                        if run.arm.is_incumbent() && run.version == self.version {
                            self.incumbent.push(measurement.objective());
                            if self.version == Version(0) {
                                self.baseline = Some(self.incumbent.mean());
                            }
                        }
                    }
                }
            }
            Event::Interrupted { seconds, .. } => self.compute_seconds += seconds,
            Event::Charged(charge) => {
                self.money += charge.amount;
                let of = self.charges.entry(charge.what.clone()).or_default();
                of.add(charge);
                of.what.clone_from(&charge.what);
            }
            Event::Remarked { .. } => self.remarks += 1,
            Event::Settled { proposal, fate, version, .. } => {
                self.open.remove(proposal);
                *self.fates.entry(fate.word()).or_default() += 1;
                self.kept += u64::from(*fate == Fate::Kept);
                if *version != self.version {
                    self.version = *version;
                    self.incumbent = Moments::new();
                    self.looks.clear();
                    self.on = Arm::incumbent();
                }
            }
            _ => {}
        }
    }

    /// The unproven stack, as long as something of it is still to be judged.
    pub(super) fn stack(&self) -> Option<Unproven> {
        self.on.proposals().any(|id| self.open.contains(&id)).then(|| Unproven {
            edits: self.on.proposals().count() as u64,
            objective: self.looks.get(&self.on).map(Moments::mean),
        })
    }

    /// The incumbent's mean objective, once it has run.
    pub(super) fn incumbent(&self) -> Option<f64> {
        (self.incumbent.n() > 0).then(|| self.incumbent.mean())
    }
}
