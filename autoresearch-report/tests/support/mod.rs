//! Studies to report on.
#![allow(dead_code, clippy::unwrap_used)]

#[cfg(unix)]
pub(crate) mod browser;
pub(crate) mod policies;
pub(crate) mod svg;

use autoresearch_core::*;
use serde_json::{Value, json};

/// A noisy function of two settings; one value a document, 6 for each of three splits.
fn losses(set: &Value, seed: u64) -> Result<Vec<f64>, RunFailure> {
    let (rate, decay) = (set["rate"].as_f64().unwrap(), set["decay"].as_f64().unwrap());
    if rate > 0.8 {
        return Err(RunFailure::candidate("the loss is NaN").kind(FailureKind::InvalidMetric));
    }
    let own = rate * 1e4 + decay * 1e3;
    let noise = |i: u64| (((seed % 99_991 + 1) * 97 + i * 31) as f64 * 78.233 + own).sin() * 0.02;
    Ok((0..18)
        .map(|i| (rate.log10() + 2.5).abs() * 0.3 + (decay - 0.3).abs() + noise(0) + noise(i + 1))
        .collect())
}

fn part(from: usize) -> impl Evaluator<Vec<f64>> {
    evaluator_fn(move |l: &Vec<f64>| Ok(Measurement::new(l[from..from + 6].iter().copied())?))
}

/// Proposals that change one setting or the other, with titles of their own.
fn steps(title: impl Fn(u64) -> String + Send + 'static) -> impl Proposer<Value> {
    proposer_fn(move |cx: ProposeContext<'_, Value>| {
        let mut next = cx.incumbent.clone();
        let key = if cx.seed.is_multiple_of(2) { "rate" } else { "decay" };
        let factor = [0.5, 0.7, 1.3, 2.0][(cx.seed / 2 % 4) as usize];
        next[key] = json!(next[key].as_f64().unwrap() * factor);
        let title = title(cx.proposals + 1);
        let proposal = Proposal::new(next).title(title).rationale("a step").tag(key).expecting(0.01 * factor);
        Ok(proposal.into())
    })
}

/// A study of so many runs.
pub(crate) fn study(runs: u64, title: impl Fn(u64) -> String + Send + 'static) -> Study<Value, Vec<f64>> {
    let train = executor_fn(|set: Value, run| async move { losses(&set, run.seed) });
    Study::new(json!({"rate": 0.5, "decay": 0.9}), steps(title), train, part(0))
        .holdout(part(6))
        .test_split(part(12))
        .limits(Limits::new().runs(runs))
}

/// A store with so many proposals, as a greedy study of one run each would leave it; quick to make.
pub(crate) fn large(proposals: u64, title: impl Fn(u64) -> String) -> Vec<Event<Value>> {
    let settings = Settings::new().holdout(Holdout::new()).limits(Limits::new().runs(proposals));
    let mut events: Vec<Event<Value>> = vec![event(json!({
        "event": "opened", "study": "large", "baseline": {"rate": 0.1}, "settings": settings,
        "policy": "greedy k=1", "executor": "none",
    }))];
    let mut version = 0;
    let finished = |id: u64, arm: Value, version: u32, objective: f64| {
        event(json!({
            "event": "finished", "attempt": 0, "seconds": 300.0, "elapsed": 300.0 * id as f64,
            "run": {"id": id, "arm": arm, "version": version, "seed": id, "role": "screen"},
            "outcome": {"Ok": {"objective": objective}},
        }))
    };
    events.push(finished(1, json!([]), 0, 3.0));
    for id in 1..=proposals {
        let luck = ((id * 7919) as f64 * 12.9898).sin();
        let kept = id % 50 == 0;
        let gain = if kept { 0.004 } else { -0.02 * luck.abs() };
        events.push(event(json!({
            "event": "proposed", "first": id, "on": [], "version": version,
            "proposals": [{"candidate": {"rate": 0.1 + luck}, "hypothesis": {"title": title(id), "rationale": title(id), "expected": 0.003}}],
        })));
        events.push(finished(
            id + 1,
            json!([{"proposal": id}]),
            version,
            3.0 - f64::from(version) * 0.004 - gain,
        ));
        version += u32::from(kept);
        events.push(event(json!({
            "event": "settled", "proposal": id, "fate": if kept { "kept" } else { "rejected" }, "version": version,
            "effect": {"mean": gain, "low": gain - 0.01, "high": gain + 0.01, "level": 0.95, "runs": 1, "fresh": false},
            "runs": 1, "reason": format!("gain {gain:+.4} on one run of proposal {id}"),
        })));
    }
    events
}

fn event(value: Value) -> Event<Value> {
    serde_json::from_value(value).unwrap()
}

/// All of it in memory.
pub(crate) async fn stored(events: Vec<Event<Value>>) -> MemoryStore<Value> {
    let store = MemoryStore::new();
    store.append(Seq(0), &events).await.unwrap();
    store
}

/// Texts that have broken pages before.
pub(crate) const HOSTILE: [&str; 9] = [
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "\" onmouseover=\"alert(1)",
    "a ]]> <!-- --> &lt;b&gt; & é",
    "\u{202e}right to left\u{2066}",
    "tab\tand\nnewline\u{0}and\u{1b}[31mbell\u{7}",
    "| a | table | [link](javascript:alert(1)) `code` **bold**",
    "\u{fffe}\u{ffff}\u{2028}\u{2029}",
    "",
];
