//! Rotary position embedding (rope; Su et al., 2021).

use crate::GptRecipe;
use tch::{Device, Tensor};

/// The turns of rope: the number of place p and pair i stands for the angle p x base^(-2i / head_dim) on the complex
/// plane.
#[derive(Debug)]
pub(super) struct Rotation(Tensor);

impl Rotation {
    pub(super) fn new(recipe: &GptRecipe, device: Device) -> Self {
        let (pairs, context) = (recipe.head_dim / 2, recipe.context);
        let angle =
            |place: u32, i: u32| f64::from(place) * recipe.rope_base.powf(-f64::from(i) / f64::from(pairs));
        let table = |of: fn(f64) -> f64| {
            let all: Vec<f32> = (0..context)
                .flat_map(|place| (0..pairs).map(move |i| (place, i)))
                .map(|(place, i)| of(angle(place, i)) as f32)
                .collect();
            Tensor::from_slice(&all).view([i64::from(context), 1, i64::from(pairs)])
        };
        Self(Tensor::complex(&table(f64::cos), &table(f64::sin)).to_device(device))
    }

    /// For the first places alone.
    pub(super) fn narrow(&self, length: i64) -> Self {
        Self(self.0.narrow(0, 0, length))
    }

    /// Turns each pair (2i, 2i + 1) of the last dimension of `[batch, length, heads, head_dim]`, as one number of the
    /// complex plane: one product for what four and two sums would take.
    pub(super) fn turn(&self, x: &Tensor) -> Tensor {
        let pairs = x.unflatten(3, [-1, 2]).view_as_complex();
        (pairs * &self.0).view_as_real().flatten(3, 4)
    }
}
