//! Tests of spaces and sets.
// Empty ranges are among the mistakes that are tested.
#![allow(clippy::unwrap_used, clippy::reversed_empty_ranges)]

use super::*;
use crate::compose::Compose;
use proptest::prelude::*;
use serde_json::json;

fn problem(space: ParamSpace) -> String {
    space.check().unwrap_err().to_string()
}

#[test]
fn every_mistake_says_what_is_wrong_and_where() {
    let at = |name: &str, rest: &str| format!("the parameter space is wrong at `{name}`: {rest}");
    let new = ParamSpace::new;
    for (space, expected) in [
        (new().bool("a").int("a", 0..=1), at("a", "the name is taken; a parameter is described once")),
        (
            new().bool("a.b").int("a", 0..=1),
            at("a", "it clashes with `a.b`: one of them would be inside of the other"),
        ),
        (
            new().bool("a").int("a.b", 0..=1),
            at("a.b", "it clashes with `a`: one of them would be inside of the other"),
        ),
        (new().bool(""), at("", "that is no name; write it like `lr` or `optim.lr`")),
        (new().bool("a..b"), at("a..b", "that is no name; write it like `lr` or `optim.lr`")),
        (
            new().float("a", 1.0..=1.0),
            at("a", "the range 1.0..=1.0 is empty or a single value; the lower bound comes first"),
        ),
        (
            new().int("a", 5..=2),
            at("a", "the range 5..=2 is empty or a single value; the lower bound comes first"),
        ),
        (
            new().float("a", 0.0..=f64::INFINITY),
            at("a", "the bounds 0.0 and inf must be finite, and so must their distance"),
        ),
        (
            new().float("a", f64::NAN..=1.0),
            at("a", "the bounds NaN and 1.0 must be finite, and so must their distance"),
        ),
        (new().log_float("a", 0.0..=1.0), at("a", "a log range starts above 0, not at 0.0")),
        (new().log_int("a", 0..=9), at("a", "a log range starts above 0, not at 0")),
        (new().int("a", 0..=i64::MAX), at("a", "the bounds 0 and 9223372036854775807 must lie within ±2^53")),
        (
            new().choice("a", Vec::<String>::new()),
            at("a", "it has 0 values to choose from; give at least two"),
        ),
        (new().choice("a", [1.0, 2.0, 1.0]), at("a", "the value 1.0 is there twice")),
        (new().choice("a", [1.0, f64::NAN]), at("a", "the value NaN is not finite")),
        (
            new().bool("a").when("b", true).bool("b"),
            at("a", "its condition is on `b`, which is not among the parameters before it"),
        ),
        (
            new().bool("a").when("a", true),
            at("a", "its condition is on `a`, which is not among the parameters before it"),
        ),
        (
            new().choice("a", ["x", "y"]).bool("b").when("a", "z"),
            at("b", "its condition wants `a` to be z, but that is one of x, y"),
        ),
        (
            new().bool("a").bool("b").when_any("a", Vec::<bool>::new()),
            at("b", "its condition on `a` has no values, so that it could never hold"),
        ),
        (new().when("a", true), at("when", "there is no parameter before it")),
    ] {
        assert_eq!(problem(space), expected);
    }
}

#[test]
fn the_first_mistake_is_kept_and_comes_out_everywhere() {
    let space = ParamSpace::new().bool("fine").int("wrong", 2..=1).when("nothing", 1).doc("x").bool("");
    let error = space.check().unwrap_err();
    assert_eq!(error.parameter(), Some("wrong"));
    assert_eq!(space.validate(&json!({"fine": true})), Err(error.clone()));
    assert_eq!(space.sample(1), Err(error.clone()));
    assert!(serde_json::to_string(&space).unwrap_err().to_string().contains("`wrong`"));
    assert!(
        space.get("fine").unwrap().doc.is_empty(),
        "what follows a mistake must not amend what came before it"
    );
}

fn optimizer() -> ParamSpace {
    ParamSpace::new()
        .choice("optimizer", ["adamw", "muon", "sgd"])
        .log_float("lr", 1e-4..=1e-1)
        .bool("nesterov")
        .when_any("optimizer", ["muon", "sgd"])
        .float("momentum", 0.5..=0.99)
        .when("nesterov", true)
        .int("layers", 1..=12)
        .doc("transformer blocks")
        .log_int("batch", 8..=512)
        .choice("heads", [1, 2, 4, 8])
        .float("clip", 0.1..=2.0)
        .optional()
}

