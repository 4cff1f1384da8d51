//! The certificate, number by number, against `tests/data/scout.json`.

use autoresearch_core::stats::{
    Design, GroupFit, Residual, RoundNoise, UnitEvidence, block_runs, certificate_level, e_bh, e_bh_after,
};
use serde_json::Value;
use std::collections::BTreeMap;

fn number(object: &Value, key: &str) -> f64 {
    object[key].as_f64().unwrap_or_else(|| panic!("no number {key}"))
}

fn list(object: &Value, key: &str) -> Vec<f64> {
    object[key].as_array().expect(key).iter().map(|item| item.as_f64().expect("a number")).collect()
}

fn units(object: &Value, key: &str) -> Vec<usize> {
    object[key].as_array().expect(key).iter().map(|item| item.as_u64().expect("an index") as usize).collect()
}

fn sorted(mut units: Vec<usize>) -> Vec<usize> {
    units.sort_unstable();
    units
}

fn close(what: &str, got: f64, expected: f64) {
    let error = (got - expected).abs() / expected.abs().max(1e-300);
    assert!(error <= 1e-8, "{what}: {got} instead of {expected} (relative error {error:.1e})");
}

fn all_close(what: &str, got: &[f64], expected: &[f64]) {
    assert_eq!(got.len(), expected.len(), "{what}");
    got.iter()
        .zip(expected)
        .enumerate()
        .for_each(|(j, (got, want))| close(&format!("{what}[{j}]"), *got, *want));
}

/// A group fitted on validation and on the holdout, both checked.
fn group(name: &str, group: &Value) -> (GroupFit, GroupFit) {
    let rows = group["on"].as_array().expect("rows");
    let row = |row: &Value| row.as_array().expect("a row").iter().map(|x| x.as_u64() == Some(1)).collect();
    let on: Vec<Vec<bool>> = rows.iter().map(row).collect();
    let design = Design::new(&on, &vec![0; on.len()]).expect("a design");
    let edits = units(group, "edits");
    let validation = GroupFit::new(&edits, &design, &list(group, "validation")).expect("a fit");
    let holdout = GroupFit::new(&edits, &design, &list(group, "holdout")).expect("a fit");
    all_close(&format!("{name}, b"), &validation.coefficients, &list(group, "b"));
    all_close(&format!("{name}, b_holdout"), &holdout.coefficients, &list(group, "b_holdout"));
    all_close(&format!("{name}, s"), &validation.information, &list(group, "s"));
    close(&format!("{name}, rss"), validation.residual.ss, number(group, "rss"));
    assert_eq!(validation.residual.df, number(group, "df"), "{name}, df");
    (validation, holdout)
}

fn add(evidence: &mut [UnitEvidence], groups: &[(GroupFit, GroupFit)], noise: &RoundNoise) {
    for (validation, holdout) in groups {
        for (j, &unit) in validation.units.iter().enumerate() {
            evidence[unit].add_validation(validation.coefficients[j], validation.information[j], noise);
            evidence[unit].add_holdout(holdout.coefficients[j], holdout.information[j], noise);
        }
    }
}

fn compare(name: &str, case: &Value, key: &str, got: impl Fn(usize) -> f64) {
    let expected: BTreeMap<usize, f64> = case[key]
        .as_object()
        .expect(key)
        .iter()
        .map(|(unit, value)| (unit.parse().expect("an index"), value.as_f64().expect("a number")))
        .collect();
    for (unit, expected) in expected {
        let got = got(unit);
        if expected == 0.0 {
            assert_eq!(got, 0.0, "{name}, {key}[{unit}]");
            continue;
        }
        // The reference forms 1 - p in the upper tail: its digits go as the e-value grows.
        let lost = if key.starts_with("log") { 0.0 } else { 1e-14 * expected };
        let error = (got - expected).abs() / expected.abs();
        assert!(error <= 1e-8 + lost, "{name}, {key}[{unit}]: {got} instead of {expected} ({error:.1e})");
    }
}

