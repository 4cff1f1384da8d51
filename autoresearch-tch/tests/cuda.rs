//! What only a card can show. Without one every test here says so and ends.
#![allow(clippy::unwrap_used)]

mod common;

use autoresearch_core::{EvalContext, Evaluator, FailureKind, Fault, Fidelity};
use autoresearch_tch::{BitsPerByte, Device, Devices, GptRecipe, GptTrainer, OptimizerKind, Precision};
use common::{splits, tiny, train, validate};

/// Whether there is a card to test on.
fn card() -> bool {
    let there = tch::Cuda::is_available();
    if !there {
        eprintln!("skipped: libtorch sees no CUDA device");
    }
    there
}

/// A wider one, so that a card's memory is worth looking at: 3.2 million parameters.
fn wider() -> GptRecipe {
    GptRecipe { depth: 4, heads: 4, head_dim: 64, batch: 32, context: 64, lr: 1e-3, ..GptRecipe::default() }
}

fn trainer(steps: u64) -> GptTrainer {
    GptTrainer::new(&splits()).fidelity(Fidelity::steps(steps))
}

#[tokio::test]
async fn a_card_trains_as_the_processor_does() {
    if !card() {
        return;
    }
    let plain = GptRecipe { warmup: 0.1, ..tiny() };
    let with_muon =
        GptRecipe { optimizer: OptimizerKind::Muon, ema: 0.9, dropout: 0.1, ..GptRecipe::strong() };
    let with_muon =
        GptRecipe { vocab: 256, depth: 2, heads: 2, head_dim: 16, batch: 4, context: 32, ..with_muon };
    for (name, recipe) in [("plain", plain), ("with muon", with_muon)] {
        let (here, _keep) = train(&trainer(30), recipe.clone(), 7).await.unwrap();
        let (there, _keep) = train(&trainer(30).device(Device::Cuda(0)), recipe, 7).await.unwrap();
        let losses = |run: &autoresearch_tch::TrainedGpt| -> Vec<f64> {
            run.metrics.curve.iter().map(|point| point.loss).collect()
        };
        let (here_losses, there_losses) = (losses(&here), losses(&there));
        assert_eq!(here_losses.len(), there_losses.len());
        // The same weights, batches and masks: sums in another order part the two a little more at every step.
        assert!((here_losses[0] - there_losses[0]).abs() < 1e-3, "{name}: {here_losses:?}\n{there_losses:?}");
        for (a, b) in here_losses.iter().zip(&there_losses) {
            assert!((a - b).abs() < 0.03, "{name}: {here_losses:?}\n{there_losses:?}");
        }
        // A checkpoint of a card is measured on the processor like any other.
        let (a, b) = (validate(&here).await.objective(), validate(&there).await.objective());
        assert!((a - b).abs() < 0.03, "{name}: {a} {b}");
        let on_card = BitsPerByte::on(splits().validation()).devices(Devices::shared(Device::Cuda(0)));
        let c = on_card.evaluate(&there, EvalContext::for_test(0)).await.unwrap().objective();
        assert!((b - c).abs() < 1e-3, "{name}: {b} on the processor, {c} on the card");
        assert!(on_card.identity().ends_with(", on cuda"));
        assert!(there.metrics.phases.is_none() && there.metrics.overhead.is_none());
        eprintln!("{name}: processor {a:.5}, card {b:.5} bits per byte");
    }
}

#[tokio::test]
async fn bfloat16_on_a_card_costs_little() {
    if !card() {
        return;
    }
    let run = async |precision| {
        let recipe = GptRecipe { precision, ..wider() };
        let trainer = trainer(60).device(Device::Cuda(0)).peak_flops(989e12);
        let (run, keep) = train(&trainer, recipe, 3).await.unwrap();
        let on_card = BitsPerByte::on(splits().validation()).devices(Devices::shared(Device::Cuda(0)));
        (on_card.evaluate(&run, EvalContext::for_test(0)).await.unwrap().objective(), run, keep)
    };
    let (full, _, _keep) = run(Precision::F32).await;
    let (half, with, _keep) = run(Precision::Bf16).await;
    eprintln!("f32 {full:.4}, bf16 {half:.4}, utilisation {:?}", with.metrics.mfu);
    assert!((full - half).abs() < 0.05, "{full} {half}");
    assert!(with.metrics.mfu.is_some_and(|share| share > 0.0 && share < 1.0));
}

#[tokio::test]
async fn the_peak_of_a_cards_memory_is_the_runs_own() {
    if !card() {
        return;
    }
    let trainer = trainer(5).gpus([0]);
    let peak = async |recipe: GptRecipe| {
        let (run, _keep) = train(&trainer, recipe, 1).await.unwrap();
        let state = 16.0 * run.metrics.parameters as f64 / 1e9; // weights, gradients and AdamW's two means
        (run.metrics.device_memory_gb.unwrap(), state)
    };
    let (small, _) = peak(tiny()).await;
    let (large, state) = peak(wider()).await;
    let (again, _) = peak(tiny()).await;
    eprintln!("peaks: {small:.4}, {large:.4} and {again:.4} GB; the larger one's state {state:.4} GB");
    assert!(large > state && large < 20.0 * state + 1.0, "{large} {state}");
    assert!(
        again < 0.5 * large && small < 0.5 * large,
        "{small} {large} {again}: a peak is of before the run"
    );
    // Two at once take the card one after the other, so that each has its own peak still.
    let ((a, _), (b, _)) = tokio::join!(peak(tiny()), peak(wider()));
    assert!(a < 0.5 * b, "{a} {b}");
}

#[tokio::test]
async fn memory_that_a_card_has_not_is_the_candidates_fault_and_the_next_run_is_well() {
    if !card() {
        return;
    }
    // 65,536 places of 1,024 numbers are .27 GB, of which each of 24 blocks keeps more than twenty for the way back.
    let (heads, head_dim) = (16, 64);
    let huge = GptRecipe { depth: 24, heads, head_dim, mlp_ratio: 8.0, batch: 512, context: 128, ..tiny() };
    let trainer = trainer(2).gpus([0]);
    let failure = train(&trainer, huge, 1).await.unwrap_err();
    eprintln!("{failure}");
    assert_eq!((failure.fault(), failure.what()), (Fault::Candidate, FailureKind::OutOfMemory), "{failure}");
    let (run, _keep) = train(&trainer, tiny(), 1).await.unwrap();
    assert!(run.metrics.device_memory_gb.unwrap() < 1.0, "what failed holds its memory still");
}
