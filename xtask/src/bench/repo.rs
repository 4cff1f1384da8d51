//! `cargo xtask bench repo`: what a run of a repository costs beside its command, and what runs leave behind.
//!
//! The measured code is the benchmark `repo` of `autoresearch-repo`, which also runs under plain `cargo bench`.
use super::figures::{self, Shown};
use anyhow::Result;
use std::process::ExitCode;

/// The options of `cargo xtask bench repo`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Repo {
    /// Only measures with this in their name: overhead, left
    #[arg(long)]
    only: Option<String>,
    /// One JSON object a line and figure, not a table
    #[arg(long)]
    json: bool,
}

/// Measures. Fails if a bound is not kept.
pub(super) fn run(args: &Repo) -> Result<ExitCode> {
    let mut shown = Shown::begin(args.json);
    let measured = figures::of_bench(&["autoresearch-repo"], "repo", args.only.as_deref())?;
    measured.iter().for_each(|figure| shown.show(figure));
    Ok(shown.end())
}
