//! How long a run goes on.

use autoresearch_core::{Fidelity, RunFailure};
use std::time::{Duration, Instant};

/// What one step of a trainer counts for.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct StepCost {
    /// Tokens, examples or whatever the trainer counts.
    pub tokens: u64,
    /// Floating-point operations of forward and backward pass; 0: not known.
    pub flops: f64,
}

impl StepCost {
    /// A step over this many tokens, with an unknown number of operations.
    pub fn tokens(tokens: u64) -> Self {
        Self { tokens, flops: 0.0 }
    }

    /// Says how many operations a step takes.
    #[must_use]
    pub fn flops(mut self, flops: f64) -> Self {
        self.flops = flops;
        self
    }
}

/// A fidelity as a number of steps, or as a deadline.
#[derive(Debug)]
pub(crate) enum Budget {
    Steps(u64),
    Until { start: Instant, length: Duration },
}

impl Budget {
    /// Never more than was granted, but at least one step.
    pub(crate) fn new(fidelity: Fidelity, cost: StepCost) -> Result<Self, RunFailure> {
        let steps = match fidelity {
            Fidelity::Steps(steps) => steps,
            Fidelity::Tokens(tokens) if cost.tokens > 0 => tokens / cost.tokens,
            Fidelity::Flops(flops) if cost.flops > 0.0 => (flops / cost.flops) as u64,
            Fidelity::WallClock(length) => return Ok(Self::Until { start: Instant::now(), length }),
            _ => {
                let message =
                    format!("the trainer cannot count {fidelity}: Trainer::cost must say what a step costs");
                return Err(RunFailure::infrastructure(message));
            }
        };
        Ok(Self::Steps(steps.max(1)))
    }

    /// How far the run is, from 0 to below 1, in the middle of step number `step` (from 0), so that a warm-up from 0 does
    /// not waste the first one; by the clock, before it. `None`: it is done.
    pub(crate) fn progress(&self, step: u64) -> Option<f64> {
        let progress = match self {
            Self::Steps(steps) => (step as f64 + 0.5) / *steps as f64,
            Self::Until { .. } if step == 0 => 0.0,
            Self::Until { start, length } => start.elapsed().as_secs_f64() / length.as_secs_f64().max(1e-9),
        };
        (progress < 1.0).then_some(progress)
    }

    /// The number of steps in all, where it is known beforehand.
    pub(crate) fn steps(&self) -> Option<u64> {
        match self {
            Self::Steps(steps) => Some(*steps),
            Self::Until { .. } => None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_budget_comes_down_to_steps() {
        let cost = StepCost::tokens(100).flops(1e6);
        let steps = |fidelity| Budget::new(fidelity, cost).unwrap().steps();
        assert_eq!(steps(Fidelity::steps(7)), Some(7));
        assert_eq!(steps(Fidelity::tokens(999)), Some(9));
        assert_eq!(steps(Fidelity::tokens(3)), Some(1));
        assert_eq!(steps(Fidelity::flops(2.5e6)), Some(2));
        assert_eq!(steps(Fidelity::wall_clock(Duration::from_secs(1))), None);
    }

    #[test]
    fn progress_is_that_of_the_middle_of_a_step() {
        let budget = Budget::new(Fidelity::steps(4), StepCost::tokens(1)).unwrap();
        let progress: Vec<_> = (0..).map_while(|step| budget.progress(step)).collect();
        assert_eq!(progress, [0.125, 0.375, 0.625, 0.875]);
        let clock = Budget::new(Fidelity::wall_clock(Duration::ZERO), StepCost::tokens(1)).unwrap();
        assert_eq!((clock.progress(0), clock.progress(1)), (Some(0.0), None));
    }

    #[test]
    fn a_budget_the_trainer_cannot_count_says_so() {
        let failure = Budget::new(Fidelity::flops(1e9), StepCost::tokens(1)).unwrap_err();
        assert!(failure.message().contains("Trainer::cost"), "{failure}");
    }
}
