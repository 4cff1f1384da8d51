//! `cargo xtask bench plan`: what evaluation design says before a search, held against what happens then.
use super::{plan_real, pool};
use anyhow::{Context, Result};
use autoresearch_core::Measurement;
use autoresearch_core::plan::{Baseline, EvaluationDesign};
use autoresearch_core::stats::{Moments, paired_t};
use autoresearch_core::testkit::landscape::{Landscape, Mixture, Noise, World};
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

/// Jobs that the repetitions of a row are dealt into.
const BATCHES: usize = 40;
/// Runs that a world's true sigma is taken from.
const MANY: u64 = 2000;
/// Mild edits with so many pairs each, where the plan is given any.
const EDITS: u32 = 6;
const PAIRS: u64 = 4;
pub(super) const LEVEL: f64 = 0.01;

/// The options of `cargo xtask bench plan`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Plan {
    /// Simulated proposals of each row, each in a world of its own
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..))]
    reps: u32,
    /// Real runs, one a line: `tag` (`P` plain, `T` tuned, `E:..` and `N:..` edits), `seed`, `vc` (two values a document)
    #[arg(long)]
    runs: Option<PathBuf>,
    /// One JSON object a line, not a table
    #[arg(long)]
    json: bool,
}

/// What became of one plan.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Outcome {
    /// Whether sigma's interval contained sigma.
    pub(super) covered: bool,
    /// Whether a proposal of the smallest detectable effect was found.
    pub(super) found: bool,
    /// The effect, in true sigma.
    pub(super) effect: f64,
}

/// A row of the table: plans of one kind.
struct Row<'a> {
    name: String,
    play: Box<dyn Fn(u64) -> Result<Outcome> + Sync + 'a>,
}

/// Plays all rows.
pub(super) fn run(args: &Plan) -> Result<ExitCode> {
    let real = args.runs.as_ref().map(|path| plan_real::Real::read(path)).transpose()?;
    let mut rows = Vec::new();
    for runs in [8, 16, 32] {
        let name = format!("measured, {runs} baseline runs");
        rows.push(Row { name, play: Box::new(move |rep| simulated(rep, runs, false)) });
        let name = format!("measured, {runs} runs, {EDITS} edits x {PAIRS} equal seeds");
        rows.push(Row { name, play: Box::new(move |rep| simulated(rep, runs, true)) });
    }
    if let Some(real) = &real {
        for tag in ["T", "P"] {
            let name = format!("real runs of {tag}, 8 drawn");
            rows.push(Row { name, play: Box::new(move |rep| real.unpaired(tag, rep)) });
        }
        let name = "real edits of T, each planned from the others".into();
        rows.push(Row { name, play: Box::new(|rep| real.paired(rep)) });
    }
    if !args.json {
        println!("{:50} {:>6} {:>8} {:>8} {:>8}", "plan", "reps", "found", "covered", "effect");
    }
    let play = |job: usize| {
        let (row, batch) = (&rows[job / BATCHES], job % BATCHES);
        let at = |batch: usize| batch as u64 * u64::from(args.reps) / BATCHES as u64;
        (at(batch)..at(batch + 1)).map(|rep| (row.play)(rep)).collect::<Result<Vec<_>>>()
    };
    pool::each(rows.len(), BATCHES, play, |row, batches| print(args, &rows[row].name, &batches.concat()))?;
    if let Some(real) = &real {
        real.say(args.json)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print(args: &Plan, name: &str, outcomes: &[Outcome]) {
    let n = outcomes.len() as f64;
    let share = |of: fn(&Outcome) -> bool| outcomes.iter().filter(|o| of(o)).count() as f64 / n;
    let (found, covered) = (share(|o| o.found), share(|o| o.covered));
    let effect = outcomes.iter().map(|o| o.effect).sum::<f64>() / n;
    if args.json {
        println!(
            "{}",
            json!({"plan": name, "reps": n, "found": found, "covered": covered, "effect": effect})
        );
    } else {
        println!("{name:50} {n:>6} {found:>8.3} {covered:>8.3} {effect:>8.2}");
    }
}

/// A plan from `runs` runs of the baseline (and some edits) of a world, and one proposal of the smallest effect that it
/// says it can tell.
fn simulated(rep: u64, runs: u64, edits: bool) -> Result<Outcome> {
    let world = Landscape::new(Mixture::Measured, rep).noise(Noise::Measured);
    let (baseline, scalar) = (world.baseline(), |loss: f64| Measurement::scalar(loss).context("a loss"));
    let run = |seed: u64| Ok((seed, scalar(world.loss(&baseline, seed, 0))?));
    let mut plan =
        Baseline::of((0..runs).map(run).collect::<Result<Vec<_>>>()?).simulations(0).compare([]).alpha(LEVEL);
    if edits {
        for edit in 1..=EDITS {
            let candidate = world.propose(edit, &baseline);
            let run = |seed: u64| Ok((seed, scalar(world.loss(&candidate, seed, 0))?));
            plan = plan.edit((0..PAIRS).map(run).collect::<Result<Vec<_>>>()?);
        }
    }
    let design = plan.design()?;
    // Runs that nobody has seen yet. The proposal is an edit of the world whose gain is made to be the stated one.
    let sigma = (1_000..1_000 + MANY).map(|seed| world.loss(&baseline, seed, 0)).collect::<Moments>().sd();
    let candidate = world.propose(0, &baseline);
    let shift = world.gain(&candidate) - design.detectable.effect;
    let pairs = u64::from(design.detectable.runs / 2);
    let losses = |of: &_, first: u64, shift: f64| -> Vec<f64> {
        (first..first + pairs).map(|seed| world.loss(of, seed, 0) + shift).collect()
    };
    let theirs = losses(&baseline, 100_000, 0.0);
    let own = losses(&candidate, if edits { 100_000 } else { 200_000 }, shift);
    outcome(&design, sigma.context("many runs")?, &own, &theirs)
}

/// What the plan's own test says, and whether it knew sigma.
pub(super) fn outcome(
    design: &EvaluationDesign,
    sigma: f64,
    candidate: &[f64],
    incumbent: &[f64],
) -> Result<Outcome> {
    let s = &design.sigma;
    Ok(Outcome {
        covered: s.low <= sigma && sigma <= s.high,
        found: paired_t(candidate, incumbent)?.p <= LEVEL,
        effect: design.detectable.effect / sigma,
    })
}
