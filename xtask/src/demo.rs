//! `cargo xtask demo`: set up, then search for a better training recipe on Shakespeare.
use crate::workspace::{CORPUS_LINK, root};
use crate::{process, setup};
use anyhow::{Context, Result};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// The options of the demo; all but the first three go to the example as they are.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How long the search may take
    #[arg(long, default_value_t = 6.0, value_parser = minutes, allow_negative_numbers = true)]
    minutes: f64,
    /// The seed that all else follows from
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The folder of the study and its report [default: demo in the workspace root]
    #[arg(long)]
    out: Option<PathBuf>,
    /// Go on with the study in that folder
    #[arg(long)]
    resume: bool,
    /// A folder of .txt or .jsonl files to train on [default: the works of Shakespeare]
    #[arg(long)]
    corpus: Option<PathBuf>,
    /// What follows `--` goes to the example as it is
    #[arg(last = true)]
    more: Vec<OsString>,
}

/// In minutes.
const A_YEAR: f64 = 365.0 * 24.0 * 60.0;

fn minutes(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(minutes) if minutes > 0.0 && minutes <= A_YEAR => Ok(minutes),
        _ => Err("a number of minutes above 0, and of at most a year, is wanted".into()),
    }
}

/// Sets up, builds the example and runs it.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    setup::run()?;
    let mut cargo = process::cargo();
    cargo.args(["run", "--release", "--package", "autoresearch-tch", "--example", "shakespeare", "--"]);
    cargo.args(arguments(args)?);
    println!("$ {}", process::line(&cargo));
    process::become_it(cargo)
}

/// What the example is called with.
fn arguments(args: &Args) -> Result<Vec<OsString>> {
    // A relative folder is meant from where the user stands; the example runs in the workspace root.
    let out = match &args.out {
        Some(out) => std::path::absolute(out).with_context(|| format!("--out {}", out.display()))?,
        None => root().join("demo"),
    };
    let corpus = match &args.corpus {
        Some(corpus) => {
            std::path::absolute(corpus).with_context(|| format!("--corpus {}", corpus.display()))?
        }
        None => CORPUS_LINK.into(),
    };
    let mut all: Vec<OsString> = vec!["--corpus".into(), corpus.into()];
    all.extend(["--minutes".into(), args.minutes.to_string().into()]);
    all.extend(["--seed".into(), args.seed.to_string().into()]);
    all.extend(["--out".into(), out.into()]);
    if args.resume {
        all.push("--resume".into());
    }
    all.extend(args.more.iter().cloned());
    Ok(all)
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

    fn passed(line: &[&str]) -> Option<String> {
        let line = Line::try_parse_from([&["demo"], line].concat()).ok()?;
        let arguments = arguments(&line.args).unwrap();
        Some(arguments.iter().map(|argument| argument.to_string_lossy()).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn options_reach_the_example() {
        let all = passed(&["--minutes", "0.5", "--seed", "7", "--out", "/o", "--resume", "--", "--x"]);
        assert_eq!(all.unwrap(), "--corpus .corpus --minutes 0.5 --seed 7 --out /o --resume --x");
        assert!(passed(&[]).unwrap().ends_with("demo"));
    }

    #[test]
    fn a_time_must_be_a_time() {
        for wrong in ["0", "-1", "nan", "inf", "soon"] {
            assert_eq!(passed(&[&format!("--minutes={wrong}")]), None, "{wrong}");
        }
    }
}
