//! Running totals for displays and the report, taken from the same events that are stored.

use crate::arm::Version;
use crate::failure::Fault;
use crate::meter::Charge;
use crate::propose::Fate;
use crate::state::Event;
use crate::stats::Moments;
use std::collections::BTreeMap;

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
}

impl Tally {
    pub(super) fn take<C>(&mut self, event: &Event<C>) {
        match event {
            Event::Proposed { proposals, .. } => self.proposals += proposals.len() as u64,
            Event::Finished { run, outcome, seconds, .. } => {
                self.compute_seconds += seconds;
                match outcome {
                    Err(failure) if failure.fault() != Fault::Candidate => self.lost += 1,
                    Err(_) => (self.runs, self.failed) = (self.runs + 1, self.failed + 1),
                    Ok(measurement) => {
                        self.runs += 1;
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
            Event::Settled { fate, version, .. } => {
                *self.fates.entry(fate.word()).or_default() += 1;
                self.kept += u64::from(*fate == Fate::Kept);
                if *version != self.version {
                    self.version = *version;
                    self.incumbent = Moments::new();
                }
            }
            _ => {}
        }
    }

    /// The incumbent's mean objective, once it has run.
    pub(super) fn incumbent(&self) -> Option<f64> {
        (self.incumbent.n() > 0).then(|| self.incumbent.mean())
    }
}
