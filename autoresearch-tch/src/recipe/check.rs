//! What a recipe must be for a model to be built of it.

use super::{GptRecipe, RANGES, RecipeError};

/// Tokens a pass that fit the memory of a small machine.
const MOST_TOKENS: u32 = 65_536;

pub(super) fn validate(recipe: &GptRecipe) -> Result<(), RecipeError> {
    for range in RANGES {
        let value = (range.get)(recipe);
        // NaN is in no range, so it fails here too.
        if !(range.low..=range.high).contains(&value) {
            return Err(error(range.field, value, format!("from {} to {}", range.low, range.high)));
        }
    }
    if recipe.head_dim % 2 == 1 {
        return Err(error("head_dim", recipe.head_dim, "even".to_string()));
    }
    if !recipe.heads.is_multiple_of(recipe.kv_heads()) {
        let allowed = format!("0 or a divisor of heads, which is {}", recipe.heads);
        return Err(error("kv_heads", recipe.kv_heads, allowed));
    }
    let tokens = recipe.batch * recipe.context;
    if tokens > MOST_TOKENS {
        return Err(error("batch * context", tokens, format!("at most {MOST_TOKENS}")));
    }
    Ok(())
}

fn error(field: &'static str, value: impl ToString, allowed: String) -> RecipeError {
    RecipeError { field, value: value.to_string(), allowed }
}
