//! Bootstrap confidence intervals for a statistic of many values, such as documents.

use super::{StatsError, check, error::parameter, normal_cdf, normal_quantile};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Fewer values than this know too little about their own distribution.
const FEWEST: usize = 10;
/// 7^7 = 823,543 resamples; 8^8 would be 17 million.
const MOST_ENUMERATED: usize = 7;

/// A bootstrap interval by [`bca_bootstrap`] or [`bca_full_enumeration`], in the units of the statistic.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Bca {
    /// The statistic of the values themselves.
    pub estimate: f64,
    /// The bias-corrected and accelerated interval.
    pub interval: (f64, f64),
    /// The plain percentile interval, for comparison.
    pub percentile: (f64, f64),
    /// The bias correction: the normal quantile of the share of resamples below the estimate, ties counted half.
    pub z0: f64,
    /// The acceleration: a sixth of the skewness of the jackknife values.
    pub acceleration: f64,
    /// The levels at which [`interval`](Self::interval) cuts the resamples.
    pub levels: (f64, f64),
}

/// The BCa interval of `statistic` over independent `values` (Efron 1987, *Journal of the American Statistical
/// Association* 82:171-185), from `draws` resamples drawn from `seed`.
///
/// The interval cuts the sorted resamples at `Φ(z0 + (z0 + z)/(1 - a·(z0 + z)))` with `z` the normal quantiles of
/// `(1 ∓ level)/2`, `z0` the bias correction and `a` the acceleration. Cuts between two resamples are interpolated
/// (type 7 of Hyndman & Fan 1996). For values in clusters pass one value per cluster.
///
/// Meant for documents, not for runs: the bootstrap of a few seeds is far too narrow.
///
/// # Errors
/// [`StatsError::Parameter`] for fewer than 10 values, no draws, or a `level` that is not inside `(0, 1)`;
/// [`StatsError::NonFinite`] for a value or a statistic that is not finite.
///
/// ```
/// use autoresearch_core::stats::{bca_bootstrap, mean};
///
/// let gains: Vec<f64> = (0..40).map(|i| f64::from(i % 7) - 2.0).collect();
/// let bca = bca_bootstrap(&gains, mean, 0.95, 2_000, 1)?;
/// assert!(bca.interval.0 < bca.estimate && bca.estimate < bca.interval.1);
/// assert!(bca_bootstrap(&gains[..8], mean, 0.95, 2_000, 1).is_err());
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
pub fn bca_bootstrap(
    values: &[f64],
    statistic: impl Fn(&[f64]) -> f64,
    level: f64,
    draws: usize,
    seed: u64,
) -> Result<Bca, StatsError> {
    if values.len() < FEWEST {
        return Err(parameter("number of values", values.len() as f64, "at least 10"));
    }
    if draws == 0 {
        return Err(parameter("draws", 0.0, "at least 1"));
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut resample = vec![0.0; values.len()];
    let resamples = (0..draws).map(|_| {
        resample.iter_mut().for_each(|value| *value = values[rng.random_range(0..values.len())]);
        statistic(&resample)
    });
    let resamples = resamples.collect();
    bca(values, &statistic, level, resamples)
}

/// The BCa interval from all `n^n` resamples of 2 to 7 values: without any randomness, for tests and for showing
/// what the bootstrap does. For so few values it is **not** a trustworthy interval.
///
/// # Errors
/// [`StatsError::Parameter`] for fewer than 2 or more than 7 values or a `level` that is not inside `(0, 1)`;
/// [`StatsError::NonFinite`] for a value or a statistic that is not finite.
///
/// ```
/// use autoresearch_core::stats::{bca_full_enumeration, mean};
///
/// let bca = bca_full_enumeration(&[1.2, 0.4, 2.2, 0.9, 1.5], mean, 0.95)?;
/// assert!((bca.interval.0 - 0.76).abs() < 1e-9 && (bca.interval.1 - 1.80).abs() < 1e-9);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
pub fn bca_full_enumeration(
    values: &[f64],
    statistic: impl Fn(&[f64]) -> f64,
    level: f64,
) -> Result<Bca, StatsError> {
    let n = values.len();
    if !(2..=MOST_ENUMERATED).contains(&n) {
        return Err(parameter("number of values", n as f64, "from 2 to 7"));
    }
    let mut resample = vec![0.0; n];
    let resamples = (0..n.pow(n as u32)).map(|index| {
        let mut digits = index;
        for value in &mut resample {
            *value = values[digits % n];
            digits /= n;
        }
        statistic(&resample)
    });
    let resamples = resamples.collect();
    bca(values, &statistic, level, resamples)
}

fn bca(
    values: &[f64],
    statistic: &impl Fn(&[f64]) -> f64,
    level: f64,
    mut resamples: Vec<f64>,
) -> Result<Bca, StatsError> {
    check::open_unit("level", level)?;
    check::all_finite("values", values)?;
    check::all_finite("statistic of a resample", &resamples)?;
    let estimate = statistic(values);
    check::finite("statistic", estimate)?;
    resamples.sort_by(f64::total_cmp);

    // The statistic of the same values in another order may differ by rounding: such resamples are ties.
    let tolerance = 1e-13 * values.iter().fold(estimate.abs(), |largest, value| largest.max(value.abs()));
    let below = resamples.partition_point(|&value| value < estimate - tolerance);
    let upto = resamples.partition_point(|&value| value <= estimate + tolerance);
    let count = resamples.len() as f64;
    // At least half a resample on either side, so that the correction stays finite.
    let z0 = normal_quantile((0.5 * (below + upto) as f64).clamp(0.5, count - 0.5) / count);
    let acceleration = acceleration(values, statistic)?;
    let tail = 0.5 * (1.0 - level);
    let cut = |z: f64| {
        let shifted = z0 + z;
        normal_cdf(z0 + shifted / (1.0 - acceleration * shifted))
    };
    let levels = (cut(normal_quantile(tail)), cut(-normal_quantile(tail)));
    Ok(Bca {
        estimate,
        interval: (quantile(&resamples, levels.0), quantile(&resamples, levels.1)),
        percentile: (quantile(&resamples, tail), quantile(&resamples, 1.0 - tail)),
        z0,
        acceleration,
        levels,
    })
}

/// `Σ u³ / (6·(Σ u²)^1.5)` over the jackknife values `u = mean - value`; 0 if they are all equal.
fn acceleration(values: &[f64], statistic: &impl Fn(&[f64]) -> f64) -> Result<f64, StatsError> {
    let jackknife: Vec<f64> = (0..values.len())
        .map(|left_out| {
            let mut rest = values.to_vec();
            rest.remove(left_out);
            statistic(&rest)
        })
        .collect();
    check::all_finite("statistic without value", &jackknife)?;
    let centre = super::mean(&jackknife);
    let largest = jackknife.iter().fold(0.0_f64, |largest, value| largest.max((centre - value).abs()));
    if largest <= 1e-14 * centre.abs() {
        return Ok(0.0);
    }
    let power = |k: i32| jackknife.iter().map(|value| ((centre - value) / largest).powi(k)).sum::<f64>();
    Ok(power(3) / (6.0 * power(2).powf(1.5)))
}

/// The quantile of a sorted list, interpolated between neighbours (type 7).
fn quantile(sorted: &[f64], level: f64) -> f64 {
    let position = level.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let below = sorted[position.floor() as usize];
    let above = sorted[position.ceil() as usize];
    below + (position - position.floor()) * (above - below)
}
