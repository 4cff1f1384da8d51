//! Whether the runs are what the tests take them for: independent, of one distribution, with tails like Gaussian ones.

use super::f_quantile;
use super::sigma::excess_kurtosis;
use crate::state::mix;
use crate::stats::{Moments, kendall_tau, normal_quantile, student_sf};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Gaussian samples that a kurtosis is held against.
const SAMPLES: u64 = 1999;

/// Runs that were repeated on their own seed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Repeats {
    /// Repeated runs, not counting the first on each seed.
    pub runs: usize,
    /// Their standard deviation about the mean of their seed.
    pub sd: f64,
    /// In terms of sigma.
    pub ratio: f64,
    /// Lower end of the ratio's 95 % interval (Fisher's F).
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl Repeats {
    /// `None` where no seed was run twice.
    pub(super) fn of(runs: &[(u64, f64)], sigma: f64, df: f64) -> Option<Self> {
        let mut of_seed: BTreeMap<u64, Moments> = BTreeMap::new();
        runs.iter().for_each(|(seed, value)| of_seed.entry(*seed).or_default().push(*value));
        let repeated = runs.len() - of_seed.len();
        let ss: f64 = of_seed.values().map(Moments::sum_of_squares).sum();
        let (runs, df_repeats) = ((repeated > 0).then_some(repeated)?, repeated as f64);
        let sd = (ss / df_repeats).sqrt();
        let ratio = sd / sigma;
        let end = |p: f64| ratio / f_quantile(p, df_repeats, df).sqrt();
        Some(Self { runs, sd, ratio, low: end(0.975), high: end(0.025) })
    }

    /// Whether repeats on one seed scatter less than runs on different seeds, beyond chance.
    pub fn understate(&self) -> bool {
        self.high < 1.0
    }
}

/// Whether later runs score differently.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Drift {
    /// Kendall's rank correlation of order and objective.
    pub tau: f64,
    /// Its two-sided p-value.
    pub p: f64,
    /// From the first run to the last, by least squares, in the units of the objective.
    pub change: f64,
}

impl Drift {
    /// Of the objectives in the order of the runs; `None` below four or without spread.
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        let order: Vec<f64> = (0..n).map(|i| i as f64).collect();
        let kendall = kendall_tau(&order, values).ok().filter(|k| n >= 4 && !k.tau.is_nan())?;
        let (centre, mean) = (0.5 * (n as f64 - 1.0), Moments::of(values).mean());
        let products: f64 = order.iter().zip(values).map(|(i, x)| (i - centre) * (x - mean)).sum();
        let squares: f64 = order.iter().map(|i| (i - centre).powi(2)).sum();
        let change = products / squares * (n as f64 - 1.0);
        Some(Self { tau: kendall.tau, p: kendall.p_two_sided(), change })
    }
}

/// The run that is farthest from the mean.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Outlier {
    /// Its place among the runs on different seeds, from 0.
    pub run: usize,
    /// Its seed.
    pub seed: u64,
    /// Its objective.
    pub value: f64,
    /// How many standard deviations it is from the mean (of all runs, itself included), with its sign.
    pub deviation: f64,
    /// P-value of Grubbs' test, which asks whether the farthest of so many Gaussian values lies as far out.
    pub p: f64,
    /// Standard deviation of the other runs.
    pub sd_without: f64,
}

/// Tails of the run noise, as far as so few runs show them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Tails {
    /// Excess kurtosis, 0 for Gaussian noise on average.
    pub kurtosis: f64,
    /// The probability that as many Gaussian values have as much (simulated, so not below .0005).
    pub p: f64,
    /// The farthest run.
    pub farthest: Outlier,
}

impl Tails {
    /// `None` below five runs: they cannot show a tail.
    pub(super) fn of(runs: &[(u64, f64)]) -> Option<Self> {
        let values: Vec<f64> = runs.iter().map(|run| run.1).collect();
        let n = values.len() as u64;
        let kurtosis = excess_kurtosis(&values).filter(|_| n >= 5)?;
        let gaussian = |sample: u64, i: u64| {
            let hash = mix(mix(17, sample), i) >> 11;
            normal_quantile((hash as f64 + 0.5) / (1u64 << 53) as f64)
        };
        let exceeds = |sample: &u64| {
            let drawn: Vec<f64> = (0..n).map(|i| gaussian(*sample, i)).collect();
            excess_kurtosis(&drawn).is_some_and(|k| k >= kurtosis)
        };
        let exceeding = (0..SAMPLES).filter(exceeds).count() as f64;
        Some(Self { kurtosis, p: (exceeding + 1.0) / (SAMPLES as f64 + 1.0), farthest: farthest(runs)? })
    }
}

