//! The curve of a run while it trains.

use crate::{CurvePoint, StepCost};

/// About this many points a run.
const POINTS: u64 = 100;

/// Keeps points of the curve at even distances in steps: every hundredth part of the run. Where nobody knows how many
/// steps there will be, it takes all and thins them out, every second one each time that there are twice too many.
/// So which steps are kept depends on their number alone.
#[derive(Debug)]
pub(super) struct Recorder {
    smoothed: Smoothed,
    cost: StepCost,
    every: u64,
    open_end: bool,
    points: Vec<CurvePoint>,
}

impl Recorder {
    /// For a run of this many steps.
    pub(super) fn new(steps: Option<u64>, cost: StepCost) -> Self {
        let every = steps.map_or(1, |steps| steps.div_ceil(POINTS).max(1));
        Self { smoothed: Smoothed::default(), cost, every, open_end: steps.is_none(), points: Vec::new() }
    }

    /// Takes in the loss of a step, the `step`th (from 1), and gives the point of the curve if one is due.
    pub(super) fn add(&mut self, step: u64, loss: f64, seconds: impl FnOnce() -> f64) -> Option<CurvePoint> {
        self.smoothed.add(loss);
        if !step.is_multiple_of(self.every) {
            return None;
        }
        let point = self.point(step, seconds());
        self.points.push(point);
        if self.open_end && self.points.len() as u64 >= 2 * POINTS {
            self.every *= 2;
            let every = self.every;
            self.points.retain(|point| point.step.is_multiple_of(every));
        }
        Some(point)
    }

    /// The smoothed loss so far.
    pub(super) fn loss(&self) -> f64 {
        self.smoothed.value()
    }

    /// The curve as a whole, with the last step as its last point.
    pub(super) fn finish(mut self, step: u64, seconds: f64) -> Vec<CurvePoint> {
        if self.points.last().is_none_or(|point| point.step != step) {
            self.points.push(self.point(step, seconds));
        }
        self.points
    }

    fn point(&self, step: u64, seconds: f64) -> CurvePoint {
        let flops = step as f64 * self.cost.flops;
        CurvePoint { step, tokens: step * self.cost.tokens, flops, seconds, loss: self.loss() }
    }
}

/// A mean that forgets: over about the last twenty steps, without the bias of starting at zero.
#[derive(Debug, Default)]
struct Smoothed {
    sum: f64,
    weight: f64,
}

impl Smoothed {
    const KEEP: f64 = 0.95;

    fn add(&mut self, value: f64) {
        self.sum = Self::KEEP * self.sum + (1.0 - Self::KEEP) * value;
        self.weight = Self::KEEP * self.weight + (1.0 - Self::KEEP);
    }

    fn value(&self) -> f64 {
        self.sum / self.weight
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(steps: u64, known: bool) -> Vec<u64> {
        let mut recorder = Recorder::new(known.then_some(steps), StepCost::tokens(3).flops(5.0));
        for step in 1..=steps {
            _ = recorder.add(step, 2.0, || step as f64);
        }
        let curve = recorder.finish(steps, 0.0);
        for point in &curve {
            assert_eq!((point.tokens, point.flops), (3 * point.step, 5.0 * point.step as f64));
            assert!((point.loss - 2.0).abs() < 1e-12);
        }
        curve.iter().map(|point| point.step).collect()
    }

    #[test]
    fn a_run_has_about_a_hundred_points_and_the_last_step_is_one() {
        assert_eq!(curve(1, true), [1]);
        assert_eq!(curve(60, true), (1..=60).collect::<Vec<_>>());
        assert_eq!(curve(100_000, true), (1..=100).map(|i| 1_000 * i).collect::<Vec<_>>());
        let uneven = curve(1_234, true);
        // Every 13th, 94 of them up to 1,222, and the end.
        assert_eq!((uneven.len(), uneven[0], uneven[93], uneven[94]), (95, 13, 1_222, 1_234));
    }

    #[test]
    fn with_an_open_end_points_are_thinned_evenly() {
        for steps in [1, 99, 199, 200, 1_000, 12_345] {
            let curve = curve(steps, false);
            assert!(curve.len() <= 200 && (steps < 100 || curve.len() >= 100), "{steps}: {}", curve.len());
            let gaps: Vec<_> = curve.windows(2).map(|pair| pair[1] - pair[0]).collect();
            if let Some((last, even)) = gaps.split_last() {
                assert!(even.iter().all(|gap| gap == &even[0]) && last <= even.first().unwrap_or(last));
            }
        }
    }
}
