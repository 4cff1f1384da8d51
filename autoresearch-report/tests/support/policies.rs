//! Studies by real policies: a night of training in a moment, on a recipe of twelve settings of which five matter.

use autoresearch_core::*;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Which policy a study is judged by.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Policy {
    Guarded,
    Factorial,
    Scout,
    Greedy,
}

/// A finished study with all that a report can be given.
pub(crate) struct Recorded {
    /// What the study itself said at its end.
    pub(crate) told: autoresearch_core::Report<Value>,
    /// What its certification found.
    pub(crate) certified: Certified<Value>,
}

/// One edit that somebody may propose: a setting, its new value, what it brings, why, and what is expected of it.
struct Edit(&'static str, Value, f64, &'static str, &'static str, f64);

const CODE: &str = "def rate(step, steps):\n    return base\n";
const COSINE: &str =
    "def rate(step, steps):\n    return base * 0.5 * (1 + math.cos(math.pi * step / steps))\n";

/// Effects in nats; a run scatters by 0.004.
fn edits() -> Vec<Edit> {
    let edit = Edit;
    vec![
        edit(
            "rate",
            json!(0.002),
            0.018,
            "Learning rate 2e-3",
            "The loss still falls fast at the end.",
            0.01,
        ),
        edit(
            "rate",
            json!(0.004),
            0.006,
            "Learning rate 4e-3",
            "If twice is good, four times may be better.",
            0.01,
        ),
        edit(
            "schedule",
            json!(COSINE),
            0.025,
            "Cosine decay to zero",
            "Late steps are noisy at a constant rate.",
            0.03,
        ),
        edit(
            "warmup",
            json!(0.05),
            0.011,
            "Warm up over 5 % of the steps",
            "The first steps are the roughest.",
            0.005,
        ),
        edit("warmup", json!(0.3), -0.006, "Warm up over 30 % of the steps", "More of a good thing.", 0.01),
        edit(
            "beta2",
            json!(0.95),
            0.008,
            "Adam's second beta 0.95",
            "Shorter memory suits short runs.",
            0.008,
        ),
        edit("decay", json!(0.1), 0.007, "Weight decay 0.1", "As in most published recipes.", 0.004),
        edit("clip", json!(1.0), 0.001, "Clip gradients at 1", "Protects against rare spikes.", 0.002),
        edit("dropout", json!(0.1), -0.014, "Dropout 0.1", "Regularises.", 0.01),
        edit("dropout", json!(0.2), -0.03, "Dropout 0.2", "Regularises more.", 0.005),
        edit("smoothing", json!(0.1), -0.02, "Label smoothing 0.1", "Helps calibration.", 0.002),
        edit("batch", json!(64), -0.009, "Twice the batch", "Less gradient noise.", 0.01),
        edit(
            "init",
            json!(0.01),
            0.0,
            "Half the initial scale",
            "Smaller residual branches at the start.",
            0.003,
        ),
        edit("epsilon", json!(1e-6), 0.0, "Adam's epsilon 1e-6", "Numerical stability.", 0.0005),
        edit("width", json!(4096), 0.0, "Width 4096", "Wider is better.", 0.05),
        edit("heads", json!(8), 0.0005, "Eight heads", "More patterns to attend to.", 0.002),
    ]
}

fn baseline() -> Value {
    json!({
        "rate": 0.001, "schedule": CODE, "warmup": 0.0, "beta2": 0.999, "decay": 0.0, "clip": 0.0, "dropout": 0.0,
        "smoothing": 0.0, "batch": 32, "init": 0.02, "epsilon": 1e-8, "width": 64, "heads": 4,
    })
}

/// Four random numbers' sum, with standard deviation 1 (SplitMix64, Steele, Lea and Flood 2014).
fn noise(seed: u64, what: u64) -> f64 {
    let draw = |i: u64| {
        let mut z = seed.wrapping_add((what * 4 + i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as f64 / u64::MAX as f64 - 0.5
    };
    (0..4).map(draw).sum::<f64>() * 3f64.sqrt()
}

fn own(recipe: &Value) -> u64 {
    recipe.to_string().bytes().fold(7, |h: u64, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

/// Twelve documents' losses for each of three splits. `drift` is what the machine has come to.
fn losses(recipe: &Value, seed: u64, drift: f64) -> Result<Vec<f64>, RunFailure> {
    if recipe["width"].as_u64() > Some(1024) {
        return Err(RunFailure::candidate("CUDA out of memory: tried to allocate 9.41 GiB")
            .kind(FailureKind::OutOfMemory));
    }
    let gain: f64 = edits().iter().filter(|edit| recipe[edit.0] == edit.1).map(|edit| edit.2).sum();
    let own = own(recipe);
    let run = 0.003 * (noise(seed, 0) + noise(seed ^ own, 1)) + drift;
    // Some of what a candidate does to one split it does not do to the others.
    let luck = |split: u64| 0.0015 * noise(own, 90 + split);
    Ok((0..36)
        .map(|i| 1.6 - gain + run + luck(i / 12) + 0.004 * noise(seed ^ own, i + 2) + 0.05 * (i as f64).sin())
        .collect())
}

fn part(from: usize) -> impl Evaluator<Vec<f64>> {
    evaluator_fn(move |l: &Vec<f64>| {
        Ok(Measurement::new(l[from..from + 12].iter().copied())?.metric("memory_gb", 3.4 + l[0])?)
    })
}

/// A study of `runs` runs of five minutes each, by a proposer that is paid for; `drift` nats in a hundred runs.
pub(crate) fn night(policy: Policy, runs: u64, drift: f64) -> Study<Value, Vec<f64>> {
    let ended = Arc::new(AtomicU64::new(0));
    let train = executor_fn(move |recipe: Value, run: RunContext| {
        let ended = ended.clone();
        async move {
            let n = ended.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_secs(290 + run.seed % 20)).await;
            if run.seed % 97 == 13 && run.attempt == 0 {
                return Err(RunFailure::infrastructure("the node went away"));
            }
            let steps = if run.fidelity.is_some() { 0.6 } else { 1.0 };
            let there = losses(&recipe, run.seed, drift / 100.0 * n as f64)?;
            Ok(there.into_iter().map(|loss| 1.0 + (loss - 1.0) * steps).collect())
        }
    });
    let mut next = 0;
    let mut moot = 0;
    let propose = proposer_fn(move |cx: ProposeContext<'_, Value>| {
        let all = edits();
        for _ in 0..all.len() {
            // A stride that shares no factor with the number of edits: each comes once a round.
            let Edit(key, value, _, title, why, expected) = &all[next * 7 % all.len()];
            next += 1;
            if cx.incumbent[*key] == *value {
                moot += 1;
                if moot % 5 == 0 {
                    cx.remark(format!("`{key}` has that value already; another answer was asked for"));
                }
                continue;
            }
            cx.charge(0.0125, "a language model");
            let mut candidate = cx.incumbent.clone();
            candidate[*key] = value.clone();
            let proposal =
                Proposal::new(candidate).title(*title).rationale(*why).expecting(*expected).tag(*key);
            let proposal =
                if value.is_string() { proposal } else { proposal.changing(format!("{key} = {value}")) };
            return Ok(proposal.into());
        }
        Ok(Proposed::Exhausted)
    });
    let study = Study::new(baseline(), propose, train, part(0))
        .compose(FieldMerge::new())
        .holdout(part(12))
        .test_split(part(24))
        .in_flight(2)
        .limits(Limits::new().runs(runs).money(50.0));
    match policy {
        Policy::Guarded => study.acceptor(Guarded::new()),
        Policy::Factorial => study.acceptor(Factorial::new()),
        Policy::Scout => study.acceptor(Scout::new()),
        Policy::Greedy => study.acceptor(Greedy::new()),
    }
}

/// Runs such a study into the file at `path`, and certifies it. Time must be paused.
pub(crate) async fn record(policy: Policy, runs: u64, drift: f64, path: &Path) -> Recorded {
    let study = || night(policy, runs, drift).store(SqliteStore::open(path).unwrap());
    let told = study().run().await.unwrap();
    let certified =
        certify(study()).leave_one_out().transfer_to(Fidelity::steps(10_000)).run().await.unwrap();
    Recorded { told, certified }
}
