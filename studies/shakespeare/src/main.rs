//! Does careful acceptance beat keep-if-better at the same number of real training runs? See README.md.

mod data;
mod deltas;
mod estimate;
#[cfg(test)]
mod fixture_tests;
mod keys;
mod ledger;
mod noise;
mod plan;
mod policy;
mod recipes;
mod referee;
mod search;
mod summary;
mod task;
mod times;
mod transfer;

use anyhow::{Context, Result, ensure};
use autoresearch_core::{Cancellation, SqliteStore, results_tsv};
use autoresearch_report::Report;
use autoresearch_tch::GptRecipe;
use clap::{Parser, Subcommand};
use data::Data;
use ledger::Ledger;
use policy::Policy;
use recipes::Start;
use search::{Ended, STUDY, Search};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use summary::Summary;
use task::Task;
use tokio::task::JoinSet;

#[derive(Debug, Parser)]
#[command(about = "Policies side by side on real training runs, and what is true of what they kept")]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Clone, clap::Args)]
struct Options {
    /// A folder of texts
    #[arg(long, global = true, default_value = ".corpus")]
    corpus: PathBuf,
    /// Where stores and ledger are kept
    #[arg(long, global = true, default_value = "study")]
    out: PathBuf,
    /// Runs at a time, one thread each; a search makes one at a time, so that what it decides depends on its seed alone
    #[arg(long, global = true, default_value_t = 2)]
    parallel: usize,
    /// Stop after so many hours; the same command goes on
    #[arg(long, global = true)]
    hours: Option<f64>,
    /// Runs of a search
    #[arg(long, global = true, default_value_t = 700)]
    runs: u64,
    /// Runs of the study itself: the recommended policy, for more runs than those that are compared
    #[arg(long, global = true, default_value_t = 1_400)]
    study_runs: u64,
    /// Runs of a search from the tuned recipe [default: as of the others]
    #[arg(long, global = true)]
    tuned_runs: Option<u64>,
    /// Repetitions of a search, on other seeds
    #[arg(long, global = true, default_value_t = 3)]
    repetitions: u32,
    /// This policy alone
    #[arg(long, global = true)]
    policy: Option<Policy>,
    /// This starting point alone
    #[arg(long, global = true)]
    start: Option<Start>,
}

impl Options {
    /// What a search is granted.
    fn granted(&self, search: Search) -> u64 {
        match search.start {
            _ if search.repetition == STUDY => self.study_runs,
            Start::Plain => self.runs,
            Start::Tuned => self.tuned_runs.unwrap_or(self.runs),
        }
    }
}

