//! What a study is told at the start and cannot change later, but for its limits.

use crate::accept::Setup;
use crate::constraint::Constraint;
use crate::curate::Rules;
use crate::holdout::{Holdout, TestSplit};
use crate::limits::Limits;
use crate::measure::Direction;
use crate::state::{DecisionOrder, Stale};
use serde::{Deserialize, Serialize};

/// The bits of a seed that is a positive number of 32 bits with a sign.
pub(crate) const SHORT_SEED: u32 = u32::MAX >> 1;

/// Direction, seed, slots, limits, holdout, test split and constraints of a study.
///
/// ```
/// use autoresearch_core::{Holdout, Limits, Settings};
/// let settings = Settings::new().limits(Limits::new().runs(500)).holdout(Holdout::new()).seed(7);
/// # let _ = settings;
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    pub(crate) direction: Direction,
    pub(crate) seed: u64,
    pub(crate) in_flight: usize,
    /// Runs planned at once; nothing: as many as may be under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ahead: Option<usize>,
    #[serde(default, skip_serializing_if = "DecisionOrder::is_default")]
    pub(crate) order: DecisionOrder,
    #[serde(default, skip_serializing_if = "Stale::is_default")]
    pub(crate) stale: Stale,
    pub(crate) limits: Limits,
    pub(crate) holdout: Option<Holdout>,
    pub(crate) test: Option<TestSplit>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) constraints: Vec<Constraint>,
    /// The margin of [`StudyState::simplify`](crate::StudyState::simplify).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) simplify: Option<f64>,
    /// The rules of [`StudyState::curate`](crate::StudyState::curate).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) curation: Option<Rules>,
    /// Seeds of runs are below 2^31, which every language takes for one; of studies from before they are below 2^32.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) short_seeds: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            direction: Direction::Minimize,
            seed: 0,
            in_flight: 1,
            ahead: None,
            order: DecisionOrder::default(),
            stale: Stale::default(),
            limits: Limits::default(),
            holdout: None,
            test: None,
            constraints: Vec::new(),
            simplify: None,
            curation: None,
            short_seeds: true,
        }
    }
}

impl Settings {
    /// What an acceptor is told of the study beforehand.
    pub(crate) fn setup(&self, composes: bool) -> Setup {
        let questions = self.holdout.as_ref().map(Holdout::questions);
        Setup { runs: self.limits.runs, composes, questions }
    }

    /// Minimise, seed 0, one run at a time, no limits, no holdout, no test split, no constraints.
    pub fn new() -> Self {
        Self::default()
    }

    /// Higher is better.
    #[must_use]
    pub fn maximize(mut self) -> Self {
        self.direction = Direction::Maximize;
        self
    }

    /// Seeds everything that the study draws: the runs' seeds, the proposer's.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How many runs may be under way at once (at least 1).
    #[must_use]
    pub fn in_flight(mut self, n: usize) -> Self {
        self.in_flight = n.max(1);
        self
    }

    /// How many runs are planned at once (at least 1), where that is not as many as may be under way: with more, a
    /// slot that falls free need not wait for the acceptor or the proposer; what is planned further ahead knows less.
    #[must_use]
    pub fn ahead(mut self, n: usize) -> Self {
        self.ahead = Some(n.max(1));
        self
    }

    /// In which order finished runs are judged.
    #[must_use]
    pub fn order(mut self, order: DecisionOrder) -> Self {
        self.order = order;
        self
    }

    /// What becomes of proposals that were made for an incumbent of before.
    #[must_use]
    pub fn stale(mut self, stale: Stale) -> Self {
        self.stale = stale;
        self
    }

    /// The bits of a run's seed.
    pub(crate) fn seed_bits(&self) -> u32 {
        if self.short_seeds { SHORT_SEED } else { u32::MAX }
    }

    /// Runs planned at once.
    pub(crate) fn width(&self) -> usize {
        self.ahead.unwrap_or(self.in_flight)
    }

    /// What decides when the acceptor is asked, besides the runs under way.
    pub(crate) fn rhythm(&self) -> String {
        match self.ahead {
            Some(ahead) => format!("{:?}, {ahead} runs ahead", self.order),
            None => format!("{:?}", self.order),
        }
    }

    /// When to stop.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Have every acceptance confirmed by a holdout.
    #[must_use]
    pub fn holdout(mut self, holdout: Holdout) -> Self {
        self.holdout = Some(holdout);
        self
    }

    /// Hold runs, or what is kept, to a bound on a metric. May be called several times.
    #[must_use]
    pub fn constraint(mut self, constraint: Constraint) -> Self {
        self.constraints.push(constraint);
        self
    }

    /// Open a test split at the end.
    #[must_use]
    pub fn test_split(mut self, test: TestSplit) -> Self {
        self.test = Some(test);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn studies_from_before_keep_their_seeds() {
        let new = Settings::new().seed(7);
        let mut stored = serde_json::to_value(&new).expect("settings can be written");
        assert_eq!(stored["short_seeds"], true);
        stored.as_object_mut().expect("they are a table").remove("short_seeds");
        let old: Settings = serde_json::from_value(stored).expect("and read");
        assert_eq!((new.seed_bits(), old.seed_bits()), (i32::MAX as u32, u32::MAX));
    }
}
