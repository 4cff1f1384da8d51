//! How noisy runs are, what equal seeds are worth, and how edits act on one another.

use crate::data::{Data, Run};
use crate::estimate::Estimate;
use crate::ledger::Need;
use crate::plan::{NOISE, SINGLE, TOTAL, design, left_out, left_out_on, singles};
use crate::recipes::Start;
use crate::search::Ended;
use crate::task::Size;
use autoresearch_core::stats::Moments;
use autoresearch_tch::GptRecipe;
use serde::{Deserialize, Serialize};

/// Of one start, and of what the recommended policy kept from there. Bits per byte of validation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Noise {
    pub(crate) start: Start,
    /// Standard deviation over seeds at the start and at the end, and of how many runs.
    pub(crate) sd_start: f64,
    pub(crate) sd_kept: f64,
    pub(crate) seeds: usize,
    /// Standard deviations of recipes with one key left out, or set alone, in that of start or end: smallest, median, largest.
    pub(crate) sd_edits: Option<(f64, f64, f64)>,
    /// Whether a run made twice gave the same number, bit for bit; `None` where it was not made twice.
    pub(crate) repeats: Option<bool>,
    /// Correlation under equal seeds, pooled: of single edits with the start, of the end with one key less with the end,
    /// of the end with the start.
    pub(crate) rho_single: Option<f64>,
    pub(crate) rho_left_out: Option<f64>,
    pub(crate) rho_far: Option<f64>,
    /// The component of an edit's effect that belongs to the documents of the split and does not fall with seeds, as a
    /// standard deviation of the mean over them, in that of a run (analysis of variance, over edits pooled).
    pub(crate) split_component: Option<f64>,
    pub(crate) edits: Vec<Acting>,
    /// Of the keys in `edits`.
    pub(crate) sum_single: f64,
    pub(crate) sum_main: f64,
    pub(crate) sum_left_out: f64,
    /// Of everything that was kept.
    pub(crate) total: Option<Estimate>,
    /// Rank correlations: single with left out, main with left out.
    pub(crate) single_to_left_out: Option<f64>,
    pub(crate) main_to_left_out: Option<f64>,
}

/// What one key is worth in three contexts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Acting {
    pub(crate) key: String,
    /// Alone at the start; with half of the others on; with all others on.
    pub(crate) single: f64,
    pub(crate) main: Option<f64>,
    pub(crate) left_out: Option<f64>,
}

