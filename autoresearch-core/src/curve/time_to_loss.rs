//! How much sooner a candidate reaches what a baseline ends at.

use super::CurvePoint;
use serde::{Deserialize, Serialize};

/// What a candidate needed to reach a baseline's final loss, as shares of all that the baseline was trained with: .89
/// means 11 % less.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TimeToLoss {
    /// The baseline's final loss, in the trainer's own unit.
    pub loss: f64,
    /// Share of its tokens.
    pub tokens: f64,
    /// Share of its floating-point operations; none where they were not counted.
    pub flops: Option<f64>,
    /// Share of its seconds: as noisy as the machine was busy.
    pub seconds: f64,
}

/// Share of the baseline's tokens over which losses are averaged.
const WINDOW: f64 = 0.05;

/// For how many windows the candidate has to stay below: an outlier keeps the mean low for one.
const HOLD: f64 = 2.0;

impl TimeToLoss {
    /// Compares two training curves; `None` where the candidate never reaches the baseline's final loss, and where a curve
    /// is empty or has a loss that is not finite.
    ///
    /// Against noise, each point counts as the mean of the points of the last 5 % of the baseline's tokens before it (of
    /// both curves alike), and the loss counts as reached where the mean first falls to it and stays there for twice as
    /// many tokens, or to the end. In between points it is interpolated in a straight line.
    ///
    /// Compare runs on the same seed: they saw the same batches, and much of the noise is common. Runs whose learning
    /// rate falls at the end reach their lowest loss there, a longer candidate's later than a shorter one's: give both the
    /// same fidelity. Over seeds, average the shares; runs that never got there must not be left out of that unsaid.
    pub fn of(baseline: &[CurvePoint], candidate: &[CurvePoint]) -> Option<Self> {
        let (end, first) = (baseline.last()?, candidate.first()?);
        let window = WINDOW * end.tokens as f64;
        let loss = *smooth(baseline, window).last()?;
        let smoothed = smooth(candidate, window);
        let finite = loss.is_finite() && smoothed.iter().all(|loss| loss.is_finite());
        if !finite {
            return None;
        }
        let reached = |at: usize| {
            let until = candidate[at].tokens as f64 + HOLD * window;
            let after = candidate[at..].iter().zip(&smoothed[at..]);
            after.take_while(|(point, _)| point.tokens as f64 <= until).all(|(_, &mean)| mean <= loss)
        };
        let at = (0..candidate.len()).find(|&at| reached(at))?;
        let (before, part) = match at.checked_sub(1) {
            // The mean before was above, or it would have been the first, unless it was a dip that did not hold.
            Some(before) if smoothed[before] > loss => {
                (&candidate[before], (smoothed[before] - loss) / (smoothed[before] - smoothed[at]))
            }
            _ => (first, 1.0),
        };
        let point = &candidate[at];
        let share = |of: fn(&CurvePoint) -> f64| (of(before) + part * (of(point) - of(before))) / of(end);
        Some(Self {
            loss,
            tokens: share(|point| point.tokens as f64),
            flops: (end.flops > 0.0 && point.flops > 0.0).then(|| share(|point| point.flops)),
            seconds: share(|point| point.seconds),
        })
    }
}

/// The mean loss of the points up to each, over so many tokens.
fn smooth(curve: &[CurvePoint], window: f64) -> Vec<f64> {
    let mut from = 0;
    let mean = |(at, point): (usize, &CurvePoint)| {
        while (curve[from].tokens as f64) < point.tokens as f64 - window {
            from += 1;
        }
        let points = &curve[from..=at];
        points.iter().map(|point| point.loss).sum::<f64>() / points.len() as f64
    };
    curve.iter().enumerate().map(mean).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// 200 points of 1 + 4 exp(-speed tokens / 50,000), with noise that alternates.
    fn curve(speed: f64, noise: f64) -> Vec<CurvePoint> {
        let point = |step: u64| {
            let tokens = 1_000 * step;
            let sign = if step.is_multiple_of(2) { 1.0 } else { -1.0 };
            let loss = 1.0 + 4.0 * (-speed * tokens as f64 / 50_000.0).exp() + sign * noise;
            CurvePoint { step, tokens, flops: 3.0 * tokens as f64, seconds: step as f64 / 10.0, loss }
        };
        (1..=200).map(point).collect()
    }

    #[test]
    fn a_run_of_twice_the_speed_needs_half() {
        for noise in [0.0, 0.02] {
            let time = TimeToLoss::of(&curve(1.0, noise), &curve(2.0, noise)).unwrap();
            // The windows are the same for both, so the faster one lags by a little more.
            assert!((time.tokens - 0.5).abs() < 0.03, "{time:?}");
            assert!((time.seconds - time.tokens).abs() < 1e-9);
            assert!((time.flops.unwrap() - time.tokens).abs() < 1e-9);
        }
    }

    #[test]
    fn a_run_needs_all_of_itself() {
        let time = TimeToLoss::of(&curve(1.0, 0.0), &curve(1.0, 0.0)).unwrap();
        assert!((time.tokens - 1.0).abs() < 1e-9, "{time:?}");
    }

    #[test]
    fn what_never_gets_there_has_no_time() {
        assert_eq!(TimeToLoss::of(&curve(1.0, 0.0), &curve(0.9, 0.0)), None);
        assert_eq!(TimeToLoss::of(&[], &curve(1.0, 0.0)), None);
        assert_eq!(TimeToLoss::of(&curve(1.0, 0.0), &[]), None);
        let mut broken = curve(2.0, 0.0);
        broken[50].loss = f64::NAN;
        assert_eq!(TimeToLoss::of(&curve(1.0, 0.0), &broken), None);
    }

    #[test]
    fn a_dip_that_does_not_hold_does_not_count() {
        let mut dipping = curve(2.0, 0.0);
        for point in &mut dipping[20..25] {
            point.loss = -5.0;
        }
        let plain = TimeToLoss::of(&curve(1.0, 0.0), &curve(2.0, 0.0)).unwrap();
        assert_eq!(TimeToLoss::of(&curve(1.0, 0.0), &dipping).unwrap(), plain);
    }

    #[test]
    fn operations_that_nobody_counted_have_no_share() {
        let mut uncounted = curve(1.0, 0.0);
        for point in &mut uncounted {
            point.flops = 0.0;
        }
        assert_eq!(TimeToLoss::of(&uncounted, &uncounted).unwrap().flops, None);
    }
}