#[test]
fn validation_names_the_parameter_the_value_and_what_is_allowed() {
    let good = json!({"optimizer": "adamw", "lr": 1e-3, "layers": 4, "batch": 8.0, "heads": 2, "else": [1]});
    let says = |key: &str, value: serde_json::Value| {
        let mut candidate = good.clone();
        candidate[key] = value;
        optimizer().validate(&candidate).map_err(|e| e.to_string())
    };
    assert_eq!(optimizer().validate(&good), Ok(()));
    let wrong = |text: &str| Err(text.to_string());
    assert_eq!(says("layers", json!(13)), wrong("`layers` is 13; it must be a whole number from 1 to 12"));
    assert_eq!(says("layers", json!(2.5)), wrong("`layers` is 2.5; it must be a whole number from 1 to 12"));
    assert_eq!(
        says("lr", json!("fast")),
        wrong("`lr` is \"fast\"; it must be a number from 0.0001 to 0.1, log scale")
    );
    assert_eq!(says("heads", json!(3)), wrong("`heads` is 3; it must be one of 1, 2, 4, 8"));
    assert_eq!(says("heads", json!([3])), wrong("`heads` is [3]; it must be one of 1, 2, 4, 8"));
    assert_eq!(
        says("lr", json!(null)),
        wrong(
            "`lr` is missing; it must be a number from 0.0001 to 0.1, log scale (is that the field's name? `.optional()` allows `None`)"
        )
    );
    assert_eq!(says("clip", json!(null)), Ok(()));
    assert_eq!(says("clip", json!(9)), wrong("`clip` is 9; it must be a number from 0.1 to 2.0"));
    assert!(optimizer().validate(&3).is_err());
}

#[test]
fn an_inactive_parameter_may_be_anything_and_so_may_what_hangs_on_it() {
    let base = json!({"lr": 1e-3, "layers": 4, "batch": 8, "heads": 2});
    let with = |optimizer_: &str, nesterov: bool, momentum: f64| {
        let mut c = base.clone();
        c["optimizer"] = json!(optimizer_);
        c["nesterov"] = json!(nesterov);
        c["momentum"] = json!(momentum);
        optimizer().contains(&c)
    };
    assert!(!with("muon", true, 7.0));
    assert!(with("muon", false, 7.0), "momentum matters with nesterov only");
    assert!(with("adamw", true, 7.0), "nesterov itself does not matter here");
    let names: Vec<String> = optimizer()
        .active(&json!({"optimizer": "sgd", "nesterov": true}))
        .unwrap()
        .iter()
        .map(|p| p.name.clone())
        .collect();
    assert_eq!(names, ["optimizer", "lr", "nesterov", "momentum", "layers", "batch", "heads", "clip"]);
}

#[test]
fn candidates_that_differ_in_inactive_parameters_only_are_the_same() {
    let space = optimizer();
    let print = |v: serde_json::Value| space.fingerprint(&v);
    let muon = |m: f64| print(json!({"optimizer": "muon", "nesterov": true, "momentum": m}));
    let adamw = |m: f64| print(json!({"optimizer": "adamw", "nesterov": true, "momentum": m}));
    assert_ne!(muon(0.6), muon(0.7));
    assert_eq!(adamw(0.6), adamw(0.7));
    assert_ne!(print(json!({"seen": 1})), print(json!({"seen": 2})), "what the space does not name counts");
}

#[test]
fn a_field_of_single_precision_may_sit_on_a_bound() {
    #[derive(Serialize)]
    struct Single {
        lr: f32,
        drop: f32,
    }
    let space = ParamSpace::new().float("lr", 0.1..=0.7).choice("drop", [0.1, 0.2]);
    for lr in [0.1f32, 0.3, 0.7] {
        assert_eq!(space.validate(&Single { lr, drop: 0.2 }), Ok(()));
    }
    assert!(!space.contains(&Single { lr: 0.700_001, drop: 0.2 }));
    assert!(!space.contains(&json!({"lr": 0.700_000_001, "drop": 0.2})));
}

#[test]
fn a_space_reads_back_from_json_and_is_checked_again() {
    let text = serde_json::to_string(&optimizer()).unwrap();
    assert_eq!(serde_json::from_str::<ParamSpace>(&text).unwrap(), optimizer());
    let lr = json!([{"name": "lr", "kind": "float", "low": 1e-3, "high": 1.0, "log": true}]);
    assert_eq!(
        serde_json::from_value::<ParamSpace>(lr).unwrap(),
        ParamSpace::new().log_float("lr", 1e-3..=1.0)
    );
    let wrong = json!([{"name": "lr", "kind": "float", "low": 1.0, "high": 0.0}]);
    let error = serde_json::from_value::<ParamSpace>(wrong).unwrap_err().to_string();
    assert!(error.contains("`lr`"), "{error}");
}

