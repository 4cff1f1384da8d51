//! How the loss fell while a run trained, and what that says of two runs.

mod time_to_loss;

pub use time_to_loss::TimeToLoss;

use serde::{Deserialize, Serialize};

/// One point of a run's training curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurvePoint {
    /// Optimiser steps done.
    pub step: u64,
    /// Tokens (or whatever the trainer counts) trained on so far.
    pub tokens: u64,
    /// Floating-point operations of forward and backward passes so far; 0 where the trainer does not count them.
    pub flops: f64,
    /// Seconds since the first step.
    pub seconds: f64,
    /// Training loss, in the trainer's own unit, smoothed over the last steps.
    pub loss: f64,
}
