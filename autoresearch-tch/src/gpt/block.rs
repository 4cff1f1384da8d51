//! One block of the transformer: attention, then the feed-forward layers, each added to the stream.

use super::attention::{Attention, Seen};
use super::feed_forward::FeedForward;
use super::norm::Normalise;
use super::pass::Pass;
use crate::{GptRecipe, NormPlace, Parameters};
use autoresearch_core::RunFailure;
use tch::Tensor;

/// One half of a block: what it computes is added to the stream.
#[derive(Debug)]
struct Half {
    before: Option<Normalise>,
    after: Option<Normalise>,
    site: String,
}

impl Half {
    fn new(name: &str, recipe: &GptRecipe, p: &mut Parameters) -> Result<Self, RunFailure> {
        let norm = |suffix: &str, is: bool, p: &mut Parameters| {
            is.then(|| Normalise::new(&format!("{name}_{suffix}"), recipe, p)).transpose()
        };
        let place = recipe.norm_place;
        Ok(Self {
            before: norm("norm", place != NormPlace::After, p)?,
            after: norm("out_norm", place != NormPlace::Before, p)?,
            site: name.to_string(),
        })
    }

    fn add(
        &self,
        x: Tensor,
        pass: &mut Pass<'_>,
        inner: impl FnOnce(&Tensor, &Pass<'_>) -> Tensor,
    ) -> Tensor {
        let given = match &self.before {
            Some(norm) => inner(&norm.forward(&x), pass),
            None => inner(&x, pass),
        };
        let given = match &self.after {
            Some(norm) => norm.forward(&given),
            None => given,
        };
        x + pass.drop(&self.site, given)
    }
}

/// A block of the transformer.
#[derive(Debug)]
pub(super) struct Block {
    residual_scalar: Option<Tensor>,
    x0_scalar: Option<Tensor>,
    attention_half: Half,
    attention: Attention,
    mlp_half: Half,
    mlp: FeedForward,
}

impl Block {
    pub(super) fn new(index: u32, recipe: &GptRecipe, p: &mut Parameters) -> Result<Self, RunFailure> {
        let name = |part: &str| format!("block.{index}.{part}");
        let scalar = |part: &str, is: bool, value, p: &mut Parameters| {
            is.then(|| p.constant(&name(part), &[1], value)).transpose()
        };
        Ok(Self {
            residual_scalar: scalar("residual_scalar", recipe.residual_scalars, 1.0, p)?,
            x0_scalar: scalar("x0_scalar", recipe.x0_scalars, 0.0, p)?,
            attention_half: Half::new(&name("attention"), recipe, p)?,
            attention: Attention::new(index, recipe, p)?,
            mlp_half: Half::new(&name("mlp"), recipe, p)?,
            mlp: FeedForward::new(index, recipe, p)?,
        })
    }

    /// `x0` is what went into the first block.
    pub(super) fn forward(&self, x: Tensor, x0: &Tensor, seen: &Seen<'_>, pass: &mut Pass<'_>) -> Tensor {
        let x = match &self.residual_scalar {
            Some(scalar) => x * scalar,
            None => x,
        };
        let x = match &self.x0_scalar {
            Some(scalar) => x.addcmul(x0, scalar),
            None => x,
        };
        let x = self.attention_half.add(x, pass, |x, pass| self.attention.forward(x, seen, pass));
        self.mlp_half.add(x, pass, |x, pass| self.mlp.forward(x, pass))
    }
}
