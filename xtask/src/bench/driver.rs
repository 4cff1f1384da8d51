//! `cargo xtask bench driver`: what the loop around the user's code costs, beside Optuna's.
//!
//! The measured code is the benchmark `driver` of `autoresearch-core`, which also runs under plain `cargo bench`; this
//! runs it, times Optuna beside it, and says which bounds are kept.
use super::figures::{self, Shown};
use super::optuna;
use anyhow::Result;
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
    let mut shown = Shown::begin(args.json);
    let measured =
        figures::of_bench(&["autoresearch-core", "--all-features"], "driver", args.only.as_deref())?;
    measured.iter().for_each(|figure| shown.show(figure));
    if let Some(ours) = figures::value(&measured, "state machine") {
        match optuna::trials_per_second() {
            Ok(theirs) => against_optuna(ours, theirs).iter().for_each(|figure| shown.show(figure)),
            Err(why) => eprintln!("SKIPPED: the comparison with Optuna: {why:#}"),
        }
    }
    Ok(shown.end())
}

fn against_optuna(ours: f64, theirs: f64) -> [Value; 2] {
    let times = ours / theirs;
    [
        json!({ "name": "Optuna, ask and tell, RandomSampler in memory", "value": theirs, "unit": "trials/s" }),
        figures::at_least("state machine against Optuna", times, TIMES_OPTUNA),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::figures::row;
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
