//! `cargo xtask bench certify`: whether a certification's claims hold, on studies whose truth is known.
use super::pool;
use super::scenario::{AnyWorld, Scenario};
use super::{cell, names, policy};
use anyhow::{Context, Result};
use autoresearch_core::testkit::landscape::{Rules, World, simulate_recorded};
use autoresearch_core::{
    Acceptor, Action, Certification, Certified, CertifyRules, Measurement, PartVerdict, Seeds,
};
use serde_json::json;
use std::process::ExitCode;

/// Runs that stand for all seeds: what they leave open is small beside the intervals of 8.
const SEEDS: u64 = 2_000;

/// The options of `cargo xtask bench certify`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Certify {
    /// Which policies' studies are certified: several of them, separated by commas, or `all`
    #[arg(long, value_delimiter = ',', default_value = "greedy,guarded,scout", value_parser = names::parser(policy::names()))]
    policy: Vec<String>,
    /// In which worlds: mixed, neutral, redundant, clash, t4, hetero, measured, slots35
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "mixed,neutral,redundant,clash,t4,hetero,measured,slots35"
    )]
    world: Vec<String>,
    /// Runs of each study before it is certified
    #[arg(long, default_value_t = 400)]
    runs: u64,
    /// Simulated studies of each cell
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    reps: u32,
    /// One JSON object a line and cell, not a table
    #[arg(long)]
    json: bool,
}

/// A certified study against the truth.
#[derive(Debug, Default, Clone, Copy)]
struct Played {
    parts: usize,
    stands: usize,
    junk: usize,
    /// Of what was kept before.
    kept_junk: usize,
    kept_units: usize,
    runs: u64,
    /// Runs for parts beyond two a part.
    beyond: u64,
    /// Whether the total of what was kept, and of what stands, was covered, where it was claimed.
    kept_covered: Option<bool>,
    claim_covered: Option<bool>,
    kept_gain: f64,
    gain: f64,
    ratio: Option<f64>,
}

/// Plays and prints every cell.
pub(super) fn run(args: &Certify) -> Result<ExitCode> {
    let policies = names::chosen(&args.policy, policy::names());
    let cells: Vec<(&str, &str)> =
        args.world.iter().flat_map(|w| policies.iter().map(move |p| (w.as_str(), p.as_str()))).collect();
    if !args.json {
        println!("{}", header(args));
    }
    let reps = args.reps as usize;
    let play = |job: usize| {
        let (world, policy) = cells[job / reps];
        one(world, policy, args.runs, (job % reps) as u64)
    };
    pool::each(cells.len(), reps, play, |cell, played| {
        let (world, policy) = cells[cell];
        println!("{}", if args.json { as_json(world, policy, &played) } else { row(world, policy, &played) });
    })?;
    Ok(ExitCode::SUCCESS)
}

fn one(world: &str, policy: &str, runs: u64, seed: u64) -> Result<Played> {
    let options = |interactions: &str, noise: &str| cell::Options {
        sigma_v: Some(0.0),
        noise: noise.into(),
        interactions: interactions.into(),
        seeds: "equal".into(),
        tau: 0.0,
        conflicts: 0.0,
        missing: 0.0,
        budget: Some(runs),
        proposals: None,
        seed: 0,
    };
    let (scenario, options) = match world {
        "redundant" | "clash" => ("mixed", options(world, "gaussian")),
        "t4" | "hetero" => ("mixed", options("none", world)),
        other => (other, options("none", "gaussian")),
    };
    let scenario = Scenario::named(scenario).with_context(|| format!("there is no world {world:?}"))?;
    let options = scenario.applicable(&options);
    let acceptor = policy::make(policy, Seeds::Equal).context("a policy")?;
    match scenario.world(&options, 0x00CE_4714 + seed) {
        AnyWorld::Edits(world) => play(&world, acceptor, runs, seed),
        AnyWorld::Slots(world) => play(&world, acceptor, runs, seed),
        AnyWorld::Searched(world) => play(&world, acceptor, runs, seed),
    }
}

fn play<W: World>(world: &W, acceptor: Box<dyn Acceptor>, runs: u64, seed: u64) -> Result<Played> {
    let rules = Rules::budget(runs).without_holdout().seed(seed);
    let mut events = Vec::new();
    simulate_recorded(world, acceptor, &rules, &mut events)?;
    let compose = Some(world.composer());
    let mut certification = Certification::of(&events, compose, CertifyRules::new().leave_one_out())?;
    while let Action::Run(run) = certification.next_action() {
        let loss = world.loss(&run.candidate, run.seed, 0);
        certification.finished(run.id, Ok(Measurement::scalar(loss)?))?;
    }
    Ok(judge(world, &certification.result(), certification.kept()))
}