pub(crate) fn measure(ended: &Ended, data: &Data) -> Option<Noise> {
    let (start, kept) = (&ended.baseline, &ended.kept_recipe);
    let sd = |recipe: &GptRecipe| sd(&data.on(recipe, NOISE, Size::Small));
    let (sd_start, sd_kept) = (sd(start)?, sd(kept)?);
    let at_start: Vec<_> = singles(ended)
        .into_iter()
        .map(|(key, recipe)| (key, data.pairs(start, &recipe, SINGLE, Size::Small)))
        .filter(|(_, pairs)| pairs.len() > 1)
        .collect();
    let at_end: Vec<_> = left_out(ended)
        .into_iter()
        .map(|(key, recipe)| (key, data.pairs(&recipe, kept, left_out_on(ended), Size::Small)))
        .filter(|(_, pairs)| pairs.len() > 1)
        .collect();
    let mains = mains(ended, data);
    let mean = |pairs: &[(&Run, &Run)]| {
        pairs.iter().map(|(a, b)| a.validation - b.validation).collect::<Moments>().mean()
    };
    let edits: Vec<Acting> = at_start
        .iter()
        .map(|(key, pairs)| Acting {
            key: key.clone(),
            single: mean(pairs),
            main: mains.iter().find(|(name, _)| name == key).map(|(_, main)| *main),
            left_out: at_end.iter().find(|(name, _)| name == key).map(|(_, pairs)| mean(pairs)),
        })
        .collect();
    let far = data.pairs(start, kept, TOTAL, Size::Small);
    let ratios = at_start
        .iter()
        .map(|(_, pairs)| (pairs, sd_start))
        .chain(at_end.iter().map(|(_, pairs)| (pairs, sd_kept)));
    let mut ratios: Vec<f64> = ratios
        .filter_map(|(pairs, whole)| {
            let edited =
                pairs.iter().map(|(a, b)| if whole == sd_start { b.validation } else { a.validation });
            Some(edited.collect::<Moments>().sd()? / whole)
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    let ranks = |of: fn(&Acting) -> Option<f64>| {
        let both: Vec<(f64, f64)> = edits.iter().filter_map(|e| Some((of(e)?, e.left_out?))).collect();
        rank_correlation(&both)
    };
    let repeated = Need { again: 1, ..Need::small(start, NOISE.start) };
    let repeats = data.run(&repeated).zip(data.run(&Need::small(start, NOISE.start)));
    Some(Noise {
        start: ended.search.start,
        sd_start,
        sd_kept,
        seeds: data.on(start, NOISE, Size::Small).len(),
        sd_edits: Some((*ratios.first()?, ratios[ratios.len() / 2], *ratios.last()?)),
        repeats: repeats.map(|(a, b)| a.validation.to_bits() == b.validation.to_bits()),
        rho_single: rho(at_start.iter().map(|(_, pairs)| pairs.as_slice())),
        rho_left_out: rho(at_end.iter().map(|(_, pairs)| pairs.as_slice())),
        rho_far: rho([far.as_slice()]),
        split_component: split_component(at_start.iter().map(|(_, pairs)| pairs.as_slice()))
            .map(|v| v.max(0.0).sqrt() / sd_start),
        sum_single: edits.iter().map(|e| e.single).sum(),
        sum_main: edits.iter().filter_map(|e| e.main).sum(),
        sum_left_out: edits.iter().filter_map(|e| e.left_out).sum(),
        total: Estimate::of(far.iter().map(|(a, b)| a.validation - b.validation)),
        single_to_left_out: ranks(|e| Some(e.single)),
        main_to_left_out: ranks(|e| e.main),
        edits,
    })
}

fn sd(runs: &[&Run]) -> Option<f64> {
    runs.iter().map(|run| run.validation).collect::<Moments>().sd()
}

/// Of two arms on equal seeds, pooled over pairs of arms: covariance over the mean of the variances.
fn rho<'a>(arms: impl IntoIterator<Item = &'a [(&'a Run, &'a Run)]>) -> Option<f64> {
    let (mut apart, mut together) = (0.0, 0.0);
    for pairs in arms {
        let of = |of: fn(&(&Run, &Run)) -> f64| pairs.iter().map(of).collect::<Moments>().sum_of_squares();
        apart += of(|(a, b)| a.validation - b.validation);
        together += of(|(a, _)| a.validation) + of(|(_, b)| b.validation);
    }
    (together > 0.0).then(|| 1.0 - apart / together)
}

/// Two-way analysis of variance of the paired differences, documents by seeds: (MS documents − MS residual) / seeds is the
/// variance between documents, over the number of documents that of their mean. Averaged over edits.
fn split_component<'a>(arms: impl IntoIterator<Item = &'a [(&'a Run, &'a Run)]>) -> Option<f64> {
    let mut components = Moments::new();
    for pairs in arms {
        let rows: Vec<Vec<f64>> = pairs
            .iter()
            .map(|(a, b)| a.documents.iter().zip(&b.documents).map(|(a, b)| a - b).collect())
            .collect();
        let (n, d) = (rows.len(), rows.first()?.len());
        if n < 2 || d < 2 || rows.iter().any(|row| row.len() != d) {
            continue;
        }
        let all = rows.iter().flatten().sum::<f64>() / (n * d) as f64;
        let by_document: Vec<f64> =
            (0..d).map(|j| rows.iter().map(|row| row[j]).sum::<f64>() / n as f64).collect();
        let by_seed: Vec<f64> = rows.iter().map(|row| row.iter().sum::<f64>() / d as f64).collect();
        let documents: f64 =
            by_document.iter().map(|m| (m - all).powi(2)).sum::<f64>() * n as f64 / (d - 1) as f64;
        let residual: f64 = (0..n)
            .flat_map(|i| (0..d).map(move |j| (i, j)))
            .map(|(i, j)| (rows[i][j] - by_document[j] - by_seed[i] + all).powi(2))
            .sum::<f64>()
            / ((n - 1) * (d - 1)) as f64;
        components.push((documents - residual) / n as f64 / d as f64);
    }
    (components.n() > 0).then(|| components.mean())
}

/// Main effects in the design: the mean of the runs with a key on less that of the others.
fn mains(ended: &Ended, data: &Data) -> Vec<(String, f64)> {
    let (names, runs) = design(ended);
    let runs: Vec<(Vec<bool>, f64)> =
        runs.into_iter().filter_map(|(row, need)| Some((row, data.run(&need)?.validation))).collect();
    let main = |(j, name): (usize, &String)| {
        let of = |on: bool| {
            runs.iter().filter(|(row, _)| row[j] == on).map(|(_, bits)| *bits).collect::<Moments>()
        };
        let (on, off) = (of(true), of(false));
        (on.n() > 0 && off.n() > 0).then(|| (name.clone(), off.mean() - on.mean()))
    };
    names.iter().enumerate().filter_map(main).collect()
}

/// Spearman's.
pub(crate) fn rank_correlation(pairs: &[(f64, f64)]) -> Option<f64> {
    let (a, b): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    autoresearch_core::stats::spearman(&a, &b).ok().map(|s| s.rho).filter(|rho| rho.is_finite())
}
