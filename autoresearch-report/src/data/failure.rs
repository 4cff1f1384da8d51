//! How runs failed.

use super::Fold;
use super::funnel::without_numbers;
use crate::text;
use autoresearch_core::{Fault, RunFailure, RunSpec};
use serde::Serialize;

/// Runs that failed in the same way.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Failure {
    /// The kind and the message, with `#` for numbers, shortened to 200 characters.
    pub what: String,
    /// Whether it is the infrastructure's fault, so that the runs were repeated; else the candidate's.
    pub infrastructure: bool,
    /// How many runs.
    pub count: u64,
    /// Proposals that they trained, at most 10.
    pub proposals: Vec<u64>,
}

/// More kinds than that are counted together.
const KINDS: usize = 200;
const SHOWN: usize = 30;
const PROPOSALS: usize = 10;

impl Fold {
    /// A run failed, by whatever fault but that it was told to stop.
    pub(super) fn broke(&mut self, run: &RunSpec, failure: &RunFailure) {
        let infrastructure = failure.fault() == Fault::Infrastructure;
        let what = without_numbers(&text::line(&failure.to_string(), 200));
        let full = self.failures.len() >= KINDS;
        let key = (infrastructure, what);
        let key = if full && !self.failures.contains_key(&key) {
            (infrastructure, "other failures".into())
        } else {
            key
        };
        let of = self.failures.entry(key).or_default();
        of.0 += 1;
        for id in run.arm.proposals().map(|p| p.0) {
            if of.1.len() < PROPOSALS && !of.1.contains(&id) {
                of.1.push(id);
            }
        }
    }

    pub(super) fn broken(&self) -> Vec<Failure> {
        let of =
            |((infrastructure, what), (count, proposals)): (&(bool, String), &(u64, Vec<u64>))| Failure {
                what: what.clone(),
                infrastructure: *infrastructure,
                count: *count,
                proposals: proposals.clone(),
            };
        let mut all: Vec<Failure> = self.failures.iter().map(of).collect();
        all.sort_by_key(|failure| std::cmp::Reverse(failure.count));
        all.truncate(SHOWN);
        all
    }
}
