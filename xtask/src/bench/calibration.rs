//! `cargo xtask bench calibration`: whether tests and policies keep their levels where nothing is to be found.
use super::pool;
use anyhow::{Result, bail};
use autoresearch_core::testkit::calibrate::suite::{self, Check, Tally};
use serde_json::json;
use std::process::ExitCode;

/// Jobs that the repetitions of a check are dealt into.
const BATCHES: usize = 40;
/// Checks this many times dearer than a plain test, those of whole streams of proposals, get a tenth of the repetitions.
const DEAR: u32 = 100;

/// The options of `cargo xtask bench calibration`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Calibration {
    /// Repetitions of each test; of a policy's whole streams a tenth
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..))]
    reps: u32,
    /// Only tests with this in their name
    #[arg(long)]
    test: Option<String>,
    /// One JSON object a line, test and level, not a table
    #[arg(long)]
    json: bool,
}

/// Plays the suite. Fails if a test does not keep the level that it promises.
pub(super) fn run(args: &Calibration) -> Result<ExitCode> {
    let is_meant = |check: &Check| args.test.as_ref().is_none_or(|part| check.test().contains(part.as_str()));
    let checks: Vec<Check> = suite::checks().into_iter().filter(is_meant).collect();
    if checks.is_empty() {
        bail!("no test has {:?} in its name", args.test.as_deref().unwrap_or_default());
    }
    if !args.json {
        println!("{}", header(args.reps));
    }
    let reps = |check: &Check| {
        if check.relative_cost() < DEAR { args.reps } else { args.reps.div_ceil(10) }
    };
    let play = |job: usize| {
        let (check, batch) = (&checks[job / BATCHES], job % BATCHES);
        let at = |batch: usize| (batch as u64 * u64::from(reps(check)) / BATCHES as u64) as u32;
        Ok(check.play(at(batch)..at(batch + 1))?)
    };
    let mut broken = 0;
    pool::each(checks.len(), BATCHES, play, |index, sums| {
        let check = &checks[index];
        for tally in check.tally(&total(&sums), reps(check)) {
            broken += usize::from(!tally.is_ok());
            println!("{}", if args.json { as_json(check, &tally) } else { row(check, &tally) });
        }
    })?;
    if broken > 0 {
        eprintln!("{broken} levels are not kept");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// The errors of all batches, level by level.
fn total(batches: &[Vec<f64>]) -> Vec<f64> {
    let mut total = batches.first().cloned().unwrap_or_default();
    for batch in batches.iter().skip(1) {
        total.iter_mut().zip(batch).for_each(|(sum, errors)| *sum += errors);
    }
    total
}

fn header(reps: u32) -> String {
    let columns = format!(
        "{:50} {:9} {:>7} {:>9} {:>7} {:>9} {:>9}  {}",
        "test", "noise", "level", "errors", "reps", "rate", "bound", "ok"
    );
    format!(
        "{reps} repetitions; a rate above its bound has a probability below 1/1000 at the level\n\n{columns}"
    )
}

/// What is to be said of a level: kept, broken, or broken as it is known to be.
fn verdict(tally: &Tally) -> &'static str {
    match (tally.is_kept(), tally.promised) {
        (true, true) => "yes",
        (true, false) => "kept, not promised",
        (false, true) => "NO",
        (false, false) => "exceeded, not promised",
    }
}

fn row(check: &Check, tally: &Tally) -> String {
    let (test, noise) = (check.test(), format!("{:?}", check.noise()).to_lowercase());
    let digits = if tally.errors.fract() == 0.0 { 0 } else { 1 };
    format!(
        "{test:50} {noise:9} {:>7.4} {:>9.digits$} {:>7} {:>9.5} {:>9.5}  {}",
        tally.level,
        tally.errors,
        tally.repetitions,
        tally.rate(),
        tally.bound(),
        verdict(tally)
    )
}

fn as_json(check: &Check, tally: &Tally) -> String {
    json!({
        "test": check.test(),
        "noise": format!("{:?}", check.noise()).to_lowercase(),
        "level": tally.level,
        "errors": tally.errors,
        "reps": tally.repetitions,
        "rate": tally.rate(),
        "bound": tally.bound(),
        "promised": tally.promised,
        "ok": tally.is_ok(),
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    #[test]
    fn batches_add_up() {
        assert_eq!(super::total(&[vec![1.0, 0.5], vec![2.0, 0.25], vec![0.0, 0.0]]), [3.0, 0.75]);
    }
}
