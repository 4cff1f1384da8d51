//! Changes of parameters.

use crate::{assert_strict, refused};
use autoresearch_core::{ParamKind, ParamSet, ParamSpace, ParamValue, Searchable};
use autoresearch_llm::{Codec, ParamCodec};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Optim {
    name: String,
    lr: f32,
    momentum: f64,
    nesterov: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Recipe {
    layers: u32,
    heads: u32,
    optim: Optim,
    clip: Option<f64>,
    tied: bool,
    cap: f64,
    data: Vec<String>,
}

impl Searchable for Recipe {
    fn space() -> ParamSpace {
        ParamSpace::new()
            .int("layers", 1..=12)
            .doc("transformer blocks")
            .choice("heads", [1, 2, 4, 8])
            .choice("optim.name", ["adamw", "muon", "sgd"])
            .log_float("optim.lr", 1e-4..=1e-1)
            .doc("peak learning rate, per step")
            .bool("optim.nesterov")
            .when_any("optim.name", ["muon", "sgd"])
            .float("optim.momentum", 0.5..=0.99)
            .when("optim.nesterov", true)
            .float("clip", 0.1..=2.0)
            .optional()
            .bool("tied")
            .choice("cap", [0.0, 10.0, 30.0])
    }
}

fn base() -> Recipe {
    let optim = Optim { name: "adamw".into(), lr: 1e-3, momentum: 0.0, nesterov: false };
    Recipe { layers: 4, heads: 2, optim, clip: Some(1.0), tied: true, cap: 0.0, data: vec!["web".into()] }
}

fn codec() -> ParamCodec {
    ParamCodec::of::<Recipe>()
}

#[test]
fn a_change_is_read_in_the_shapes_that_models_write() {
    let wanted = Recipe { layers: 8, optim: Optim { name: "sgd".into(), ..base().optim }, ..base() };
    for change in [
        json!([{"parameter": "layers", "value": 8}, {"parameter": "optim.name", "value": "sgd"}]),
        json!({"layers": 8, "optim.name": "sgd"}),
        json!({"layers": 8, "optim": {"name": "sgd"}}),
        json!({"changes": [{"parameter": "layers", "value": 8.0}, {"parameter": "optim.name", "value": "SGD"}]}),
        json!({"parameters": {"layers": "8", "optim.name": "sgd"}}),
        json!([{"layers": 8}, {"optim.name": "sgd"}]),
        json!([{"name": "layers", "value": 8}, {"name": "optim.name", "value": "sgd"}]),
        json!(
            "[{\"parameter\": \"layers\", \"value\": 8}, {\"parameter\": \"optim.name\", \"value\": \"sgd\"}]"
        ),
        // What stays as it is does not count, even where it has no effect.
        json!({"layers": 8, "optim.name": "sgd", "tied": true, "optim.momentum": 0.0}),
    ] {
        assert_eq!(codec().apply(&base(), &change).map_err(|e| format!("{change}: {e}")), Ok(wanted.clone()));
    }
    let one = codec().apply(&base(), &json!({"parameter": "optim.lr", "value": "3e-3"})).unwrap();
    assert_eq!(one.optim.lr, 3e-3);
    assert_eq!(codec().apply(&base(), &json!({"cap": 10})).unwrap().cap, 10.0);
    assert_eq!(codec().apply(&base(), &json!({"cap": "30"})).unwrap().cap, 30.0);
    assert!(!codec().apply(&base(), &json!({"tied": "False"})).unwrap().tied);
    assert_eq!(codec().apply(&base(), &json!({"clip": null})).unwrap().clip, None);
}

#[test]
fn parameters_may_have_the_names_of_the_shape() {
    let space = ParamSpace::new().int("name", 0..=9).int("value", 0..=9).int("parameter", 0..=9);
    let base = ParamSet::new().with("name", 1).with("value", 1).with("parameter", 1);
    let codec = ParamCodec::over(space);
    let changed = codec.apply(&base, &json!({"name": 2, "value": 3})).unwrap();
    assert_eq!(changed, base.clone().with("name", 2).with("value", 3));
    let changed = codec.apply(&base, &json!([{"parameter": "value", "value": 5}]));
    // In a list that could be either; as numbers it is the parameters themselves, as a name the shape.
    assert!(changed.is_ok() || changed.unwrap_err().to_string().contains("`parameter` is \"value\""));
}

#[test]
fn every_refusal_names_the_parameter_and_what_would_do() {
    for (change, expected) in [
        (json!({"layers": 13}), "`layers` is 13; it must be a whole number from 1 to 12"),
        (json!({"layers": 2.5}), "`layers` is 2.5; it must be a whole number from 1 to 12"),
        (json!({"layers": [2]}), "`layers` is [2]; it must be a whole number from 1 to 12"),
        (
            json!({"optim.lr": "fast"}),
            "`optim.lr` is \"fast\"; it must be a number from 0.0001 to 0.1, log scale",
        ),
        (
            json!({"optim.lr": "inf"}),
            "`optim.lr` is \"inf\"; it must be a number from 0.0001 to 0.1, log scale",
        ),
        (json!({"heads": 3}), "`heads` is 3; it must be one of 1, 2, 4, 8"),
        (json!({"tied": 1}), "`tied` is 1; it must be true or false"),
        (
            json!({"layers": null}),
            "`layers` cannot be unset; leave it out to keep its value, or make it a whole number from 1 to 12",
        ),
        (json!({"layer": 3}), "there is no parameter `layer`; did you mean `layers`?"),
        (json!({"lr": 3e-3}), "there is no parameter `lr`; did you mean `optim.lr`?"),
        (json!({"Optim.LR": 3e-3}), "there is no parameter `Optim.LR`; did you mean `optim.lr`?"),
        (json!({"batch_size": 3}), "there is no parameter `batch_size`"),
        (json!({"optim": {"nam": "sgd"}}), "there is no parameter `optim.nam`; did you mean `optim.name`?"),
        (json!({"layers": 4}), "the change changes nothing: `layers` is 4 already"),
        (json!({"optim.lr": 0.001}), "the change changes nothing: `optim.lr` is 0.001 already"),
        (json!([]), "the change is empty: give at least one parameter a new value"),
        (json!({}), "the change is empty: give at least one parameter a new value"),
        (json!(7), "the change is a number; write it as [{\"parameter\": name, \"value\": new value}, ...]"),
        (
            json!(["layers"]),
            "\"layers\" is no change of a parameter; write it as [{\"parameter\": name, \"value\": new value}, ...]",
        ),
        (
            json!([{"parameter": "layers", "value": 5}, {"parameter": "layers", "value": 6}]),
            "`layers` is given two values; give it one",
        ),
        (
            json!({"optim.momentum": 0.9}),
            "`optim.momentum` has no effect here: it matters only when optim.nesterov is true. Leave it as it is, or \
             change that too",
        ),
        (
            json!({"optim.name": "sgd", "optim.nesterov": true}),
            "`optim.momentum` is 0.0; it must be a number from 0.5 to 0.99. The change makes it matter: give it a value in \
             the same change",
        ),
        (
            json!({"layers": 99, "heeds": 2}),
            "there is no parameter `heeds`; did you mean `heads`?\n`layers` is 99; it must be a whole number from 1 to 12",
        ),
    ] {
        assert_eq!(refused(&codec(), &base(), &change), expected, "{change}");
    }
    let change = json!({"layers": 5, "heads": 4, "tied": false});
    let few = refused(&codec().at_most(2), &base(), &change);
    assert_eq!(few, "the change is of 3 parameters; change at most 2 at once");
}

#[test]
fn what_becomes_active_is_given_its_value_in_the_same_change() {
    let change = json!({"optim.name": "sgd", "optim.nesterov": true, "optim.momentum": 0.9});
    let changed = codec().apply(&base(), &change).unwrap();
    assert_eq!(changed.optim, Optim { name: "sgd".into(), lr: 1e-3, momentum: 0.9, nesterov: true });
    assert_eq!(
        codec().difference(&base(), &changed),
        "optim.momentum 0.0 -> 0.9, optim.name adamw -> sgd, optim.nesterov false -> true"
    );
    // And what becomes inactive is left alone.
    let back = refused(&codec(), &changed, &json!({"optim.name": "adamw", "optim.momentum": 0.8}));
    assert!(back.starts_with("`optim.momentum` has no effect here"), "{back}");
}

#[test]
fn candidates_that_do_the_same_have_one_identity() {
    let idle = Recipe { optim: Optim { momentum: 0.7, ..base().optim }, ..base() };
    assert_eq!(codec().identity(&base()), codec().identity(&idle));
    let other = Recipe { data: vec![], ..base() };
    assert_ne!(codec().identity(&base()), codec().identity(&other));
}

#[test]
fn the_description_shows_values_ranges_and_what_is_idle() {
    let text = codec().describe(&base());
    assert!(text.contains("- layers = 4: a whole number from 1 to 12. transformer blocks\n"), "{text}");
    assert!(text.contains("- optim.lr = 0.001: a number from 0.0001 to 0.1, log scale. peak"), "{text}");
    assert!(text.contains("- clip = 1.0: a number from 0.1 to 2.0; may be unset\n"), "{text}");
    let (active, idle) = text.split_once("Without effect at present").unwrap();
    assert!(!active.contains("optim.momentum") && idle.contains("- optim.momentum = 0.0"), "{text}");
    assert!(
        text.ends_with(
            "[{\"parameter\": \"layers\", \"value\": 4}]. What is not in the list keeps its value. At most 8 at once."
        )
    );
}

#[test]
fn a_space_that_makes_no_sense_is_refused_before_anything_is_asked() {
    let wrong = ParamCodec::over(ParamSpace::new().choice("a", ["x"]));
    assert!(
        wrong
            .usable(&ParamSet::new())
            .unwrap_err()
            .to_string()
            .contains("the parameter space is wrong at `a`")
    );
    assert!(
        refused(&wrong, &ParamSet::new(), &json!({"a": 3})).contains("the parameter space is wrong at `a`")
    );
    assert!(ParamCodec::over(ParamSpace::new()).usable(&ParamSet::new()).is_err());
    assert_eq!(codec().usable(&base()), Ok(()));
}

#[test]
fn the_schema_is_one_that_strict_modes_take() {
    let schema = codec().schema(&base());
    assert_strict(&schema);
    let pair = |name: &str| {
        let pairs = schema["items"]["anyOf"].as_array().unwrap();
        let is = |p: &&Value| p["properties"]["parameter"]["enum"] == json!([name]);
        pairs.iter().find(is).unwrap()["properties"]["value"].clone()
    };
    assert_eq!(
        pair("optim.lr"),
        json!({"type": "number", "minimum": 1e-4, "maximum": 0.1, "description":
            "now 0.001; a number from 0.0001 to 0.1, log scale. peak learning rate, per step"})
    );
    assert_eq!(pair("clip")["type"], json!(["number", "null"]));
    assert_eq!(pair("heads")["enum"], json!([1, 2, 4, 8]));
    assert_eq!(pair("tied")["type"], json!("boolean"));
    assert_eq!(schema["maxItems"], json!(8));
    assert_eq!(<ParamCodec as Codec<Recipe>>::schema(&codec().at_most(2), &base())["maxItems"], json!(2));
}

#[test]
fn one_parameter_is_drawn_for_a_model_that_repeats_itself() {
    let base = Recipe { optim: Optim { name: "sgd".into(), ..base().optim }, ..base() };
    let (space, whole) = (Recipe::space(), codec().schema(&base));
    let mut drawn = std::collections::BTreeSet::new();
    for seed in 0..64 {
        let focus = codec().focus(&base, seed).unwrap();
        assert_eq!(codec().focus(&base, seed), Some(focus.clone()), "the same again for the same seed");
        assert_strict(&focus.schema);
        let listed = focus.schema["items"]["anyOf"].as_array().unwrap();
        let names: Vec<&str> =
            listed.iter().map(|p| p["properties"]["parameter"]["enum"][0].as_str().unwrap()).collect();
        assert!(focus.said.starts_with(&format!("change nothing but `{}`, to ", names[0])), "{}", focus.said);
        // Momentum has no valid value until Nesterov makes it matter.
        let expected: &[&str] = if names[0] == "optim.nesterov" { &["optim.momentum"] } else { &[] };
        assert_eq!(names[1..], *expected);
        drawn.insert(names[0].to_string());
        // Whatever is taken of what is offered leads somewhere else in the space.
        for n in 0..8 {
            let change = |pair: &Value| {
                let offered = pair["properties"]["value"]["enum"].as_array().unwrap();
                json!({"parameter": pair["properties"]["parameter"]["enum"][0], "value": offered[n % offered.len()]})
            };
            let change = Value::Array(listed.iter().map(change).collect());
            assert!(jsonschema::is_valid(&focus.schema, &change), "{change}");
            assert!(jsonschema::is_valid(&whole, &change), "{change}");
            let changed = codec().apply(&base, &change).unwrap_or_else(|e| panic!("{change}: {e}"));
            assert!(space.contains(&changed) && changed != base, "{change}");
        }
    }
    assert_eq!(drawn.len(), 8, "all that have an effect: {drawn:?}");
    assert_eq!(ParamCodec::over(ParamSpace::new()).focus(&ParamSet::new(), 1), None);
}

/// Values of all kinds, in and out of the ranges of the space.
fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        (-3..20i64).prop_map(|i| json!(i)),
        (-0.5..3.0f64).prop_map(|x| json!(x)),
        (-5.0..0.0f64).prop_map(|x| json!(10f64.powf(x))),
        prop::sample::select(vec![
            json!(true),
            json!(false),
            json!(null),
            json!("adamw"),
            json!("muon"),
            json!("sgd"),
            json!("adam"),
            json!([1]),
            json!({"x": 1}),
            json!("?"),
            json!(1e-4),
            json!(0.1),
            json!(2.0),
            json!(10),
            json!(30.0),
            json!(8.0),
        ]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    /// For each parameter alone, in a candidate where all of them matter: the schema takes a value if and only if the codec
    /// does.
    #[test]
    fn the_schema_takes_what_the_codec_takes(which in 0..9usize, value in any_value()) {
        let optim = Optim { name: "sgd".into(), lr: 0.05, momentum: 0.6, nesterov: true };
        let base = Recipe { optim, ..base() };
        let space = Recipe::space();
        let param = &space.params()[which];
        let change = json!([{"parameter": param.name, "value": value}]);
        let schema = codec().schema(&base);
        let valid = jsonschema::is_valid(&schema, &change);
        match codec().apply(&base, &change) {
            Ok(changed) => {
                prop_assert!(valid, "{change} was applied");
                prop_assert!(space.contains(&changed));
            }
            Err(e) => {
                let text = e.to_string();
                prop_assert!(text.contains(&format!("`{}`", param.name)), "{text}");
                // Two of them can be changed to what they are already, or take another's effect away.
                let other = text.starts_with("the change changes nothing") || text.contains("has no effect");
                prop_assert!(!valid || other, "{change}: {text}");
            }
        }
    }

    #[test]
    fn a_change_to_any_setting_of_a_space_can_be_written_and_is_applied(from: u64, to: u64) {
        let space = Recipe::space();
        let (from, to) = (space.sample(from).unwrap(), space.sample(to).unwrap());
        let codec = ParamCodec::over(space.clone()).at_most(9);
        let active = space.active(&to).unwrap();
        let mut expected = from.clone();
        let mut change = Vec::new();
        for param in active {
            let value: &ParamValue = to.get(&param.name).unwrap();
            if from.get(&param.name) != Some(value) {
                change.push(json!({"parameter": param.name, "value": value}));
                expected.set(param.name.as_str(), value.clone());
            }
        }
        prop_assume!(!change.is_empty());
        let change = Value::Array(change);
        prop_assert!(jsonschema::is_valid(&codec.schema(&from), &change));
        let changed = codec.apply(&from, &change);
        prop_assert_eq!(changed.as_ref().map_err(ToString::to_string), Ok(&expected));
        prop_assert_eq!(codec.identity(&expected) == codec.identity(&to), space.effective(&expected) == space.effective(&to));
    }

    #[test]
    fn numbers_of_any_range_keep_their_kind(low in -1000i64..1000, width in 1i64..1000, at in -0.2..1.2f64) {
        let space = ParamSpace::new().int("n", low..=low + width).float("x", low as f64..=(low + width) as f64);
        let base = ParamSet::new().with("n", low).with("x", low as f64);
        let value = (low as f64 + width as f64 * at).round();
        let codec = ParamCodec::over(space);
        match codec.apply(&base, &json!({"n": value, "x": value})) {
            Ok(changed) => {
                prop_assert!((low as f64..=(low + width) as f64).contains(&value));
                prop_assert_eq!(changed.get("n"), Some(&ParamValue::Int(value as i64)));
                prop_assert_eq!(changed.get("x"), Some(&ParamValue::Float(value)));
            }
            Err(e) => prop_assert!(
                value == low as f64 || e.to_string().contains("must be"), "{value} in {low}..={}: {e}", low + width),
        }
    }
}

#[test]
fn every_kind_of_parameter_is_covered_by_these_tests() {
    let has = |f: fn(&ParamKind) -> bool| Recipe::space().params().iter().any(|p| f(&p.kind));
    assert!(has(|k| matches!(k, ParamKind::Float { .. })) && has(|k| matches!(k, ParamKind::Int { .. })));
    assert!(has(|k| matches!(k, ParamKind::Choice { .. })) && has(|k| matches!(k, ParamKind::Bool)));
}
