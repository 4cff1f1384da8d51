//! The study of the quickstart on a Ray cluster: each run is a job there, in a process of this same program.
//!
//! `cargo run -p autoresearch-jobs --features ray --example ray -- --address http://127.0.0.1:8265 --folder /shared/autoresearch`
//!
//! The nodes need this program and the working folder under the same paths (or a worker of its own with `--binary PATH`), and the
//! folder on storage that all share. On a single machine any folder will do.
use autoresearch_core::{
    Limits, LocalSearch, Measurement, ParamSpace, RunContext, RunFailure, Study, evaluator_fn, executor_fn,
};
use autoresearch_jobs::{RayJobs, WorkerExecutor, worker_main};
use serde::{Deserialize, Serialize};
use std::error::Error;
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
    executor_fn(|recipe: Recipe, run: RunContext| async move { train(recipe, run.seed).await })
}

/// What the command line says.
#[derive(Debug)]
struct Flags {
    address: String,
    folder: Option<String>,
    token: Option<String>,
    insecure: bool,
    binary: Option<String>,
    runs: u64,
    at_once: usize,
    cpus: u32,
    gpus: u32,
}

fn flags() -> Result<Flags, Box<dyn Error>> {
    let mut flags = Flags {
        address: "http://127.0.0.1:8265".into(),
        folder: None,
        token: std::env::var("RAY_JOB_TOKEN").ok(),
        insecure: false,
        binary: None,
        runs: 500,
        at_once: 8,
        cpus: 1,
        gpus: 0,
    };
    let mut words = std::env::args().skip(1);
    while let Some(flag) = words.next() {
        if flag == "--insecure-http" {
            flags.insecure = true;
            continue;
        }
        let value = words.next().ok_or_else(|| format!("{flag} needs a value"))?;
        match flag.as_str() {
            "--address" => flags.address = value,
            "--folder" => flags.folder = Some(value),
            "--binary" => flags.binary = Some(value),
            "--runs" => flags.runs = value.parse()?,
            "--at-once" => flags.at_once = value.parse()?,
            "--cpus" => flags.cpus = value.parse()?,
            "--gpus" => flags.gpus = value.parse()?,
            _ => {
                let known = "--address URL, --folder PATH, --insecure-http, --binary PATH, --runs N, --at-once N, --cpus N, --gpus N";
                return Err(
                    format!("{flag} is no flag; there are {known} (and the variable RAY_JOB_TOKEN)").into()
                );
            }
        }
    }
    Ok(flags)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    worker_main::<Recipe, _>(trainer);
    let flags = flags()?;
    let mut ray = RayJobs::connect(&flags.address)?;
    if let Some(folder) = &flags.folder {
        std::fs::create_dir_all(folder)?;
        ray = ray.folder(std::path::absolute(folder)?);
    }
    if let Some(token) = flags.token {
        ray = ray.bearer(token);
    }
    if flags.insecure {
        ray = ray.insecure_http();
    }
    let mut executor = WorkerExecutor::new(trainer())
        .on(ray)
        .job(|job| job.cpus(flags.cpus).gpus(flags.gpus).wall_clock(Duration::from_secs(600)));
    if let Some(binary) = flags.binary {
        executor = executor.binary(binary);
    }
    let space = ParamSpace::new().log_float("lr", 1e-4..=1e-1).int("width", 32..=256);
    let report = Study::new(
        Recipe { lr: 1e-3, width: 64 }, // the baseline
        LocalSearch::over(space),       // who proposes
        executor,
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
