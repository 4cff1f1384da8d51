//! What each number of a recipe may be: one table, for checking and for searching.

use super::{GptRecipe, RecipeError};

/// A number of the recipe.
pub(super) struct Range {
    pub(super) field: &'static str,
    pub(super) get: fn(&GptRecipe) -> f64,
    /// What a recipe may say.
    pub(super) allowed: (f64, f64),
}

macro_rules! range {
    ($field:ident, $low:expr => $high:expr) => {
        Range {
            field: stringify!($field),
            get: |recipe| f64::from(recipe.$field),
            allowed: ($low as f64, $high as f64),
        }
    };
}

pub(super) const RANGES: &[Range] = &[
    range!(depth, 1 => 16),
    range!(heads, 1 => 16),
    range!(head_dim, 8 => 128),
    range!(mlp_ratio, 0.5 => 8),
    range!(rope_base, 10 => 1e6),
    range!(qk_gain, 0.25 => 8),
    range!(init_std, 0.001 => 0.5),
    range!(logit_softcap, 0 => 100),
    range!(lr, 1e-5 => 0.3),
    range!(muon_lr, 1e-4 => 1),
    range!(muon_momentum, 0 => 0.99),
    range!(beta1, 0 => 0.99),
    range!(beta2, 0.5 => 0.9999),
    range!(weight_decay, 0 => 10),
    range!(grad_clip, 0 => 100),
    range!(warmup, 0 => 0.9),
    range!(cooldown, 0 => 1),
    range!(final_lr, 0 => 1),
    range!(batch, 1 => 512),
    range!(context, 8 => 1024),
];

/// Tokens a step that fit the memory of a small machine.
const MOST_TOKENS: u32 = 65_536;

pub(super) fn validate(recipe: &GptRecipe) -> Result<(), RecipeError> {
    for range in RANGES {
        let (value, (low, high)) = ((range.get)(recipe), range.allowed);
        // NaN is in no range, so it fails here too.
        if !(low..=high).contains(&value) {
            return Err(error(range.field, value, format!("from {low} to {high}")));
        }
    }
    if recipe.head_dim % 2 == 1 {
        return Err(error("head_dim", recipe.head_dim, "even".to_string()));
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
