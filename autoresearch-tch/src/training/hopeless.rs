//! Ending runs that have no hope left.

use crate::CurvePoint;
use autoresearch_core::Fidelity;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// Ends a run early when its training loss stays well above that of a reference run at the same point: the same
/// number of tokens, operations or steps, whichever the budget counts.
///
/// A run that is ended is a result and not a failure: its checkpoint is measured as it is and says `stopped_early`, in
/// its metrics and as a metric (1) of the measurement. **That result is biased**: such a run had less training than
/// the others and no cool-down, so it looks worse than it would have become. It serves to throw a proposal out and is
/// no estimate of how bad that is; nor of how good its neighbours are.
///
/// The reference is given and never learned on the way, so that a run's outcome depends on nothing but its candidate,
/// seed and settings; it is part of the trainer's identity. Take the curve of a run of the incumbent from
/// [`RunMetrics::curve`](crate::RunMetrics), better the worst of several, and the margin from how far apart the curves
/// of several seeds lie: a recipe that starts slowly and ends well (a longer warm-up, a larger model) is the price of
/// a narrow one. Runs on another budget than the reference's (by more than a step and a twentieth) are left
/// alone: so are those at the other fidelity of a certification. With a wall-clock budget curves are compared at equal seconds, and nothing here is repeatable.
///
/// ```
/// # use autoresearch_core::{Executor, Fidelity, RunContext};
/// # use autoresearch_tch::{Corpus, GptRecipe, GptTrainer, Hopeless, Split};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let texts = (0..100).map(|i| format!("document {i} says what documents say\n").repeat(4));
/// # let corpus = Corpus::from_texts(texts).split(Split::default())?;
/// let trainer = GptTrainer::new(&corpus).fidelity(Fidelity::tokens(20_000));
/// let incumbent = trainer.execute(GptRecipe::default(), RunContext::for_test(1)).await?;
/// let hopeless = Hopeless::against(incumbent.metrics.curve, 0.3)?.after(0.4);
/// let stuck = GptRecipe { lr: 1e-5, ..GptRecipe::default() };
/// let stopped = trainer.stop_hopeless(hopeless).execute(stuck, RunContext::for_test(2)).await?;
/// assert!(stopped.metrics.stopped_early && stopped.metrics.tokens < 20_000);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Plain", into = "Plain")]
pub struct Hopeless(Plain);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain {
    reference: Vec<CurvePoint>,
    margin: f64,
    after: f64,
    checks: u32,
}

/// Why a curve or a margin cannot serve to tell hopeless runs.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HopelessError {
    /// A curve without points.
    #[error("the reference curve has no points")]
    Empty,
    /// A number that is none, or points out of order.
    #[error("the reference curve is not usable at point {0}: steps must rise and all numbers be finite")]
    Point(usize),
    /// A margin that is negative or not a number.
    #[error("the margin is {0}, it must be 0 or more and finite")]
    Margin(f64),
    /// A share that is none.
    #[error("runs are to be looked at after {0} of the reference, it must be from 0 to 1")]
    After(f64),
}

impl Hopeless {
    /// Ends a run whose smoothed loss is above `reference` by more than `margin`, in units of the loss, at three points
    /// of its curve in a row, from a fifth of the reference on.
    ///
    /// # Errors
    /// The curve is empty, out of order or not finite; the margin is negative or not finite.
    pub fn against(
        reference: impl IntoIterator<Item = CurvePoint>,
        margin: f64,
    ) -> Result<Self, HopelessError> {
        Plain { reference: reference.into_iter().collect(), margin, after: 0.2, checks: 3 }.try_into()
    }

    /// From which share of the reference on runs are looked at; brought into 0 to 1.
    #[must_use]
    pub fn after(mut self, share: f64) -> Self {
        self.0.after = if share.is_nan() { 1.0 } else { share.clamp(0.0, 1.0) };
        self
    }

    /// At how many points in a row a run must be too bad; at least one. A curve has about 100 points.
    #[must_use]
    pub fn checks(mut self, checks: u32) -> Self {
        self.0.checks = checks.max(1);
        self
    }

