//! A small text and a small model, for tests that must be fast without optimisation.
#![allow(dead_code, clippy::unwrap_used)] // each test binary uses its own part

use autoresearch_core::{EvalContext, Evaluator, Executor, Measurement, RunContext, RunFailure};
use autoresearch_tch::{BitsPerByte, Corpus, GptRecipe, GptTrainer, Split, Splits, TrainedGpt};

/// Documents of words that a model can learn quickly.
pub(crate) fn splits() -> Splits {
    let words = ["the ", "cat ", "sat ", "on ", "a ", "mat. "];
    // A linear congruential generator a document: the high bits are random enough for words.
    let text = |n: u64| {
        let next =
            |state: &u64| Some(state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407));
        let states = std::iter::successors(Some(n), next).skip(1).take(60);
        states.map(|state| words[(state >> 33) as usize % words.len()]).collect::<String>()
    };
    Corpus::from_texts((0..60).map(text)).split(Split::default()).unwrap()
}

/// 4,000 parameters, 64 tokens a step.
pub(crate) fn tiny() -> GptRecipe {
    GptRecipe { depth: 1, heads: 2, head_dim: 8, batch: 4, context: 16, lr: 1e-2, ..GptRecipe::default() }
}

/// A context with a folder of its own that ends with the test.
pub(crate) fn context(seed: u64) -> (RunContext, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (RunContext::for_test(seed).in_directory(folder.path()), folder)
}

pub(crate) async fn train(
    trainer: &GptTrainer,
    recipe: GptRecipe,
    seed: u64,
) -> Result<(TrainedGpt, tempfile::TempDir), RunFailure> {
    let (cx, folder) = context(seed);
    Ok((trainer.execute(recipe, cx).await?, folder))
}

pub(crate) async fn validate(model: &TrainedGpt) -> Measurement {
    BitsPerByte::on(splits().validation()).evaluate(model, EvalContext::for_test(0)).await.unwrap()
}
