//! Runs of mild edits on the baseline's seeds: what equal seeds are worth, and what of a difference is the split's own.

use super::PlanError;
use super::documents::Table;
use crate::measure::{Direction, Measurement};
use crate::stats::Moments;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One-sided 95 % of the normal distribution.
const ONE_SIDED: f64 = 1.645;

/// Differences that scatter less than this part of sigma are one number and rounding.
const SHIFT: f64 = 1e-9;

/// What pairs of edit and baseline on equal seeds say of a difference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Pairs {
    /// Edits with two or more pairs.
    pub edits: usize,
    /// Edits with a single pair, of which nothing is learnt.
    #[serde(default)]
    pub single: usize,
    /// Pairs, less one for each edit.
    pub df: f64,
    /// Standard deviation of the difference of one pair over seeds, pooled over the edits.
    pub sd: f64,
    /// How much runs on equal seeds correlate: `1 − sd²/(2σ²)`, not below 0.
    pub correlation: f64,
    /// The variance of a difference is another for each edit; it spreads over edits like a chi-squared variable with so
    /// many degrees of freedom. Infinite: no spread seen.
    #[serde(with = "infinite")]
    pub spread_df: f64,
    /// The part of `sd²` that is run × document noise, where there are per-unit values.
    pub document_share: Option<f64>,
    /// The validation split's own noise, where there are per-unit values.
    pub split: Option<SplitNoise>,
}

/// The edit × document component: by how much a split of these documents misjudges an edit, however many runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SplitNoise {
    /// Its standard deviation, in the units of the objective; 0 where the estimated variance is negative.
    pub sd: f64,
    /// With 95 % confidence it is below this.
    pub at_most: f64,
}

/// JSON has no infinity; here it is null.
mod infinite {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(x: &f64, s: S) -> Result<S::Ok, S::Error> {
        Some(*x).filter(|x| x.is_finite()).serialize(s)
    }
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<f64, D::Error> {
        Ok(Option::deserialize(d)?.unwrap_or(f64::INFINITY))
    }
}

/// What one edit says, in squared units of the objective.
struct OfEdit {
    pairs: f64,
    /// Variance of one pair's difference over seeds.
    variance: f64,
    /// The components by documents: edit × document with its sampling variance, run × document of one pair.
    split: Option<(f64, f64, f64)>,
}

impl OfEdit {
    /// `None` with fewer than two pairs.
    fn of(pairs: &[(&Measurement, &Measurement)], direction: Direction) -> Result<Option<Self>, PlanError> {
        let gains: Moments = pairs.iter().map(|(b, e)| gain(b, e, direction)).collect();
        let Some(variance) = gains.variance() else { return Ok(None) };
        let all: Vec<&Measurement> = pairs.iter().flat_map(|(b, e)| [*b, *e]).collect();
        let split = Table::of(&all, direction)?.map(|table| {
            let m = pairs.len() as f64;
            let of_pair = |losses: &[f64], i: usize| losses[2 * i] - losses[2 * i + 1];
            let average =
                |losses: &[f64]| (0..pairs.len()).map(|i| of_pair(losses, i)).collect::<Moments>().mean();
            let whole = table.variance(&table.each(average));
            let about = |i: usize| table.variance(&table.each(|l| of_pair(l, i) - average(l)));
            let of_runs = (0..pairs.len()).map(about).sum::<f64>() / (m - 1.0);
            // Mean squares of the analysis of variance, each with the sampling variance 2·ms²/df.
            let df = table.shares.degrees_of_freedom();
            let uncertainty = 2.0 / df * (whole.powi(2) + (of_runs / m).powi(2) / (m - 1.0));
            (whole - of_runs / m, uncertainty, of_runs)
        });
        Ok(Some(Self { pairs: pairs.len() as f64, variance, split }))
    }
}

fn gain(baseline: &Measurement, edit: &Measurement, direction: Direction) -> f64 {
    direction.loss(baseline.objective()) - direction.loss(edit.objective())
}

impl Pairs {
    /// `None` where no edit has two pairs.
    pub(super) fn of(
        baseline: &[(u64, &Measurement)],
        edits: &[Vec<(u64, Measurement)>],
        sigma: f64,
        direction: Direction,
    ) -> Result<Option<Self>, PlanError> {
        let on: BTreeMap<u64, &Measurement> = baseline.iter().copied().collect();
        let mut all = Vec::new();
        for (i, runs) in edits.iter().enumerate() {
            // One pair a seed: a repeated seed is no further pair.
            let of_seed: BTreeMap<u64, &Measurement> = runs.iter().rev().map(|(s, m)| (*s, m)).collect();
            let pairs: Vec<_> = of_seed.iter().filter_map(|(s, m)| Some((*on.get(s)?, *m))).collect();
            if pairs.is_empty() {
                return Err(PlanError::NoPairs { edit: i });
            }
            let of_edit = OfEdit::of(&pairs, direction)?;
            if let Some(sd) = of_edit.as_ref().map(|e| e.variance.sqrt()).filter(|sd| *sd < SHIFT * sigma) {
                return Err(PlanError::ExactShift { edit: i, sd });
            }
            all.extend(of_edit);
        }
        if all.is_empty() {
            return Ok(None);
        }
        let single = edits.len() - all.len();
        let df: f64 = all.iter().map(|e| e.pairs - 1.0).sum();
        let variance = all.iter().map(|e| (e.pairs - 1.0) * e.variance).sum::<f64>() / df;
        let split = all.iter().map(|e| e.split.map(|s| (e.pairs, s))).collect::<Option<Vec<_>>>();
        let split = split.filter(|_| variance > 0.0).map(|split| {
            let total: f64 = split.iter().map(|(m, _)| m).sum();
            let component = split.iter().map(|(m, s)| m / total * s.0).sum::<f64>();
            let error = split.iter().map(|(m, s)| (m / total).powi(2) * s.1).sum::<f64>().sqrt();
            let of_runs = split.iter().map(|(m, s)| (m - 1.0) / df * s.2).sum::<f64>();
            let at_most = (component.max(0.0) + ONE_SIDED * error).sqrt();
            (SplitNoise { sd: component.max(0.0).sqrt(), at_most }, (of_runs / variance).min(1.0))
        });
        Ok(Some(Self {
            edits: all.len(),
            single,
            df,
            sd: variance.sqrt(),
            correlation: (1.0 - variance / (2.0 * sigma * sigma)).max(0.0),
            spread_df: spread(&all, variance),
            document_share: split.map(|s| s.1),
            split: split.map(|s| s.0),
        }))
    }
}

/// By the method of moments: `E s⁴ = v²·(1 + 2/f)·(1 + 2/k)` for estimates from `f` degrees of freedom each, of
/// variances that spread like a chi-squared variable with `k`.
fn spread(edits: &[OfEdit], variance: f64) -> f64 {
    if edits.len() < 3 || variance <= 0.0 {
        return f64::INFINITY;
    }
    let df: f64 = edits.iter().map(|e| e.pairs - 1.0).sum();
    let weighed =
        |of: &dyn Fn(&OfEdit) -> f64| edits.iter().map(|e| (e.pairs - 1.0) / df * of(e)).sum::<f64>();
    let seen = weighed(&|e| (e.variance / variance).powi(2));
    let expected = weighed(&|e| 1.0 + 2.0 / (e.pairs - 1.0));
    let excess = seen / expected - 1.0;
    if excess > 0.0 { (2.0 / excess).max(1.0) } else { f64::INFINITY }
}
