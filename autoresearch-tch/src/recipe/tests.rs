#![allow(clippy::unwrap_used)]

use super::*;
use autoresearch_core::ParamSet;
use std::collections::BTreeSet;

#[test]
fn the_default_is_valid_and_survives_json() {
    let recipe = GptRecipe::default();
    recipe.validate().unwrap();
    assert_eq!((recipe.width(), recipe.hidden()), (64, 256));
    let json = serde_json::to_string(&recipe).unwrap();
    assert_eq!(serde_json::from_str::<GptRecipe>(&json).unwrap(), recipe);
}

#[test]
fn what_json_leaves_out_is_the_defaults_and_what_it_misspells_is_an_error() {
    let recipe: GptRecipe = serde_json::from_str(r#"{"lr": 0.003, "optimizer": "muon"}"#).unwrap();
    assert_eq!(recipe, GptRecipe { lr: 3e-3, optimizer: OptimizerKind::Muon, ..GptRecipe::default() });
    let error = serde_json::from_str::<GptRecipe>(r#"{"learning_rate": 0.003}"#).unwrap_err().to_string();
    assert!(error.contains("unknown field `learning_rate`"), "{error}");
}

fn fields() -> serde_json::Map<String, serde_json::Value> {
    match serde_json::to_value(GptRecipe::default()).unwrap() {
        serde_json::Value::Object(fields) => fields,
        other => panic!("a recipe is an object, not {other}"),
    }
}

#[test]
fn the_space_has_the_fields_of_the_recipe_and_the_default_lies_inside() {
    let space = GptRecipe::space();
    space.check().unwrap();
    space.validate(&GptRecipe::default()).unwrap();
    let names: BTreeSet<_> = space.params().iter().map(|param| param.name.clone()).collect();
    // Precision is a matter of speed, and is not searched.
    assert_eq!(names, fields().keys().filter(|name| *name != "precision").cloned().collect());
}

#[test]
fn every_point_of_the_space_is_a_valid_recipe() {
    for seed in 0..500 {
        // What is inactive at a point has no value there and stays the default's.
        let point: ParamSet = GptRecipe::space().sample(seed).unwrap();
        let recipe: GptRecipe = serde_json::from_value(serde_json::to_value(&point).unwrap()).unwrap();
        recipe.validate().unwrap_or_else(|error| panic!("{point:?}: {error}"));
    }
}

#[test]
fn every_number_has_a_range_and_every_range_a_number() {
    let fields = fields();
    let numbers = fields.iter().filter(|(_, value)| value.is_number()).map(|(name, _)| name.as_str());
    let mut numbers: Vec<_> = numbers.collect();
    let mut ranges: Vec<_> = RANGES.iter().map(|range| range.field).collect();
    numbers.sort_unstable();
    ranges.sort_unstable();
    assert_eq!(numbers, ranges);
}

#[test]
fn the_rate_rises_stays_and_falls() {
    let shape = |cooldown_shape| GptRecipe {
        warmup: 0.2,
        cooldown: 0.5,
        final_lr: 0.1,
        cooldown_shape,
        ..Default::default()
    };
    for recipe in [shape(Cooldown::Linear), shape(Cooldown::Cosine)] {
        assert_eq!(
            (recipe.rate(0.0), recipe.rate(0.1), recipe.rate(0.2), recipe.rate(0.5)),
            (0.0, 0.5, 1.0, 1.0)
        );
        assert!((recipe.rate(0.75) - 0.55).abs() < 1e-12 && (recipe.rate(1.0) - 0.1).abs() < 1e-12);
    }
    for (warmup_shape, early) in [(Warmup::Cosine, 0.146), (Warmup::Sqrt, 0.5)] {
        let recipe = GptRecipe { warmup_shape, ..shape(Cooldown::Linear) };
        assert!((recipe.rate(0.05) - early).abs() < 1e-3 && recipe.rate(0.2) == 1.0, "{warmup_shape:?}");
    }
    let constant = GptRecipe { warmup: 0.0, cooldown: 0.0, ..Default::default() };
    assert_eq!((constant.rate(0.0), constant.rate(0.99)), (1.0, 1.0));
    // The warm-up has the right of way.
    let crowded = GptRecipe { warmup: 0.5, cooldown: 1.0, ..Default::default() };
    assert_eq!((crowded.rate(0.25), crowded.rate(0.5)), (0.5, 1.0));
}

#[test]
fn swiglu_has_as_many_weights() {
    let recipe = GptRecipe { activation: Activation::Swiglu, ..Default::default() };
    assert_eq!(recipe.hidden(), 168); // 2/3 of 256 is 170.7
}

#[test]
fn the_strong_recipe_is_valid_and_lies_in_the_space() {
    GptRecipe::strong().validate().unwrap();
    GptRecipe::space().validate(&GptRecipe::strong()).unwrap();
    let (strong, plain) = (GptRecipe::strong(), GptRecipe::default());
    assert_eq!((strong.depth, strong.width()), (plain.depth, plain.width()), "compared at one size");
}
