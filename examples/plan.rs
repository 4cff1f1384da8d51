//! Is my metric good enough to search on? Eight baseline runs, asked before the search.
//!
//! `cargo run --release --example plan` plans on simulated runs; `... -- runs.jsonl [gain that matters]` on yours, a run
//! a line: `{"seed": 3, "values": [2.81, 2.76, 2.90]}`, one value a document, in the order in which they ran, and
//! with `"edit": "swiglu"` besides for a run of a mild edit on one of the baseline's seeds.

use autoresearch::{Measurement, plan::Baseline};
use std::collections::BTreeMap;
use std::process::ExitCode;

#[derive(serde::Deserialize)]
struct Line {
    seed: u64,
    values: Vec<f64>,
    edit: Option<String>,
}

/// Bits per byte of 12 documents: what the text is like, what the run is like, what the run makes of each document.
fn simulated(seed: u64, edit: Option<(&str, f64)>) -> Line {
    let noise = |stream: u64, i: u64| -> f64 {
        let uniform =
            |k: u64| ((stream * 7919 + i * 104_729 + k * 15_485_863) as f64 * 12.9898).sin() * 43_758.545;
        (0..12).map(|k| uniform(k).rem_euclid(1.0)).sum::<f64>() - 6.0 // a sum of twelve is about Gaussian
    };
    // An edit shares two thirds of the run's randomness with the baseline.
    let (own, gain) = edit.map_or((0, 0.0), |(name, gain)| (name.len() as u64, gain));
    let of_run = 0.8 * noise(1, seed) + 0.6 * noise(2 + own, seed);
    let value = |d: u64| {
        2.84 + 0.12 * noise(100, d)
            + 0.007 * of_run
            + 0.02 * (0.8 * noise(200 + d, seed) + 0.6 * noise(300 + own, 50 * seed + d))
            - gain
    };
    Line { seed, values: (0..12).map(value).collect(), edit: edit.map(|(name, _)| name.into()) }
}

const USAGE: &str = "usage: plan [RUNS.jsonl [GAIN THAT MATTERS]]";

fn main() -> ExitCode {
    match run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(text) => {
            println!("{}", text.trim_end());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<String, Box<dyn std::error::Error>> {
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        return Ok(USAGE.into());
    }
    if let Some(option) = args.iter().find(|arg| arg.starts_with("--")) {
        return Err(format!("unknown option {option}\n{USAGE}").into());
    }
    if args.len() > 2 {
        return Err(format!("a file and a gain are expected, not {} arguments\n{USAGE}", args.len()).into());
    }
    let lines: Vec<Line> = match args.first() {
        Some(path) => read(path)?,
        None => {
            let edits = [("rope", 0.004), ("swiglu", 0.01), ("no bias", -0.002)];
            let of_edits = edits.iter().flat_map(|edit| (0..4).map(|seed| simulated(seed, Some(*edit))));
            (0..8).map(|seed| simulated(seed, None)).chain(of_edits).collect()
        }
    };
    let matters = match args.get(1) {
        Some(gain) => {
            gain.parse().map_err(|_| format!("the gain that matters is {gain}; a number is expected"))?
        }
        None => 0.005,
    };

    let (mut baseline, mut edits) = (Vec::new(), BTreeMap::<String, Vec<_>>::new());
    for line in lines {
        let run = (line.seed, Measurement::new(line.values)?);
        match line.edit {
            None => baseline.push(run),
            Some(edit) => edits.entry(edit).or_default().push(run),
        }
    }
    let plan = Baseline::of(baseline).matters(matters);
    let plan = edits.into_values().fold(plan, Baseline::edit);
    Ok(plan.design()?.to_string())
}

fn read(path: &str) -> Result<Vec<Line>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))?;
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(n, line)| serde_json::from_str(line).map_err(|error| format!("{path}, line {n}: {error}")))
        .collect()
}
