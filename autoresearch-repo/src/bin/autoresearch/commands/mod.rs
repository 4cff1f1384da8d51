//! The commands: what they have in common.

mod audit;
mod failure;
mod finalize;
mod init;
mod look;
mod noise;
mod out;
mod python;
mod report;
mod run;
mod status;
mod store;

use clap::{Parser, Subcommand};
use failure::Failure;
use std::path::PathBuf;
use std::process::ExitCode;

const AFTER: &str = "\
Exit status: 0 done; 1 it went wrong on the way (a baseline without a number, a proposer that failed, a branch that cannot be
written); 2 what was given makes no sense (options, task file, repository, store); 130 stopped by Ctrl-C, to be resumed.

What is said about the work goes to standard error, results go to standard output. NO_COLOR switches colours off.";

/// A repository under search: proposals are edits, each is run and measured apart, and what is kept becomes commits.
#[derive(Parser)]
#[command(name = "autoresearch", version, after_help = AFTER)]
struct Line {
    /// Says nothing but results, errors and alarms.
    #[arg(long, short, global = true)]
    quiet: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Writes a commented task.toml for a repository, and tries the baseline; one that is there is kept and tried.
    Init(init::Arguments),
    /// Begins the study of a task.
    Run(Given),
    /// Says how far a study is; it may be running.
    Status(Given),
    /// Goes on with a study that was stopped or killed, or whose limits have been raised.
    Resume(Given),
    /// Writes report.html, pictures, summary, table and JSON of a study, which may be running; or serves the page (`--live`).
    Report(report::Arguments),
    /// Writes a clean branch, one commit for each certified edit. Nothing is checked out.
    Finalize(finalize::Arguments),
    /// Says which gains of an experiment log (results.tsv, CSV, JSON lines) can be told from noise.
    Audit(audit::Arguments),
}

/// A task, and where its study is stored.
#[derive(clap::Args)]
struct Given {
    /// The task's file.
    #[arg(default_value = "task.toml")]
    task: PathBuf,
    /// The study's file (default: `autoresearch/<name>/study.db` in the repository's .git).
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,
}

/// How a command ended.
enum End {
    Done,
    /// By a signal, to be resumed.
    Stopped,
}

pub(crate) fn main() -> ExitCode {
    let line = Line::parse();
    let quiet = line.quiet;
    warnings();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(why) => return Failure::work(format!("no threads can be had: {why}")).told(),
    };
    let ended = runtime.block_on(async move {
        match line.command {
            Command::Init(arguments) => init::init(arguments, quiet).await,
            Command::Run(given) => run::run(given, quiet).await,
            Command::Resume(given) => run::resume(given, quiet).await,
            Command::Status(given) => status::status(&given),
            Command::Report(arguments) => report::report(arguments).await,
            Command::Finalize(arguments) => finalize::finalize(arguments, quiet).await,
            Command::Audit(arguments) => audit::audit(arguments),
        }
    });
    // A set of blocking calls may hang on a disk; nothing waits for it.
    runtime.shutdown_background();
    match ended {
        Ok(End::Done) => ExitCode::SUCCESS,
        Ok(End::Stopped) => ExitCode::from(130),
        Err(failure) => failure.told(),
    }
}

/// What goes wrong on the way and ends nothing is told on standard error: a command for held-out data that gives no number, a history
/// that is not written any more.
fn warnings() {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .without_time()
        .with_target(false);
    // Somebody else's, if there is one already.
    let _ = subscriber.try_init();
}

/// What the user should know, on standard error.
fn tell(notices: &[String], quiet: bool) {
    for notice in notices.iter().filter(|_| !quiet) {
        eprintln!("note: {notice}");
    }
}
