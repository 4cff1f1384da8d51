//! How far back a block looks.

use crate::{GptRecipe, WindowPattern};
use tch::{Device, Tensor};

/// The tokens that a place of this block sees, itself included: place t sees t - window + 1 to t, in training and
/// evaluation alike. At the length of the context it is all that came before.
pub(super) fn window(recipe: &GptRecipe, block: u32) -> u32 {
    let period = match recipe.window_pattern {
        WindowPattern::L => 1,
        WindowPattern::SL => 2,
        WindowPattern::SSL => 3,
        WindowPattern::SSSL => 4,
    };
    let long = block % period == period - 1 || block + 1 == recipe.depth;
    let short = (recipe.window * f64::from(recipe.context)).round() as u32;
    if long { recipe.context } else { short.clamp(1, recipe.context) }
}

/// What is added to the attention's logits, `[context, context]`: 0 for what is seen, minus infinity for what is not.
/// None where the window holds all: the attention then leaves out what the causal mask hides, instead of computing it.
pub(super) fn mask(recipe: &GptRecipe, block: u32, device: Device) -> Option<Tensor> {
    let (window, context) = (window(recipe, block), recipe.context);
    if window == context {
        return None;
    }
    let seen = |at: u32, other: u32| other <= at && at - other < window;
    let values: Vec<f32> = (0..context)
        .flat_map(|at| (0..context).map(move |other| if seen(at, other) { 0.0 } else { f32::NEG_INFINITY }))
        .collect();
    Some(Tensor::from_slice(&values).view([i64::from(context), i64::from(context)]).to_device(device))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pattern_repeats_and_the_last_block_is_long() {
        let all = |window_pattern, depth| {
            let recipe =
                GptRecipe { window_pattern, depth, context: 100, window: 0.25, ..GptRecipe::default() };
            (0..depth).map(|block| window(&recipe, block)).collect::<Vec<_>>()
        };
        assert_eq!(all(WindowPattern::L, 3), [100, 100, 100]);
        assert_eq!(all(WindowPattern::SL, 5), [25, 100, 25, 100, 100]);
        assert_eq!(all(WindowPattern::SSL, 5), [25, 25, 100, 25, 100]);
        assert_eq!(all(WindowPattern::SSSL, 3), [25, 25, 100]);
        let least =
            GptRecipe { window: 0.01, context: 8, window_pattern: WindowPattern::SL, ..Default::default() };
        assert_eq!(window(&least, 0), 1);
    }
}
