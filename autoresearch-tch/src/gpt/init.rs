//! How large initial weights are.

use crate::{GptRecipe, Init};

/// Standard deviation of a matrix of a block with so many inputs.
pub(super) fn inner(recipe: &GptRecipe, inputs: i64) -> f64 {
    match recipe.init {
        Init::Fixed => recipe.init_std,
        Init::FanIn => recipe.init_std * 8.0 / (inputs as f64).sqrt(),
    }
}

/// The same for the last matrix of either half of a block. As in GPT-2 (Radford et al., 2019): what is added to the
/// stream 2 x depth times starts smaller by the root of that.
pub(super) fn outer(recipe: &GptRecipe, inputs: i64) -> f64 {
    if recipe.zero_init_outputs { 0.0 } else { inner(recipe, inputs) / f64::from(2 * recipe.depth).sqrt() }
}
