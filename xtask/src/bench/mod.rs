//! `cargo xtask bench`: acceptance policies on simulated worlds whose truth is known, tests held to their levels, and
//! the cost of the loop.
mod calibration;
mod cell;
mod certify;
mod chart;
mod chart_svg;
mod checks;
mod curation;
mod curation_ideas;
mod driver;
mod figures;
mod jobs;
mod names;
mod optuna;
mod page;
mod page_cells;
mod page_marks;
mod page_tables;
mod plan;
mod plan_real;
mod policy;
mod pool;
mod repo;
mod scenario;
mod summary;
mod table;
mod trainer;
mod venv;

use crate::process;
use anyhow::Result;
use cell::Cell;
use std::process::ExitCode;
use std::time::Instant;
use summary::Summary;

/// The options of `cargo xtask bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Debug, clap::Subcommand)]
enum Bench {
    /// Plays acceptance policies through the real state machine on simulated worlds
    Landscape(Landscape),
    /// Plays every test on data without any effect, and holds its errors against its level
    Calibration(calibration::Calibration),
    /// Measures what the loop around the user's code costs: state machine, driver and stores
    Driver(driver::Driver),
    /// Plays studies that mine their validation split and honest ones, and counts what the overfitting checks flag
    Checks(checks::Checks),
    /// Holds what evaluation design says before a search against what happens then
    Plan(plan::Plan),
    /// Plays curators over backlogs of ideas, and holds what is gained against first in, first out
    Curation(curation::Options),
    /// Certifies simulated studies, and holds what may be claimed against the truth
    Certify(certify::Certify),
    /// Measures what launching jobs costs, how full their places are kept, and what stays behind
    Jobs(jobs::Jobs),
    /// Measures what a run of a repository costs beside its command, and what runs leave behind
    Repo(repo::Repo),
    /// Measures what training costs, in turn with PyTorch, and what recipes give
    Trainer(trainer::Trainer),
}

#[derive(Debug, Clone, clap::Args)]
struct Landscape {
    /// Which policies: several of them, separated by commas, or `all`
    #[arg(long, value_delimiter = ',', default_value = "all", value_parser = names::parser(policy::names()))]
    policy: Vec<String>,
    /// Which worlds: several of them, separated by commas, or `all`
    #[arg(long, value_delimiter = ',', default_value = "mixed", value_parser = names::parser(scenario::names()))]
    scenario: Vec<String>,
    #[command(flatten)]
    options: cell::Options,
    /// Repetitions of each cell [default: 100; with --page 100 of those that are quick, fewer of the others]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    reps: Option<u32>,
    /// One JSON object a line and cell, not a table
    #[arg(long)]
    json: bool,
    /// Plays what docs/acceptance.md shows, and rewrites its figures and charts
    #[arg(long, conflicts_with_all = ["policy", "scenario", "json", "Options"])]
    page: bool,
}

/// Repetitions of each cell of a table.
const REPS: u32 = 100;

/// Runs a benchmark.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if cfg!(debug_assertions) {
        return in_release();
    }
    let start = Instant::now();
    let code = match &args.bench {
        Bench::Landscape(args) => landscape(args)?,
        Bench::Calibration(args) => calibration::run(args)?,
        Bench::Driver(args) => driver::run(args)?,
        Bench::Checks(args) => checks::run(args)?,
        Bench::Plan(args) => plan::run(args)?,
        Bench::Curation(args) => curation::run(args)?,
        Bench::Certify(args) => certify::run(args)?,
        Bench::Jobs(args) => jobs::run(args)?,
        Bench::Repo(args) => repo::run(args)?,
        Bench::Trainer(args) => trainer::run(args)?,
    };
    eprintln!("{:.1} s", start.elapsed().as_secs_f64());
    Ok(code)
}

fn landscape(args: &Landscape) -> Result<ExitCode> {
    if args.page {
        page::write(args.reps.unwrap_or(page::REPS))?;
        return Ok(ExitCode::SUCCESS);
    }
    let reps = args.reps.unwrap_or(REPS);
    let (policies, scenarios) =
        (names::chosen(&args.policy, policy::names()), names::chosen(&args.scenario, scenario::names()));
    let cells: Vec<Cell> = scenarios
        .iter()
        .flat_map(|scenario| policies.iter().map(|policy| Cell::new(policy, scenario, &args.options)))
        .collect::<Result<_>>()?;
    if !args.json {
        println!("{}", table::header(&args.options, reps));
    }
    let reps = reps as usize;
    let play = |job: usize| cells[job / reps].play((job % reps) as u64);
    pool::each(cells.len(), reps, play, |cell, played| {
        let summary = Summary::of(&cells[cell], &played);
        if args.json {
            println!("{}", summary.json());
        } else {
            println!("{}", table::row(&summary));
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Simulation is arithmetic: it has to be optimised.
fn in_release() -> Result<ExitCode> {
    let mut cargo = process::cargo();
    cargo.args(["run", "--quiet", "--release", "--package", "xtask", "--"]);
    cargo.args(std::env::args_os().skip(1));
    process::become_it(cargo)
}
