//! What is known of a finished run.

use crate::{CurvePoint, Phases};
use serde::{Deserialize, Serialize};

/// What is known of a finished training run besides its weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RunMetrics {
    /// Training loss, averaged over about the last 20 steps, in the trainer's own unit times
    /// [`Trainer::loss_scale`](crate::Trainer::loss_scale).
    pub train_loss: f64,
    /// Optimiser steps.
    pub steps: u64,
    /// Tokens (or whatever the trainer counts) trained on.
    pub tokens: u64,
    /// Floating-point operations of forward and backward passes; 0 where the trainer does not count them.
    #[serde(default)]
    pub flops: f64,
    /// Numbers in the model.
    pub parameters: u64,
    /// Time from the first step to the last.
    pub seconds: f64,
    /// Time from the run's start, once it had a device, to the end of its first step: what set-up costs, and one step.
    #[serde(default)]
    pub first_step_seconds: f64,
    /// Tokens a second.
    pub tokens_per_s: f64,
    /// Model-FLOPs utilisation: `flops` a second, as a share of the device's peak, where
    /// [`Training::peak_flops`](crate::Training::peak_flops) states it.
    #[serde(default)]
    pub mfu: Option<f64>,
    /// The share of `seconds` spent outside of forward pass, backward pass and optimiser. `None` on CUDA, where work is
    /// queued and the host's clock tells nothing of it; so for `phases`.
    #[serde(default)]
    pub overhead: Option<f64>,
    /// Where the seconds went.
    #[serde(default)]
    pub phases: Option<Phases>,
    /// The most of the machine's memory that the process held while the run was under way, in 10^9 bytes: with the data,
    /// libtorch itself and all else in the process. A card's memory is not in it. Only on Linux.
    pub memory_gb: Option<f64>,
    /// The most of a card's memory that tensors took while the run was under way, in 10^9 bytes, as libtorch's allocator
    /// counts it: of this run alone where it has the card for itself ([`gpus`](crate::Training::gpus)), else of all on it.
    /// What CUDA itself takes, and what the allocator keeps in reserve, comes on top. `None` on a processor.
    #[serde(default)]
    pub device_memory_gb: Option<f64>,
    /// Whether no other run was under way in this process meanwhile. If one was, `memory_gb` is of all runs together, and
    /// may be a peak from before this run.
    #[serde(default)]
    pub memory_alone: bool,
    /// Whether the run was ended before its budget for want of hope ([`Hopeless`](crate::Hopeless)): then everything
    /// measured on it is worse than it would have been.
    #[serde(default)]
    pub stopped_early: bool,
    /// How the loss fell: about 100 points at even distances in steps, and the last step. Losses are the same bit for
    /// bit whenever the weights are; seconds are not.
    #[serde(default)]
    pub curve: Vec<CurvePoint>,
}
