//! What the holdout says of several factors that were switched together.

use super::{Basis, HeldOut, Holdout};
use crate::accept::{EffectsClaim, EffectsTest, Noise};
use crate::arm::Arm;
use crate::measure::{Direction, PerUnit};
use crate::stats::{self, Design};

/// The factors that validation passes by itself, each with its strength; none of the others can pass.
pub(crate) fn contenders(claim: &EffectsClaim) -> Vec<Option<f64>> {
    match &claim.test {
        EffectsTest::Levels(levels) => levels.iter().map(|level| Some(-level.ln())).collect(),
        EffectsTest::Certificate { log_e, alpha, of, before } => {
            let mut strengths = vec![None; log_e.len()];
            for j in stats::e_bh_after(log_e, *alpha, *of, *before) {
                strengths[j] = Some(log_e[j]);
            }
            strengths
        }
    }
}

/// One factor over all groups.
#[derive(Default, Clone)]
struct Pooled {
    /// Sum of `precision·coefficient`, and of the precisions `s/s2`.
    sum: f64,
    precision: f64,
    /// The same sum for every document, and the variance that runs give to it.
    documents: Vec<f64>,
    run_variance: Vec<f64>,
    /// The noise of the last group that said something.
    noise: Noise,
}

/// One bit for each factor that is asked about; the others get no.
///
/// # Errors
/// The runs were not measured on the same units.
pub(crate) fn examine(
    claim: &EffectsClaim,
    asked: &[bool],
    arms: &[&Arm],
    held: &[HeldOut],
    rules: &Holdout,
    direction: Direction,
) -> Result<(Vec<bool>, Basis), String> {
    let (documents, weights) = documents(held, direction)?;
    let mut pooled = vec![Pooled::default(); claim.factors.len()];
    let mut spare = 0.0;
    let mut at = 0;
    for group in &claim.groups {
        let n: usize = group.blocks.iter().map(Vec::len).sum();
        let blocks: Vec<u32> =
            group.blocks.iter().zip(0u32..).flat_map(|(block, b)| block.iter().map(move |_| b)).collect();
        let rows = at..at + n;
        at += n;
        // Most factors are on in all runs of a group, or in none.
        let is_on =
            |factor: &Arm| arms[rows.clone()].iter().map(|arm| arm.contains(factor)).collect::<Vec<_>>();
        let (switched, columns): (Vec<usize>, Vec<Vec<bool>>) = claim
            .factors
            .iter()
            .map(is_on)
            .enumerate()
            .filter(|(_, column)| column.contains(&true) && column.contains(&false))
            .unzip();
        if switched.is_empty() {
            continue;
        }
        let on: Vec<Vec<bool>> =
            (0..n).map(|run| columns.iter().map(|column| column[run]).collect()).collect();
        let design = Design::new(&on, &blocks).map_err(|e| e.to_string())?;
        // A score is the negative of a loss.
        let scores: Vec<f64> = held[rows.clone()].iter().map(|h| -h.loss(direction)).collect();
        let whole = design.fit(&scores).map_err(|e| e.to_string())?;
        let fits = documents.iter().map(|losses| {
            let deviations: Vec<f64> =
                losses[rows.clone()].iter().zip(&scores).map(|(loss, score)| -loss - score).collect();
            design.fit(&deviations).map_err(|e| e.to_string())
        });
        let fits = fits.collect::<Result<Vec<_>, _>>()?;
        spare += whole.df;
        for (j, &factor) in switched.iter().enumerate() {
            let Some(s) = design.information(j) else { continue };
            let pool = &mut pooled[factor];
            let precision = s / variance(group.noise);
            pool.noise = group.noise;
            pool.sum += precision * whole.coefficients[j];
            pool.precision += precision;
            pool.documents.resize(fits.len(), 0.0);
            pool.run_variance.resize(fits.len(), 0.0);
            for (d, fit) in fits.iter().enumerate() {
                pool.documents[d] += precision * fit.coefficients[j];
                if fit.df > 0.0 {
                    pool.run_variance[d] += precision * precision / s * fit.rss / fit.df;
                }
            }
        }
    }
    let basis = match (rules.split_error, documents.len() > 1, spare >= 4.0) {
        (Some(_), ..) => Basis::Stated,
        (None, false, _) => Basis::RunsOnly,
        (None, true, false) => Basis::RunsAndDocuments,
        (None, true, true) => Basis::RunsAndDocumentComponent,
    };
    let split_variance = |pool: &Pooled| match basis {
        Basis::Stated => rules.split_error.map_or(0.0, |se| se * se),
        Basis::RunsOnly => 0.0,
        _ => document_variance(pool, &weights, basis == Basis::RunsAndDocumentComponent),
    };
    Ok((judge(claim, asked, &pooled, split_variance), basis))
}

