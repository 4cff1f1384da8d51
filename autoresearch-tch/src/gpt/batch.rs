//! Drawing the batches of a run.

use super::text::Text;
use crate::tokenizer::BEGIN;
use crate::{Draws, GptRecipe, Packing};
use tch::Tensor;

/// A place that predicts nothing.
pub(crate) const NO_TARGET: i64 = -100;

/// What a pass reads, `[batch, context]`, and what it predicts, `[batch * context]`, -100 where nothing.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) inputs: Tensor,
    pub(super) targets: Tensor,
}

/// The next batch: one draw a sequence, whatever the packing.
pub(super) fn draw(text: &Text, recipe: &GptRecipe, draws: &mut Draws) -> Batch {
    let (batch, context) = (recipe.batch as usize, recipe.context as usize);
    let mut inputs = Vec::with_capacity(batch * context);
    let mut targets = Vec::with_capacity(batch * context);
    let mut symbols = Vec::with_capacity(context + 1);
    let packed = (recipe.packing == Packing::Documents).then(|| text.packed(recipe.context));
    for sequence in 1..=batch {
        let stretches = match &packed {
            None => {
                let start = draws.index(text.tokens.len() as usize - context);
                vec![(start as u64, recipe.context)]
            }
            Some(packed) => packed.window(draws.index(packed.len())),
        };
        for (start, places) in stretches {
            symbols.clear();
            text.tokens.read(start, places as usize + 1, &mut symbols);
            inputs.extend(&symbols[..places as usize]);
            targets.extend(&symbols[1..]);
        }
        inputs.resize(sequence * context, i64::from(BEGIN));
        targets.resize(sequence * context, NO_TARGET);
    }
    let inputs = Tensor::from_slice(&inputs).view([batch as i64, context as i64]);
    Batch { inputs, targets: Tensor::from_slice(&targets) }
}
