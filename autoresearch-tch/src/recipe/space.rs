//! The part of all recipes that is worth searching.

use super::GptRecipe;
use autoresearch_core::ParamSpace;

impl GptRecipe {
    /// All fields, each in the range that is worth a try for small models on short runs: narrower than what
    /// [`validate`](Self::validate) lets pass, and chosen so that every point of the space is a valid recipe.
    ///
    /// Of the sizes it holds what a run of tokens can still pay for: with a budget in tokens a model of twice the
    /// width takes about twice the time, which a budget in floating-point operations sets right.
    pub fn space() -> ParamSpace {
        let space = Self::optimisation(ParamSpace::new());
        Self::architecture(space)
    }

    fn optimisation(space: ParamSpace) -> ParamSpace {
        space
            .choice("optimizer", ["adamw", "muon"])
            .doc("muon moves the matrices of the blocks by muon_lr; adamw moves the rest by lr")
            .log_float("lr", 1e-4..=3e-2)
            .doc("peak learning rate of adamw")
            .log_float("muon_lr", 2e-3..=0.2)
            .when("optimizer", "muon")
            .doc("peak learning rate of muon")
            .float("muon_momentum", 0.8..=0.99)
            .when("optimizer", "muon")
            .doc("how slowly muon's momentum forgets")
            .float("beta1", 0.7..=0.98)
            .doc("how slowly adamw's mean of the gradient forgets")
            .choice("beta2", [0.9, 0.95, 0.98, 0.99, 0.995, 0.999])
            .doc("how slowly adamw's mean of the squared gradient forgets")
            .log_float("weight_decay", 1e-3..=1.0)
            .doc("share of a matrix that goes in a step, per unit of learning rate")
            .choice("grad_clip", [0.0, 0.25, 0.5, 1.0, 2.0, 4.0])
            .doc("largest norm of the gradient; 0: not clipped")
            .float("warmup", 0.0..=0.3)
            .doc("share of the run in which the learning rates rise")
            .float("cooldown", 0.0..=1.0)
            .doc("share of the run, at its end, in which they fall")
            .choice("cooldown_shape", ["linear", "cosine"])
            .doc("along which line they fall")
            .float("final_lr", 0.0..=0.5)
            .doc("what they fall to, as a share of the peak")
            .choice("batch", [2, 4, 8, 16, 32])
            .doc("sequences a step; fewer make more steps of a budget in tokens")
            .choice("context", [32, 64, 128, 256])
            .doc("bytes a sequence, in training and evaluation")
    }

    fn architecture(space: ParamSpace) -> ParamSpace {
        space
            .int("depth", 1..=4)
            .doc("transformer blocks")
            .choice("heads", [1, 2, 3, 4])
            .doc("attention heads; the width is heads times head_dim")
            .choice("head_dim", [16, 24, 32, 48, 64])
            .doc("width of a head")
            .log_float("mlp_ratio", 1.0..=8.0)
            .doc("hidden width of the feed-forward layers, in widths of the model")
            .choice("activation", ["gelu", "relu2", "swiglu"])
            .doc("nonlinearity of the feed-forward layers")
            .choice("norm", ["layer", "rms"])
            .doc("normalisation before each layer")
            .choice("position", ["learned", "rope"])
            .doc("how the model knows where a byte stands")
            .log_float("rope_base", 10.0..=1e5)
            .when("position", "rope")
            .doc("longest wavelength of rope over 2 pi")
            .bool("qk_norm")
            .doc("whether queries and keys are normalised")
            .log_float("qk_gain", 0.5..=4.0)
            .doc("factor on the attention logits")
            .bool("tied_embeddings")
            .doc("whether the head shares the weights of the embedding")
            .bool("zero_init_outputs")
            .doc("whether the last matrix of each layer starts at zero")
            .log_float("init_std", 5e-3..=0.2)
            .doc("standard deviation of the initial weights")
            .choice("logit_softcap", [0.0, 10.0, 15.0, 30.0])
            .doc("logits are squashed to within this; 0: they are not")
    }
}
