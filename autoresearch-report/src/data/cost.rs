//! What a study cost.

use super::Fold;
use crate::text;
use autoresearch_core::{Charge, Role};
use serde::Serialize;

/// What a study cost.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct Cost {
    /// Runs that ended with a number or by the candidate's fault.
    pub runs: u64,
    /// Those of them that failed by the candidate's fault.
    pub failed: u64,
    /// Attempts lost to the infrastructure, and repeated.
    pub lost: u64,
    /// Runs that were told to stop.
    pub interrupted: u64,
    /// Seconds of all runs together.
    pub compute: f64,
    /// Seconds that the study had been running at its last run or stop, resumptions included.
    pub elapsed: f64,
    /// What was charged for.
    pub money: f64,
    /// The same by what it was paid for.
    pub charges: Vec<Charge>,
    /// Runs and seconds by what they were for.
    pub roles: Vec<Share>,
    /// Lines that a proposer left in the history.
    pub remarks: u64,
}

/// What one kind of runs took.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Share {
    /// What they were for.
    pub role: Role,
    /// How many, lost ones not counted.
    pub runs: u64,
    /// Seconds, lost ones included.
    pub seconds: f64,
}

impl Fold {
    pub(super) fn charged(&mut self, charge: Charge) {
        self.cost.money += positive(charge.amount);
        let what = text::line(&charge.what, 80);
        let known = self.charges.len() < 50 || self.charges.contains_key(&what);
        let what = if known { what } else { "others".into() };
        let of = self.charges.entry(what.clone()).or_insert_with(|| Charge::new(0.0, what));
        of.amount += positive(charge.amount);
        for (unit, count) in charge.used {
            let of = of.used.entry(text::line(&unit, 40)).or_default();
            *of = of.saturating_add(count);
        }
    }
}

/// Of a number that should be one, what can be added up.
pub(super) fn positive(x: f64) -> f64 {
    if x.is_finite() { x.max(0.0) } else { 0.0 }
}

/// A role as it is shown.
pub(crate) fn role_name(role: Role) -> &'static str {
    match role {
        Role::Calibrate => "calibrate",
        Role::Screen => "screen",
        Role::Confirm => "confirm",
        Role::Final => "final",
        Role::Certify => "certify",
        Role::Transfer => "transfer",
        _ => "other",
    }
}

/// The order in which a study comes to its runs.
pub(super) fn place(role: Role) -> u8 {
    match role {
        Role::Calibrate => 0,
        Role::Screen => 1,
        Role::Confirm => 2,
        Role::Final => 3,
        Role::Certify => 4,
        Role::Transfer => 5,
        _ => 6,
    }
}
