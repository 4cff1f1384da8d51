//! Where the time of a run goes.

use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// Seconds that a run spent in each part of its steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phases {
    /// In the forward pass. Making the batch is part of it: both happen in [`Trainer::loss`](crate::Trainer::loss).
    pub forward: f64,
    /// In the backward pass.
    pub backward: f64,
    /// In clipping, the optimiser's step, the mean of weights, and setting gradients to zero.
    pub optimizer: f64,
}

/// Adds up the time of the three phases; two readings of the clock each, about 50 ns.
#[derive(Debug, Default)]
pub(super) struct Stopwatch {
    pub(super) forward: Lap,
    pub(super) backward: Lap,
    pub(super) optimizer: Lap,
}

#[derive(Debug, Default)]
pub(super) struct Lap(Duration);

impl Lap {
    pub(super) fn time<R>(&mut self, work: impl FnOnce() -> R) -> R {
        let start = Instant::now();
        let result = work();
        self.0 += start.elapsed();
        result
    }
}

impl Stopwatch {
    pub(super) fn phases(&self) -> Phases {
        let [forward, backward, optimizer] =
            [&self.forward, &self.backward, &self.optimizer].map(|lap| lap.0.as_secs_f64());
        Phases { forward, backward, optimizer }
    }
}

impl Phases {
    /// The share of `seconds` that went into none of the three.
    pub(crate) fn overhead(&self, seconds: f64) -> f64 {
        (1.0 - (self.forward + self.backward + self.optimizer) / seconds.max(1e-9)).max(0.0)
    }
}