/// Grubbs (1950, *Annals of Mathematical Statistics* 21:27-58), two-sided: with `G` the largest deviation in standard
/// deviations, `t² = n(n-2)G²/((n-1)² - nG²)` has a p-value of at most `2n·P(T_{n-2} > t)`.
fn farthest(runs: &[(u64, f64)]) -> Option<Outlier> {
    let moments: Moments = runs.iter().map(|run| run.1).collect();
    let (mean, sd) = (moments.mean(), moments.sd()?);
    let far = |run: &(u64, f64)| (run.1 - mean).abs();
    let (run, &(seed, value)) = runs.iter().enumerate().max_by(|a, b| far(a.1).total_cmp(&far(b.1)))?;
    let (n, deviation) = (runs.len() as f64, (value - mean) / sd);
    let g2 = deviation * deviation;
    let t = (n * (n - 2.0) * g2 / ((n - 1.0).powi(2) - n * g2).max(0.0)).sqrt();
    let p = (2.0 * n * student_sf(t, n - 2.0)).min(1.0);
    let others: Moments = runs.iter().enumerate().filter(|(i, _)| *i != run).map(|(_, r)| r.1).collect();
    Some(Outlier { run, seed, value, deviation, p, sd_without: others.sd()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(values: &[f64]) -> Vec<(u64, f64)> {
        values.iter().enumerate().map(|(i, v)| (i as u64, *v)).collect()
    }

    /// Grubbs' two-sided critical value for n = 8 at .05 is 2.126 (NIST/SEMATECH e-Handbook of Statistical Methods,
    /// 1.3.5.17.1: these data have G = 2.469).
    #[test]
    fn the_outlier_of_the_handbook() {
        let data = [199.31, 199.53, 200.19, 200.82, 201.92, 201.95, 202.18, 245.57];
        let outlier = farthest(&runs(&data)).expect("eight values");
        assert!(
            (outlier.deviation - 2.4688).abs() < 1e-3 && outlier.run == 7 && outlier.p < 1e-4,
            "{outlier:?}"
        );
        // At the critical value the p-value is .05: 7 values and one that is put there.
        let at = |x: f64| farthest(&runs(&[-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, x])).expect("eight values");
        let (mut low, mut high) = (3.0, 100.0);
        for _ in 0..60 {
            let x = 0.5 * (low + high);
            if at(x).deviation < 2.126 { low = x } else { high = x }
        }
        assert!((at(low).p - 0.05).abs() < 5e-4, "{}", at(low).p);
    }

    #[test]
    fn repeats_of_a_seed() {
        let seen = [(1, 1.0), (2, 3.0), (3, -1.0), (1, 1.1), (1, 0.9)];
        let repeats = Repeats::of(&seen, 2.0, 2.0).expect("two repeats");
        assert_eq!(repeats.runs, 2);
        assert!((repeats.sd - 0.1).abs() < 1e-12 && (repeats.ratio - 0.05).abs() < 1e-12);
        assert!(repeats.low < repeats.ratio && repeats.ratio < repeats.high && repeats.understate());
        assert_eq!(Repeats::of(&seen[..3], 2.0, 2.0), None);
    }

    #[test]
    fn drift_is_seen_where_it_is() {
        let rising: Vec<f64> = (0..10).map(|i| f64::from(i) + if i % 2 == 0 { 0.4 } else { 0.0 }).collect();
        let drift = Drift::of(&rising).expect("ten values");
        assert!(drift.tau > 0.999 && drift.p < 1e-5 && (drift.change - 9.0).abs() < 0.3, "{drift:?}");
        assert!(Drift::of(&[3.0, 1.0, 4.0, 1.5, 5.0, 2.0]).expect("six values").p > 0.2);
        assert_eq!(Drift::of(&[1.0, 2.0]), None);
    }

    #[test]
    fn tails() {
        let even = Tails::of(&runs(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])).expect("eight values");
        let tailed = Tails::of(&runs(&[1.0, 1.1, 0.9, 1.0, 1.05, 0.95, 1.0, 4.0])).expect("eight values");
        assert!(even.p > 0.5 && tailed.p < 0.01, "{even:?} {tailed:?}");
        assert_eq!(Tails::of(&runs(&[1.0, 2.0, 3.0, 4.0])), None);
    }
}
