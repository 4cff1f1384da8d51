//! Training at a scale.
#![allow(clippy::unwrap_used)]

mod common;

use autoresearch_core::{Executor, Fault, Fidelity};
use autoresearch_tch::{GptRecipe, GptTrainer, Scale};
use common::{context, splits, tiny, validate};

fn trainer() -> GptTrainer {
    GptTrainer::new(&splits()).fidelity(Fidelity::steps(3))
}

#[tokio::test]
async fn the_larger_model_is_what_comes_out_and_can_be_measured_and_found_again() {
    let scaled = trainer().scaled(Scale::new().depth(2).width(2));
    let (cx, _folder) = context(1);
    let model = scaled.execute(tiny(), cx.clone()).await.unwrap();
    assert_eq!((model.candidate.depth, model.candidate.width()), (2, 32));
    assert!(validate(&model).await.objective() < 9.0);
    assert_eq!(scaled.reopen(&tiny(), &cx).await, Some(model));
    assert!(trainer().reopen(&tiny(), &cx).await.is_none(), "that is another model");
}

#[tokio::test]
async fn only_runs_of_the_named_fidelity_are_scaled() {
    let at = Fidelity::steps(4);
    let scaled = trainer().scaled(Scale::new().width(2)).only_at(at);
    let width = async |fidelity| {
        let (mut cx, _folder) = context(1);
        cx.fidelity = fidelity;
        let model = scaled.execute(tiny(), cx).await.unwrap();
        (model.candidate.width(), model.metrics.steps)
    };
    assert_eq!(width(None).await, (16, 3));
    assert_eq!(width(Some(Fidelity::steps(2))).await, (16, 2));
    assert_eq!(width(Some(at)).await, (32, 4));
    assert!(scaled.identity().ends_with("3 steps, 1 threads, depth x 1, width x 2 at 4 steps"));
}

#[tokio::test]
async fn what_cannot_be_scaled_is_the_candidates_failure() {
    let recipe = GptRecipe { heads: 64, ..tiny() };
    let (cx, _folder) = context(1);
    let failure = trainer().scaled(Scale::new().width(2)).execute(recipe, cx).await.unwrap_err();
    assert_eq!(failure.fault(), Fault::Candidate);
    let expected = "the recipe at depth x 1, width x 2: heads is 128, it must be from 1 to 64";
    assert_eq!(failure.message(), expected);
}
