//! The rules that are compared.

use autoresearch_core::{Acceptor, Factorial, Greedy, Guarded, Scout};
use serde::{Deserialize, Serialize};

/// A rule for keeping.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Policy {
    /// Keep if better, every run on one and the same seed: the original's rule.
    GreedyFixed,
    /// Keep if better, a fresh seed a run.
    Greedy,
    /// One proposal at a time, screened and then confirmed on fresh pairs of runs.
    Guarded,
    /// Cohorts of proposals in factorial designs.
    Factorial,
    /// Scout and certify, the recommended policy.
    Scout,
}

impl Policy {
    pub(crate) const ALL: [Self; 5] =
        [Self::GreedyFixed, Self::Greedy, Self::Guarded, Self::Factorial, Self::Scout];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::GreedyFixed => "greedy-fixed",
            Self::Greedy => "greedy",
            Self::Guarded => "guarded",
            Self::Factorial => "factorial",
            Self::Scout => "scout",
        }
    }

    pub(crate) fn acceptor(self) -> Box<dyn Acceptor> {
        match self {
            Self::GreedyFixed => Box::new(Greedy::new().fixed_seed()),
            Self::Greedy => Box::new(Greedy::new()),
            Self::Guarded => Box::new(Guarded::new()),
            Self::Factorial => Box::new(Factorial::new()),
            Self::Scout => Box::new(Scout::new()),
        }
    }

    /// The original has no holdout, and a rule that promises nothing has nothing to ask it.
    pub(crate) fn has_holdout(self) -> bool {
        !matches!(self, Self::GreedyFixed | Self::Greedy)
    }
}
