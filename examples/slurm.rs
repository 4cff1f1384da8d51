//! The study of the quickstart, with each run a job on a Slurm cluster.
//!
//! On a machine that submits to the cluster, with a folder that the nodes see at the same path:
//!
//! ```text
//! cargo run --package autoresearch-jobs --example slurm -- --folder /scratch/$USER/studies --partition short --at-once 8
//! ```
//!
//! The program itself must be at the same path on the nodes, too: build it on storage that they share.
use autoresearch_core::{
    Limits, LocalSearch, Measurement, ParamSpace, RunFailure, Study, evaluator_fn, executor_fn,
};
use autoresearch_jobs::{Slurm, WorkerExecutor, worker_main};
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Recipe {
    lr: f64,
    width: u32,
}

/// One loss a document; the seed brings the noise of a real training run.
async fn train(recipe: Recipe, seed: u64) -> Result<Vec<f64>, RunFailure> {
    let loss = (recipe.lr.log10() + 2.0).powi(2) + 20.0 / f64::from(recipe.width);
    let noise = |i: u64| ((seed * 31 + i) as f64 * 12.9898).sin() * 0.02;
    Ok((0..26).map(|i| loss + noise(0) + noise(i)).collect())
}

fn trainer() -> impl autoresearch_core::Executor<Recipe, Output = Vec<f64>> {
    executor_fn(|recipe: Recipe, run| async move { train(recipe, run.seed).await })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    worker_main::<Recipe, _>(trainer); // on a node: makes the run and ends
    let flags = Flags::read(std::env::args().skip(1))?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(study(flags))
}

async fn study(flags: Flags) -> Result<(), Box<dyn std::error::Error>> {
    let space = ParamSpace::new().log_float("lr", 1e-4..=1e-1).int("width", 32..=256);
    let report = Study::new(
        Recipe { lr: 1e-3, width: 64 },
        LocalSearch::over(space),
        WorkerExecutor::new(trainer())
            .job(|job| job.wall_clock(Duration::from_secs(600)).memory(1 << 30))
            .on(flags.cluster),
        evaluator_fn(|losses: &Vec<f64>| Ok(Measurement::new(losses[..13].iter().copied())?)),
    )
    .holdout(evaluator_fn(|losses: &Vec<f64>| Ok(Measurement::new(losses[13..].iter().copied())?)))
    .limits(Limits::new().runs(flags.runs))
    .in_flight(flags.at_once) // one after the other, unless it is said
    .run()
    .await?;
    println!("{report}best: {:?}", report.certified());
    Ok(())
}

struct Flags {
    cluster: Slurm,
    runs: u64,
    at_once: usize,
}

impl Flags {
    fn read(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut flags = Self { cluster: Slurm::new(), runs: 60, at_once: 8 };
        while let Some(flag) = args.next() {
            let mut value = || args.next().ok_or(format!("{flag} needs a value"));
            let number = |value: String| value.parse::<u32>().map_err(|why| format!("{flag} {value}: {why}"));
            match flag.as_str() {
                "--folder" => flags.cluster = flags.cluster.folder(value()?),
                "--programs" => flags.cluster = flags.cluster.programs(value()?),
                "--partition" => flags.cluster = flags.cluster.partition(value()?),
                "--account" => flags.cluster = flags.cluster.account(value()?),
                "--before" => flags.cluster = flags.cluster.before(value()?),
                "--gpus" => flags.cluster = flags.cluster.gpus(number(value()?)?),
                "--at-once" => flags.at_once = number(value()?)? as usize,
                "--runs" => flags.runs = number(value()?)?.into(),
                _ => {
                    return Err(format!(
                        "{flag}? There are --folder, --partition, --account, --before, --gpus, --at-once, --runs, --programs"
                    ));
                }
            }
        }
        Ok(flags)
    }
}