#[test]
fn a_space_reads_as_one_line_a_parameter() {
    let text = optimizer().to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[2], "nesterov: true or false; only when optimizer is muon or sgd");
    assert_eq!(lines[4], "layers: a whole number from 1 to 12. transformer blocks");
    assert_eq!(lines[7], "clip: a number from 0.1 to 2.0; may be unset");
}

#[test]
fn sets_say_what_does_not_fit() {
    let set = ParamSet::new().with("a", 1).with("b", "x").with("c", true).with("d", 2.0);
    assert_eq!(set.float("a"), Ok(1.0));
    assert_eq!(set.int("d"), Ok(2));
    assert_eq!(set.bool("c"), Ok(true));
    assert_eq!(set.text("b"), Ok("x"));
    assert_eq!(set.float("b").unwrap_err().to_string(), "`b` is \"x\"; it must be a number");
    assert!(set.bool("e").unwrap_err().to_string().starts_with("`e` is missing; it must be true or false"));
    assert_eq!(set.to_string(), "a 1, b x, c true, d 2.0");
    let list = ParamSet::of(&json!({"x": {"y": [1]}})).unwrap_err().to_string();
    assert_eq!(list, "the candidate is no set of parameters: `x.y` is a list, not a value");
    assert!(ParamSet::of(&7).is_err());
    let clash =
        ParamSet::new().with("a", 1).with("a.b", 2).to::<serde_json::Value>().unwrap_err().to_string();
    assert!(clash.ends_with("`a` cannot hold both a value and `a.b`"), "{clash}");
    assert!(serde_json::to_string(&ParamSet::new().with("a", f64::NAN)).is_err());
    assert!(serde_json::to_string(&ParamSet::new().with("a.", 1)).is_err());
}

#[test]
fn a_merge_must_stay_in_the_space() {
    let space = ParamSpace::new().int("x", 0..=4).bool("narrow").int("y", 0..=3).when("narrow", true);
    let set = |x: i64, narrow: bool, y: i64| ParamSet::new().with("x", x).with("narrow", narrow).with("y", y);
    let parent = set(0, false, 9);
    let merge = space.composer();
    assert_eq!(merge.apply(&set(4, false, 9), &parent, &set(0, false, 2)), Ok(set(4, false, 2)));
    let conflict = merge.apply(&set(4, false, 9), &parent, &set(0, true, 9)).unwrap_err();
    assert_eq!(conflict.reason, "`y` is 9; it must be a whole number from 0 to 3");
}

proptest! {
    #[test]
    fn every_sample_lies_in_the_space_and_goes_through_json(seed: u64) {
        let space = optimizer();
        let sample = space.sample(seed).unwrap();
        prop_assert_eq!(space.validate(&sample), Ok(()));
        prop_assert_eq!(&sample, &space.sample(seed).unwrap());
        prop_assert_eq!(sample.len(), space.params().len());
        let text = serde_json::to_string(&sample).unwrap();
        prop_assert_eq!(serde_json::from_str::<ParamSet>(&text).unwrap(), sample);
    }

    #[test]
    fn values_of_any_range_stay_in_it_and_steps_are_never_nothing(
        low in -1e6..1e6f64, width in 1e-3..1e6f64, log: bool, at in 0.0..=1.0f64, seed: u64,
    ) {
        use rand::SeedableRng;
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let low = if log { low.abs() + 1e-9 } else { low };
        let steps = draw::Steps { least: 0.02, most: 0.5 };
        let float = ParamKind::Float { low, high: low + width, log };
        let (ilow, iwidth) = (low.ceil() as i64, width.ceil() as i64);
        let int = ParamKind::Int { low: ilow, high: ilow + iwidth, log };
        let starts = [ParamValue::Float((low + width * at).min(low + width)), ParamValue::Int(ilow + (iwidth as f64 * at) as i64)];
        for (kind, from) in [float, int].into_iter().zip(starts) {
            prop_assert!(kind.problem().is_none(), "{kind:?}");
            for value in [kind.draw(&mut rng), kind.middle()] {
                prop_assert!(kind.contains(&value), "{kind:?} {value:?}");
            }
            let to = kind.step(&from, steps, &mut rng);
            prop_assert!(kind.contains(&to) && to != from, "{kind:?} {from:?} {to:?}");
        }
    }
}
