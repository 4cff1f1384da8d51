//! The answer.

use super::{
    Detectable, Documents, Drift, HoldoutSize, Levers, Pairs, PolicyCost, Repeats, Sigma, Tails, Warning,
};
use serde::{Deserialize, Serialize};

/// What baseline runs say of a metric, before a search. All effects are gains: positive is better.
///
/// `Display` is a table, the paragraph ([`paragraph`](Self::paragraph)) and the warnings; serde has the figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EvaluationDesign {
    /// Baseline runs given.
    pub runs: usize,
    /// Different seeds among them; the first run on each is what everything rests on.
    pub seeds: usize,
    /// Their mean objective.
    pub mean: f64,
    /// The standard deviation of one run, with its interval.
    pub sigma: Sigma,
    /// What the documents say, where all runs have per-unit values.
    pub documents: Option<Documents>,
    /// What edits on the baseline's seeds say, where some were given.
    pub pairs: Option<Pairs>,
    /// The one-sided level of the test that finds an effect.
    pub alpha: f64,
    /// The smallest effect that the planned number of runs can tell.
    pub detectable: Detectable,
    /// The same for the numbers of runs to compare, in their order.
    pub by_runs: Vec<Detectable>,
    /// The size that matters, if it was said.
    pub matters: Option<f64>,
    /// What each policy spends to find an edit of the size that matters, or else of the smallest detectable one; empty
    /// if no simulation was wanted.
    pub costs: Vec<PolicyCost>,
    /// How large the holdout should be.
    pub holdout: HoldoutSize,
    /// What more seeds, documents or longer runs would buy.
    pub levers: Levers,
    /// Repeats on equal seeds, where there are any.
    pub repeats: Option<Repeats>,
    /// Whether the score changes over time.
    pub drift: Option<Drift>,
    /// Tails of the noise.
    pub tails: Option<Tails>,
    /// What speaks against searching on this metric as it is.
    pub warnings: Vec<Warning>,
}

impl EvaluationDesign {
    /// The size of an edit that the costs are for, in the units of the objective.
    pub fn target(&self) -> f64 {
        self.matters.unwrap_or(self.detectable.effect)
    }

    /// Whether a search would be blind to the size that matters, or to all but large effects where that was not said.
    pub fn is_blind(&self) -> bool {
        let blind = |w: &Warning| matches!(w, Warning::Blind { .. } | Warning::OnlyLargeEffects { .. });
        self.warnings.iter().any(blind)
    }
}