    /// The reference's loss where the budget's count is `at`, between its points along straight lines; nothing before
    /// the share that is waited for and nothing beyond its end.
    fn expected(&self, at: f64, count: fn(&CurvePoint) -> f64) -> Option<f64> {
        let points = &self.0.reference;
        let end = count(points.last()?);
        let next = points.partition_point(|point| count(point) < at);
        let after = points.get(next).filter(|_| at >= self.0.after * end)?;
        if count(after) == at {
            return Some(after.loss);
        }
        let before = points.get(next.checked_sub(1)?)?;
        let share = (at - count(before)) / (count(after) - count(before));
        Some(before.loss + share * (after.loss - before.loss))
    }
}

impl TryFrom<Plain> for Hopeless {
    type Error = HopelessError;

    fn try_from(plain: Plain) -> Result<Self, HopelessError> {
        if plain.reference.is_empty() {
            return Err(HopelessError::Empty);
        }
        let mut last = 0;
        for (index, point) in plain.reference.iter().enumerate() {
            if point.step <= last || ![point.loss, point.flops, point.seconds].iter().all(|x| x.is_finite()) {
                return Err(HopelessError::Point(index));
            }
            last = point.step;
        }
        if !plain.margin.is_finite() || plain.margin < 0.0 {
            return Err(HopelessError::Margin(plain.margin));
        }
        if !(0.0..=1.0).contains(&plain.after) {
            return Err(HopelessError::After(plain.after));
        }
        Ok(Self(Plain { checks: plain.checks.max(1), ..plain }))
    }
}

impl From<Hopeless> for Plain {
    fn from(hopeless: Hopeless) -> Self {
        hopeless.0
    }
}

/// For identities: all that decides when a run ends. Seconds do not, but for runs on the clock, which are never the
/// same anyway.
impl fmt::Display for Hopeless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut hash = Sha256::new();
        for point in &self.0.reference {
            hash.update(point.step.to_le_bytes());
            hash.update(point.tokens.to_le_bytes());
            hash.update(point.flops.to_le_bytes());
            hash.update(point.loss.to_le_bytes());
        }
        let curve: String = hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        let Plain { margin, after, checks, .. } = &self.0;
        write!(f, "stopped when {margin} above curve {curve} at {checks} points in a row after {after} of it")
    }
}

/// The watch on one run.
#[derive(Debug)]
pub(super) struct Lookout<'a> {
    hopeless: &'a Hopeless,
    count: fn(&CurvePoint) -> f64,
    bad: u32,
}

/// How far the budget of a run may be from the reference's: steps of unlike size do not end at the same token.
const SAME_BUDGET: f64 = 0.05;

impl<'a> Lookout<'a> {
    /// `None` for a run on another budget than the reference's: its learning rate is elsewhere at the same token, and
    /// being behind there says nothing.
    pub(super) fn new(hopeless: &'a Hopeless, fidelity: Fidelity) -> Option<Self> {
        let count: fn(&CurvePoint) -> f64 = match fidelity {
            Fidelity::Tokens(_) => |point| point.tokens as f64,
            Fidelity::Flops(_) => |point| point.flops,
            Fidelity::WallClock(_) => |point| point.seconds,
            _ => |point| point.step as f64,
        };
        let budget = match fidelity {
            Fidelity::Tokens(tokens) => tokens as f64,
            Fidelity::Flops(flops) => flops,
            Fidelity::WallClock(length) => length.as_secs_f64(),
            Fidelity::Steps(steps) => steps as f64,
            _ => return None,
        };
        let last = hopeless.0.reference.last()?;
        let end = count(last);
        let step = end / last.step as f64;
        let same = (budget - end).abs() <= step.max(SAME_BUDGET * end);
        same.then_some(Self { hopeless, count, bad: 0 })
    }

