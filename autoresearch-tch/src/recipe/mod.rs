//! The recipe of a small language model: everything that a search may change.

mod check;
mod choices;
mod strong;
mod table;

pub use choices::{
    Activation, Cooldown, Init, Norm, NormPlace, OptimizerKind, Orthogonal, Packing, Position, Precision,
    Warmup, WindowPattern,
};

use autoresearch_core::{ParamSpace, Searchable};
use serde::{Deserialize, Serialize};
use table::recipe;

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

recipe! {
    /// Everything about a small GPT that a search may change. Linear layers have no biases.
    ///
    /// The default is a plain recipe in the manner of nanoGPT, sized for runs of seconds: about 120,000 parameters,
    /// 300,000 tokens in about 5 s on one thread. It leaves much to find.
    ///
    /// Read from JSON, missing fields are the default's and unknown ones are an error.
    GptRecipe {
        /// Symbols that the model reads and writes: 256 for bytes; more for byte-level BPE with a vocabulary of this
        /// size, trained on the training split.
        vocab: u32 = 256, in 256..=65536, search choice([256, 512, 1024, 2048]);

        /// Transformer blocks.
        depth: u32 = 2, in 1..=48, search int(1..=4);
        /// Attention heads. The width of the model is `heads` times `head_dim`.
        heads: u32 = 2, in 1..=64, search choice([1, 2, 3, 4]);
        /// Heads of keys and values, each shared by equally many heads of queries; 0: as many as `heads`. It must
        /// divide `heads`.
        kv_heads: u32 = 0, in 0..=64, search choice([0, 1]);
        /// Width of a head; even.
        head_dim: u32 = 32, in 8..=256, search choice([16, 24, 32, 48, 64]);
        /// Hidden width of the feed-forward layers, in widths of the model; rounded to a multiple of 8.
        mlp_ratio: f64 = 4.0, in 0.5..=8, search log_float(1.0..=8.0);
        /// Nonlinearity of the feed-forward layers.
        activation: Activation = Activation::Gelu, search choice(Activation::NAMES.iter().copied());
        /// How activations are normalised.
        norm: Norm = Norm::Layer, search choice(Norm::NAMES.iter().copied());
        /// Where the two halves of a block are normalised. What goes into the head always is.
        norm_place: NormPlace = NormPlace::Before, search choice(NormPlace::NAMES.iter().copied());
        /// How the model knows where a token stands.
        position: Position = Position::Learned, search choice(Position::NAMES.iter().copied());
        /// Longest wavelength of rope, in tokens over 2 pi.
        rope_base: f64 = 10_000.0, in 10..=1000000, search log_float(10.0..=1e5) when position = "rope";
        /// Whether queries and keys are normalised to a root mean square of 1.
        qk_norm: bool = false, search bool();
        /// Factor on the attention logits; 1 is the usual scale of one over the root of `head_dim`.
        qk_gain: f64 = 1.0, in 0.25..=8, search log_float(0.5..=4.0);
        /// Whether that factor is learned, for each head, from `qk_gain` on.
        learned_qk_gain: bool = false, search bool();
        /// Which blocks look back over the short window only.
        window_pattern: WindowPattern = WindowPattern::L, search choice(WindowPattern::NAMES.iter().copied());
        /// The short window, as a share of `context`, rounded; at least one token. A place sees so many tokens, itself
        /// included.
        window: f64 = 0.5, in 0.01..=1, search choice([0.125, 0.25, 0.5])
            when window_pattern = "SL" | "SSL" | "SSSL";
        /// Whether the last half of each head's keys and values is taken from the token before (from the token
        /// itself where none stands before).
        shift_kv: bool = false, search bool();
        /// Whether every second block, from the last one back, adds an embedding of the token to its values, by a
        /// gate of each head that the token's state opens (as in nanochat).
        value_embeddings: bool = false, search bool();
        /// Buckets of an embedding of each pair of neighbouring tokens, by hash, added to the embedding; 0: none.
        bigrams: u32 = 0, in 0..=1000000, search choice([0, 1024, 4096, 16384]);
        /// Whether each block scales the stream by a learned factor that starts at 1.
        residual_scalars: bool = false, search bool();
        /// Whether each block adds the embedding to the stream once more, by a learned factor that starts at 0.
        x0_scalars: bool = false, search bool();
        /// Whether the output head shares its weights with the embedding.
        tied_embeddings: bool = true, search bool();
        /// Logits are squashed to within plus and minus this; 0: they are not.
        logit_softcap: f64 = 0.0, in 0..=100, search choice([0.0, 10.0, 15.0, 30.0]);
        /// Share of what each half of a block and the embedding give that is dropped at random in training.
        dropout: f64 = 0.0, in 0..=0.9, search choice([0.0, 0.05, 0.1, 0.2]);
        /// How large initial weights are.
        init: Init = Init::Fixed, search choice(Init::NAMES.iter().copied());
        /// Standard deviation of initial weights.
        init_std: f64 = 0.02, in 0.001..=0.5, search log_float(5e-3..=0.2);
        /// Whether the last matrix of each half of a block (and an untied head) starts at zero.
        zero_init_outputs: bool = false, search bool();

        /// What moves the matrices of the blocks.
        optimizer: OptimizerKind = OptimizerKind::AdamW, search choice(OptimizerKind::NAMES.iter().copied());
        /// AdamW's peak learning rate.
        lr: f64 = 1e-3, in 0.00001..=0.3, search log_float(1e-4..=3e-2);
        /// Learning rate of embeddings (tokens, places, pairs, values; a tied head with them), in `lr`s.
        embedding_lr: f64 = 1.0, in 0.01..=100, search log_float(0.1..=10.0);
        /// Learning rate of an untied head, in `lr`s.
        head_lr: f64 = 1.0, in 0.01..=100, search log_float(0.1..=10.0) when tied_embeddings = false;
        /// Learning rate of gains, gates and other vectors and scalars, in `lr`s.
        vector_lr: f64 = 1.0, in 0.01..=100, search log_float(0.1..=10.0);
        /// Muon's peak learning rate.
        muon_lr: f64 = 0.02, in 0.0001..=1, search log_float(2e-3..=0.2) when optimizer = "muon";
        /// How slowly Muon's momentum forgets.
        muon_momentum: f64 = 0.95, in 0..=0.99, search float(0.8..=0.99) when optimizer = "muon";
        /// Whether Muon looks ahead along its momentum (Nesterov).
        muon_nesterov: bool = true, search bool() when optimizer = "muon";
        /// How Muon makes a matrix orthogonal.
        muon_orthogonal: Orthogonal = Orthogonal::NewtonSchulz,
            search choice(Orthogonal::NAMES.iter().copied()) when optimizer = "muon";
        /// Steps that Muon takes to do so.
        muon_steps: u32 = 5, in 1..=10, search choice([3, 4, 5, 6]) when optimizer = "muon";
        /// Whether Muon evens out the variance of the rows (NorMuon; Li et al., 2025), with `beta2` of AdamW.
        muon_normalised: bool = false, search bool() when optimizer = "muon";
        /// How slowly AdamW's mean of the gradient forgets.
        beta1: f64 = 0.9, in 0..=0.99, search float(0.7..=0.98);
        /// How slowly AdamW's mean of the squared gradient forgets.
        beta2: f64 = 0.95, in 0.5..=0.9999, search choice([0.9, 0.95, 0.98, 0.99, 0.995, 0.999]);
        /// Keeps AdamW's divisor away from zero.
        eps: f64 = 1e-8, in 0.000000000001..=0.01, search choice([1e-10, 1e-8, 1e-6]);
        /// Share of a matrix that goes in a step, per unit of learning rate.
        weight_decay: f64 = 0.1, in 0..=10, search log_float(1e-3..=1.0);
        /// Whether a weight decays only where the step moves it towards zero, too (Chen et al., 2025).
        cautious_decay: bool = false, search bool();
        /// Most that the norm of the gradient may be; 0: anything.
        grad_clip: f64 = 1.0, in 0..=100, search choice([0.0, 0.25, 0.5, 1.0, 2.0, 4.0]);
        /// Share of the run in which the learning rates rise from 0.
        warmup: f64 = 0.02, in 0..=0.9, search float(0.0..=0.3);
        /// Along which line they rise.
        warmup_shape: Warmup = Warmup::Linear, search choice(Warmup::NAMES.iter().copied());
        /// Share of the run, at its end, in which they fall; what the warm-up takes is not counted twice.
        cooldown: f64 = 1.0, in 0..=1, search float(0.0..=1.0);
        /// Along which line they fall.
        cooldown_shape: Cooldown = Cooldown::Cosine, search choice(Cooldown::NAMES.iter().copied());
        /// What they fall to, as a share of the peak.
        final_lr: f64 = 0.1, in 0..=1, search float(0.0..=0.5);
        /// Weights are measured as their running mean over the last steps, which forgets by this factor a step; 0: as
        /// they are.
        ema: f64 = 0.0, in 0..=0.9999, search choice([0.0, 0.9, 0.95, 0.98, 0.99]);
        /// Sequences a pass.
        batch: u32 = 16, in 1..=512, search choice([2, 4, 8, 16, 32]);
        /// Passes a step, whose gradients are averaged: a step sees `batch` times `accumulation` sequences.
        accumulation: u32 = 1, in 1..=256, search choice([1, 2, 4]);
        /// Tokens a sequence, in training and evaluation. `batch` times `context` may be 65,536 at most.
        context: u32 = 64, in 8..=4096, search choice([32, 64, 128, 256]);
        /// Where the sequences of a batch begin.
        packing: Packing = Packing::Stream, search choice(Packing::NAMES.iter().copied());
        /// How numbers are held while training. Not searched: it is a matter of speed.
        precision: Precision = Precision::F32;
    }
}

