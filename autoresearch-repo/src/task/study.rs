//! How long a study of a task goes on.

use autoresearch_core::Limits;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// More runs than this no machine and no cluster has at once.
const MOST_AT_ONCE: usize = 10_000;

/// When the study ends, and how it goes about its runs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table of limits of the study, as in `{ runs = 300 }`")]
pub struct StudySpec {
    /// At most so many runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runs: Option<u64>,
    /// At most so many proposals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposals: Option<u64>,
    /// At most so many hours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hours: Option<f64>,
    /// At most so much money for proposals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub money: Option<f64>,
    /// So many runs at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<usize>,
    /// Decides the seeds of the runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

impl StudySpec {
    pub(super) fn problem(&self) -> Option<(&'static str, String)> {
        if self.hours.is_some_and(|hours| !super::limits::is_time(hours * 60.0)) {
            return Some(("study.hours", "give a number above 0, or leave it out".into()));
        }
        if self.money.is_some_and(|money| !(money.is_finite() && money >= 0.0)) {
            return Some(("study.money", "give a number of 0 or more, or leave it out".into()));
        }
        let at_once = self.in_flight.filter(|n| !(1..=MOST_AT_ONCE).contains(n));
        at_once.map(|_| ("study.in_flight", format!("give 1 to {MOST_AT_ONCE}, or leave it out")))
    }

    /// As the study has them.
    pub(crate) fn limits(&self) -> Limits {
        let mut limits = Limits::new();
        if let Some(runs) = self.runs {
            limits = limits.runs(runs);
        }
        if let Some(proposals) = self.proposals {
            limits = limits.proposals(proposals);
        }
        if let Some(hours) = self.hours {
            limits = limits.wall_clock(Duration::from_secs_f64(hours * 3600.0));
        }
        if let Some(money) = self.money {
            limits = limits.money(money);
        }
        limits
    }
}
