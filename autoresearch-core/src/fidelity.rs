//! How much a run is given.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// How much a run is given.
///
/// Steps, tokens and FLOPs give the same run everywhere; wall-clock makes the machine's load a noise source.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fidelity {
    /// Optimiser steps.
    Steps(u64),
    /// Training tokens.
    Tokens(u64),
    /// Floating-point operations of training.
    Flops(f64),
    /// Elapsed time.
    WallClock(Duration),
}

impl Fidelity {
    /// A budget of optimiser steps.
    pub fn steps(n: u64) -> Self {
        Self::Steps(n)
    }

    /// A budget of training tokens.
    pub fn tokens(n: u64) -> Self {
        Self::Tokens(n)
    }

    /// A budget of floating-point operations.
    pub fn flops(n: f64) -> Self {
        Self::Flops(n)
    }

    /// A budget of elapsed time.
    pub fn wall_clock(duration: Duration) -> Self {
        Self::WallClock(duration)
    }
}

impl fmt::Display for Fidelity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Steps(n) => write!(f, "{n} steps"),
            Self::Tokens(n) => write!(f, "{n} tokens"),
            Self::Flops(x) => write!(f, "{x:.3e} FLOPs"),
            Self::WallClock(d) => write!(f, "{:.1} s", d.as_secs_f64()),
        }
    }
}
