//! A whole study without libtorch or network: a noisy function of a recipe stands in for training.
use autoresearch::{
    Limits, LocalSearch, Measurement, ParamSpace, RunFailure, Study, evaluator_fn, executor_fn,
};
use serde::{Deserialize, Serialize};

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

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let space = ParamSpace::new().log_float("lr", 1e-4..=1e-1).int("width", 32..=256);
    let report = Study::new(
        Recipe { lr: 1e-3, width: 64 }, // the baseline
        LocalSearch::over(space),       // who proposes
        executor_fn(|recipe: Recipe, run| async move { train(recipe, run.seed).await }),
        evaluator_fn(|losses: &Vec<f64>| Ok(Measurement::new(losses[..13].iter().copied())?)),
    )
    .holdout(evaluator_fn(|losses: &Vec<f64>| Ok(Measurement::new(losses[13..].iter().copied())?)))
    .limits(Limits::new().runs(500))
    .run()
    .await?;
    println!("{report}best: {:?}", report.certified());
    Ok(())
}
