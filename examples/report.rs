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

/// Four random numbers' sum, with standard deviation 1, from what they are for.
fn noise(seed: u64, what: u64) -> f64 {
    let draw = |i: u64| {
        // SplitMix64 (Steele, Lea and Flood 2014).
        let mut z = seed.wrapping_add((what * 4 + i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as f64 / u64::MAX as f64 - 0.5
    };
    (0..4).map(draw).sum::<f64>() * 3f64.sqrt()
}

/// One loss a document, 10 for each of three splits. The seed brings the noise of a training run, half of which depends on
/// the recipe too.
fn train(recipe: &Recipe, seed: u64) -> Vec<f64> {
    let loss = 1.9
        + (recipe.rate.log10() + 2.2).powi(2) * 0.05
        + (recipe.decay - 0.1).abs() * 0.08
        + 3.0 / f64::from(recipe.width);
    let own = (recipe.rate * 1e9 + recipe.decay * 1e6 + recipe.warmup * 1e3) as u64 + u64::from(recipe.width);
    let run = 0.003 * (noise(seed, 0) + noise(seed ^ own, 1));
    (0..30).map(|i| loss + run + 0.006 * noise(seed ^ own, i + 2) + 0.03 * (i as f64).sin()).collect()
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