    /// Whether the run is to end at this point of its curve.
    pub(super) fn gives_up(&mut self, point: &CurvePoint) -> bool {
        let Some(expected) = self.hopeless.expected((self.count)(point), self.count) else { return false };
        self.bad = if point.loss > expected + self.hopeless.0.margin { self.bad + 1 } else { 0 };
        self.bad >= self.hopeless.0.checks
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn point(step: u64, loss: f64) -> CurvePoint {
        CurvePoint { step, tokens: 10 * step, flops: 1e3 * step as f64, seconds: 0.0, loss }
    }

    /// From 5 at step 10 in a straight line down to 1 at step 50.
    fn hopeless() -> Hopeless {
        Hopeless::against([point(10, 5.0), point(30, 3.0), point(50, 1.0)], 0.5).unwrap()
    }

    #[test]
    fn it_takes_three_bad_points_in_a_row() {
        let bad = [20, 22, 24, 26, 28, 30].map(|step| point(step, 6.0 - step as f64 / 10.0 + 0.6));
        let rule = hopeless();
        let ends = |points: &[CurvePoint], rule: &Hopeless| {
            let mut lookout = Lookout::new(rule, Fidelity::steps(50)).unwrap();
            points.iter().position(|point| lookout.gives_up(point))
        };
        assert_eq!(ends(&bad, &rule), Some(2));
        assert_eq!(ends(&bad, &hopeless().checks(5)), Some(4));
        let mut mended = bad;
        mended[1].loss -= 0.2; // .4 above the reference: within the margin
        assert_eq!(ends(&mended, &rule), Some(4));
        assert_eq!(ends(&bad, &hopeless().after(0.5)), Some(5), "26, 28 and 30 are past half of 50");
        assert_eq!(
            ends(&[point(51, 9.0), point(60, 9.0), point(70, 9.0)], &rule),
            None,
            "beyond the reference"
        );
    }

    #[test]
    fn it_compares_at_what_the_budget_counts() {
        let at = |fidelity, point: CurvePoint| {
            let rule = hopeless().checks(1);
            Lookout::new(&rule, fidelity).unwrap().gives_up(&point)
        };
        // Half as many tokens a step: at step 40 only as far as the reference at its step 20, where 4 is expected.
        let slow = CurvePoint { tokens: 200, flops: 4e4, ..point(40, 4.0) };
        assert!(!at(Fidelity::tokens(500), slow));
        assert!(at(Fidelity::steps(50), slow) && at(Fidelity::flops(5e4), slow));
    }

    /// The reference had 50 steps of 10 tokens.
    #[test]
    fn runs_on_another_budget_are_left_alone() {
        let rule = hopeless();
        let watched = |fidelity| Lookout::new(&rule, fidelity).is_some();
        assert!(watched(Fidelity::tokens(500)) && watched(Fidelity::tokens(509)));
        assert!(!watched(Fidelity::tokens(5_000)) && !watched(Fidelity::steps(25)));
    }

    #[test]
    fn what_cannot_serve_is_refused_also_from_json() {
        assert_eq!(Hopeless::against([], 0.1), Err(HopelessError::Empty));
        assert_eq!(Hopeless::against([point(2, 1.0), point(2, 1.0)], 0.1), Err(HopelessError::Point(1)));
        assert_eq!(Hopeless::against([point(2, f64::NAN)], 0.1), Err(HopelessError::Point(0)));
        assert_eq!(Hopeless::against([point(2, 1.0)], -0.1), Err(HopelessError::Margin(-0.1)));
        assert!(Hopeless::against([point(2, 1.0)], f64::NAN).is_err());
        let json = serde_json::to_string(&hopeless()).unwrap();
        assert_eq!(serde_json::from_str::<Hopeless>(&json).unwrap(), hopeless());
        let error =
            serde_json::from_str::<Hopeless>(&json.replace("\"margin\":0.5", "\"margin\":-1")).unwrap_err();
        assert!(error.to_string().contains("the margin is -1"), "{error}");
    }

    #[test]
    fn its_name_holds_all_that_decides() {
        let name = hopeless().to_string();
        assert_ne!(name, hopeless().checks(4).to_string());
        assert_ne!(name, hopeless().after(0.3).to_string());
        assert_ne!(name, Hopeless::against([point(10, 5.0), point(30, 3.0)], 0.5).unwrap().to_string());
    }
}
