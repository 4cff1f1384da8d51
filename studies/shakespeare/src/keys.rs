//! Recipes key by key: what differs, and one with another's value of a key.

use autoresearch_tch::GptRecipe;
use serde_json::{Map, Value};

fn fields(recipe: &GptRecipe) -> Map<String, Value> {
    match serde_json::to_value(recipe) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

/// The keys in which two recipes differ, in the order of their names.
pub(crate) fn differing(a: &GptRecipe, b: &GptRecipe) -> Vec<String> {
    differing_fields(a, b).into_iter().map(|(key, _)| key).collect()
}

/// Those of the first, with their values.
pub(crate) fn differing_fields(a: &GptRecipe, b: &GptRecipe) -> Map<String, Value> {
    let b = fields(b);
    let mut differing: Vec<(String, Value)> =
        fields(a).into_iter().filter(|(key, value)| b.get(key) != Some(value)).collect();
    // A map of serde_json is ordered by name or by insertion, as features have it.
    differing.sort_by(|a, b| a.0.cmp(&b.0));
    differing.into_iter().collect()
}

/// `recipe` with `from`'s value of a key; `None` where that is no recipe.
pub(crate) fn with(recipe: &GptRecipe, key: &str, from: &GptRecipe) -> Option<GptRecipe> {
    let mut all = fields(recipe);
    all.insert(key.to_string(), fields(from).get(key)?.clone());
    let changed: GptRecipe = serde_json::from_value(Value::Object(all)).ok()?;
    changed.validate().is_ok().then_some(changed)
}

/// A change in words.
pub(crate) fn change(key: &str, from: &GptRecipe, to: &GptRecipe) -> String {
    let show = |recipe: &GptRecipe| match fields(recipe).get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(x)) => x.as_f64().map_or_else(|| x.to_string(), short),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    format!("{key} {} → {}", show(from), show(to))
}

/// Three digits are enough to know which value it was.
fn short(x: f64) -> String {
    if x != 0.0 && !(1e-3..1e5).contains(&x.abs()) {
        return format!("{x:.1e}");
    }
    let text = format!("{x:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_set_back_and_nothing_else() {
        let (plain, strong) = (GptRecipe::default(), GptRecipe::strong());
        let keys = differing(&strong, &plain);
        assert!(keys.contains(&"optimizer".to_string()) && !keys.contains(&"depth".to_string()));
        for key in &keys {
            let back = with(&strong, key, &plain).expect("a recipe");
            let left = differing(&back, &plain);
            assert_eq!(left.len(), keys.len() - 1, "{key}");
            assert!(!left.contains(key));
        }
        assert_eq!(change("lr", &plain, &strong), "lr 0.001 → 0.01");
        assert_eq!(change("activation", &plain, &strong), "activation gelu → swiglu");
    }

    #[test]
    fn what_would_be_no_recipe_is_not_made() {
        let two = GptRecipe { heads: 4, kv_heads: 2, ..GptRecipe::default() };
        let three = GptRecipe { heads: 3, ..GptRecipe::default() };
        assert_eq!(with(&two, "heads", &three), None);
    }
}
