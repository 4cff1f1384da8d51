//! Evaluation design on real baseline runs: what it says against what was found on all 752 of them.
//!
//! `data/baselines.json` says where the runs come from. The figures that they are held against are those of the study
//! of all runs: sigma .0105 ± .0019 (plain) and .00896 ± .0011 (tuned), one outlier at +2.9 sd among the plain 16, none
//! among the tuned 32, 42 % of a run's variance run × document noise, Var(d) .40 sigma² on equal seeds, and a split noise
//! of .03 sigma (below .11) for mild edits.

use autoresearch_core::plan::{Baseline, EvaluationDesign, PlanError, Warning};
use autoresearch_core::{Direction, Measurement};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize, Clone)]
struct Row {
    seed: u64,
    bits_per_byte: Vec<f64>,
}

#[derive(Deserialize)]
struct Runs {
    plain: Vec<Row>,
    tuned: Vec<Row>,
    edits: BTreeMap<String, Vec<Row>>,
}

fn runs() -> Runs {
    serde_json::from_str(include_str!("data/baselines.json")).expect("the runs")
}

/// Two excerpts a document.
fn measured(rows: &[Row]) -> Vec<(u64, Measurement)> {
    let one = |row: &Row| {
        let clusters = (0..row.bits_per_byte.len() as u64).map(|i| i / 2);
        let run = Measurement::new(row.bits_per_byte.clone()).and_then(|m| m.clusters(clusters));
        (row.seed, run.expect("finite"))
    };
    rows.iter().map(one).collect()
}

fn quick(rows: &[Row]) -> Baseline {
    Baseline::of(measured(rows)).simulations(0).compare([])
}

fn with_edits(plan: Baseline, edits: &BTreeMap<String, Vec<Row>>) -> Baseline {
    edits.values().fold(plan, |plan, rows| plan.edit(measured(rows)))
}

fn near(x: f64, expected: f64, within: f64) -> bool {
    (x - expected).abs() <= within
}

#[test]
fn the_plain_baseline_has_an_outlier() -> Result<(), PlanError> {
    let design = quick(&runs().plain).design()?;
    assert!(near(design.sigma.sd, 0.0105, 5e-5) && design.sigma.df == 15.0, "{:?}", design.sigma);
    let tails = design.tails.expect("16 runs");
    assert!(near(tails.farthest.deviation.abs(), 2.9, 0.06) && tails.farthest.p < 0.02, "{tails:?}");
    // The study's 3.1 is without the correction for few runs, which for 16 makes 15·(17·g + 6)/(14·13) of g.
    let uncorrected = (tails.kurtosis * 14.0 * 13.0 / 15.0 - 6.0) / 17.0;
    assert!(near(uncorrected, 3.1, 0.05) && tails.p < 0.02, "{tails:?}");
    assert!(design.warnings.iter().any(|w| matches!(w, Warning::Outlier { .. })), "{:?}", design.warnings);
    assert!(design.paragraph().contains("Grubbs"), "{}", design.paragraph());
    Ok(())
}

#[test]
fn the_tuned_baseline_has_none_and_its_split_little_noise_of_its_own() -> Result<(), PlanError> {
    let runs = runs();
    let design = with_edits(quick(&runs.tuned), &runs.edits).design()?;
    assert!(near(design.sigma.sd, 0.00896, 5e-6), "{:?}", design.sigma);
    assert!(
        !design.warnings.iter().any(|w| matches!(w, Warning::Outlier { .. } | Warning::HeavyTails { .. }))
    );
    let documents = design.documents.expect("per-unit values");
    assert_eq!(documents.count, 13);
    assert!(near(documents.run_share, 0.42, 0.01), "{documents:?}");
    assert!(documents.run_share_low < 0.42 && documents.run_share_high > 0.42);
    let pairs = design.pairs.as_ref().expect("edits");
    let variance = (pairs.sd / design.sigma.sd).powi(2);
    assert!(near(variance, 0.45, 0.15), "{variance}");
    let split = pairs.split.expect("per-unit values");
    assert!(split.sd / design.sigma.sd < 0.11 && split.at_most / design.sigma.sd < 0.15, "{split:?}");
    assert!(!design.warnings.iter().any(|w| matches!(w, Warning::SplitNoise { .. })));
    assert!(!design.holdout.assumed && design.holdout.multiple <= 3.0, "{:?}", design.holdout);
    Ok(())
}

