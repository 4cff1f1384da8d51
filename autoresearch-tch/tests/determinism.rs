//! What is the same when a run is repeated, and what each seed governs.
#![allow(clippy::unwrap_used)]

mod common;

use autoresearch_core::{Executor, Fidelity};
use autoresearch_tch::{GptRecipe, GptTrainer, OptimizerKind, Seeds, TrainedGpt};
use common::{context, splits, tiny, train};

fn trainer() -> GptTrainer {
    GptTrainer::new(&splits()).fidelity(Fidelity::tokens(64 * 12))
}

async fn digest(trainer: &GptTrainer, recipe: GptRecipe, seed: u64) -> String {
    let (model, _folder) = train(trainer, recipe, seed).await.unwrap();
    model.digest().unwrap()
}

/// Steps, tokens, operations and losses of a curve: all but its seconds.
fn curve(model: &TrainedGpt) -> Vec<(u64, u64, u64, u64)> {
    let points = model.metrics.curve.iter();
    points.map(|p| (p.step, p.tokens, p.flops.to_bits(), p.loss.to_bits())).collect()
}

#[tokio::test]
async fn one_thread_one_seed_and_a_budget_of_tokens_give_the_same_weights_and_curve() {
    let recipes = [
        tiny(),
        GptRecipe { dropout: 0.1, accumulation: 2, ..tiny() },
        GptRecipe { optimizer: OptimizerKind::Muon, ..tiny() },
    ];
    for recipe in recipes {
        let run = async |seed| train(&trainer(), recipe.clone(), seed).await.unwrap();
        // Two at once: neither the machine's load nor the other run may show.
        let ((a, _a), (b, _b)) = tokio::join!(run(3), run(3));
        assert_eq!(curve(&a), curve(&b), "{recipe:?}");
        assert_eq!(a.digest().unwrap(), b.digest().unwrap(), "{recipe:?}");
        assert_ne!(a.digest().unwrap(), digest(&trainer(), recipe.clone(), 4).await, "{recipe:?}");
    }
}

#[tokio::test]
async fn how_long_a_run_is_watched_changes_nothing() {
    // A run that is stopped, and started again from nothing, ends with the same weights.
    let (cx, _folder) = context(5);
    let cancel = cx.cancel.clone();
    let (endless, waiting) = (trainer().fidelity(Fidelity::steps(1_000_000)), cx.clone());
    let run = tokio::spawn(async move { endless.execute(tiny(), waiting).await });
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    cancel.cancel();
    assert!(run.await.unwrap().is_err());
    let (again, _folder) = context(5);
    let again = trainer().execute(tiny(), again).await.unwrap().digest().unwrap();
    assert_eq!(again, digest(&trainer(), tiny(), 5).await);
}

#[tokio::test]
async fn initial_weights_order_and_dropout_have_seeds_of_their_own() {
    let recipe = || GptRecipe { dropout: 0.2, ..tiny() };
    let run = async |seeds, seed| digest(&trainer().seeds(seeds), recipe(), seed).await;
    let all = Seeds::of_run();
    let plain = run(all, 3).await;
    assert_eq!(run(all.init(3).order(3).dropout(3), 8).await, plain, "all three are what the run's seed is");
    for (what, others_fixed) in [
        ("initial weights", all.order(3).dropout(3)),
        ("order", all.init(3).dropout(3)),
        ("dropout", all.init(3).order(3)),
    ] {
        assert_eq!(run(others_fixed, 3).await, plain, "{what}");
        assert_ne!(run(others_fixed, 8).await, plain, "{what}");
    }

    // Without dropout its seed decides nothing, and a run says which seeds are fixed.
    let none = async |seeds: Seeds| digest(&trainer().seeds(seeds), tiny(), 3).await;
    assert_eq!(none(all.dropout(99)).await, none(all).await);
    let fixed = trainer().seeds(all.order(7));
    assert!(Executor::<GptRecipe>::identity(&fixed).ends_with(", batches of seed 7"));
    assert!(!Executor::<GptRecipe>::identity(&trainer()).contains("seed"));
}

#[tokio::test]
async fn passes_are_averaged_into_one_step() {
    let steps = GptTrainer::new(&splits()).fidelity(Fidelity::steps(4));
    let one = GptRecipe { batch: 8, ..tiny() };
    let (whole, _a) = train(&steps, one.clone(), 1).await.unwrap();
    let (halves, _b) = train(&steps, GptRecipe { batch: 4, accumulation: 2, ..one }, 1).await.unwrap();
    let (whole, halves) = (whole.metrics, halves.metrics);
    assert_eq!((halves.tokens, halves.flops), (whole.tokens, whole.flops));
    assert_eq!(halves.tokens, 4 * 8 * 16, "a step's cost counts every pass");
    for (a, b) in whole.curve.iter().zip(&halves.curve) {
        // The same windows in the same order; the sums differ in the order of adding up (32-bit numbers).
        assert!((a.loss - b.loss).abs() < 1e-4 * a.loss, "{a:?} {b:?}");
    }
}
