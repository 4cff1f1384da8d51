//! How much the metric moves when nothing but the seed does.

use super::entries::{Class, Entry};
use super::repeats::{Group, SeedsOfRepeat};
use crate::stats::{Moments, chi_square_quantile};
use serde::{Deserialize, Serialize};

/// Where the noise is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NoiseSource {
    /// The user stated it.
    Stated,
    /// Rows of the log repeat each other under different seeds.
    Repeats,
    /// Rows repeat each other, and whether their seeds differ is not said: it may be understated, so that it may call a
    /// gain noise, and never more than noise.
    WeakRepeats,
    /// A stored study measured it: runs of one arm, pooled.
    Study,
    /// Nothing tells.
    Unknown,
}

/// Rows that repeat each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RepeatedRows {
    /// Their lines.
    pub lines: Vec<u64>,
    /// Their values, in the metric's units.
    pub values: Vec<f64>,
    /// How they were recognised.
    pub how: String,
    /// Whether their seeds differ.
    pub seeds: SeedsOfRepeat,
    /// Whether the noise rests on them.
    pub used: bool,
}

/// The run noise: the standard deviation of one run over seeds, in the metric's units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunNoise {
    /// Where it is known from.
    pub source: NoiseSource,
    /// The standard deviation of one run; `None`: unknown.
    pub sd: Option<f64>,
    /// Degrees of freedom behind it; `None`: taken as exact, or unknown.
    pub df: Option<f64>,
    /// 95 % confidence interval of the standard deviation, for normal noise (by the chi-squared distribution).
    pub interval: Option<(f64, f64)>,
    /// Every group of rows that was found to repeat.
    pub repeats: Vec<RepeatedRows>,
    /// What to keep in mind.
    pub warnings: Vec<String>,
}

impl RunNoise {
    pub(super) fn of(source: NoiseSource, sd: Option<f64>, df: Option<f64>) -> Self {
        let interval = match (sd, df) {
            (Some(sd), Some(df)) => interval(sd, df),
            _ => None,
        };
        Self { source, sd, df, interval, repeats: Vec::new(), warnings: Vec::new() }
    }

    /// The degrees of freedom as a number; infinite where the noise is taken as exact.
    pub(super) fn freedom(&self) -> f64 {
        self.df.unwrap_or(f64::INFINITY)
    }

    /// The root-mean-square difference of two runs that differ in nothing but their seeds. For a single pair it is
    /// what that pair differed by.
    pub fn typical_difference(&self) -> Option<f64> {
        Some(self.sd? * std::f64::consts::SQRT_2)
    }
}

fn interval(sd: f64, df: f64) -> Option<(f64, f64)> {
    let end = |p: f64| sd * (df / chi_square_quantile(p, df)).sqrt();
    let (low, high) = (end(0.975), end(0.025));
    (low.is_finite() && high.is_finite()).then_some((low, high))
}

/// The noise from the groups of a log, unless the user `stated` a standard deviation with its degrees of freedom.
/// `baseline` is the first kept row, which nobody selected.
pub(super) fn measure(
    entries: &[Entry],
    groups: &[Group],
    baseline: Option<usize>,
    stated: Option<(f64, Option<f64>)>,
) -> RunNoise {
    let values = |g: &Group| -> Vec<f64> { g.rows.iter().filter_map(|&at| entries[at].value).collect() };
    let spread = |g: &Group| Moments::of(&values(g));
    let differs = |g: &Group| g.seeds == SeedsOfRepeat::Differ;
    // Values that agree to the last digit are a copy or the same seed, unless the log says that the seeds differ: then
    // the metric is coarse, and they count like others.
    let moved = |g: &Group| spread(g).sum_of_squares() > 0.0;
    // Repeats on one seed tell how reproducible a run is, and not what a seed does.
    let unknown = |g: &Group| g.seeds == SeedsOfRepeat::Unknown && moved(g);
    let source = match stated {
        Some(_) => NoiseSource::Stated,
        None if groups.iter().any(|g| differs(g) && moved(g)) => NoiseSource::Repeats,
        None if groups.iter().any(unknown) => NoiseSource::WeakRepeats,
        None => NoiseSource::Unknown,
    };
    let used = |g: &Group| match source {
        NoiseSource::Repeats => differs(g),
        NoiseSource::WeakRepeats => unknown(g),
        _ => false,
    };
    let (mut squares, mut df) = (0.0, 0.0);
    for spread in groups.iter().filter(|g| used(g)).map(spread) {
        squares += spread.sum_of_squares();
        df += spread.n() as f64 - 1.0;
    }
    let pooled =
        if df > 0.0 { Some((squares / df).sqrt()).filter(|sd| sd.is_finite() && *sd > 0.0) } else { None };
    let mut noise = match (stated, pooled) {
        (Some((sd, df)), _) => RunNoise::of(source, Some(sd), df),
        (None, Some(sd)) => RunNoise::of(source, Some(sd), Some(df)),
        (None, None) => RunNoise::of(NoiseSource::Unknown, None, None),
    };
    noise.repeats = groups
        .iter()
        .map(|g| RepeatedRows {
            lines: g.rows.iter().map(|&at| entries[at].line).collect(),
            values: values(g),
            how: g.how.into(),
            seeds: g.seeds,
            used: used(g) && noise.sd.is_some(),
        })
        .collect();
    noise.warnings =
        warnings(entries, groups, &noise, baseline, groups.iter().filter(|g| !moved(g) && !used(g)).count());
    noise
}

fn warnings(
    entries: &[Entry],
    groups: &[Group],
    noise: &RunNoise,
    baseline: Option<usize>,
    identical: usize,
) -> Vec<String> {
    let mut warnings = Vec::new();
    let used = |test: &dyn Fn(&Group) -> bool| {
        groups.iter().zip(&noise.repeats).any(|(group, shown)| shown.used && test(group))
    };
    let same = |g: &&Group| {
        g.seeds == SeedsOfRepeat::Same
            && g.rows.windows(2).any(|w| entries[w[0]].value != entries[w[1]].value)
    };
    let same = groups.iter().filter(same).count();
    if same > 0 {
        warnings.push(format!(
            "Groups of repeated rows on one seed: {same}. They show how far a run can be reproduced, not how far apart seeds \
             are: no noise is taken from them."
        ));
    }
    if used(&|g| g.seeds == SeedsOfRepeat::Unknown) {
        warnings.push(
            "The log does not say whether all repeats used different seeds; if they did not, run noise is \
             understated. It may call a gain noise, and no gain more than noise."
                .into(),
        );
    }
    let selected = |g: &Group| entries[g.rows[0]].class == Class::Kept && Some(g.rows[0]) != baseline;
    if used(&|g| !g.by_columns && g.seeds == SeedsOfRepeat::Differ && selected(g)) {
        warnings.push(
            "A repeated row was compared with an incumbent that had been kept for its good value, so that the \
             noise is overstated on average rather than understated."
                .into(),
        );
    }
    if identical > 0 {
        warnings.push(format!(
            "Groups of repeated rows that agree to the last digit: {identical}. They are deterministic runs on the same \
             seed, or copied rows, and say nothing about noise."
        ));
    }
    warnings
}
