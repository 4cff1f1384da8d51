//! How far runs of one and the same incumbent scatter, and whether they drift.

use super::Run;
use autoresearch_core::Role;
use autoresearch_core::stats::{Moments, chi_square_quantile, chi_square_sf, student_quantile};
use serde::Serialize;
use std::collections::BTreeMap;

/// Run noise, from runs of one and the same incumbent.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Noise {
    /// The standard deviation of a run within versions of the incumbent.
    pub sd: f64,
    /// The lower end of its 95 % interval (chi-square, for Gaussian noise).
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// Degrees of freedom behind it.
    pub df: u64,
    /// The same of each version that ran more than once, in order.
    pub versions: Vec<OfVersion>,
    /// The p-value of Bartlett's test (1937) that all versions with three runs or more scatter alike; for Gaussian noise.
    /// `None`: fewer than two such versions.
    pub equal_p: Option<f64>,
    /// By how much the objective changes in a hundred runs, within versions; `None`: too few runs, or they span less than
    /// a hundred runs of the study.
    pub per_hundred_runs: Option<f64>,
    /// The 95 % interval of that, from least squares.
    pub drift_interval: Option<[f64; 2]>,
    /// Each run's objective over the mean of its version, in the order of the runs.
    pub residuals: Vec<Residual>,
}

/// How far runs of one version of the incumbent scatter.
#[derive(Debug, Clone, Copy, Serialize)]
#[non_exhaustive]
pub struct OfVersion {
    /// Which.
    pub version: u32,
    /// The standard deviation of its runs.
    pub sd: f64,
    /// The lower end of its 95 % interval (chi-square, for Gaussian noise).
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// Degrees of freedom behind it.
    pub df: u64,
}

/// Below this the versions are said to scatter differently.
const UNEQUAL: f64 = 0.01;

impl Noise {
    /// Whether versions scatter differently, so that the pooled figure is true of none of them.
    pub fn differs(&self) -> bool {
        self.equal_p.is_some_and(|p| p < UNEQUAL)
    }

    /// Noise of the incumbent of this version by itself.
    pub fn of(&self, version: u32) -> Option<&OfVersion> {
        self.versions.iter().find(|of| of.version == version)
    }

    /// The least and the largest standard deviation of versions with three runs or more.
    pub fn extremes(&self) -> Option<(f64, f64)> {
        let sds = || self.versions.iter().filter(|of| of.df > 1).map(|of| of.sd);
        sds().reduce(f64::min).zip(sds().reduce(f64::max))
    }
}

/// The ends of the 95 % interval of a standard deviation.
fn ends(ss: f64, df: f64) -> (f64, f64) {
    let end = |p: f64| (ss / chi_square_quantile(p, df)).sqrt();
    (end(0.975), end(0.025))
}

/// Bartlett's test that variances are equal (M. S. Bartlett 1937, Properties of sufficiency and statistical tests).
fn bartlett(versions: &[OfVersion]) -> Option<f64> {
    let of = || versions.iter().filter(|of| of.df > 1).map(|of| (of.df as f64, of.sd * of.sd));
    let groups = of().count() as f64;
    let df: f64 = of().map(|(n, _)| n).sum();
    let pooled = of().map(|(n, v)| n * v).sum::<f64>() / df;
    if groups < 2.0 || of().any(|(_, v)| v <= 0.0) {
        return None;
    }
    let statistic = df * pooled.ln() - of().map(|(n, v)| n * v.ln()).sum::<f64>();
    let correction = 1.0 + (of().map(|(n, _)| 1.0 / n).sum::<f64>() - 1.0 / df) / (3.0 * (groups - 1.0));
    Some(chi_square_sf((statistic / correction).max(0.0), groups - 1.0)).filter(|p| p.is_finite())
}

/// A run against the mean of its incumbent.
#[derive(Debug, Clone, Copy, Serialize)]
#[non_exhaustive]
pub struct Residual {
    /// How many runs had ended with it.
    pub at_run: u64,
    /// The incumbent's version.
    pub version: u32,
    /// Its objective minus the version's mean.
    pub value: f64,
}

pub(super) fn noise(runs: &[Run]) -> Option<Noise> {
    let of_incumbent = |run: &&Run| run.arm.is_empty() && run.role != Role::Transfer;
    let mut versions: BTreeMap<u32, (Moments, Moments)> = BTreeMap::new();
    let told = |(i, run): (usize, &Run)| run.objective.map(|y| ((i + 1) as u64, run.version, y));
    let points: Vec<(u64, u32, f64)> =
        runs.iter().enumerate().filter(|(_, run)| of_incumbent(run)).filter_map(told).collect();
    for (at, version, y) in &points {
        let (x_mean, y_mean) = versions.entry(*version).or_default();
        x_mean.push(*at as f64);
        y_mean.push(*y);
    }
    let several = versions.values().filter(|(_, y)| y.n() > 1);
    let (ss, df) = several.fold((0.0, 0), |(ss, df), (_, y)| (ss + y.sum_of_squares(), df + y.n() - 1));
    if df == 0 {
        return None;
    }
    let (mut sxx, mut sxy) = (0.0, 0.0);
    let mut residuals = Vec::new();
    for (at, version, y) in points {
        let Some((x_mean, y_mean)) = versions.get(&version).filter(|(_, y)| y.n() > 1) else { continue };
        let (dx, dy) = (at as f64 - x_mean.mean(), y - y_mean.mean());
        sxx += dx * dx;
        sxy += dx * dy;
        residuals.push(Residual { at_run: at, version, value: dy });
    }
    let n = df as f64;
    let own = versions.iter().filter(|(_, (_, y))| y.n() > 1).map(|(version, (_, y))| {
        let (ss, df) = (y.sum_of_squares(), y.n() - 1);
        let (low, high) = ends(ss, df as f64);
        OfVersion { version: *version, sd: (ss / df as f64).sqrt(), low, high, df }
    });
    let own: Vec<OfVersion> = own.collect();
    let (low, high) = ends(ss, n);
    // What few runs show is not drawn out to a hundred.
    let ends_at = |r: Option<&Residual>| r.map_or(0, |r| r.at_run);
    let spanned = ends_at(residuals.last()) - ends_at(residuals.first()) >= 100;
    let slope = (df > 2 && sxx > 0.0 && spanned).then(|| sxy / sxx);
    let error = slope.map(|b| ((ss - b * sxy).max(0.0) / (n - 1.0) / sxx).sqrt());
    let half = error.map(|se| student_quantile(0.975, n - 1.0) * se);
    Some(Noise {
        sd: (ss / n).sqrt(),
        low,
        high,
        df,
        equal_p: bartlett(&own),
        versions: own,
        per_hundred_runs: slope.map(|b| 100.0 * b),
        drift_interval: slope.zip(half).map(|(b, h)| [100.0 * (b - h), 100.0 * (b + h)]),
        residuals,
    })
}
