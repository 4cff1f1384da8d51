//! Set-up, tests, the demo and simulations of this workspace: `cargo xtask setup`, `test`, `demo`, `bench`.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod bench;
mod cache;
mod demo;
mod process;
mod setup;
mod test;
mod workspace;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "Set-up, tests, the demo and simulations of this workspace"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Find or fetch libtorch and the text to train on, and connect this checkout with them
    Setup,
    /// Everything that has to hold before a change is good: format, lints, tests, docs, features, examples
    Test(test::Args),
    /// Set up, then search for a better training recipe on Shakespeare for some minutes
    Demo(demo::Args),
    /// Play acceptance policies on simulated worlds whose truth is known
    Bench(bench::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Setup => setup::run().map(|_| ExitCode::SUCCESS),
        Command::Test(args) => test::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Bench(args) => bench::run(&args),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
