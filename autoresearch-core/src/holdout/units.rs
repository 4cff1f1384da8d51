//! The units behind held-out measurements: whether they are the same, and the sources that they come from.

use super::HeldOut;
use crate::measure::{Direction, PerUnit};
use std::collections::HashMap;

/// Whether all were measured on the same units.
fn same_units(all: &[&PerUnit]) -> Result<(), String> {
    let Some((first, rest)) = all.split_first() else { return Ok(()) };
    let differs = |other: &&&PerUnit| {
        other.values.len() != first.values.len()
            || other.weights != first.weights
            || other.clusters != first.clusters
    };
    match rest.iter().find(differs) {
        None => Ok(()),
        Some(other) => Err(format!(
            "held-out measurements of one question differ in their units ({} and {} values, or other weights or \
             clusters); the evaluator must give the same units in the same order for every run",
            first.values.len(),
            other.values.len()
        )),
    }
}

/// The losses of every source, one a run, and the sources' weights; nothing where there are no per-unit values.
pub(crate) fn documents(held: &[HeldOut], direction: Direction) -> Result<(Vec<Vec<f64>>, Vec<f64>), String> {
    let Some(units) = held.iter().map(|h| h.0.units()).collect::<Option<Vec<&PerUnit>>>() else {
        return Ok((Vec::new(), Vec::new()));
    };
    same_units(&units)?;
    let (mut losses, mut weights) = (Vec::new(), Vec::new());
    for (run, units) in units.iter().enumerate() {
        let (means, of_sources) = by_source(units);
        if run == 0 {
            losses = vec![Vec::with_capacity(held.len()); means.len()];
            weights = of_sources;
        }
        losses.iter_mut().zip(means).for_each(|(list, mean)| list.push(direction.loss(mean)));
    }
    Ok((losses, weights))
}

/// `Σ w·loss` of every source over the runs, and the sources' weights; nothing where there are no per-unit values.
pub(crate) fn weighted_documents(
    held: &[HeldOut],
    of_runs: &[f64],
    direction: Direction,
) -> Result<(Vec<f64>, Vec<f64>), String> {
    let Some(units) = held.iter().map(|h| h.0.units()).collect::<Option<Vec<&PerUnit>>>() else {
        return Ok((Vec::new(), Vec::new()));
    };
    same_units(&units)?;
    let (mut sums, mut weights) = (Vec::new(), Vec::new());
    for (units, of_run) in units.iter().zip(of_runs) {
        let (means, of_sources) = by_source(units);
        if weights.is_empty() {
            (sums, weights) = (vec![0.0; means.len()], of_sources);
        }
        sums.iter_mut().zip(means).for_each(|(sum, mean)| *sum += of_run * direction.loss(mean));
    }
    Ok((sums, weights))
}

/// Weighted means and weights of the sources that the units come from, in order of appearance.
fn by_source(units: &PerUnit) -> (Vec<f64>, Vec<f64>) {
    if units.clusters.is_none() && units.weights.is_none() {
        return (units.values.clone(), vec![1.0; units.values.len()]);
    }
    let mut places = HashMap::new();
    let (mut sums, mut weights): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
    for (i, value) in units.values.iter().enumerate() {
        let source = units.clusters.as_ref().map_or(i as u64, |c| c[i]);
        let weight = units.weights.as_ref().map_or(1.0, |w| w[i]);
        let at = *places.entry(source).or_insert(sums.len());
        if at == sums.len() {
            sums.push(0.0);
            weights.push(0.0);
        }
        sums[at] += weight * value;
        weights[at] += weight;
    }
    let means = sums.iter().zip(&weights).map(|(s, w)| if *w > 0.0 { s / w } else { 0.0 }).collect();
    (means, weights)
}

/// The shares of the weight that documents have, and what they make of the documents' noise.
///
/// With deviations `x − Σpx` from the split's own mean, `Σp²(x − Σpx)²` has the expectation `v·Σp²(1 − 2p + Σp²)` where
/// the documents have variance `v` each; the mean has variance `v·Σp²`, which is what is wanted. Among equal documents
/// the factor between both is `k/(k − 1)`; among unequal ones that would be too little.
pub(crate) struct Shares {
    shares: Vec<f64>,
    /// `Σp²`.
    mean: f64,
    /// `Σp²(1 − 2p + Σp²)`.
    seen: f64,
}

impl Shares {
    pub(crate) fn new(weights: &[f64]) -> Self {
        let total: f64 = weights.iter().sum();
        let shares: Vec<f64> = weights.iter().map(|w| w / total).collect();
        let mean: f64 = shares.iter().map(|p| p * p).sum();
        let seen = shares.iter().map(|p| p * p * (1.0 - 2.0 * p + mean)).sum();
        Self { shares, mean, seen }
    }

    /// What `scatter` is multiplied with; `None` where all weight is on one document, so that nothing is known.
    pub(crate) fn factor(&self) -> Option<f64> {
        (self.seen > 0.0).then(|| self.mean / self.seen)
    }

    /// `Σp²(x − Σpx)²`.
    pub(crate) fn scatter(&self, values: &[f64]) -> f64 {
        let centre: f64 = self.shares.iter().zip(values).map(|(p, x)| p * x).sum();
        self.shares.iter().zip(values).map(|(p, x)| (p * (x - centre)).powi(2)).sum()
    }

    /// `Σp²v`, the variance of the mean of documents with variances `v`.
    pub(crate) fn of_mean(&self, variances: &[f64]) -> f64 {
        self.shares.iter().zip(variances).map(|(p, v)| p * p * v).sum()
    }

    /// Degrees of freedom of the scatter: one less than there are documents, where they are equal.
    pub(crate) fn degrees_of_freedom(&self) -> f64 {
        let fourth: f64 = self.shares.iter().map(|p| p.powi(4)).sum();
        (self.mean * self.mean / fourth - 1.0).max(1.0)
    }
}
