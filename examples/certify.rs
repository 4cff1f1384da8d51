//! The morning after: what a study kept is tested again on fresh runs, and at ten times the fidelity.

use autoresearch::{
    Fidelity, Greedy, Limits, LocalSearch, MemoryStore, ParamSpace, Study, certify, evaluator_fn, executor_fn,
};
use autoresearch::{Measurement, RunContext};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Recipe {
    rate: f64,
    decay: f64,
    clip: f64,
    warmup: f64,
}

/// Rate and decay matter, clipping and warm-up do nothing; more steps, less of everything.
fn train(recipe: &Recipe, run: &RunContext) -> f64 {
    let steps = if run.fidelity == Some(Fidelity::steps(10_000)) { 0.5 } else { 1.0 };
    let noise = ((run.seed.wrapping_mul(2_654_435_761) % 100_003) as f64 * 12.9898
        + recipe.clip
        + 9.0 * recipe.decay)
        .sin()
        * 0.03;
    steps * ((recipe.rate.log10() + 2.5).abs() * 0.2 + (recipe.decay - 0.3).abs() * 0.3) + noise + 3.0
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let space = ParamSpace::new()
        .log_float("rate", 1e-5..=1.0)
        .float("decay", 0.0..=1.0)
        .float("clip", 0.0..=1.0)
        .float("warmup", 0.0..=1.0);
    let store = MemoryStore::new();
    let study = || {
        Study::new(
            Recipe { rate: 0.5, decay: 0.9, clip: 0.5, warmup: 0.5 },
            LocalSearch::over(space.clone()),
            executor_fn(|recipe: Recipe, run| async move { Ok(train(&recipe, &run)) }),
            evaluator_fn(|loss: &f64| Ok(Measurement::scalar(*loss)?)),
        )
        .acceptor(Greedy::new())
        .limits(Limits::new().runs(120))
        .store(store.clone())
    };
    println!("{}", study().run().await?);
    let certified = certify(study()).leave_one_out().transfer_to(Fidelity::steps(10_000)).run().await?;
    println!("{certified}");
    Ok(())
}
