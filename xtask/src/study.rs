//! `cargo xtask study shakespeare`: set up, then make the study and its figures, or go on with it.
use crate::workspace::{CORPUS_LINK, root};
use crate::{process, setup};
use anyhow::{Result, bail};
use std::ffi::OsString;
use std::process::ExitCode;

/// Which study, and how much of it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which study
    #[arg(value_parser = ["shakespeare"])]
    name: String,
    /// Searches of this policy alone: greedy-fixed, greedy, guarded, factorial or scout
    #[arg(long)]
    policy: Option<String>,
    /// Go on with what is in the folder `study`
    #[arg(long)]
    resume: bool,
    /// Stop after so many hours; `--resume` goes on
    #[arg(long, value_parser = hours)]
    hours: Option<f64>,
    /// What follows `--` goes to the study as it is, such as `--parallel 16`
    #[arg(last = true)]
    more: Vec<OsString>,
}

fn hours(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(hours) if hours > 0.0 && hours < 1e5 => Ok(hours),
        _ => Err("a number of hours above 0 is wanted".into()),
    }
}

/// Sets up, builds the study and runs it.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let out = root().join("study");
    if out.join("search").exists() && !args.resume {
        bail!("{} holds a study already; go on with --resume, or move it away", out.display());
    }
    setup::run()?;
    let mut cargo = process::cargo();
    cargo.args(["run", "--release", "--package", "autoresearch-study-shakespeare", "--", "all"]);
    cargo.args(arguments(args));
    println!("$ {}", process::line(&cargo));
    process::become_it(cargo)
}

/// What the study is called with.
fn arguments(args: &Args) -> Vec<OsString> {
    let mut all: Vec<OsString> = vec!["--corpus".into(), CORPUS_LINK.into()];
    if let Some(policy) = &args.policy {
        all.extend(["--policy".into(), policy.into()]);
    }
    if let Some(hours) = args.hours {
        all.extend(["--hours".into(), hours.to_string().into()]);
    }
    all.extend(args.more.iter().cloned());
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn options_reach_the_study() {
        let line = [
            "study",
            "shakespeare",
            "--policy",
            "scout",
            "--hours",
            "0.5",
            "--resume",
            "--",
            "--parallel",
            "4",
        ];
        let passed = arguments(&Line::try_parse_from(line).unwrap().args);
        let passed: Vec<_> = passed.iter().map(|argument| argument.to_string_lossy()).collect();
        assert_eq!(passed.join(" "), "--corpus .corpus --policy scout --hours 0.5 --parallel 4");
    }

    #[test]
    fn another_study_or_no_time_is_refused() {
        for wrong in [&["study", "dickens"][..], &["study", "shakespeare", "--hours=0"]] {
            assert!(Line::try_parse_from(wrong).is_err(), "{wrong:?}");
        }
    }
}
