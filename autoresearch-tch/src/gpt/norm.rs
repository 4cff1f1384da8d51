//! Normalisation of activations.

use crate::{GptRecipe, Norm, Parameters};
use autoresearch_core::RunFailure;
use tch::{Kind, Tensor};

/// Added to the variance or to the mean square.
pub(super) const EPSILON: f64 = 1e-5;

/// A normalisation with a gain of its own, that starts at 1. No bias.
#[derive(Debug)]
pub(super) struct Normalise {
    kind: Norm,
    gain: Tensor,
}

impl Normalise {
    pub(super) fn new(
        name: &str,
        recipe: &GptRecipe,
        parameters: &mut Parameters,
    ) -> Result<Self, RunFailure> {
        let gain = parameters.constant(name, &[i64::from(recipe.width())], 1.0)?;
        Ok(Self { kind: recipe.norm, gain })
    }

    /// In 32 bits, whatever comes in.
    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        let x = x.to_kind(Kind::Float);
        match self.kind {
            Norm::Layer => x.layer_norm(self.gain.size(), Some(&self.gain), None::<&Tensor>, EPSILON, false),
            Norm::Rms => unit_rms(&x) * &self.gain,
        }
    }
}

/// Divides the last dimension by its root mean square (Zhang and Sennrich, 2019). Written out, because libtorch's own
/// `rms_norm` has no kernel for a CPU and takes 6 to 35 % more time there.
pub(super) fn unit_rms(x: &Tensor) -> Tensor {
    let last = x.size().last().copied().unwrap_or(1);
    let mean_square = x.norm_scalaropt_dim(2, [-1_i64], true).square() / last as f64;
    x * (mean_square + EPSILON).rsqrt()
}
