//! Value embeddings: what a token adds to its attention values by itself (Zhou et al., 2024; gated as in nanochat).

use super::pass::Pass;
use crate::{GptRecipe, Parameters};
use autoresearch_core::RunFailure;
use tch::Tensor;

/// So many numbers of a token's state, from the first one on, open its gates.
pub(super) const GATE_INPUTS: u32 = 32;

/// An embedding of each token for one block, `[vocab, kv_heads * head_dim]`, and the gates of its heads: twice the
/// logistic function, so that they start at 1.
#[derive(Debug)]
pub(super) struct ValueEmbedding {
    embedding: Tensor,
    gate: Tensor,
}

/// Whether this block has one: every second block, from the last one back.
pub(super) fn has_value_embedding(recipe: &GptRecipe, block: u32) -> bool {
    recipe.value_embeddings && (recipe.depth - 1 - block).is_multiple_of(2)
}

impl ValueEmbedding {
    pub(super) fn new(block: u32, recipe: &GptRecipe, p: &mut Parameters) -> Result<Self, RunFailure> {
        let (vocab, heads) = (i64::from(recipe.vocab), i64::from(recipe.kv_heads()));
        let width = heads * i64::from(recipe.head_dim);
        let inputs = i64::from(GATE_INPUTS.min(recipe.width()));
        Ok(Self {
            embedding: p.normal(
                &format!("block.{block}.value_embedding"),
                &[vocab, width],
                recipe.init_std,
            )?,
            gate: p.constant(&format!("block.{block}.value_gate"), &[heads, inputs], 0.0)?,
        })
    }

    /// Values `[batch, length, kv_heads, head_dim]` with what their tokens add; `x` is what went into the attention.
    pub(super) fn add_to(&self, value: &Tensor, tokens: &Tensor, x: &Tensor) -> Tensor {
        let embedded =
            Tensor::embedding(&self.embedding, tokens, -1, false, false).view(value.size().as_slice());
        let state = x.narrow(-1, 0, self.gate.size()[1]);
        // Too small to be worth a lower precision.
        let gate = Pass::evaluation().linear(&state, &self.gate).sigmoid() * 2.0;
        value + embedded * gate.unsqueeze(-1)
    }
}