fn judge<W: World>(world: &W, result: &Certified<W::Candidate>, kept: &W::Candidate) -> Played {
    let covers = |total: &autoresearch_core::Total, truth: f64| {
        let (low, high) = (total.gain.low.unwrap_or(f64::MIN), total.gain.high.unwrap_or(f64::MAX));
        low <= truth && truth <= high
    };
    let (merit, before) = (world.judge(&result.certified), world.judge(kept));
    let (gain, kept_gain) = (world.gain(&result.certified), world.gain(kept));
    let truth = |candidate: &W::Candidate| match world.split_error() {
        None => world.gain(candidate),
        Some(_) => on_this_split(world, candidate),
    };
    let stands = result.with(PartVerdict::Earns).count() + result.with(PartVerdict::Inseparable).count();
    Played {
        parts: result.parts.iter().map(|part| part.edits.len()).sum(),
        stands: if stands == 0 { 0 } else { merit.units },
        junk: merit.junk_units,
        kept_junk: before.junk_units,
        kept_units: before.units,
        runs: result.cost.parts,
        beyond: result.cost.parts.saturating_sub(2 * result.parts.len() as u64),
        kept_covered: result.kept.as_ref().map(|total| covers(total, truth(kept))),
        claim_covered: result.claim.as_ref().map(|total| covers(total, truth(&result.certified))),
        kept_gain,
        gain,
        ratio: result.ratio,
    }
}

/// The gain on the split that was measured, which is what an interval over seeds is about: the mean of many runs.
fn on_this_split<W: World>(world: &W, candidate: &W::Candidate) -> f64 {
    let baseline = world.baseline();
    let gain = |seed| world.loss(&baseline, seed, 0) - world.loss(candidate, seed, 0);
    (0..SEEDS).map(|i| gain((1 << 40) + i)).sum::<f64>() / SEEDS as f64
}

/// Sums and means over the studies of a cell.
struct Summary {
    parts: f64,
    stands: f64,
    junk: f64,
    junk_before: f64,
    runs: f64,
    beyond: u64,
    kept_coverage: f64,
    coverage: f64,
    claims: usize,
    kept_gain: f64,
    gain: f64,
    ratio: f64,
}

impl Summary {
    fn of(played: &[Played]) -> Self {
        let n = played.len() as f64;
        let sum = |of: fn(&Played) -> f64| played.iter().map(of).sum::<f64>();
        let share = |of: fn(&Played) -> Option<bool>| {
            let known: Vec<bool> = played.iter().filter_map(of).collect();
            (known.iter().filter(|c| **c).count() as f64 / known.len() as f64, known.len())
        };
        let parts = sum(|p| p.parts as f64);
        let (coverage, claims) = share(|p| p.claim_covered);
        let mut ratios: Vec<f64> = played.iter().filter_map(|p| p.ratio).collect();
        ratios.sort_by(f64::total_cmp);
        Self {
            parts: parts / n,
            stands: sum(|p| p.stands as f64) / n,
            junk: sum(|p| p.junk as f64) / sum(|p| p.stands as f64).max(1.0),
            junk_before: sum(|p| p.kept_junk as f64) / sum(|p| p.kept_units as f64).max(1.0),
            runs: sum(|p| p.runs as f64) / parts.max(1.0),
            beyond: played.iter().map(|p| p.beyond).max().unwrap_or(0),
            kept_coverage: share(|p| p.kept_covered).0,
            coverage,
            claims,
            kept_gain: sum(|p| p.kept_gain) / n,
            gain: sum(|p| p.gain) / n,
            ratio: ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN),
        }
    }
}

fn header(args: &Certify) -> String {
    format!(
        "{} studies a cell of {} runs each; gains in sigma; junk: leaving it out of the set loses nothing\n\n\
         {:10} {:12} {:>6} {:>6} {:>7} {:>7} {:>6} {:>6} {:>7} {:>7} {:>7} {:>8} {:>7} {:>6}",
        args.reps,
        args.runs,
        "world",
        "policy",
        "kept",
        "stand",
        "junk k.",
        "junk s.",
        "runs/p",
        "beyond",
        "cover k",
        "cover s",
        "claims",
        "gain k.",
        "gain s.",
        "ratio"
    )
}

fn row(world: &str, policy: &str, played: &[Played]) -> String {
    let s = Summary::of(played);
    format!(
        "{world:10} {policy:12} {:>6.1} {:>6.1} {:>7.3} {:>7.3} {:>6.2} {:>6} {:>7.3} {:>7.3} {:>7} {:>8.1} {:>7.1} {:>6.2}",
        s.parts,
        s.stands,
        s.junk_before,
        s.junk,
        s.runs,
        s.beyond,
        s.kept_coverage,
        s.coverage,
        s.claims,
        s.kept_gain,
        s.gain,
        s.ratio
    )
}

fn as_json(world: &str, policy: &str, played: &[Played]) -> String {
    let s = Summary::of(played);
    json!({
        "world": world, "policy": policy, "studies": played.len(), "kept": s.parts, "stands": s.stands,
        "junk_kept": s.junk_before, "junk_stands": s.junk, "runs_per_part": s.runs,
        "runs_beyond_two_per_part": s.beyond, "coverage_kept": s.kept_coverage, "coverage": s.coverage,
        "claims": s.claims, "gain_kept": s.kept_gain, "gain": s.gain, "median_ratio": s.ratio,
    })
    .to_string()
}
