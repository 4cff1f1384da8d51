//! Changes of any struct.

use crate::{assert_strict, refused};
use autoresearch_llm::{Codec, JsonCodec};
use proptest::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Shape {
    /// No schedule.
    Constant,
    Cosine {
        #[serde(default)]
        warmup: u32,
        end: f64,
    },
    Steps(Vec<u32>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Optim {
    Adam { lr: f64, betas: (f64, f64) },
    Sgd { lr: f64, momentum: Option<f64> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Block {
    width: u16,
    #[serde(default)]
    bias: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Recipe {
    /// How the rate goes down.
    schedule: Shape,
    optim: Optim,
    first: Block,
    last: Option<Block>,
    blocks: Vec<Block>,
    note: String,
}

fn base() -> Recipe {
    Recipe {
        schedule: Shape::Cosine { warmup: 10, end: 0.1 },
        optim: Optim::Sgd { lr: 0.1, momentum: Some(0.9) },
        first: Block { width: 64, bias: true },
        last: Some(Block { width: 8, bias: true }),
        blocks: vec![Block { width: 32, bias: false }],
        note: "plain".into(),
    }
}

fn codec() -> JsonCodec<Recipe> {
    JsonCodec::new()
}

#[test]
fn a_change_is_the_whole_value_or_some_fields_of_it() {
    let wanted = Recipe { first: Block { width: 128, bias: true }, ..base() };
    let whole = serde_json::to_value(&wanted).unwrap();
    for change in [
        json!({"first": {"width": 128}}),
        json!({"first": {"width": 128.0, "bias": true}}),
        json!({"first": {"width": "128"}}),
        json!(whole.to_string()),
        whole,
    ] {
        assert_eq!(codec().apply(&base(), &change).map_err(|e| format!("{change}: {e}")), Ok(wanted.clone()));
    }
    let apply = |change: Value| codec().apply(&base(), &change).unwrap();
    assert_eq!(apply(json!({"last": null})).last, None);
    assert_eq!(apply(json!({"last": {"width": 9}})).last, Some(Block { width: 9, bias: true }));
    assert_eq!(apply(json!({"schedule": "constant"})).schedule, Shape::Constant);
    assert_eq!(apply(json!({"schedule": {"steps": [1, 2]}})).schedule, Shape::Steps(vec![1, 2]));
    // Enums and items of lists are new values: nothing of the old one gets into them.
    assert_eq!(
        apply(json!({"schedule": {"cosine": {"end": 0.2, "warmup": 0}}})).schedule,
        Shape::Cosine { warmup: 0, end: 0.2 }
    );
    assert_eq!(
        apply(json!({"optim": {"kind": "adam", "lr": 0.1, "betas": [0.9, 0.95]}})).optim,
        Optim::Adam { lr: 0.1, betas: (0.9, 0.95) }
    );
    // Not text that happens to be of digits.
    assert_eq!(apply(json!({"note": "8"})).note, "8");
}

#[test]
fn every_refusal_names_the_field() {
    for (change, expected) in [
        (json!({"frist": {"width": 1}}), "there is no field `frist`; did you mean `first`?"),
        (json!({"first": {"widht": 1}}), "there is no field `first.widht`; did you mean `first.width`?"),
        (json!({"blocks": [{"width": 1, "bias": true, "size": 3}]}), "there is no field `blocks[0].size`"),
        (json!({"optim": {"kind": "sgd", "lr": 1.0, "betas": 3}}), "there is no field `optim.betas`"),
        (json!({"note": "plain"}), "the change changes nothing: every field has this value already"),
        (json!(7), "the change is a number (7); it must be an object with the fields that change"),
    ] {
        assert_eq!(refused(&codec(), &base(), &change), expected, "{change}");
    }
    for (change, place, reason) in [
        (json!({"first": {"width": -1}}), "`first.width` is wrong:", "-1"),
        (json!({"first": {"width": 70_000}}), "`first.width` is wrong:", "70000"),
        (json!({"first": 3}), "`first` is wrong:", "struct Block"),
        (json!({"blocks": [{"bias": true}]}), "`blocks[0].width` is missing", ""),
        (json!({"schedule": "linear"}), "`schedule", "unknown variant `linear`"),
        (json!({"optim": {"kind": "lion"}}), "`optim", "unknown variant `lion`"),
    ] {
        let text = refused(&codec(), &base(), &change);
        assert!(text.contains(place) && text.contains(reason), "{change}: {text}");
    }
    let checked = codec().check(|r| match r.first.width {
        0 => Err("`first.width` is 0; it must be at least 1".into()),
        _ => Ok(()),
    });
    let text = refused(&checked, &base(), &json!({"first": {"width": 0}}));
    assert_eq!(text, "`first.width` is 0; it must be at least 1");
}

#[test]
fn the_schema_is_one_that_strict_modes_take() {
    let mut schema = codec().schema(&base());
    // Tuples are the one thing here that has no strict schema.
    let text = schema.to_string();
    assert!(!text.contains("$ref") && !text.contains("oneOf") && !text.contains("uint"), "{text}");
    let variants = schema["properties"]["optim"]["anyOf"].as_array_mut().unwrap();
    for variant in variants {
        variant["properties"].as_object_mut().unwrap().remove("betas");
        let required: Value = variant["properties"].as_object().unwrap().keys().cloned().collect();
        variant["required"] = required;
    }
    assert_strict(&schema);
    assert!(schema["properties"]["schedule"].to_string().contains("How the rate goes down."), "{schema}");
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Free {
    weights: BTreeMap<String, f64>,
    #[serde(flatten)]
    rest: Optim,
    inner: Option<Box<Free>>,
}

#[test]
fn maps_flattened_enums_and_types_within_themselves_are_read_too() {
    let weights = BTreeMap::from([("a".to_string(), 1.0), ("b".to_string(), 2.0)]);
    let base = Free { weights, rest: Optim::Sgd { lr: 0.1, momentum: None }, inner: None };
    let codec = JsonCodec::<Free>::new();
    let apply = |change: Value| codec.apply(&base, &change).map_err(|e| format!("{change}: {e}")).unwrap();
    let b = BTreeMap::from([("b".to_string(), 2.0)]);
    assert_eq!(apply(json!({"weights": {"b": 2}, "kind": "sgd", "lr": 0.1})).weights, b);
    let adam = apply(json!({"kind": "adam", "lr": 0.2, "betas": [0.9, 0.99]}));
    assert_eq!(adam.rest, Optim::Adam { lr: 0.2, betas: (0.9, 0.99) });
    let inner = json!({"weights": {}, "kind": "sgd", "lr": 1.0, "momentum": null, "inner": null});
    assert!(apply(json!({"kind": "sgd", "lr": 0.1, "inner": inner})).inner.is_some());
    let text = refused(&codec, &base, &json!({"kind": "sgd", "lr": 0.1, "leiter": 3}));
    assert!(text.starts_with("there is no field `leiter`"), "{text}");
    assert!(!codec.schema(&base).to_string().contains("$ref"));
}

#[test]
fn the_difference_lists_fields() {
    let changed = Recipe { first: Block { width: 128, bias: true }, note: "wide".into(), ..base() };
    assert_eq!(codec().difference(&base(), &changed), "first.width 64 -> 128, note \"plain\" -> \"wide\"");
    assert_ne!(codec().identity(&base()), codec().identity(&changed));
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Hashed {
    weights: HashMap<String, u32>,
}

#[test]
fn the_order_of_a_hashed_map_means_nothing() {
    // Each map has an order of its own: thirty are never all alike.
    let one = || Hashed { weights: (0..20).map(|i| (format!("w{i}"), i)).collect() };
    let codec = JsonCodec::<Hashed>::new();
    let (identity, told) = (codec.identity(&one()), codec.describe(&one()));
    for _ in 0..30 {
        assert_eq!(codec.identity(&one()), identity);
        assert_eq!(codec.describe(&one()), told);
    }
}

fn block() -> impl Strategy<Value = Block> {
    (any::<u16>(), any::<bool>()).prop_map(|(width, bias)| Block { width, bias })
}

fn recipe() -> impl Strategy<Value = Recipe> {
    let schedule = prop_oneof![
        Just(Shape::Constant),
        (any::<u32>(), -1e3..1e3f64).prop_map(|(warmup, end)| Shape::Cosine { warmup, end }),
        prop::collection::vec(any::<u32>(), 0..4).prop_map(Shape::Steps),
    ];
    let optim = prop_oneof![
        (0.0..1.0f64, 0.0..1.0f64).prop_map(|(lr, b)| Optim::Adam { lr, betas: (b, b) }),
        (0.0..1.0f64, prop::option::of(0.0..1.0f64)).prop_map(|(lr, momentum)| Optim::Sgd { lr, momentum }),
    ];
    let blocks = prop::collection::vec(block(), 0..3);
    (schedule, optim, block(), prop::option::of(block()), blocks, ".*").prop_map(
        |(schedule, optim, first, last, blocks, note)| Recipe { schedule, optim, first, last, blocks, note },
    )
}

proptest! {
    #[test]
    fn any_value_replaces_any_other_and_fits_the_schema(from in recipe(), to in recipe()) {
        prop_assume!(from != to);
        let change = serde_json::to_value(&to).unwrap();
        let schema = codec().schema(&from);
        prop_assert!(jsonschema::is_valid(&schema, &change), "{change}\n{schema}");
        prop_assert_eq!(codec().apply(&from, &change), Ok(to));
    }
}
