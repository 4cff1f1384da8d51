//! `cargo xtask bench jobs`: what launching costs beside the bare command, how full places are kept, and what stays behind.
//!
//! The measured code is the benchmark `jobs` of `autoresearch-jobs`, which also runs under plain `cargo bench`.
use super::figures::{self, Shown};
use anyhow::Result;
use std::process::ExitCode;

/// The options of `cargo xtask bench jobs`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Jobs {
    /// Only measures with this in their name: overhead, places, left, slurm, ray, "left ray" …
    #[arg(long)]
    only: Option<String>,
    /// How many jobs of a second a cluster is given (200)
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    jobs: Option<u64>,
    /// How many runs are to leave nothing behind on a cluster (2,000)
    #[arg(long, value_parser = clap::value_parser!(u64).range(2..))]
    runs: Option<u64>,
    /// One JSON object a line and figure, not a table
    #[arg(long)]
    json: bool,
}

/// Measures. Fails if a bound is not kept.
pub(super) fn run(args: &Jobs) -> Result<ExitCode> {
    let mut shown = Shown::begin(args.json);
    let given = [("--jobs", args.jobs), ("--runs", args.runs)];
    let given = given.map(|(flag, n)| n.map(|n| (flag, n.to_string())));
    let more: Vec<&str> = given.iter().flatten().flat_map(|(flag, n)| [*flag, n.as_str()]).collect();
    let package = ["autoresearch-jobs", "--all-features"];
    let measured = figures::of_bench_with(&package, "jobs", args.only.as_deref(), &more)?;
    measured.iter().for_each(|figure| shown.show(figure));
    Ok(shown.end())
}
