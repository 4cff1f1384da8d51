//! The tests on the holdout, number by number, against `tests/data`.

use super::effects::{self, Question, contenders};
use super::rule::{Heard, Place};
use super::{HeldOut, Holdout, HoldoutRule, Memory, OneBit};
use crate::accept::{EffectsClaim, EffectsGroup, EffectsTest, Noise};
use crate::arm::{Arm, ProposalId, RunId};
use crate::measure::{Direction, Measurement};
use crate::stats::{holdout_half_normal_log_e, holdout_p_value};
use serde_json::Value;
use std::collections::BTreeMap;

/// A number, also where it is written as text.
fn number(value: &Value) -> f64 {
    value.as_f64().or_else(|| value.as_str().and_then(|s| s.parse().ok())).expect("a number")
}

fn list(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(number).collect()
}

fn close(what: &str, got: f64, expected: f64) {
    let error = (got - expected).abs() / expected.abs();
    assert!(error <= 1e-8, "{what}: {got} instead of {expected} (relative error {error:.1e})");
}

/// The arms of design rows whose column `j` is the edit `edits[j]`, with everything in `always` on.
fn arms(rows: &Value, edits: &[u64]) -> Vec<Arm> {
    let arm = |row: &Value| {
        list(row).iter().zip(edits).filter(|(on, _)| **on == 1.0).map(|(_, e)| part(*e)).collect::<Arm>()
    };
    rows.as_array().expect("rows").iter().map(arm).collect()
}

fn part(edit: u64) -> crate::arm::Part {
    ProposalId(edit + 1).into()
}

fn held(scores: &Value) -> Vec<HeldOut> {
    list(scores).iter().map(|score| Measurement::scalar(-score).expect("finite").into()).collect()
}

/// What the holdout hears, with all factors asked about, and the bits.
fn examine(
    claim: &EffectsClaim,
    arms: &[Arm],
    held: &[HeldOut],
    split_error: f64,
) -> (Heard, Vec<usize>, Vec<bool>) {
    let question = Question {
        claim,
        asked: contenders(claim).iter().map(Option::is_some).collect(),
        confirmed: vec![false; claim.factors.len()],
        arms: arms.iter().collect(),
        validation: None,
    };
    let rules = Holdout::new().split_error(split_error);
    let heard = effects::hear(&question, held, &rules, Direction::Minimize, Place::default());
    let (heard, factors, _) = heard.expect("comparable");
    let bits = OneBit.answer(&heard, &Memory::default()).passed;
    (heard, factors, bits)
}

#[test]
fn the_guard_of_a_factorial() {
    let vectors: Value = serde_json::from_str(include_str!("../../tests/data/factorial.json")).expect("JSON");
    for case in vectors["cases"].as_array().expect("cases") {
        let wanted = case["factors"].as_array().expect("factors");
        let edits: Vec<u64> = (0..wanted.len() as u64).collect();
        let arms = arms(&case["on"], &edits);
        let mut blocks: BTreeMap<u64, Vec<RunId>> = BTreeMap::new();
        for (block, run) in list(&case["block"]).iter().zip(1..) {
            blocks.entry(*block as u64).or_default().push(RunId(run));
        }
        // Blocks are not always contiguous in the runs' order: the claim names runs block by block.
        let order: Vec<usize> = blocks.values().flatten().map(|run| run.0 as usize - 1).collect();
        let (df, variance) = (number(&case["nu"]) + number(&case["nu0"]), number(&case["sigma2"]));
        let group = EffectsGroup::new(blocks.into_values().collect(), Noise::new(variance * df, df));
        let factors: Vec<Arm> = edits.iter().map(|e| [part(*e)].into_iter().collect()).collect();
        let levels = wanted.iter().map(|f| number(&f["level"])).collect();
        let claim = EffectsClaim::new(factors, vec![group], EffectsTest::Levels(levels));
        let all = held(&case["g"]);
        let (arms, held): (Vec<Arm>, Vec<HeldOut>) =
            order.iter().map(|&i| (arms[i].clone(), all[i].clone())).unzip();
        let (heard, asked, bits) = examine(&claim, &arms, &held, number(&case["sigma_v_guard"]));
        assert_eq!(asked.len(), wanted.len());
        for ((effect, factor), bit) in heard.effects().iter().zip(wanted).zip(bits) {
            close("guard_beta", effect.gain, number(&factor["guard_beta"]));
            close("guard_se", effect.error, number(&factor["guard_se"]));
            let p = number(&factor["guard_p"]);
            close("guard_p", holdout_p_value(effect.gain, effect.error, df), p);
            assert_eq!(bit, p <= number(&factor["level"]));
            assert_eq!(bit, factor["decision"] == "keep");
        }
    }
}

