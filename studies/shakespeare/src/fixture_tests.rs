//! The figures of a small world whose truth is known: three kept keys, of which one does harm.

use crate::data::Data;
use crate::estimate::Estimate;
use crate::keys;
use crate::ledger::Need;
use crate::plan::{self, LARGE, LEFT_OUT, NOISE, TOTAL};
use crate::policy::Policy;
use crate::recipes::Start;
use crate::search::{Ended, Search};
use crate::summary::Summary;
use crate::task::{Bits, Measured, Size};
use autoresearch_core::{CurvePoint, stats::Moments};
use autoresearch_tch::{Activation, GptRecipe};
use std::ops::Range;

/// What each key is worth, in bits per byte.
const WORTH: [(&str, f64); 4] = [("activation", 0.10), ("beta1", -0.02), ("ema", 0.01), ("qk_norm", 0.05)];

fn ended() -> Ended {
    let baseline = Start::Plain.recipe();
    let kept = GptRecipe { activation: Activation::Relu2, qk_norm: true, beta1: 0.8, ..baseline.clone() };
    Ended {
        search: Search { repetition: 1, start: Start::Plain, policy: Policy::Scout },
        granted: 700,
        runs: 699,
        failed_runs: 1,
        proposals: 500,
        kept: 2,
        undecided: 1,
        claimed: 0.2,
        claimed_interval: Some((0.1, 0.3)),
        stack: GptRecipe { ema: 0.9, ..kept.clone() },
        kept_recipe: kept,
        baseline,
        compute_seconds: 1000.0,
        elapsed: 1100.0,
    }
}

/// From -2 to 2 hundredths.
fn luck(seed: u64) -> f64 {
    0.01 * ((seed % 5) as f64 - 2.0)
}

/// Effects add up, a seed shifts all recipes alike, and the test split is .5 above the others.
fn measured(need: &Need) -> Measured {
    let changed = keys::differing(&need.recipe, &Start::Plain.recipe());
    let gain: f64 =
        WORTH.iter().filter(|(key, _)| changed.iter().any(|c| c == key)).map(|(_, worth)| worth).sum();
    let luck = luck(need.seed);
    let bits = |more: f64| Bits {
        all: 4.0 - gain + luck + more,
        documents: vec![3.5 - gain + luck, 4.5 - gain + luck],
    };
    let large = need.size == Size::Large;
    // The loss falls by one over the run; what gains .13 starts lower by half of that fall, and so is there in half the time.
    let head_start = if gain > 0.12 { 0.5 } else { 0.0 };
    let point = |i: u32| CurvePoint {
        step: u64::from(i),
        tokens: 1000 * u64::from(i),
        flops: 1e6 * f64::from(i),
        seconds: 2.0 * f64::from(i),
        loss: 3.0 - head_start - f64::from(i) / 1000.0,
    };
    Measured {
        validation: bits(0.0),
        holdout: bits(0.0),
        test: bits(0.5),
        parameters: if large { 800 } else { 100 },
        tokens: 1_000_000,
        flops: 1e9,
        steps: 1000,
        seconds: 1.0,
        curve: if large { (1..=1000).map(point).collect() } else { Vec::new() },
    }
}

fn data() -> Data {
    let searches = vec![ended()];
    let needs = searches
        .iter()
        .flat_map(plan::referee)
        .chain(plan::noise(&searches))
        .chain(plan::transfer(&searches));
    let runs: Vec<(Need, Measured)> = needs.map(|need| (need.clone(), measured(&need))).collect();
    let mut known = Vec::new();
    let once = runs.iter().filter(|(need, _)| {
        let new = !known.contains(need);
        known.push(need.clone());
        new
    });
    Data::of_runs(searches, once.map(|(need, measured)| (need, measured)))
}

fn n(seeds: Range<u64>) -> u64 {
    seeds.end - seeds.start
}

fn is(estimate: Option<Estimate>, mean: f64, n: u64) {
    let e = estimate.expect("an estimate");
    assert!((e.mean - mean).abs() < 1e-9 && (e.high - e.low).abs() < 1e-9, "{e:?} is not {mean}");
    assert_eq!(e.n, n);
}

#[test]
fn the_referee_finds_what_is_true() {
    let summary = Summary::of(&data());
    let one = &summary.searches[0];
    for gain in [one.validation, one.holdout, one.test] {
        is(gain, 0.13, n(TOTAL)); // .10 + .05 - .02, whatever the search claims
    }
    is(one.stack_test, 0.14, n(TOTAL));
    assert_eq!((one.keys, one.stack_keys, one.claimed), (3, 4, 0.2));
    for (key, worth) in &WORTH[..] {
        let found = one.left_out.iter().find(|left| left.key == *key);
        match found {
            Some(left) => is(Some(left.worth), *worth, n(LEFT_OUT)),
            None => assert_eq!(*key, "ema", "the stack's keys are not left out"),
        }
    }
    assert_eq!((one.not_positive(), one.harmful()), (1, 1));
    let policy = &summary.policies[0];
    assert_eq!((policy.judged_keys, policy.not_positive, policy.harmful, policy.repetitions), (3, 1, 1, 1));
    assert_eq!(summary.policies.len(), 1);
}

#[test]
fn noise_and_interactions_are_measured() {
    let noise = &Summary::of(&data()).noise[0];
    let sd = NOISE.map(luck).collect::<Moments>().sd().expect("several seeds");
    assert!((noise.sd_start - sd).abs() < 1e-9 && (noise.sd_kept - sd).abs() < 1e-9, "{noise:?}");
    assert_eq!((noise.seeds, noise.repeats, noise.edits.len()), (NOISE.count(), Some(true), 3));
    for rho in [noise.rho_single, noise.rho_left_out, noise.rho_far] {
        assert!((rho.expect("pairs") - 1.0).abs() < 1e-9, "a seed shifts all alike");
    }
    assert!(noise.split_component.expect("documents") < 1e-6, "documents are all the same");
    for acting in &noise.edits {
        let worth = WORTH.iter().find(|(key, _)| *key == acting.key).expect("a key").1;
        assert!(
            (acting.single - worth).abs() < 1e-9 && (acting.left_out.expect("left out") - worth).abs() < 1e-9
        );
        // The design's runs have seeds of their own, whose luck is on both sides of it.
        assert!((acting.main.expect("a main effect") - worth).abs() < 0.01, "{acting:?}");
    }
    assert!((noise.sum_single - 0.13).abs() < 1e-9);
}

#[test]
fn the_larger_model_gets_there_in_half_the_time() {
    let transfer = &Summary::of(&data()).transfer[0];
    assert_eq!((transfer.parameters, transfer.reached, transfer.edits.len()), ((100, 800), LARGE.count(), 3));
    is(Some(transfer.test), 0.13, n(LARGE));
    for share in [transfer.tokens, transfer.flops, transfer.seconds] {
        assert!((share.expect("reached").mean - 0.5).abs() < 0.01, "{share:?}");
    }
    assert!((transfer.rank_correlation.expect("edits") - 1.0).abs() < 1e-9);
}

#[test]
fn figures_come_back_from_the_file() {
    let data = data();
    let text = serde_json::to_string(&data).expect("JSON");
    let again: Data = serde_json::from_str(&text).expect("data");
    let (a, b) = (Summary::of(&data), Summary::of(&again));
    assert_eq!(serde_json::to_string(&a).expect("JSON"), serde_json::to_string(&b).expect("JSON"));
    assert_eq!(a.markdown(), b.markdown());
    assert!(a.markdown().contains("| plain | scout | 1 | 699 | 0.200 |"), "{}", a.markdown());
}