impl GptRecipe {
    /// Width of the model.
    pub fn width(&self) -> u32 {
        self.heads * self.head_dim
    }

    /// Heads of keys and values.
    pub fn kv_heads(&self) -> u32 {
        if self.kv_heads == 0 { self.heads } else { self.kv_heads }
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
        check::validate(self)
    }

    /// All fields, each in the range that is worth a try for small models on short runs: narrower than what
    /// [`validate`](Self::validate) lets pass, and chosen so that every point of the space is a valid recipe.
    ///
    /// Of the sizes it holds what a run of tokens can still pay for: with a budget in tokens a model of twice the
    /// width takes about twice the time, which a budget in floating-point operations sets right.
    pub fn space() -> ParamSpace {
        searched(ParamSpace::new())
    }

    /// The factor on the learning rates when `progress` (0 to 1) of the run is done.
    pub fn rate(&self, progress: f64) -> f64 {
        let falling_from = (1.0 - self.cooldown).max(self.warmup);
        if progress < self.warmup {
            let through = progress / self.warmup;
            match self.warmup_shape {
                Warmup::Linear => through,
                Warmup::Cosine => 0.5 * (1.0 - (std::f64::consts::PI * through).cos()),
                Warmup::Sqrt => through.sqrt(),
            }
        } else if progress < falling_from || falling_from >= 1.0 {
            1.0
        } else {
            let through = (progress - falling_from) / (1.0 - falling_from);
            let left = match self.cooldown_shape {
                Cooldown::Linear => 1.0 - through,
                Cooldown::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * through).cos()),
                Cooldown::Sqrt => 1.0 - through.sqrt(),
            };
            self.final_lr + (1.0 - self.final_lr) * left
        }
    }
}

impl Searchable for GptRecipe {
    fn space() -> ParamSpace {
        Self::space()
    }
}

#[cfg(test)]
mod tests;
