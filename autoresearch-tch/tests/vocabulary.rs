//! Models over larger vocabularies, from the corpus to the measurement.
#![allow(clippy::unwrap_used)]

mod common;

use autoresearch_core::{EvalContext, Evaluator, Executor, Fault, Fidelity};
use autoresearch_tch::{BitsPerByte, GptRecipe, GptTrainer, Packing};
use common::{context, splits, tiny, train, validate};

fn trainer(steps: u64) -> GptTrainer {
    GptTrainer::new(&splits()).fidelity(Fidelity::steps(steps))
}

fn joined() -> GptRecipe {
    GptRecipe { vocab: 280, ..tiny() }
}

#[tokio::test]
async fn a_model_over_joined_symbols_learns_and_its_checkpoint_needs_nothing_else() {
    for packing in [Packing::Stream, Packing::Documents] {
        let (model, _folder) = train(&trainer(80), GptRecipe { packing, ..joined() }, 1).await.unwrap();
        // Words of the text are symbols, so that it does better than the frequencies of letters, about 3.4.
        let bits = validate(&model).await.objective();
        assert!(bits < 2.0, "{packing:?}: {bits}");
        assert!(model.metrics.train_loss < 280_f64.ln());
    }
}

#[tokio::test]
async fn the_cache_changes_no_bit_and_spares_the_next_process_the_work() {
    let cache = tempfile::tempdir().unwrap();
    let (plain, _folder) = train(&trainer(10), joined(), 1).await.unwrap();
    for _ in 0..2 {
        let cached = trainer(10).token_cache(cache.path());
        let (model, _folder) = train(&cached, joined(), 1).await.unwrap();
        assert_eq!(validate(&model).await.units(), validate(&plain).await.units());
    }
    // With or without a cache a run is the same run, and a finished one is found.
    let (cx, _folder) = context(1);
    let made = trainer(10).execute(joined(), cx.clone()).await.unwrap();
    assert_eq!(trainer(10).token_cache(cache.path()).reopen(&joined(), &cx).await, Some(made));
}

#[tokio::test]
async fn a_checkpoint_with_another_vocabulary_is_refused() {
    let (mut model, _folder) = train(&trainer(5), joined(), 1).await.unwrap();
    let evaluator = BitsPerByte::on(splits().validation());
    for (vocab, words) in [
        (260, "vocabulary mismatch"),
        (300, "\"embedding\" has the shape [280, 16], the model wants [300, 16]"),
        (256, "\"embedding\" has the shape [280, 16], the model wants [256, 16]"),
    ] {
        model.candidate.vocab = vocab;
        let failure = evaluator.evaluate(&model, EvalContext::for_test(1)).await.unwrap_err();
        assert_eq!(failure.fault(), Fault::Infrastructure);
        assert!(failure.message().contains(words), "{vocab}: {failure}");
    }
    let (mut bytes, _folder) = train(&trainer(5), tiny(), 1).await.unwrap();
    bytes.candidate.vocab = 280;
    let failure = evaluator.evaluate(&bytes, EvalContext::for_test(1)).await.unwrap_err();
    assert!(failure.message().contains("no parameter \"vocabulary.merges\""), "{failure}");
}

#[tokio::test]
async fn a_cache_that_cannot_be_written_is_nobodys_fault_but_the_disks() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let failure = train(&trainer(5).token_cache(file.path()), tiny(), 1).await.unwrap_err();
    assert_eq!(failure.fault(), Fault::Infrastructure);
}
