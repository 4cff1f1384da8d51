//! What a run leaves on disk, and finding it again.
#![allow(clippy::unwrap_used)]

mod common;

use autoresearch_core::{EvalContext, Evaluator, Executor, Fault, Fidelity};
use autoresearch_tch::{BitsPerByte, GptRecipe, GptTrainer, TrainedGpt};
use common::{context, splits, tiny, train, validate};
use std::fs;

fn trainer() -> GptTrainer {
    GptTrainer::new(&splits()).fidelity(Fidelity::steps(5))
}

#[tokio::test]
async fn a_finished_run_is_found_again_and_measures_the_same() {
    let (cx, folder) = context(2);
    let made = trainer().execute(tiny(), cx.clone()).await.unwrap();
    assert!(made.path.starts_with(folder.path()));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");

    let found = trainer().reopen(&tiny(), &cx).await.unwrap();
    assert_eq!(found, made);
    let handle: TrainedGpt = serde_json::from_str(&serde_json::to_string(&made).unwrap()).unwrap();
    let measured = validate(&made).await;
    assert_eq!(validate(&handle).await, measured);
    assert_eq!(TrainedGpt::open(&made.path).unwrap(), made, "by its file alone");
    let missing = TrainedGpt::open(folder.path().join("none")).unwrap_err();
    assert_eq!(missing.fault(), Fault::Infrastructure);
    for metric in ["train_loss", "tokens_per_s", "parameters", "seconds", "tokens", "flops"] {
        assert!(measured.metrics()[metric] > 0.0, "{metric}");
    }
}

#[tokio::test]
async fn only_the_run_asked_for_is_found() {
    let (cx, _folder) = context(2);
    assert!(trainer().reopen(&tiny(), &cx).await.is_none(), "nothing has run");
    let made = trainer().execute(tiny(), cx.clone()).await.unwrap();
    let mut other_seed = cx.clone();
    other_seed.seed = 3;
    assert!(trainer().reopen(&tiny(), &other_seed).await.is_none());
    assert!(trainer().reopen(&GptRecipe { lr: 2e-2, ..tiny() }, &cx).await.is_none());
    assert!(trainer().fidelity(Fidelity::steps(6)).reopen(&tiny(), &cx).await.is_none());
    assert!(trainer().threads(2).reopen(&tiny(), &cx).await.is_none());

    let bytes = fs::read(&made.path).unwrap();
    fs::write(&made.path, &bytes[..bytes.len() - 10]).unwrap();
    assert!(trainer().reopen(&tiny(), &cx).await.is_none(), "a damaged one is run again");
}

#[tokio::test]
async fn a_damaged_checkpoint_says_so_and_names_the_file() {
    let (model, _folder) = train(&trainer(), tiny(), 1).await.unwrap();
    let whole = fs::read(&model.path).unwrap();
    let mut flipped = whole.clone();
    let last = flipped.len() - 2;
    flipped[last] ^= 1;
    let damages = [
        ("cut short", whole[..whole.len() / 2].to_vec()),
        ("cut short", Vec::new()),
        ("checksum", flipped),
        ("cut short", b"this is no checkpoint at all".to_vec()),
    ];
    for (words, bytes) in damages {
        fs::write(&model.path, bytes).unwrap();
        let failure = BitsPerByte::on(splits().validation())
            .evaluate(&model, EvalContext::for_test(1))
            .await
            .unwrap_err();
        assert_eq!(failure.fault(), Fault::Infrastructure);
        assert!(
            failure.message().contains("model.safetensors") && failure.message().contains(words),
            "{failure}"
        );
    }
    fs::remove_file(&model.path).unwrap();
    let failure =
        BitsPerByte::on(splits().validation()).evaluate(&model, EvalContext::for_test(1)).await.unwrap_err();
    assert!(failure.message().contains("model.safetensors"), "{failure}");
}

#[tokio::test]
async fn a_checkpoint_of_another_shape_is_refused() {
    let (mut model, _folder) = train(&trainer(), tiny(), 1).await.unwrap();
    model.candidate.head_dim = 16;
    let failure =
        BitsPerByte::on(splits().validation()).evaluate(&model, EvalContext::for_test(1)).await.unwrap_err();
    assert!(
        failure.message().contains("\"embedding\" has the shape [256, 16], the model wants [256, 32]"),
        "{failure}"
    );
}

#[test]
fn a_folder_that_cannot_be_made_is_nobodys_fault_but_the_disks() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let cx = autoresearch_core::RunContext::for_test(1).in_directory(file.path().join("below"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let failure = runtime.block_on(trainer().execute(tiny(), cx)).unwrap_err();
    assert_eq!(failure.fault(), Fault::Infrastructure);
}
