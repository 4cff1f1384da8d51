//! The standard error of a mean whose values come in clusters: chunks of one document, tasks of one family.

use super::StatsError;
use std::collections::BTreeMap;

/// A weighted mean and its clustered standard error, by [`clustered_se`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct ClusteredMean {
    /// The weighted mean, in the units of the values.
    pub mean: f64,
    /// The standard error without small-sample correction; `None` where one cluster leaves it unknown.
    pub se: Option<f64>,
    /// The number of clusters with a positive weight.
    pub clusters: usize,
}

impl ClusteredMean {
    /// The standard error multiplied by `sqrt(G/(G-1))` for `G` clusters, which matters when they are few.
    pub fn se_corrected(&self) -> Option<f64> {
        let g = self.clusters as f64;
        self.se.map(|se| se * (g / (g - 1.0)).sqrt())
    }
}

/// The weighted mean of `values` and its standard error, when only whole clusters are independent:
/// `sqrt(Σ_c (Σ_{i in c} w_i·(v_i - mean))²) / Σ w` (Liang & Zeger 1986, *Biometrika* 73:13-22; for evaluations
/// of language models Miller 2024, arXiv 2411.00640).
///
/// Without `weights` all weigh the same; only their ratios matter. Without `clusters` every value is its own
/// cluster. For a comparison pass the paired differences, document by document, not two lists with an error
/// each. Values that share a cluster id are in one cluster, wherever they stand.
///
/// # Errors
/// [`StatsError::Empty`] without values, [`StatsError::LengthMismatch`], [`StatsError::NonFinite`] for a value
/// or a weight (or if they overflow together), [`StatsError::Parameter`] for a negative weight or if no weight
/// is positive.
///
/// ```
/// use autoresearch_core::stats::clustered_se;
///
/// let gain = [0.2, 0.1, -0.1, 0.4, 0.3, 0.35, -0.2, 0.0, 0.15, 0.05];
/// let document = [0, 0, 0, 1, 1, 1, 2, 2, 3, 3];
/// let clustered = clustered_se(&gain, None, Some(&document))?;
/// let naive = clustered_se(&gain, None, None)?;
/// assert_eq!(clustered.clusters, 4);
/// assert!(clustered.se > naive.se); // chunks of one document move together
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
pub fn clustered_se(
    values: &[f64],
    weights: Option<&[f64]>,
    clusters: Option<&[u64]>,
) -> Result<ClusteredMean, StatsError> {
    if values.is_empty() {
        return Err(StatsError::Empty { what: "values" });
    }
    same_length(values.len(), "weights", weights.map(<[f64]>::len))?;
    same_length(values.len(), "clusters", clusters.map(<[u64]>::len))?;
    let weight = |i: usize| weights.map_or(1.0, |weights| weights[i]);
    for (i, &value) in values.iter().enumerate() {
        finite(&format_args!("values[{i}]"), value)?;
        let w = weight(i);
        finite(&format_args!("weights[{i}]"), w)?;
        if w < 0.0 {
            return Err(StatsError::Parameter { name: "weight", value: w, expected: "at least 0" });
        }
    }
    let total: f64 = (0..values.len()).map(weight).sum();
    finite(&"the sum of the weights", total)?;
    if total == 0.0 {
        return Err(StatsError::Parameter { name: "sum of weights", value: total, expected: "positive" });
    }

    // Shares of the total, so that nothing depends on the scale of the weights. The second pass takes out the
    // rounding of the first.
    let share = |i: usize| weight(i) / total;
    let rough: f64 = (0..values.len()).map(|i| share(i) * values[i]).sum();
    let mean = rough + (0..values.len()).map(|i| share(i) * (values[i] - rough)).sum::<f64>();

    // Ordered by id: the sum, and so its rounding, does not depend on the order of the values' clusters.
    let mut sums: BTreeMap<u64, f64> = BTreeMap::new();
    for (i, &value) in values.iter().enumerate().filter(|&(i, _)| weight(i) > 0.0) {
        let id = clusters.map_or(i as u64, |clusters| clusters[i]);
        *sums.entry(id).or_insert(0.0) += share(i) * (value - mean);
    }
    let se = sums.values().map(|sum| sum * sum).sum::<f64>().sqrt();
    finite(&"the mean", mean)?;
    finite(&"the standard error", se)?;
    Ok(ClusteredMean { mean, se: (sums.len() > 1).then_some(se), clusters: sums.len() })
}

fn same_length(left: usize, right_name: &'static str, right: Option<usize>) -> Result<(), StatsError> {
    match right {
        Some(right) if right != left => {
            Err(StatsError::LengthMismatch { left_name: "values", left, right_name, right })
        }
        _ => Ok(()),
    }
}

fn finite(what: &dyn std::fmt::Display, value: f64) -> Result<(), StatsError> {
    if value.is_finite() { Ok(()) } else { Err(StatsError::NonFinite { what: what.to_string(), value }) }
}
