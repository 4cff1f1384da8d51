//! Set-up, tests, the demo, studies and simulations of this workspace: `cargo xtask setup`, `llm`, `test`, `demo`, `bench`.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod bench;
mod cache;
mod demo;
mod process;
mod setup;
mod study;
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
    Setup {
        /// Fetch a small language model and its server instead (127 MB)
        #[arg(long, conflicts_with = "cluster")]
        llm: bool,
        /// Install Slurm, bubblewrap and Ray instead, for the tests that start real ones (apt as root, and pip)
        #[arg(long)]
        cluster: bool,
        /// Install a Chromium instead, for the tests that look at pages in a browser (apt as root)
        #[arg(long, conflicts_with_all = ["llm", "cluster"])]
        browser: bool,
    },
    /// Serve the small language model of `setup --llm` on 127.0.0.1 until Ctrl-C
    Llm {
        /// The port
        #[arg(long, default_value_t = 8089, value_parser = clap::value_parser!(u16).range(1..))]
        port: u16,
    },
    /// Everything that has to hold before a change is good: format, lints, tests, docs, features, examples
    Test(test::Args),
    /// Set up, then search for a better training recipe on Shakespeare for some minutes
    Demo(demo::Args),
    /// Set up, then make a study of real training runs and its figures, or go on with it
    Study(study::Args),
    /// Play acceptance policies on simulated worlds whose truth is known
    Bench(bench::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Setup { browser: true, .. } => setup::browser::run().map(|_| ExitCode::SUCCESS),
        Command::Setup { cluster: true, .. } => setup::cluster::run().map(|_| ExitCode::SUCCESS),
        Command::Setup { llm: true, .. } => setup::llm::run().map(|_| ExitCode::SUCCESS),
        Command::Setup { .. } => setup::run().map(|_| ExitCode::SUCCESS),
        Command::Llm { port } => setup::llm::serve(port),
        Command::Test(args) => test::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Study(args) => study::run(&args),
        Command::Bench(args) => bench::run(&args),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
