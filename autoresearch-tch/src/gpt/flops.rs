//! What a token costs.

use super::value_embedding::{GATE_INPUTS, has_value_embedding};
use crate::{Activation, GptRecipe};

/// Floating-point operations a token, forward and backward: 6 for each weight of a matrix (those of the head and of
/// gates too), and the attention's 12 x width x context for each block, as in the PaLM paper's appendix B (Chowdhery et
/// al., 2022), which counts what the causal mask hides too. Blocks with a short window count the whole context: it is
/// computed and then masked, and a budget must not pay out what is not saved. Looking up embeddings, normalising and
/// the like count as nothing.
pub(super) fn flops_per_token(recipe: &GptRecipe) -> f64 {
    let [width, hidden, vocab] = [recipe.width(), recipe.hidden(), recipe.vocab].map(f64::from);
    let kv_width = f64::from(recipe.kv_heads() * recipe.head_dim);
    let mlp = if recipe.activation == Activation::Swiglu { 3.0 } else { 2.0 } * width * hidden;
    let weights = 2.0 * width * width + 2.0 * width * kv_width + mlp;
    let gate = f64::from(GATE_INPUTS.min(recipe.width()) * recipe.kv_heads());
    let block = |index| {
        let gate = if has_value_embedding(recipe, index) { gate } else { 0.0 };
        6.0 * (weights + gate) + 12.0 * width * f64::from(recipe.context)
    };
    (0..recipe.depth).map(block).sum::<f64>() + 6.0 * width * vocab
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WindowPattern;

    #[test]
    fn it_is_the_sum_of_its_parts() {
        let plain = GptRecipe::default();
        // Width 64, hidden 256, context 64, 256 symbols: 2 (6 (4 x 64^2 + 2 x 64 x 256) + 12 x 64 x 64) + 6 x 64 x 256.
        assert_eq!(flops_per_token(&plain), 786_432.0);
        let edits: [(GptRecipe, f64); 5] = [
            // Keys and values of one head of two: 2 blocks of 2 x 64 x 32 weights less.
            (GptRecipe { kv_heads: 1, ..plain.clone() }, -2.0 * 6.0 * 4096.0),
            // The first of two blocks sees 32 of 64 tokens, which saves nothing.
            (GptRecipe { window_pattern: WindowPattern::SL, ..plain.clone() }, 0.0),
            (GptRecipe { vocab: 512, ..plain.clone() }, 6.0 * 64.0 * 256.0),
            // One block of two has gates, 32 weights for each of two heads.
            (GptRecipe { value_embeddings: true, ..plain.clone() }, 6.0 * 64.0),
            (GptRecipe { bigrams: 1024, tied_embeddings: false, ..plain.clone() }, 0.0),
        ];
        for (recipe, more) in edits {
            assert_eq!(flops_per_token(&recipe) - flops_per_token(&plain), more, "{recipe:?}");
        }
    }
}
