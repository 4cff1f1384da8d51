//! Running means of the weights as what is measured.
#![allow(clippy::unwrap_used)]

mod common;

use autoresearch_core::Fidelity;
use autoresearch_tch::{GptRecipe, GptTrainer};
use common::{splits, tiny, train, validate};

/// The training is the same, and what is measured is not the last weights: where the learning rate is high to the end,
/// their mean is better.
#[tokio::test]
async fn the_mean_of_the_weights_is_what_is_measured() {
    let trainer = GptTrainer::new(&splits()).fidelity(Fidelity::steps(60));
    let recipe = GptRecipe { lr: 3e-2, cooldown: 0.0, batch: 2, ..tiny() };
    let (last, _folder) = train(&trainer, recipe.clone(), 1).await.unwrap();
    let (mean, _folder) = train(&trainer, GptRecipe { ema: 0.9, ..recipe }, 1).await.unwrap();
    assert_eq!(last.metrics.train_loss, mean.metrics.train_loss);
    let (last, mean) = (validate(&last).await.objective(), validate(&mean).await.objective());
    assert!(mean < last, "{mean} {last}");
}
