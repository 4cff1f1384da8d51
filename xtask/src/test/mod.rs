//! `cargo xtask test`: what has to hold before a change is good.
mod metadata;
mod step;

use crate::{process, setup};
use anyhow::{Result, bail};
use metadata::{Metadata, Package};
use std::process::ExitCode;
use std::time::Instant;
use step::{Runner, Step};

/// The examples of the root package that need nothing but the library: they must run and end well.
const EXAMPLES: [&str; 3] = ["quickstart", "custom_proposer", "own_loop"];
/// The packages whose features are checked one by one.
const FEATURED: [&str; 4] =
    ["autoresearch-core", "autoresearch-jobs", "autoresearch-report", "autoresearch-rs"];
/// The package of contracts, and what it must never depend on.
const CORE: &str = "autoresearch-core";
const ABSENT_FROM_CORE: [&str; 8] =
    ["tch", "torch-sys", "reqwest", "hyper", "git2", "gix", "plotters", "charming"];

/// The options of `cargo xtask test`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Leave out the docs and the features one by one
    #[arg(long)]
    quick: bool,
}

/// Runs one step after the other, up to the first that fails.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let start = Instant::now();
    let mut runner = Runner::default();
    let good = all(args, &mut runner);
    println!("\n{runner}");
    println!("{:>8.1} s  all of it", start.elapsed().as_secs_f64());
    good?;
    println!("Everything holds{}.", if args.quick { ", as far as --quick looks" } else { "" });
    Ok(ExitCode::SUCCESS)
}

fn all(args: &Args, runner: &mut Runner) -> Result<()> {
    runner.time("set-up", "cargo xtask setup", setup::run)?;
    runner.time("local model", "cargo xtask setup --llm", setup::llm::run_if_it_can_be_fetched)?;
    runner.time("clusters", "cargo xtask setup --cluster", setup::cluster::run)?;
    runner.time("browser", "cargo xtask setup --browser", setup::browser::run)?;
    let metadata = Metadata::read()?;
    for step in checks() {
        runner.run(step)?;
    }
    let tree = ["tree", "--package", CORE, "--all-features", "--edges=normal", "--prefix=none"];
    let mut cargo = process::cargo();
    cargo.args(tree);
    runner.time("core stays lean", &process::line(&cargo), || lean(&process::capture(&mut cargo)?))?;
    if !args.quick {
        runner.run(Step::cargo("docs", "doc --workspace --no-deps --all-features").deny_doc_warnings())?;
        for package in FEATURED {
            for step in features(metadata.package(package)?) {
                runner.run(step)?;
            }
        }
    }
    let root = metadata.package("autoresearch-rs")?;
    for example in EXAMPLES {
        match root.examples.iter().find(|(name, _)| name == example) {
            Some((name, features)) => runner.run(run_example(name, features))?,
            None => println!("\n==> example {example}: there is none, skipped"),
        }
    }
    Ok(())
}

fn checks() -> Vec<Step> {
    vec![
        Step::cargo("format", "fmt --all --check"),
        Step::cargo("lints", "clippy --workspace --all-targets --all-features -- -D warnings"),
        Step::cargo("tests", "test --workspace --all-features --all-targets"),
        Step::cargo("doctests", "test --workspace --all-features --doc"),
    ]
}

/// None, each one alone, and all. What the crate is with its default ones, the other steps have seen.
fn features(package: &Package) -> Vec<Step> {
    let step = |what: &str, options: &str| {
        let arguments = format!("check --package {} {options}", package.name);
        Step::cargo(&format!("{} with {what}", package.name), arguments.trim_end())
    };
    let mut steps = vec![step("no features", "--no-default-features")];
    for feature in &package.features {
        let options = format!("--no-default-features --features {feature}");
        steps.push(step(&format!("{feature} alone"), &options));
    }
    steps.push(step("all features", "--all-features"));
    steps
}

fn run_example(name: &str, features: &[String]) -> Step {
    let mut arguments = format!("run --quiet --package autoresearch-rs --example {name}");
    if !features.is_empty() {
        arguments.push_str(&format!(" --features {}", features.join(",")));
    }
    Step::cargo(&format!("example {name}"), &arguments)
}

/// Fails if a list of packages, one a line as in `name v1.2.3 …`, has one that must be absent.
fn lean(tree: &str) -> Result<()> {
    let names = || tree.lines().filter_map(|line| line.split_whitespace().next());
    if names().next() != Some(CORE) {
        bail!("cargo tree shows no dependencies of {CORE}");
    }
    let found: Vec<&str> = names().filter(|name| ABSENT_FROM_CORE.contains(name)).collect();
    if !found.is_empty() {
        bail!("{CORE} depends on {}, and must not", found.join(", "));
    }
    println!("{CORE} depends on none of {}.", ABSENT_FROM_CORE.join(", "));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heavy_dependency_of_core_is_seen() {
        assert!(lean("autoresearch-core v0.1.0 (/x)\nserde v1.0.0\ntch-like v1.0.0\n").is_ok());
        let error = lean("autoresearch-core v0.1.0 (/x)\nserde v1.0.0\ntch v0.26.0 (*)\n").unwrap_err();
        assert_eq!(error.to_string(), "autoresearch-core depends on tch, and must not");
        assert!(lean("").is_err());
    }

    #[test]
    fn each_feature_is_checked_alone() {
        let package =
            Package { name: "p".into(), features: vec!["a".into(), "b".into()], examples: Vec::new() };
        let lines: Vec<String> = features(&package).iter().map(Step::line).collect();
        assert_eq!(
            lines,
            [
                "cargo check --package p --no-default-features",
                "cargo check --package p --no-default-features --features a",
                "cargo check --package p --no-default-features --features b",
                "cargo check --package p --all-features",
            ]
        );
    }
}
