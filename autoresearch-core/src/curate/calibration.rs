//! How right a source's own predictions have proved.

use super::worth::gaussian;
use crate::state::mix;
use serde::Serialize;

/// What is believed of the edge beforehand, in standard deviations of what is predicted: a little, either way.
const PRIOR_MEAN: f64 = 0.1;
const PRIOR_SD: f64 = 0.5;
/// And with this probability there is any.
const ANY: f64 = 0.5;
/// No prediction counts for more than this, as a logarithm of odds.
const MOST: f64 = 3.0;

/// How right the predictions of a source have proved.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct Calibration {
    /// Ideas with a prediction of their effect, tried and measured.
    pub predicted: u32,
    /// Measured improvement for each unit of the predicted one: least squares. 1: right, 0: noise, below: inverted.
    pub slope: Option<f64>,
    /// Its standard error.
    pub slope_error: Option<f64>,
    /// The standard deviation of what was measured about that line, the noise of the measurement included.
    pub noise: Option<f64>,
    /// The share of ideas whose measured effect was within two of the stated standard deviations.
    pub coverage: Option<f64>,
    /// The mean square of the stated probability of being kept against what came of it; .25 for saying one half always.
    pub brier: Option<f64>,
    /// What Brier score the share that was kept would have had, said of each.
    pub brier_of_share: Option<f64>,
}

/// How much more of the rewards is among ideas of which more was promised.
///
/// Rewarded ideas are the others' distribution tilted by `exp(edge · z)`, with `z` the promise in its own standard
/// deviations. That holds whatever was chosen to be tried by its promise, so choosing does not bias it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Edge {
    /// The most likely edge, if there is one.
    pub mean: f64,
    /// Its standard deviation.
    pub sd: f64,
    /// How probable it is that there is any.
    pub probability: f64,
}

/// Sums over a source's ideas that came with a promise.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Promises {
    n: f64,
    x: f64,
    xx: f64,
    reward: f64,
    squares: f64,
    reward_x: f64,
}

impl Promises {
    /// Adds an idea of which `x` was promised, or takes one out.
    pub(super) fn add(&mut self, sign: f64, x: f64, reward: f64) {
        self.n += sign;
        self.x += sign * x;
        self.xx += sign * x * x;
        self.reward += sign * reward;
        self.squares += sign * reward * reward;
        self.reward_x += sign * reward * x;
    }

    fn moments(&self) -> Option<(f64, f64)> {
        if self.n < 2.0 {
            return None;
        }
        let mean = self.x / self.n;
        let variance = (self.xx / self.n - mean * mean) * self.n / (self.n - 1.0);
        // Equal promises differ by nothing but rounding.
        (variance > 1e-12 * mean * mean && variance > 0.0).then(|| (mean, variance.sqrt()))
    }

    /// What is known of the edge by now.
    pub(super) fn edge(&self) -> Edge {
        let Some((mean, sd)) = self.moments().filter(|_| self.squares > 0.0 && self.reward > 0.0) else {
            return Edge { mean: PRIOR_MEAN, sd: PRIOR_SD, probability: ANY };
        };
        // Rewards of unequal size tell as much as so many equal ones.
        let rewards = self.reward * self.reward / self.squares;
        let found = (self.reward_x / self.reward - mean) / sd;
        let (error, prior) = (1.0 / rewards, PRIOR_SD * PRIOR_SD);
        let precision = 1.0 / error + 1.0 / prior;
        let density =
            |about: f64, variance: f64| -0.5 * (found - about).powi(2) / variance - 0.5 * variance.ln();
        let odds = (density(PRIOR_MEAN, error + prior) - density(0.0, error)).exp() * ANY / (1.0 - ANY);
        Edge {
            mean: (found / error + PRIOR_MEAN / prior) / precision,
            sd: precision.sqrt().recip(),
            probability: if odds.is_finite() { odds / (1.0 + odds) } else { 1.0 },
        }
    }

    /// A draw of how promises tilt the odds: none at all, or by this much for each standard deviation.
    pub(super) fn draw(&self, hash: u64) -> Tilt {
        let edge = self.edge();
        let (mean, sd) = self.moments().unwrap_or((0.0, 0.0));
        let uniform = (mix(hash, 2) >> 11) as f64 / (1u64 << 53) as f64;
        if sd == 0.0 || uniform >= edge.probability {
            return Tilt::default();
        }
        Tilt { mean, by: (edge.mean + edge.sd * gaussian(mix(hash, 3))) / sd }
    }
}

/// How promises change the odds in one ranking.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Tilt {
    mean: f64,
    by: f64,
}

impl Tilt {
    /// The factor for an idea of which `x` was promised.
    pub(super) fn factor(&self, x: f64) -> f64 {
        (self.by * (x - self.mean)).clamp(-MOST, MOST).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn promises(edge: f64, n: u32) -> Promises {
        let mut sums = Promises::default();
        for i in 0..n {
            let hit = i % 20 == 0;
            let x = gaussian(mix(5, u64::from(i))) + if hit { edge } else { 0.0 };
            sums.add(1.0, 100.0 + 7.0 * x, if hit { 2.0 } else { 0.0 });
        }
        sums
    }

    #[test]
    fn an_edge_is_found_in_whatever_unit_it_is_promised() {
        let edge = promises(0.8, 4000).edge();
        assert!((edge.mean - 0.75).abs() < 0.2 && edge.probability > 0.99, "{edge:?}");
        let inverted = promises(-0.8, 4000).edge();
        assert!((inverted.mean + 0.75).abs() < 0.2 && inverted.probability > 0.99, "{inverted:?}");
    }

    #[test]
    fn noise_is_soon_taken_for_noise() {
        let edge = promises(0.0, 4000).edge();
        assert!(edge.probability < 0.3 && edge.mean.abs() < 0.2, "{edge:?}");
        let tilted = (0..1000).filter(|i| promises(0.0, 400).draw(mix(1, *i)) != Tilt::default()).count();
        assert!(tilted < 700, "{tilted} of 1000 rankings follow noise");
    }

    #[test]
    fn equal_promises_say_nothing() {
        let mut sums = Promises::default();
        (0..50).for_each(|i| sums.add(1.0, 0.1, f64::from(i % 2)));
        assert_eq!(sums.draw(3), Tilt::default());
        assert_eq!(Promises::default().draw(3), Tilt::default());
    }
}
