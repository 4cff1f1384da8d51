//! `cargo xtask bench checks`: whether the overfitting checks flag who mines validation, and leave honest studies alone.
use super::cell::Options;
use super::scenario::{AnyWorld, Scenario};
use super::{policy, pool};
use anyhow::{Context, Result, bail};
use autoresearch_core::testkit::Rate;
use autoresearch_core::testkit::attack::{Miner, Mining, mine};
use autoresearch_core::testkit::landscape::{Rules, Simulated, World, simulate_checked};
use autoresearch_core::{CheckReport, Checks as Watch, Concern, Greedy, Seeds};
use serde_json::json;
use std::process::ExitCode;

/// What is to come of it: so many of the attacks flagged before this proposal, at most so many of the honest.
const POWER: f64 = 0.95;
const BEFORE: u64 = 200;
const FALSE: f64 = 0.05;

/// Documents of validation.
const DOCUMENTS: usize = 20_000;
/// An honest study of the landscape: this stream of proposals, or so many runs, whatever comes first.
const STREAM: u32 = 700;
const RUNS: u64 = 2_000;

/// The options of `cargo xtask bench checks`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Checks {
    /// Studies of each row
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    reps: u32,
    /// Only rows with this in their name
    #[arg(long)]
    row: Option<String>,
    /// The validation split's own bias for each edit of the honest landscapes, in standard deviations of a run
    #[arg(long, default_value_t = 0.3)]
    sigma_v: f64,
    /// The seed that all else follows from
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// One JSON object a line and row, not a table
    #[arg(long)]
    json: bool,
}

/// A kind of study.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Votes on documents, with so many documents of holdout.
    Votes(Mining, usize),
    /// A world of the landscape, a policy, and the noise of runs.
    Landscape(&'static str, &'static str, &'static str),
}

#[derive(Debug, Clone)]
struct Row {
    name: String,
    kind: Kind,
}

fn rows() -> Vec<Row> {
    let votes = |name: &str, mining, holdout: usize| Row {
        name: format!("{name}, holdout {}k", holdout / 1000),
        kind: Kind::Votes(mining, holdout),
    };
    let mut rows: Vec<Row> = [DOCUMENTS, 10 * DOCUMENTS]
        .into_iter()
        .flat_map(|holdout| {
            [
                votes("attack: boosting", Mining::Boosting, holdout),
                votes("attack: boosting both ways", Mining::BoostingBothWays, holdout),
                votes("honest: guessing", Mining::Guessing, holdout),
                votes("honest: trying", Mining::Trying, holdout),
            ]
        })
        .collect();
    let noises = ["gaussian", "t4"];
    for noise in noises {
        for scenario in ["mixed", "neutral", "allnull", "measured"] {
            let policies = ["greedy", "greedy3", "guarded", "scout"];
            let policies = policies.iter().filter(|_| scenario != "measured" || noise == "gaussian");
            rows.extend(policies.map(|&policy| Row {
                name: format!("honest: {scenario}, {policy}, {noise}"),
                kind: Kind::Landscape(scenario, policy, noise),
            }));
        }
    }
    rows
}

impl Row {
    fn is_attack(&self) -> bool {
        matches!(self.kind, Kind::Votes(Mining::Boosting | Mining::BoostingBothWays, _))
    }

    /// With a holdout no larger than validation plain boosting is within the holdout's own noise for too long.
    fn is_promised(&self) -> bool {
        !matches!(self.kind, Kind::Votes(Mining::Boosting, DOCUMENTS))
    }

    fn play(&self, args: &Checks, repetition: u64) -> Result<Seen> {
        let seed = args.seed.wrapping_mul(1_000_003).wrapping_add(repetition);
        match self.kind {
            Kind::Votes(mining, holdout) => {
                let documents = (DOCUMENTS, holdout);
                let mined =
                    mine(Miner::new(mining), Greedy::new(), BEFORE - 1, documents, seed, Watch::new())?;
                Ok(Seen::of(&mined.checks, |_| false))
            }
            Kind::Landscape(scenario, policy, noise) => {
                let options = Options {
                    sigma_v: Some(args.sigma_v),
                    noise: noise.into(),
                    interactions: "none".into(),
                    seeds: "equal".into(),
                    tau: 0.0,
                    conflicts: 0.0,
                    missing: 0.0,
                    budget: None,
                    proposals: None,
                    seed: args.seed,
                };
                let kind = Scenario::named(scenario).context("a scenario")?;
                match kind.world(&kind.applicable(&options), seed) {
                    AnyWorld::Edits(world) => landscape(&world, scenario, policy, seed),
                    AnyWorld::Slots(world) => landscape(&world, scenario, policy, seed),
                    AnyWorld::Searched(world) => landscape(&world, scenario, policy, seed),
                }
            }
        }
    }
}

fn landscape(world: &impl World, scenario: &str, policy: &str, seed: u64) -> Result<Seen> {
    let acceptor = policy::make(policy, Seeds::Equal).context("a policy")?;
    // The holdout has 11 times the documents of validation.
    let error = world.split_error().map_or(0.0, |of_holdout| of_holdout * 11f64.sqrt());
    let mut checks = Watch::new().split_error(error);
    let rules = Rules::stream(STREAM).runs(RUNS).seed(seed);
    let played = simulate_checked(world, acceptor, &rules, &mut checks)?;
    let report = checks.report();
    // In the measured world candidates differ in their noise; and where the whole is worth less than .7 of its claims, it
    // is right to say so.
    let is_true = |concern: Concern| match concern {
        Concern::UnequalVariance => scenario == "measured",
        Concern::ClaimsInflated => is_inflated(&report, &played),
        _ => false,
    };
    Ok(Seen::of(&report, is_true))
}

