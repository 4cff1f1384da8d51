//! The strong recipe against the plain one.
#![allow(clippy::unwrap_used)]

mod common;

use autoresearch_core::Fidelity;
use autoresearch_tch::{GptRecipe, GptTrainer};
use common::{splits, train, validate};

/// A glimpse, on a text of few words and in few steps; the comparison on real text takes minutes.
#[tokio::test]
async fn the_strong_recipe_learns_faster() {
    let trainer = GptTrainer::new(&splits()).fidelity(Fidelity::steps(40));
    let bits = async |recipe: GptRecipe| {
        let (model, _folder) =
            train(&trainer, GptRecipe { batch: 4, context: 32, ..recipe }, 1).await.unwrap();
        validate(&model).await.objective()
    };
    let (strong, plain) = (bits(GptRecipe::strong()).await, bits(GptRecipe::default()).await);
    assert!(strong < plain - 0.3, "{strong} {plain}");
}