#[test]
fn baseline_runs_alone_do_not_pretend_to_know_the_split() -> Result<(), PlanError> {
    let design = quick(&runs().tuned[..8]).design()?;
    assert!(design.pairs.is_none() && design.holdout.assumed && design.holdout.multiple >= 8.0);
    assert!(design.paragraph().contains("cannot say"), "{}", design.paragraph());
    // Equal seeds are worth three times the runs here, and only the edits show it.
    let runs = runs();
    let paired = with_edits(quick(&runs.tuned), &runs.edits).design()?;
    assert!(paired.detectable.in_sigma < 0.75 * design.detectable.in_sigma);
    Ok(())
}

#[test]
fn blind_where_it_is_blind() -> Result<(), PlanError> {
    let runs = runs();
    let at = |gain: f64| quick(&runs.tuned).matters(gain).design();
    // Gains of a fifth of sigma, and of three.
    let (small, large) = (at(0.0018)?, at(0.027)?);
    assert!(small.is_blind() && !large.is_blind());
    let Some(Warning::Blind { needed: Some(needed), .. }) = small.warnings.first() else {
        panic!("{:?}", small.warnings)
    };
    let enough = quick(&runs.tuned).matters(0.0018).runs_per_proposal(*needed).design()?;
    assert!(!enough.is_blind() && *needed >= 512);
    Ok(())
}

#[test]
fn longer_runs_repeats_and_scalars() -> Result<(), PlanError> {
    let runs = runs();
    let mut some = measured(&runs.tuned[..12]);
    // The first four again on their seeds, a hair away.
    let again: Vec<_> = (0..4)
        .map(|i| {
            (
                some[i].0,
                some[i].1.units().expect("units").values().iter().map(|v| v + 1e-5).collect::<Vec<_>>(),
            )
        })
        .map(|(seed, values)| {
            let clusters: Vec<u64> = (0..values.len() as u64).map(|i| i / 2).collect();
            (seed, Measurement::new(values).and_then(|m| m.clusters(clusters)).expect("finite"))
        })
        .collect();
    some.extend(again);
    let longer = measured(&runs.plain).into_iter().map(|run| run.1);
    let design = Baseline::of(some).longer(2.0, longer).simulations(0).design()?;
    assert_eq!((design.runs, design.seeds), (16, 12));
    let repeats = design.repeats.expect("four repeats");
    assert!(repeats.runs == 4 && repeats.ratio < 0.01 && repeats.understate());
    assert!(design.warnings.iter().any(|w| matches!(w, Warning::RepeatsUnderstate { .. })));
    let longer = design.levers.longer.expect("longer runs");
    assert!(longer.low < longer.ratio && longer.ratio < longer.high);
    assert!(near(longer.break_even, longer.ratio * 2f64.sqrt(), 1e-12));

    let scalar = |row: &Row| (row.seed, Measurement::scalar(row.bits_per_byte[0]).expect("finite"));
    let design = Baseline::of(runs.tuned[..4].iter().map(scalar)).simulations(0).design()?;
    assert!(design.documents.is_none() && design.levers.twice_the_documents.is_none());
    let said = design.to_string();
    assert!(said.contains("almost unknown") && said.contains("per-document"), "{said}");
    Ok(())
}

/// An edit that shares one seed with the baseline says nothing of how differences scatter, and that is said.
#[test]
fn an_edit_with_a_single_pair_is_not_passed_over_in_silence() -> Result<(), PlanError> {
    let runs = runs();
    let edit = runs.edits.values().next().expect("an edit");
    let design = quick(&runs.tuned).edit(measured(&edit[..1])).design()?;
    assert!(design.pairs.is_none() && design.warnings.contains(&Warning::SinglePairs { edits: 1 }));
    let design = quick(&runs.tuned).edit(measured(edit)).edit(measured(&edit[..1])).design()?;
    assert_eq!(design.pairs.as_ref().map(|pairs| (pairs.edits, pairs.single)), Some((1, 1)));
    assert!(design.to_string().contains("share a single seed"), "{design}");
    Ok(())
}

