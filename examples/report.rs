//! Reports of a study: `cargo run --release -p autoresearch-report --example report -- study.db report/` writes that of a
//! stored study into a folder; without a study it makes one first, without libtorch or network.
use autoresearch_core::{
    Guarded, Limits, LocalSearch, Measurement, ParamSpace, SqliteStore, Study, evaluator_fn, executor_fn,
};
use autoresearch_report::Report;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Recipe {
    rate: f64,
    decay: f64,
    width: u32,
    warmup: f64,
}

/// One loss a document, 10 for each of three splits; the seed brings the noise of a training run.
fn train(recipe: &Recipe, seed: u64) -> Vec<f64> {
    // What a seed brings depends on the recipe too, as in training.
    let own = 40.0 * (recipe.rate.ln() + recipe.decay + recipe.warmup + f64::from(recipe.width));
    let noise =
        |i: u64| ((seed % 100_003 * 31 + i * 17) as f64 * 12.9898 + if i > 20 { 0.0 } else { own }).sin();
    let loss = 1.9
        + (recipe.rate.log10() + 2.2).powi(2) * 0.05
        + (recipe.decay - 0.1).abs() * 0.08
        + 3.0 / f64::from(recipe.width);
    (0..30).map(|i| loss + 0.006 * noise(0) + 0.01 * noise(i + 1) + 0.03 * (i as f64).sin()).collect()
}

async fn search(path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let space = ParamSpace::new()
        .log_float("rate", 1e-4..=1e-1)
        .float("decay", 0.0..=1.0)
        .int("width", 32..=256)
        .float("warmup", 0.0..=0.2);
    let part = |from: usize| {
        evaluator_fn(move |l: &Vec<f64>| Ok(Measurement::new(l[from..from + 10].iter().copied())?))
    };
    let report = Study::new(
        Recipe { rate: 1e-3, decay: 0.6, width: 64, warmup: 0.1 },
        LocalSearch::over(space),
        executor_fn(|recipe: Recipe, run| async move { Ok(train(&recipe, run.seed)) }),
        part(0),
    )
    .acceptor(Guarded::new())
    .holdout(part(10))
    .test_split(part(20))
    .limits(Limits::new().runs(1500))
    .store(SqliteStore::open(path)?)
    .run()
    .await?;
    println!("{report}");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut given = std::env::args_os().skip(1).map(PathBuf::from);
    let study = given.next().unwrap_or_else(|| "study.db".into());
    let folder = given.next().unwrap_or_else(|| "report".into());
    if !study.exists() {
        search(&study).await?;
    }
    let report = Report::open(&study)?;
    report.write_all(&folder)?;
    println!("{}\n{}", report.in_short().headline, folder.join("report.html").display());
    Ok(())
}
