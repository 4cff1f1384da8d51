//! The t e-process, looked at after each of 24 pairs.

use super::{Check, Draw, LEVELS, Noise};
use crate::stats::{Moments, StatsError, TTestE};

const LOOKS: usize = 24;
const CALIBRATION: usize = 8;

/// A variance for a uniform number.
type Spread = fn(f64) -> f64;

/// Equal seeds: what the variance of a difference is, given a uniform number; in that of one run.
const SPREADS: &[(&str, Spread)] = &[
    // Between .02 and 1.2, on average about .4: what was measured on real edits.
    ("t e-process, equal seeds, .02-1.2 σ²", |u| 0.02 + 1.18 * u * u),
    ("t e-process, equal seeds, 1.2 σ²", |_| 1.2),
    ("t e-process, equal seeds, 2-2.5 σ²", |u| 2.0 + 0.5 * u),
];

pub(super) fn checks() -> Vec<Check> {
    let mut checks = Vec::new();
    for noise in [Noise::Gaussian, Noise::T4] {
        checks.push(Check::graded("t e-process, calibrated, ν0 = 7", noise, calibrated).cost(4));
        checks.push(Check::graded("t e-process, not calibrated", noise, uncalibrated).cost(4));
        for &(name, spread) in SPREADS {
            let strength = move |draw: &mut Draw| equal_seeds(draw, spread);
            checks.push(Check::graded(name, noise, strength).cost(4));
        }
    }
    checks
}

/// The highest of all looks; it need not go on once the last level is reached.
fn highest(test: Result<TTestE, StatsError>, mut difference: impl FnMut() -> f64) -> f64 {
    let Ok(mut test) = test else { return f64::INFINITY }; // no test: every repetition fails
    let mut highest = f64::NEG_INFINITY;
    for _ in 0..LOOKS {
        test.push(difference());
        highest = test.log_e().max(highest);
        if highest >= -LEVELS[2].ln() {
            break;
        }
    }
    highest
}

/// Unrelated seeds: the calibration runs estimate the variance of a difference, which is twice that of a run.
fn calibrated(draw: &mut Draw) -> f64 {
    let calibration = Moments::of(&draw.runs(CALIBRATION));
    let test = TTestE::new(2.0 * calibration.sum_of_squares(), CALIBRATION as f64 - 1.0);
    highest(test, || draw.run() - draw.run())
}

fn uncalibrated(draw: &mut Draw) -> f64 {
    highest(TTestE::new(0.0, 0.0), || draw.run() - draw.run())
}

/// The variance of a difference varies from edit to edit, so the calibration counts as two degrees of freedom around a
/// guess, `SS0 = 2·(.8·s²)`.
fn equal_seeds(draw: &mut Draw, spread: Spread) -> f64 {
    let variance = Moments::of(&draw.runs(CALIBRATION)).variance().unwrap_or(f64::NAN);
    let scale = spread(draw.uniform()).sqrt();
    highest(TTestE::new(2.0 * 0.8 * variance, 2.0), || scale * draw.run())
}