/// Variance of a pooled coefficient that comes from the documents: all of it, or what does not fall with more runs.
fn document_variance(pool: &Pooled, weights: &[f64], component: bool) -> f64 {
    let total: f64 = weights.iter().sum();
    let k = weights.len() as f64;
    let s = pool.precision;
    let square = |w: &f64| (w / total).powi(2);
    let centre: f64 = pool.documents.iter().zip(weights).map(|(x, w)| w * x / s).sum::<f64>() / total;
    let scatter: f64 =
        pool.documents.iter().zip(weights).map(|(x, w)| square(w) * (x / s - centre).powi(2)).sum();
    let noise: f64 = pool.run_variance.iter().zip(weights).map(|(v, w)| square(w) * v / (s * s)).sum::<f64>();
    let all = scatter * k / (k - 1.0);
    if component { (all - noise).max(0.0) } else { all }
}

/// Variance of a single run. Where no noise at all was seen, next to none.
fn variance(noise: Noise) -> f64 {
    if noise.df > 0.0 { (noise.ss / noise.df).max(f64::MIN_POSITIVE) } else { f64::INFINITY }
}

fn judge(
    claim: &EffectsClaim,
    asked: &[bool],
    pooled: &[Pooled],
    split_variance: impl Fn(&Pooled) -> f64,
) -> Vec<bool> {
    let estimate = |pool: &Pooled| {
        (pool.precision > 0.0)
            .then(|| (pool.sum / pool.precision, split_variance(pool) + 1.0 / pool.precision))
    };
    match &claim.test {
        EffectsTest::Levels(levels) => (0..levels.len())
            .map(|j| {
                let df = pooled[j].noise.df;
                let passes = |(gain, w): (f64, f64)| stats::holdout_p_value(gain, w.sqrt(), df) <= levels[j];
                asked[j] && estimate(&pooled[j]).is_some_and(passes)
            })
            .collect(),
        EffectsTest::Certificate { log_e, alpha, of, before } => {
            let smaller = |j: usize| {
                if !asked[j] {
                    return f64::NEG_INFINITY;
                }
                let noise = pooled[j].noise;
                let holdout = estimate(&pooled[j]).map_or(f64::NEG_INFINITY, |(gain, w)| {
                    stats::holdout_half_normal_log_e(gain, w, noise.df, variance(noise))
                });
                log_e[j].min(if holdout.is_nan() { f64::NEG_INFINITY } else { holdout })
            };
            let log_e: Vec<f64> = (0..log_e.len()).map(smaller).collect();
            let mut bits = vec![false; log_e.len()];
            for j in stats::e_bh_after(&log_e, *alpha, *of, *before) {
                bits[j] = true;
            }
            bits
        }
    }
}

/// The losses of every source, one a run, and the sources' weights; nothing where there are no per-unit values.
fn documents(held: &[HeldOut], direction: Direction) -> Result<(Vec<Vec<f64>>, Vec<f64>), String> {
    let Some(units) = held.iter().map(|h| h.0.units()).collect::<Option<Vec<&PerUnit>>>() else {
        return Ok((Vec::new(), Vec::new()));
    };
    super::gate::same_units(&units)?;
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

/// Weighted means and weights of the sources that the units come from, in order of appearance.
fn by_source(units: &PerUnit) -> (Vec<f64>, Vec<f64>) {
    let mut places = std::collections::HashMap::new();
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
