//! What the documents of the validation split do to the score of a run.

use super::{PlanError, f_quantile};
use crate::holdout::{HeldOut, Shares, documents};
use crate::measure::{Direction, Measurement};
use crate::stats::{Moments, mean};
use serde::{Deserialize, Serialize};

/// What baseline runs say of the validation split and its documents. Standard deviations are of the split's mean, in
/// the units of the objective.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Documents {
    /// How many independent documents there are.
    pub count: usize,
    /// The split's own standard deviation as a sample of documents: the clustered standard error of the mean score. It
    /// says how far the *level* may be from that of all text, and drops out of any comparison on the same documents.
    pub level_sd: f64,
    /// The run × document noise of one run's score: it would be another on other documents. It falls with more runs as
    /// with more documents.
    pub run_sd: f64,
    /// Its share of the variance of one run.
    pub run_share: f64,
    /// Lower end of the share's 95 % interval.
    pub run_share_low: f64,
    /// Its upper end.
    pub run_share_high: f64,
    /// Standard error of the share, about.
    pub run_share_se: f64,
}

/// Losses of every document, one a run, and how much of the split each is.
pub(super) struct Table {
    losses: Vec<Vec<f64>>,
    pub(super) shares: Shares,
    /// What a scatter is multiplied with to be a variance of the mean.
    pub(super) factor: f64,
}

impl Table {
    /// `None` where some run has no per-unit values, or there is but one document.
    pub(super) fn of(runs: &[&Measurement], direction: Direction) -> Result<Option<Self>, PlanError> {
        let with_units = runs.iter().filter(|run| run.units().is_some()).count();
        if with_units < runs.len() {
            return Ok(None);
        }
        let held: Vec<HeldOut> = runs.iter().map(|run| HeldOut::from((*run).clone())).collect();
        let (losses, weights) = documents(&held, direction).map_err(|_| PlanError::Units)?;
        let shares = Shares::new(&weights);
        let factor = shares.factor();
        Ok(factor.map(|factor| Self { losses, shares, factor }))
    }

    pub(super) fn count(&self) -> usize {
        self.losses.len()
    }

    /// What `of` makes of the losses of each document.
    pub(super) fn each(&self, of: impl Fn(&[f64]) -> f64) -> Vec<f64> {
        self.losses.iter().map(|losses| of(losses)).collect()
    }

    /// The variance of the split's mean that independent documents with these values give it.
    pub(super) fn variance(&self, values: &[f64]) -> f64 {
        self.factor * self.shares.scatter(values)
    }
}

impl Documents {
    /// Of the runs in the table, whose objectives have this variance.
    ///
    /// Two-way analysis of variance, runs × documents, without replication: `x = run + document + noise` of both. The
    /// ratio of the noise's mean square to that of runs is Fisher's F, which gives the interval of the share.
    pub(super) fn of(table: &Table, objectives: &[f64]) -> Option<Self> {
        let runs = objectives.len();
        let variance = Moments::of(objectives).variance().filter(|v| *v > 0.0)?;
        let n = runs as f64;
        let of_run = |i: usize| table.variance(&table.each(|losses| losses[i] - mean(losses)));
        let noise = (0..runs).map(of_run).sum::<f64>() / (n - 1.0);
        let level = table.variance(&table.each(mean));
        let (df, df_noise) = (n - 1.0, (n - 1.0) * table.shares.degrees_of_freedom());
        let share = noise / variance;
        let end = |p: f64| (share / f_quantile(p, df_noise, df)).min(1.0);
        Some(Self {
            count: table.count(),
            level_sd: level.sqrt(),
            run_sd: noise.sqrt(),
            run_share: share.min(1.0),
            run_share_low: end(0.975),
            run_share_high: end(0.025),
            run_share_se: share * (2.0 / df + 2.0 / df_noise).sqrt(),
        })
    }
}