#[test]
fn the_certificates_are_reproduced() {
    let vectors: Value = serde_json::from_str(include_str!("data/scout.json")).expect("JSON");
    for case in vectors["cases"].as_array().expect("cases") {
        let name = case["name"].as_str().expect("a name");
        let total = number(case, "K") as usize;
        let alpha = number(case, "alpha");
        let se = number(case, "sigma_v_holdout");
        let calibration = Residual::new(number(case, "ss0"), number(case, "nu0"));
        let s = calibration.variance().expect("degrees of freedom").sqrt();
        let mut evidence = vec![UnitEvidence::default(); total];

        let mut residual = Residual::default();
        let mut groups = Vec::new();
        let mut survivors = Vec::new();
        for raw in case["round1"].as_array().expect("groups") {
            let fits = group(name, raw);
            residual = residual.pooled(fits.0.residual);
            let weak = sorted(fits.0.weak(residual, s, number(case, "drop")));
            assert_eq!(weak, units(raw, "dropped"), "{name}");
            survivors.extend(fits.0.units.iter().copied().filter(|unit| !weak.contains(unit)));
            groups.push(fits);
        }
        let first = RoundNoise::new(residual, calibration, None);
        close(&format!("{name}, ratio"), first.ratio, number(case, "ratio"));
        close(&format!("{name}, pooled_ss"), first.pooled.ss, number(case, "pooled_ss"));
        close(&format!("{name}, pooled_df"), first.pooled.df, number(case, "pooled_df"));
        add(&mut evidence, &groups, &first);
        compare(name, case, "log_e_validation_1", |unit| evidence[unit].log_e_validation());
        let mut log_e: Vec<f64> = evidence.iter().map(|unit| unit.log_e(se, &first)).collect();
        compare(name, case, "e_1", |unit| log_e[unit].exp());
        let settled = e_bh(&log_e, alpha, total);
        assert_eq!(settled, units(case, "settled"), "{name}");
        let mut undecided: Vec<usize> =
            survivors.iter().copied().filter(|unit| !settled.contains(unit)).collect();
        undecided.sort_by(|&a, &b| evidence[b].log_e_validation().total_cmp(&evidence[a].log_e_validation()));
        assert_eq!(undecided, units(case, "undecided"), "{name}");

        let mut residual = Residual::default();
        let mut groups = Vec::new();
        for raw in case["round2"].as_array().expect("groups") {
            let fits = group(name, raw);
            assert_eq!(block_runs(fits.0.units.len()), raw["on"].as_array().expect("rows").len());
            residual = residual.pooled(fits.0.residual);
            groups.push(fits);
        }
        let second = RoundNoise::new(residual, calibration, Some(&first));
        close(&format!("{name}, pooled_ss_2"), second.pooled.ss, number(case, "pooled_ss_2"));
        close(&format!("{name}, pooled_df_2"), second.pooled.df, number(case, "pooled_df_2"));
        add(&mut evidence, &groups, &second);
        compare(name, case, "log_e_validation", |unit| evidence[unit].log_e_validation());
        for unit in groups.iter().flat_map(|(fit, _)| &fit.units) {
            log_e[*unit] = evidence[*unit].log_e(se, &second);
        }
        compare(name, case, "e", |unit| log_e[unit].exp());
        let certified: Vec<usize> =
            e_bh(&log_e, alpha, total).into_iter().filter(|unit| survivors.contains(unit)).collect();
        assert_eq!(certified, units(case, "certified"), "{name}");
    }
}

#[test]
fn the_discoveries_are_reproduced() {
    let vectors: Value = serde_json::from_str(include_str!("data/scout.json")).expect("JSON");
    for case in vectors["ebh"].as_array().expect("cases") {
        let log_e: Vec<f64> = list(case, "e").into_iter().map(f64::ln).collect();
        let kept = e_bh(&log_e, number(case, "alpha"), number(case, "K") as usize);
        assert_eq!(kept, units(case, "kept"), "{case}");
    }
    let vectors: Value = serde_json::from_str(include_str!("data/statistics.json")).expect("JSON");
    for case in
        vectors["vectors"].as_array().expect("cases").iter().filter(|case| case["statistic"] == "e_bh")
    {
        let log_e: Vec<f64> = list(&case["input"], "e").into_iter().map(f64::ln).collect();
        let kept = e_bh(&log_e, number(&case["input"], "alpha"), log_e.len());
        assert_eq!(kept, units(&case["expected"], "rejected_indices"));
    }
}

#[test]
fn earlier_certificates_make_room() {
    let log_e = [40.0_f64, 30.0, 2.0].map(f64::ln);
    // Alone: 3/(.1·r) is 30, 15, 10; after five: 5, 4.29, 3.75.
    assert_eq!(e_bh(&log_e, 0.1, 3), [0, 1]);
    assert_eq!(e_bh_after(&[6.0_f64.ln(), 4.3_f64.ln(), 3.7_f64.ln()], 0.1, 3, 5), [0, 1]);
    assert_eq!(e_bh(&[f64::NAN, f64::INFINITY], 0.1, 2), [1]);
    assert!(e_bh(&[], 0.1, 0).is_empty() && e_bh(&log_e, 0.0, 3).is_empty());
    assert!(((1..=1_000_000).map(|k| certificate_level(0.1, k)).sum::<f64>() - 0.1).abs() < 1e-6);
}
