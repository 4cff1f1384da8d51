//! Tests of a fixed number of runs, looked at once.

use super::{Check, Draw, Noise};
use crate::stats::{paired_t, sign_flip, welch, wilcoxon};

/// Minus the logarithm of the p-value of two samples of so many runs.
type Test = fn(&[f64], &[f64]) -> f64;

/// Sign: evidence that the first is smaller.
const TESTS: &[(&str, usize, Test, u32)] = &[
    ("Welch, 2 × 8 runs", 8, |a, b| -welch(a, b).p.ln(), 1),
    ("paired t, 8 pairs", 8, |a, b| paired_t(a, b).map_or(0.0, |test| -test.p.ln()), 1),
    ("sign flip, 12 pairs", 12, |a, b| sign_flip(a, b, 0, 0).map_or(0.0, |test| -test.p.ln()), 20),
    ("Wilcoxon, 12 pairs", 12, |a, b| wilcoxon(a, b).map_or(0.0, |test| -test.p.ln()), 4),
];

pub(super) fn checks() -> Vec<Check> {
    let mut checks = Vec::new();
    for noise in [Noise::Gaussian, Noise::T4, Noise::Hetero] {
        for &(name, n, test, cost) in TESTS {
            let strength = move |draw: &mut Draw| test(&draw.runs_of(1, n), &draw.runs_of(0, n));
            checks.push(Check::graded(name, noise, strength).cost(cost));
        }
    }
    // What looking after every pair makes of it.
    for noise in [Noise::Gaussian, Noise::T4] {
        let strength = |draw: &mut Draw| {
            let (a, b) = (draw.runs(24), draw.runs(24));
            let look = |n: usize| paired_t(&a[..n], &b[..n]).map_or(0.0, |test| -test.p.ln());
            (2..=24).map(look).fold(0.0, f64::max)
        };
        checks.push(Check::graded("paired t, peeking 23 times", noise, strength).cost(12).not_promised());
    }
    checks
}