/// A case of the certificate's vectors as an acceptor would ask about it after its last round.
#[test]
fn the_certificate_of_a_scout() {
    let vectors: Value = serde_json::from_str(include_str!("../../tests/data/scout.json")).expect("JSON");
    let keyed = |value: &Value| -> BTreeMap<usize, f64> {
        let entries = value.as_object().expect("an object").iter();
        entries.map(|(k, v)| (k.parse().expect("an index"), number(v))).collect()
    };
    for case in vectors["cases"].as_array().expect("cases") {
        let name = case["name"].as_str().expect("a name");
        let k = number(&case["K"]) as usize;
        let factors: Vec<Arm> = (0..k as u64).map(|e| [part(e)].into_iter().collect()).collect();
        let (mut groups, mut all_arms, mut all_held) = (Vec::new(), Vec::new(), Vec::new());
        let mut last: Vec<Noise> = vec![Noise::default(); k];
        let mut dropped: Vec<usize> = Vec::new();
        for (round, suffix) in [("round1", ""), ("round2", "_2")] {
            let (ss, df) =
                (number(&case[format!("pooled_ss{suffix}")]), number(&case[format!("pooled_df{suffix}")]));
            for group in case[round].as_array().expect("groups") {
                let edits: Vec<u64> = list(&group["edits"]).iter().map(|e| *e as u64).collect();
                edits.iter().for_each(|e| last[*e as usize] = Noise::new(ss, df));
                let rows = arms(&group["on"], &edits);
                let first = all_arms.len() as u64 + 1;
                let runs = (first..first + rows.len() as u64).map(RunId).collect();
                groups.push(EffectsGroup::new(vec![runs], Noise::new(ss, df)));
                all_arms.extend(rows);
                all_held.extend(held(&group["holdout"]));
                dropped.extend(group["dropped"].as_array().into_iter().flatten().map(|e| number(e) as usize));
            }
        }
        let log_e = keyed(&case["log_e_validation"]);
        // Dropped units were not certifiable any more; they count as tested.
        let strength = |j: usize| if dropped.contains(&j) { f64::NEG_INFINITY } else { log_e[&j] };
        let test = EffectsTest::Certificate {
            log_e: (0..k).map(strength).collect(),
            alpha: number(&case["alpha"]),
            of: k,
            before: 0,
        };
        let claim = EffectsClaim::new(factors, groups, test);
        let (heard, asked, bits) = examine(&claim, &all_arms, &all_held, number(&case["sigma_v_holdout"]));
        let expected = keyed(&case["e"]);
        for (effect, j) in heard.effects().iter().zip(&asked) {
            let noise = last[*j];
            let holdout =
                holdout_half_normal_log_e(effect.gain, effect.error.powi(2), noise.df, noise.ss / noise.df);
            let got = holdout.min(log_e[j]).exp();
            let error = (got - expected[j]).abs() / expected[j];
            // The reference forms 1 - p in the upper tail: its digits go as the e-value grows.
            assert!(error <= 1e-8 + 1e-14 * expected[j], "{name}, e[{j}]: {got} instead of {}", expected[j]);
        }
        let certified: Vec<usize> = asked.iter().zip(bits).filter(|(_, bit)| *bit).map(|(j, _)| *j).collect();
        let expected: Vec<usize> = list(&case["certified"]).iter().map(|j| *j as usize).collect();
        assert_eq!(certified, expected, "{name}");
    }
}