#[derive(Debug, Clone, Subcommand)]
enum Command {
    /// What a run costs: the starting points, and recipes drawn at random
    Times {
        /// So many of them
        #[arg(long, default_value_t = 20)]
        draws: u64,
    },
    /// Everything: searches, the runs that tell what is true of them, and the figures
    All {
        /// Where the figures go
        #[arg(long, default_value = "studies/shakespeare/results")]
        results: PathBuf,
    },
    /// Makes the searches, or goes on with them
    Search,
    /// Makes the runs beside the searches that have ended: the referee's, of noise and interactions, of the large size
    Judge,
    /// The figures of what there is
    Summary {
        /// Where they go
        #[arg(long, default_value = "studies/shakespeare/results")]
        results: PathBuf,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Proposers and acceptors work as well, one search beside the other.
    let workers = cli.options.parallel.max(2);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build();
    match runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run(cli))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<()> {
    let options = cli.options;
    let task = Arc::new(Task::open(&options.corpus)?);
    std::fs::create_dir_all(&options.out)
        .with_context(|| format!("cannot make {}", options.out.display()))?;
    let stop = stopping(options.hours);
    match cli.command {
        Command::Times { draws } => times::print(&task, draws, &options.out).await,
        Command::Search => searches(&task, &options, &stop).await.map(drop),
        Command::Judge => judge(&task, &options, &stop).await.map(drop),
        Command::Summary { results } => figures(&options, &results).await,
        Command::All { results } => {
            if searches(&task, &options, &stop).await? && judge(&task, &options, &stop).await? {
                return figures(&options, &results).await;
            }
            println!("stopped before the end; the same command goes on");
            Ok(())
        }
    }
}

/// The searches that have ended.
fn ended(options: &Options) -> Vec<Ended> {
    let all = Search::all(options.repetitions).into_iter();
    let mut ended: Vec<Ended> =
        all.filter_map(|search| search.ended(&options.out, options.granted(search))).collect();
    ended.sort_by_key(|e| (e.search.start, e.search.policy, e.search.repetition));
    ended
}

/// Makes the runs beside the searches. Whether all are there afterwards.
async fn judge(task: &Arc<Task>, options: &Options, stop: &Cancellation) -> Result<bool> {
    let ended = ended(options);
    let mut ledger = Ledger::open(ledger::path(&options.out))?;
    let referee = ended.iter().flat_map(plan::referee);
    let mut needs: Vec<_> = referee.chain(plan::noise(&ended)).chain(plan::transfer(&ended)).collect();
    // Seed by seed: an early end leaves fewer seeds of everything, and not nothing of something.
    needs.sort_by_key(|need| (need.size, need.seed));
    ledger.fill(needs, task, options.parallel, stop).await
}

/// Writes data, figures and page, and log and picture of the recommended policy's first search.
async fn figures(options: &Options, results: &Path) -> Result<()> {
    std::fs::create_dir_all(results).with_context(|| format!("cannot make {}", results.display()))?;
    let write = |name: &str, text: &str| {
        let path = results.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    let data = Data::of(ended(options), &Ledger::open(ledger::path(&options.out))?);
    let summary = Summary::of(&data);
    write("data.json", &serde_json::to_string(&data)?)?;
    write("summary.json", &serde_json::to_string_pretty(&summary)?)?;
    write("summary.md", &summary.markdown())?;
    for one in plan::closer(&data.searches) {
        let store = SqliteStore::open_read_only(one.search.folder(&options.out).join("study.db"))?;
        let start = one.search.start.name();
        write(&format!("{start}.results.tsv"), &results_tsv::<GptRecipe>(&store, "val_bpb").await?)?;
        let report = Report::of(&store)?.titled(format!("Shakespeare, from the {start} recipe"));
        write(&format!("{start}.progress.svg"), &report.progress_svg())?;
    }
    println!("see {}", results.join("summary.md").display());
    Ok(())
}

/// Goes up at Ctrl-C, and when the time is over.
fn stopping(hours: Option<f64>) -> Cancellation {
    let stop = Cancellation::new();
    let (by_hand, by_clock) = (stop.clone(), stop.clone());
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            eprintln!("stopping; the same command goes on");
            by_hand.cancel();
        }
    });
    if let Some(time) = hours.and_then(|hours| Duration::try_from_secs_f64(hours * 3600.0).ok()) {
        tokio::spawn(async move {
            tokio::time::sleep(time).await;
            by_clock.cancel();
        });
    }
    stop
}

/// Makes the searches that are wanted and not at their end. Whether all are afterwards.
async fn searches(task: &Arc<Task>, options: &Options, stop: &Cancellation) -> Result<bool> {
    let wanted = |search: &Search| {
        options.policy.is_none_or(|policy| policy == search.policy)
            && options.start.is_none_or(|start| start == search.start)
            && search.ended(&options.out, options.granted(*search)).is_none()
    };
    let mut waiting: VecDeque<Search> = Search::all(options.repetitions).into_iter().filter(wanted).collect();
    let mut flying = JoinSet::new();
    let (mut all, mut failed) = (true, Vec::new());
    loop {
        while flying.len() < options.parallel && !stop.is_cancelled() {
            let Some(search) = waiting.pop_front() else { break };
            let (task, root, stop, runs) =
                (Arc::clone(task), options.out.clone(), stop.clone(), options.granted(search));
            flying.spawn(async move { (search, search.make(&task, &root, runs, &stop).await) });
        }
        let Some(ended) = flying.join_next().await else { break };
        let (search, ended) = ended?;
        match ended.with_context(|| search.name()) {
            // The others go on: each has a store of its own.
            Err(error) => {
                eprintln!("error: {error:#}");
                failed.push(search.name());
            }
            Ok(Some(ended)) => println!(
                "{}: {} runs, {} kept, {} undecided, claims {:.4} bits per byte, {:.0} s of runs",
                search.name(),
                ended.runs,
                ended.kept,
                ended.undecided,
                ended.claimed,
                ended.compute_seconds
            ),
            Ok(None) => all = false,
        }
    }
    ensure!(failed.is_empty(), "{} failed", failed.join(", "));
    Ok(all && waiting.is_empty())
}
