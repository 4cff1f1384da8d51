//! What would buy most: more seeds, more documents, or longer runs.

use super::PlanError;
use super::f_quantile;
use super::sigma::Sigma;
use serde::{Deserialize, Serialize};

/// By what factor the smallest detectable effect would change.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Levers {
    /// With twice the runs on each proposal: twice the training.
    pub twice_the_runs: f64,
    /// With a validation split of twice the documents: no more training. `None` without per-unit values.
    pub twice_the_documents: Option<f64>,
    /// With all the documents in the world.
    pub all_documents: Option<f64>,
    /// Longer runs, where some were given.
    pub longer: Option<Longer>,
}

/// What longer runs say. They know the noise, not the signal: whether edits gain more in a longer run is not to be seen
/// in runs of the baseline.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Longer {
    /// What such a run costs, in runs of the usual length.
    pub cost: f64,
    /// How much it scatters.
    pub sigma: Sigma,
    /// In terms of the usual sigma.
    pub ratio: f64,
    /// Lower end of the ratio's 95 % interval (Fisher's F).
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// Longer runs pay where an edit gains more than so many times what it gains in a usual run; else the same training
    /// is better spent on more of the usual runs. `ratio·sqrt(cost)`.
    pub break_even: f64,
}

impl Longer {
    pub(super) fn of(cost: f64, values: &[f64], usual: &Sigma) -> Result<Self, PlanError> {
        let sigma =
            Sigma::of(values).filter(|s| s.sd > 0.0).ok_or(PlanError::Longer { runs: values.len() })?;
        let ratio = sigma.sd / usual.sd;
        let end = |p: f64| ratio / f_quantile(p, sigma.df, usual.df).sqrt();
        Ok(Self { cost, sigma, ratio, low: end(0.975), high: end(0.025), break_even: ratio * cost.sqrt() })
    }
}
