//! `cargo xtask bench driver`: what the loop around the user's code costs, beside Optuna's.
//!
//! The measured code is the benchmark `driver` of `autoresearch-core`, which also runs under plain `cargo bench`; this
//! runs it, times Optuna beside it, and says which bounds are kept.
use super::optuna;
use crate::process;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::process::ExitCode;

/// How many times as fast as Optuna the state machine is to be.
const TIMES_OPTUNA: f64 = 20.0;

/// The options of `cargo xtask bench driver`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Driver {
    /// Only measures with this in their name: machine, growth, tokio, append, grouped, resume
    #[arg(long)]
    only: Option<String>,
    /// One JSON object a line and figure, not a table
    #[arg(long)]
    json: bool,
}

/// Measures. Fails if a bound is not kept.
pub(super) fn run(args: &Driver) -> Result<ExitCode> {
    let mut missed = 0;
    let mut show = |figure: &Value| {
        missed += usize::from(figure["ok"] == false);
        println!("{}", if args.json { figure.to_string() } else { row(figure) });
    };
    if !args.json {
        println!("{:58} {:>14} {:10} {:18} ok", "figure", "value", "unit", "bound");
    }
    let figures = measure(args.only.as_deref())?;
    figures.iter().for_each(&mut show);
    let machine = figures.iter().find(|figure| figure["name"] == "state machine");
    if let Some(ours) = machine.and_then(|figure| figure["value"].as_f64()) {
        match optuna::trials_per_second() {
            Ok(theirs) => against_optuna(ours, theirs).iter().for_each(&mut show),
            Err(why) => eprintln!("SKIPPED: the comparison with Optuna: {why:#}"),
        }
    }
    if missed > 0 {
        eprintln!("{missed} bounds are not kept");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// The figures of the benchmark, one JSON object each.
fn measure(only: Option<&str>) -> Result<Vec<Value>> {
    let mut cargo = process::cargo();
    cargo.args(["bench", "--quiet", "--package", "autoresearch-core", "--all-features", "--bench", "driver"]);
    cargo.args(["--", "--json"]);
    if let Some(only) = only {
        cargo.args(["--only", only]);
    }
    let told = process::capture(&mut cargo)?;
    told.lines()
        .map(|line| serde_json::from_str(line).with_context(|| format!("no figure: {line}")))
        .collect()
}

fn against_optuna(ours: f64, theirs: f64) -> [Value; 2] {
    let times = ours / theirs;
    [
        json!({ "name": "Optuna, ask and tell, RandomSampler in memory", "value": theirs, "unit": "trials/s" }),
        json!({
            "name": "state machine against Optuna", "value": times, "unit": "times",
            "at_least": TIMES_OPTUNA, "ok": times >= TIMES_OPTUNA,
        }),
    ]
}

fn row(figure: &Value) -> String {
    let text = |key: &str| figure[key].as_str().unwrap_or_default();
    let bound = match (figure["at_least"].as_f64(), figure["at_most"].as_f64()) {
        (Some(bound), _) => format!("at least {bound}"),
        (_, Some(bound)) => format!("at most {bound}"),
        _ => String::new(),
    };
    let ok = figure["ok"].as_bool().map_or("", |ok| if ok { "yes" } else { "NO" });
    let value = figure["value"].as_f64().unwrap_or(f64::NAN);
    format!("{:58} {value:>14.3} {:10} {bound:18} {ok}", text("name"), text("unit")).trim_end().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_bound_is_seen() {
        let [_, times] = against_optuna(190_000.0, 10_000.0);
        assert_eq!(times["ok"], false);
        assert!(row(&times).ends_with("19.000 times      at least 20        NO"), "{}", row(&times));
        let [theirs, times] = against_optuna(300_000.0, 10_000.0);
        assert_eq!(times["ok"], true);
        assert!(row(&theirs).ends_with("10000.000 trials/s"), "{}", row(&theirs));
    }
}
