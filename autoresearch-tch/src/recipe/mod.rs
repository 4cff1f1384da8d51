//! The recipe of a small language model: everything that a search may change.

mod ranges;
mod space;

use serde::{Deserialize, Serialize};

/// A value of a recipe that is outside of what it may be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{field} is {value}, it must be {allowed}")]
#[non_exhaustive]
pub struct RecipeError {
    /// The field, or fields, at fault.
    pub field: &'static str,
    /// What it is.
    pub value: String,
    /// What it may be.
    pub allowed: String,
}

/// What moves the matrices between the hidden layers. Everything else is AdamW's in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// AdamW throughout.
    AdamW,
    /// Muon for the matrices of the blocks, with its own rate `muon_lr`.
    Muon,
}

/// The nonlinearity of the feed-forward layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// x times the normal distribution function of x.
    Gelu,
    /// The square of max(x, 0).
    Relu2,
    /// silu(a) times b, with 2/3 of the hidden width, so that it has as many weights.
    Swiglu,
}

/// How activations are normalised before each layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// Mean off, divided by the standard deviation, times a gain.
    Layer,
    /// Divided by the root mean square, times a gain.
    Rms,
}

/// How the model knows where a byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    /// A learned vector for each place, added to the embedding.
    Learned,
    /// Queries and keys turned by angles that grow with the place.
    Rope,
}

/// How the learning rate falls at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cooldown {
    /// In a straight line.
    Linear,
    /// Along half a cosine.
    Cosine,
}

/// Everything about a byte-level GPT that a search may change. Linear layers have no biases.
///
/// The default is a plain recipe in the manner of nanoGPT, sized for runs of seconds: about 120,000 parameters,
/// 300,000 tokens in about 5 s on one thread. It leaves much to find.
///
/// Read from JSON, missing fields are the default's and unknown ones are an error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GptRecipe {
    /// Transformer blocks, 1 to 16.
    pub depth: u32,
    /// Attention heads, 1 to 16. The width of the model is `heads` times `head_dim`.
    pub heads: u32,
    /// Width of a head: 8 to 128, even.
    pub head_dim: u32,
    /// Hidden width of the feed-forward layers, in widths of the model, .5 to 8; rounded to a multiple of 8.
    pub mlp_ratio: f64,
    /// Nonlinearity of the feed-forward layers.
    pub activation: Activation,
    /// Normalisation before each layer.
    pub norm: Norm,
    /// How the model knows where a byte stands.
    pub position: Position,
    /// Longest wavelength of rope, in bytes over 2 pi, 10 to 1,000,000. Only with `position = rope`.
    pub rope_base: f64,
    /// Whether queries and keys are normalised.
    pub qk_norm: bool,
    /// Factor on the attention logits, .25 to 8; 1 is the usual scale of one over the root of `head_dim`.
    pub qk_gain: f64,
    /// Whether the output head shares its weights with the embedding.
    pub tied_embeddings: bool,
    /// Whether the last matrix of each layer (and an untied head) starts at zero.
    pub zero_init_outputs: bool,
    /// Standard deviation of initial weights, .001 to .5.
    pub init_std: f64,
    /// Logits are squashed to within plus and minus this, up to 100; 0: they are not.
    pub logit_softcap: f64,

    /// What moves the matrices of the blocks.
    pub optimizer: OptimizerKind,
    /// AdamW's peak learning rate, 1e-5 to .3.
    pub lr: f64,
    /// Muon's peak learning rate, 1e-4 to 1. Only with `optimizer = muon`.
    pub muon_lr: f64,
    /// Muon's momentum, 0 to .99. Only with `optimizer = muon`.
    pub muon_momentum: f64,
    /// AdamW's memory of the gradient, 0 to .99.
    pub beta1: f64,
    /// AdamW's memory of its square, .5 to .9999.
    pub beta2: f64,
    /// Share of a matrix that goes in a step, per unit of learning rate, 0 to 10.
    pub weight_decay: f64,
    /// Most that the norm of the gradient may be, up to 100; 0: anything.
    pub grad_clip: f64,
    /// Share of the run in which the learning rates rise from 0, 0 to .9.
    pub warmup: f64,
    /// Share of the run, at its end, in which they fall, 0 to 1; what the warm-up takes is not counted twice.
    pub cooldown: f64,
    /// Along which line they fall.
    pub cooldown_shape: Cooldown,
    /// What they fall to, as a share of the peak, 0 to 1.
    pub final_lr: f64,
    /// Sequences a step, 1 to 512.
    pub batch: u32,
    /// Bytes a sequence, 8 to 1,024, in training and evaluation. `batch` times `context` may be 65,536 at most.
    pub context: u32,
}

impl Default for GptRecipe {
    fn default() -> Self {
        Self {
            depth: 2,
            heads: 2,
            head_dim: 32,
            mlp_ratio: 4.0,
            activation: Activation::Gelu,
            norm: Norm::Layer,
            position: Position::Learned,
            rope_base: 10_000.0,
            qk_norm: false,
            qk_gain: 1.0,
            tied_embeddings: true,
            zero_init_outputs: false,
            init_std: 0.02,
            logit_softcap: 0.0,
            optimizer: OptimizerKind::AdamW,
            lr: 1e-3,
            muon_lr: 0.02,
            muon_momentum: 0.95,
            beta1: 0.9,
            beta2: 0.95,
            weight_decay: 0.1,
            grad_clip: 1.0,
            warmup: 0.02,
            cooldown: 1.0,
            cooldown_shape: Cooldown::Cosine,
            final_lr: 0.1,
            batch: 16,
            context: 64,
        }
    }
}

impl GptRecipe {
    /// Width of the model.
    pub fn width(&self) -> u32 {
        self.heads * self.head_dim
    }

    /// Hidden width of the feed-forward layers.
    pub fn hidden(&self) -> u32 {
        let share = if self.activation == Activation::Swiglu { 2.0 / 3.0 } else { 1.0 };
        let eighths = (share * self.mlp_ratio * f64::from(self.width()) / 8.0).round();
        8 * (eighths as u32).max(1)
    }

    /// Checks every field.
    ///
    /// # Errors
    /// The first that is out of range: field, value and range.
    pub fn validate(&self) -> Result<(), RecipeError> {
        ranges::validate(self)
    }

    /// The factor on the learning rates when `progress` (0 to 1) of the run is done.
    pub fn rate(&self, progress: f64) -> f64 {
        let falling_from = (1.0 - self.cooldown).max(self.warmup);
        if progress < self.warmup {
            progress / self.warmup
        } else if progress < falling_from || falling_from >= 1.0 {
            1.0
        } else {
            let through = (progress - falling_from) / (1.0 - falling_from);
            let left = match self.cooldown_shape {
                Cooldown::Linear => 1.0 - through,
                Cooldown::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * through).cos()),
            };
            self.final_lr + (1.0 - self.final_lr) * left
        }
    }
}

#[cfg(test)]
mod tests;
