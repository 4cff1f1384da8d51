//! The model: against PyTorch, and field by field.
#![allow(clippy::unwrap_used)]

mod causality;
mod fields;
mod reference;

use super::GptModel;
use crate::{GptRecipe, Parameters};
use tch::{Kind, Tensor};

/// A model with initial weights from seed 5, and its parameters.
fn build(recipe: &GptRecipe) -> (GptModel, Parameters) {
    // More threads than idle cores make libtorch many times slower.
    tch::set_num_threads(1);
    recipe.validate().unwrap();
    let mut parameters = Parameters::seeded(5);
    (GptModel::new(recipe, &mut parameters).unwrap(), parameters)
}

/// Small, with weights large enough that every part matters.
fn small() -> GptRecipe {
    GptRecipe { head_dim: 8, context: 12, init_std: 0.3, ..GptRecipe::default() }
}

/// Tokens `[rows, length]` that differ from row to row.
fn tokens(rows: i64, length: i64) -> Tensor {
    let all: Vec<i64> = (0..rows * length).map(|i| (i * i * 7 + 3 * i + 11) % 251).collect();
    Tensor::from_slice(&all).view([rows, length])
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.detach().to_kind(Kind::Float).flatten(0, -1).try_into().unwrap()
}

/// The largest difference.
fn apart(a: &Tensor, b: &Tensor) -> f64 {
    (a - b).abs().max().double_value(&[])
}
