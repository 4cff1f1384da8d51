//! A search over a small GPT's recipe on the complete works of Shakespeare: `cargo xtask demo`.
//!
//! Two runs of about 4 s at a time, the careful policy with equal seeds, a holdout for every acceptance, and the test
//! split opened once at the end. Everything is kept in `study.db`; Ctrl-C stops cleanly and `--resume` goes on.

use autoresearch_core::{
    Cancellation, Fidelity, Guarded, Limits, LocalSearch, Progress, SqliteStore, StopReason, Study,
    results_tsv,
};
use autoresearch_tch::{BitsPerByte, Corpus, GptRecipe, GptTrainer, Split};
use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

#[derive(Parser)]
#[command(about = "Searches for a better recipe of a small GPT on real text", args_override_self = true)]
struct Args {
    /// A folder of .txt or .jsonl files
    #[arg(long, default_value = ".corpus")]
    corpus: PathBuf,
    /// How long the search may take; the final runs come on top
    #[arg(long, default_value_t = 6.0, allow_negative_numbers = true)]
    minutes: f64,
    /// Seeds proposals and runs
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Training tokens of a run
    #[arg(long, default_value_t = 300_000)]
    tokens: u64,
    /// Runs under way at once
    #[arg(long, default_value_t = 2)]
    in_flight: usize,
    /// Where study.db and results.tsv go
    #[arg(long, default_value = "demo")]
    out: PathBuf,
    /// Go on with the study that is stored there
    #[arg(long)]
    resume: bool,
    /// Say no more than alarms, why the search stopped, and the results
    #[arg(long)]
    quiet: bool,
}

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What is searched: in minutes, few parameters are enough.
const SEARCHED: &str = "depth heads head_dim mlp_ratio activation norm position rope_base qk_norm qk_gain \
    tied_embeddings logit_softcap init_std zero_init_outputs optimizer lr muon_lr muon_momentum beta1 beta2 weight_decay \
    grad_clip warmup cooldown cooldown_shape final_lr batch context";

#[tokio::main]
async fn run(args: Args) -> Result<(), Box<dyn std::error::Error>> {
    let time = Duration::try_from_secs_f64(args.minutes * 60.0).ok().filter(|time| !time.is_zero());
    let time = time.ok_or(format!("--minutes is {}; give a positive number, of this world", args.minutes))?;
    let file = args.out.join("study.db");
    match (file.exists(), args.resume) {
        (true, false) => {
            let file = file.display();
            return Err(
                format!("{file} holds a study already; go on with --resume, or name another --out").into()
            );
        }
        (false, true) => return Err(format!("nothing to resume: there is no {}", file.display()).into()),
        _ => std::fs::create_dir_all(&args.out)
            .map_err(|e| format!("cannot make the folder {}: {e}", args.out.display()))?,
    }
    let corpus = Corpus::read(&args.corpus)?.split(Split::default())?;
    let store = SqliteStore::open(&file)?;
    let cancel = Cancellation::new();
    let stop = cancel.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            eprintln!("stopping; go on later with --resume");
            stop.cancel();
        }
    });

    let report = Study::new(
        GptRecipe::default(),
        // Bold steps: minutes are for gains that stand out of the noise by far.
        LocalSearch::over(GptRecipe::space().only(SEARCHED.split(' '))).steps(0.1..=0.5),
        GptTrainer::new(&corpus).fidelity(Fidelity::tokens(args.tokens)),
        BitsPerByte::on(corpus.validation()),
    )
    .acceptor(Guarded::new().horizon(20).screen(1.5))
    .holdout(BitsPerByte::on(corpus.holdout()))
    .test_split(BitsPerByte::on(corpus.test()))
    .limits(Limits::new().wall_clock(time))
    .in_flight(args.in_flight)
    .seed(args.seed)
    .store(store.clone())
    .observer(if args.quiet { Progress::quiet() } else { Progress::bar() })
    .cancelled_by(&cancel)
    .run()
    .await?;

    let log = args.out.join("results.tsv");
    std::fs::write(&log, results_tsv::<GptRecipe>(&store, "val_bpb").await?)
        .map_err(|e| format!("cannot write {}: {e}", log.display()))?;
    println!("{report}");
    println!("certified recipe: {}", serde_json::to_string_pretty(report.certified())?);
    let page = args.out.join("report.html");
    let said = autoresearch_report::Report::of(&store)?.titled("A recipe for Shakespeare");
    said.checked(report.checks()).write_html(&page)?;
    println!("see it: {}", page.display());
    println!("the whole history is in {}, one line a proposal in {}", file.display(), log.display());
    if report.stopped == StopReason::Cancelled {
        let Args { minutes, seed, out, .. } = &args;
        println!(
            "go on with: cargo xtask demo --resume --minutes {minutes} --seed {seed} --out {}",
            out.display()
        );
    }
    Ok(())
}