#[test]
fn costs_and_the_whole_text() -> Result<(), Box<dyn std::error::Error>> {
    let runs = runs();
    let design = with_edits(Baseline::of(measured(&runs.tuned)).simulations(1), &runs.edits).design()?;
    assert_eq!(design.costs.len(), 8);
    for cost in &design.costs {
        assert!(cost.runs_per_proposal >= 1.0 && (0.0..=1.0).contains(&cost.found), "{cost:?}");
        assert_eq!(cost.runs_per_find.is_none(), cost.found == 0.0);
    }
    // Six such edits in one simulated study are too few to recommend a policy.
    assert!(design.costs.iter().all(|cost| cost.finds <= 6));
    assert!(design.paragraph().contains("which one is cheapest is not shown"), "{design}");
    let said = design.to_string();
    assert!(said.contains("Scout::new()") && said.contains("equal seeds"), "{said}");
    let again: EvaluationDesign = serde_json::from_str(&serde_json::to_string(&design)?)?;
    assert_eq!(again, design);
    Ok(())
}

#[test]
fn what_cannot_be_planned_says_what_to_do() {
    let runs = runs();
    let one_seed: Vec<_> = measured(&runs.tuned[..6]).into_iter().map(|run| (7, run.1)).collect();
    let error = |plan: Baseline| plan.simulations(0).design().expect_err("it cannot").to_string();
    assert!(error(Baseline::of(one_seed)).contains("6 baseline runs on 1 different seed(s)"));
    assert!(error(Baseline::of(Vec::new())).contains("better 8"));
    let same = (0..5).map(|seed| (seed, Measurement::scalar(2.5).expect("finite")));
    assert!(error(Baseline::of(same)).contains("the seed does not reach the training run"));
    let elsewhere = measured(&runs.tuned[..4]).into_iter().map(|run| (run.0 + 1000, run.1));
    assert!(error(quick(&runs.tuned).edit(elsewhere)).contains("edit 0"));
    let mut odd = measured(&runs.tuned[..4]);
    odd.push((99, Measurement::new([2.0, 3.0]).expect("finite")));
    assert!(error(Baseline::of(odd)).contains("same documents"));
    assert!(error(quick(&runs.tuned).alpha(0.0)).contains("alpha is 0"));
    assert!(error(quick(&runs.tuned).alpha(1e-10)).contains("1e-9"));
    let huge = |size: f64| (0..5).map(move |i| (i, Measurement::scalar(size * i as f64).expect("finite")));
    for size in [1e200, 1e-160] {
        let said = error(Baseline::of(huge(size)));
        assert!(said.contains("standard deviation of the baseline runs"), "{said}");
    }
    let shift = |(seed, run): (u64, Measurement)| {
        (seed, Measurement::scalar(run.objective() - 0.01).expect("finite"))
    };
    let scalar =
        |(seed, run): (u64, Measurement)| (seed, Measurement::scalar(run.objective()).expect("finite"));
    let scalars = Baseline::of(measured(&runs.tuned).into_iter().map(scalar));
    let said = error(scalars.edit(measured(&runs.tuned).into_iter().map(shift)));
    assert!(said.contains("edit 0") && said.contains("exact shift"), "{said}");
    assert!(error(quick(&runs.tuned).matters(-1.0)).contains("matters is -1"));
    assert!(error(quick(&runs.tuned).runs_per_proposal(2)).contains("runs_per_proposal is 2"));
    assert!(error(quick(&runs.tuned).compare([8, 3])).contains("to compare is 3"));
    assert!(error(quick(&runs.tuned).longer(2.0, [])).contains("longer run"));
}

/// Turned over, an accuracy is the same plan.
#[test]
fn direction_turns_gains_only() -> Result<(), PlanError> {
    let runs = runs();
    let turned = |rows: &[Row]| {
        let flip =
            |row: &Row| Row { seed: row.seed, bits_per_byte: row.bits_per_byte.iter().map(|v| -v).collect() };
        rows.iter().map(flip).collect::<Vec<_>>()
    };
    let edits = runs.edits.iter().map(|(k, rows)| (k.clone(), turned(rows))).collect();
    let up = with_edits(quick(&turned(&runs.tuned)).direction(Direction::Maximize), &edits).design()?;
    let down = with_edits(quick(&runs.tuned), &runs.edits).design()?;
    assert_eq!((up.sigma, up.pairs, up.detectable), (down.sigma, down.pairs, down.detectable));
    Ok(())
}