fn is_inflated(report: &CheckReport, played: &Simulated) -> bool {
    report.endpoint.is_some_and(|e| played.true_gain < 0.7 * e.claimed)
}

/// What was flagged in one study.
#[derive(Debug, Clone)]
struct Seen {
    concerns: Vec<Concern>,
    wrong: bool,
    gap_at: Option<u64>,
    tested: bool,
}

impl Seen {
    fn of(report: &CheckReport, is_true: impl Fn(Concern) -> bool) -> Self {
        let concerns = report.concerns();
        Self {
            wrong: concerns.iter().any(|concern| !is_true(*concern)),
            gap_at: report.gap.as_ref().and_then(|gap| gap.flagged_at),
            tested: report.gap.as_ref().is_some_and(|gap| gap.tested),
            concerns,
        }
    }
}

/// Plays the rows. Fails if one does not come out as it is to.
pub(super) fn run(args: &Checks) -> Result<ExitCode> {
    let is_meant = |row: &Row| args.row.as_ref().is_none_or(|part| row.name.contains(part.as_str()));
    let rows: Vec<Row> = rows().into_iter().filter(is_meant).collect();
    if rows.is_empty() {
        bail!("no row has {:?} in its name", args.row.as_deref().unwrap_or_default());
    }
    if !args.json {
        println!("{}", header(args));
    }
    let reps = args.reps as usize;
    let play = |job: usize| rows[job / reps].play(args, (job % reps) as u64);
    let mut broken = 0;
    pool::each(rows.len(), reps, play, |index, seen| {
        let line = Line::of(&rows[index], &seen);
        broken += usize::from(!line.ok);
        println!("{}", if args.json { line.json() } else { line.text() });
    })?;
    if broken > 0 {
        eprintln!("{broken} rows do not come out as they are to");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn header(args: &Checks) -> String {
    let columns = format!(
        "{:42} {:>7} {:>6} {:>6} {:>6} {:>6} {:>20} {:>7}  {}",
        "study", "tested", "gap", "drift", "ratio", "var", "false [95 %]", "median", "ok"
    );
    format!(
        "{} studies a row; validation of {DOCUMENTS} documents. Flagged shares: an attack is to be flagged by the gap \
         before {BEFORE} proposals in {POWER} of studies (median: proposals by then); false alarms of an honest study, \
         all checks together, are to stay at {FALSE}\n\n{columns}",
        args.reps
    )
}

/// A row's figures.
struct Line<'a> {
    row: &'a Row,
    studies: usize,
    tested: f64,
    gap: f64,
    drift: f64,
    endpoint: f64,
    variance: f64,
    wrong: Rate,
    median: Option<u64>,
    ok: bool,
}

impl<'a> Line<'a> {
    fn of(row: &'a Row, seen: &[Seen]) -> Self {
        let share =
            |is: &dyn Fn(&Seen) -> bool| seen.iter().filter(|s| is(s)).count() as f64 / seen.len() as f64;
        let flagged = |concern| share(&|s| s.concerns.contains(&concern));
        let mut at: Vec<u64> = seen.iter().filter_map(|s| s.gap_at).collect();
        at.sort_unstable();
        let wrong = seen.iter().filter(|s| s.wrong).count();
        let wrong = Rate::new(wrong as u64, seen.len() as u64);
        let gap = flagged(Concern::SplitMined);
        Self {
            row,
            studies: seen.len(),
            tested: share(&|s| s.tested),
            gap,
            drift: flagged(Concern::Drift),
            endpoint: flagged(Concern::ClaimsInflated),
            variance: flagged(Concern::UnequalVariance),
            wrong,
            median: at.get(at.len() / 2).copied(),
            ok: if row.is_attack() { gap >= POWER || !row.is_promised() } else { wrong.low <= FALSE },
        }
    }

    fn text(&self) -> String {
        let wrong = if self.row.is_attack() {
            "-".into()
        } else {
            format!("{:.3} [{:.3}, {:.3}]", self.wrong.value(), self.wrong.low, self.wrong.high)
        };
        let median = self.median.map_or_else(|| "-".into(), |n| n.to_string());
        format!(
            "{:42} {:>7.3} {:>6.3} {:>6.3} {:>6.3} {:>6.3} {:>20} {:>7}  {}",
            self.row.name,
            self.tested,
            self.gap,
            self.drift,
            self.endpoint,
            self.variance,
            wrong,
            median,
            match (self.ok, self.row.is_promised()) {
                (false, _) => "NO",
                (true, true) => "yes",
                (true, false) => "not promised",
            }
        )
    }

    fn json(&self) -> String {
        json!({
            "study": self.row.name,
            "studies": self.studies,
            "tested": self.tested,
            "gap": self.gap,
            "drift": self.drift,
            "endpoint": self.endpoint,
            "variance": self.variance,
            "false": self.wrong,
            "median_proposals": self.median,
            "ok": self.ok,
        })
        .to_string()
    }
}
