//! Does what was found on a small model hold on a larger one, and how much sooner does it get there? Trains two recipes,
//! deeper and wider than they say, and tells what share of tokens, operations and time the second needs to reach the
//! first's final loss: `cargo run --release --example larger -- before.json after.json`.
//!
//! A recipe file holds the fields that differ from the default, as in the "certified recipe" that the demo prints.

use autoresearch_core::{EvalContext, Evaluator, Executor, Fidelity, RunContext};
use autoresearch_tch::{
    BitsPerByte, Corpus, Device, Devices, GptRecipe, GptTrainer, Scale, Split, TimeToLoss,
};
use clap::Parser;
use std::path::{Path, PathBuf};

#[derive(Parser)]
#[command(
    about = "Compares two recipes on a larger model: bits per byte, and the time to the first's final loss"
)]
struct Args {
    /// The recipe from before, as JSON; the default recipe without it
    before: Option<PathBuf>,
    /// The improved recipe, as JSON; the strong one without it
    after: Option<PathBuf>,
    /// A folder of .txt, .jsonl or .parquet files
    #[arg(long, default_value = ".corpus")]
    corpus: PathBuf,
    /// How many times deeper
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    depth: u32,
    /// How many times wider
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    width: u32,
    /// Training tokens of a run
    #[arg(long, default_value_t = 300_000)]
    tokens: u64,
    /// Runs of each recipe, on equal seeds
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// Train on the CUDA card of this number; without it on the processor
    #[arg(long)]
    cuda: Option<u32>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    let read = |path: &Path| -> Result<GptRecipe, Box<dyn std::error::Error>> {
        let text =
            std::fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        Ok(serde_json::from_str(&text).map_err(|e| format!("{} is no recipe: {e}", path.display()))?)
    };
    let before = args.before.as_deref().map_or_else(|| Ok(GptRecipe::default()), read)?;
    let after = args.after.as_deref().map_or_else(|| Ok(GptRecipe::strong()), read)?;
    let scale = Scale::new().depth(args.depth).width(args.width);
    let corpus = Corpus::read(&args.corpus)?.split(Split::default())?;
    let device = args.cuda.map_or(Device::Cpu, Device::Cuda);
    let trainer =
        GptTrainer::new(&corpus).fidelity(Fidelity::tokens(args.tokens)).device(device).scaled(scale);
    let validation = BitsPerByte::on(corpus.validation()).devices(Devices::shared(device));

    println!("{} times the parameters of the blocks, {} tokens a run", scale.growth(), args.tokens);
    println!("{:>4} {:>9} {:>9} {:>8} {:>8} {:>8}", "seed", "before", "after", "tokens", "FLOPs", "seconds");
    let mut shares = Vec::new();
    for seed in 1..=args.seeds {
        let mut runs = Vec::new();
        for recipe in [&before, &after] {
            let run = trainer.execute(recipe.clone(), RunContext::for_test(seed)).await?;
            let bits = validation.evaluate(&run, EvalContext::for_test(seed)).await?.objective();
            runs.push((run, bits));
        }
        let [(slow, a), (quick, b)] = &runs[..] else { continue };
        match TimeToLoss::of(&slow.metrics.curve, &quick.metrics.curve) {
            Some(time) => {
                let flops = time.flops.map_or("-".into(), |share| format!("{:.0} %", 100.0 * share));
                let (tokens, seconds) = (100.0 * time.tokens, 100.0 * time.seconds);
                println!("{seed:>4} {a:>9.4} {b:>9.4} {tokens:>6.0} % {flops:>8} {seconds:>6.0} %");
                shares.push(time.tokens);
            }
            None => println!("{seed:>4} {a:>9.4} {b:>9.4}    never at the other's final loss"),
        }
    }
    let reached = shares.len();
    if reached > 0 {
        let mean = 100.0 * shares.iter().sum::<f64>() / reached as f64;
        println!(
            "{reached} of {} reach the final loss, after {mean:.0} % of the tokens on average",
            args.seeds
        );
    } else {
        println!("none of {} reaches the final loss", args.seeds);
    }
    Ok(())
}
