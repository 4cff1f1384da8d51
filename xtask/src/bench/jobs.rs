//! `cargo xtask bench jobs`: what launching costs beside the bare command, how full places are kept, and what stays behind.
//!
//! The measured code is the benchmark `jobs` of `autoresearch-jobs`, which also runs under plain `cargo bench`.
use super::figures::{self, Shown};
use anyhow::Result;
use std::process::ExitCode;

/// The options of `cargo xtask bench jobs`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Jobs {
    /// Only measures with this in their name: overhead, places, left
    #[arg(long)]
    only: Option<String>,
    /// One JSON object a line and figure, not a table
    #[arg(long)]
    json: bool,
}

/// Measures. Fails if a bound is not kept.
pub(super) fn run(args: &Jobs) -> Result<ExitCode> {
    let mut shown = Shown::begin(args.json);
    let measured = figures::of_bench(&["autoresearch-jobs", "--all-features"], "jobs", args.only.as_deref())?;
    measured.iter().for_each(|figure| shown.show(figure));
    Ok(shown.end())
}
