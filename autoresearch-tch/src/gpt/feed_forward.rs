//! The feed-forward half of a block.

use super::init;
use super::pass::Pass;
use crate::{Activation, GptRecipe, Parameters};
use autoresearch_core::RunFailure;
use tch::Tensor;

/// Up to the hidden width, a nonlinearity, and down again. With SwiGLU (Shazeer, 2020) a second matrix, `gate`, goes
/// up beside `up`, and silu(gate) multiplies up.
#[derive(Debug)]
pub(super) struct FeedForward {
    activation: Activation,
    gate: Option<Tensor>,
    up: Tensor,
    down: Tensor,
}

impl FeedForward {
    pub(super) fn new(block: u32, recipe: &GptRecipe, p: &mut Parameters) -> Result<Self, RunFailure> {
        let (width, hidden) = (i64::from(recipe.width()), i64::from(recipe.hidden()));
        let name = |part: &str| format!("block.{block}.{part}");
        let gated = recipe.activation == Activation::Swiglu;
        let std = init::inner(recipe, width);
        Ok(Self {
            activation: recipe.activation,
            gate: gated.then(|| p.normal(&name("gate"), &[hidden, width], std)).transpose()?,
            up: p.normal(&name("up"), &[hidden, width], std)?,
            down: p.normal(&name("down"), &[width, hidden], init::outer(recipe, hidden))?,
        })
    }

    pub(super) fn forward(&self, x: &Tensor, pass: &Pass<'_>) -> Tensor {
        let hidden = match (self.activation, &self.gate) {
            (Activation::Gelu, _) => pass.linear(x, &self.up).gelu("none"),
            (Activation::Relu2, _) => pass.linear(x, &self.up).relu().square(),
            (Activation::Swiglu, Some(gate)) => pass.linear(x, gate).silu() * pass.linear(x, &self.up),
            (Activation::Swiglu, None) => unreachable!("it is built with a gate"),
        };
        pass.linear(&hidden, &self.down)
    }
}
