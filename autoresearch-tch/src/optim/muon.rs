//! Muon (Jordan, 2024): momentum whose matrices are made orthogonal.

use super::{Optimizer, gradient};
use crate::Parameter;
use tch::{Kind, Tensor};

/// Muon, for the matrices between the hidden layers: the momentum of a matrix is replaced by the nearest orthogonal
/// one, so that every direction moves equally far. Embeddings, heads and vectors belong to [`AdamW`](super::AdamW).
#[derive(Debug)]
pub struct Muon {
    slots: Vec<Slot>,
    lr: f64,
    momentum: f64,
    weight_decay: f64,
}

#[derive(Debug)]
struct Slot {
    parameter: Tensor,
    momentum: Tensor,
    /// How many matrices lie one above the other in the parameter (3 for joint query, key and value).
    stacked: i64,
}

impl Muon {
    /// With momentum .95 and no weight decay. Each matrix comes with the number of equal matrices stacked in it,
    /// which are made orthogonal one by one.
    pub fn new<'a>(matrices: impl IntoIterator<Item = (&'a Parameter, i64)>, lr: f64) -> Self {
        let slot = |(parameter, stacked): (&Parameter, i64)| {
            let parameter = parameter.tensor().shallow_clone();
            Slot { momentum: parameter.zeros_like(), parameter, stacked }
        };
        Self { slots: matrices.into_iter().map(slot).collect(), lr, momentum: 0.95, weight_decay: 0.0 }
    }

    /// How slowly the momentum forgets.
    #[must_use]
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// The share of a matrix that goes in a step, per unit of learning rate.
    #[must_use]
    pub fn weight_decay(mut self, weight_decay: f64) -> Self {
        self.weight_decay = weight_decay;
        self
    }
}

impl Optimizer for Muon {
    fn step(&mut self, rate: f64) {
        let lr = rate * self.lr;
        for slot in &mut self.slots {
            let Some(gradient) = gradient(&slot.parameter) else { continue };
            _ = slot.momentum.lerp_(&gradient, 1.0 - self.momentum);
            // Nesterov: look ahead along the momentum.
            let ahead = gradient.lerp(&slot.momentum, self.momentum);
            let shape = slot.parameter.size();
            let (rows, columns) = (shape[0] / slot.stacked, shape[1]);
            let update = orthogonal(&ahead.reshape([slot.stacked, rows, columns])).reshape(&shape);
            // Tall matrices move farther, so that the size of what they give changes equally.
            let scale = (rows as f64 / columns as f64).max(1.0).sqrt();
            if self.weight_decay > 0.0 {
                _ = slot.parameter.g_mul_scalar_(1.0 - lr * self.weight_decay);
            }
            _ = slot.parameter.g_add_(&(update * (-lr * scale)));
        }
    }
}

/// About the nearest orthogonal matrix to each in a batch: five Newton-Schulz steps, with Jordan's coefficients, which
/// bring every singular value to between .7 and 1.2 and no closer, since closer does not train better.
fn orthogonal(batch: &Tensor) -> Tensor {
    let tall = batch.size()[1] > batch.size()[2];
    let x = if tall { batch.transpose(1, 2) } else { batch.shallow_clone() };
    let norm = x.norm_scalaropt_dim(2.0, [1_i64, 2], true);
    let mut x = x / (norm + 1e-7);
    for _ in 0..5 {
        let gram = x.matmul(&x.transpose(1, 2));
        let polynomial = &gram * -4.7750 + gram.matmul(&gram) * 2.0315;
        x = &x * 3.4445 + polynomial.matmul(&x);
    }
    debug_assert_eq!(x.kind(), Kind::Float);
    if tall { x.transpose(1, 2) } else { x }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::Parameters;

    #[test]
    fn singular_values_come_near_one() {
        let mut parameters = Parameters::seeded(3);
        let wide = parameters.normal("wide", &[2, 8, 24], 0.3).unwrap().detach();
        for batch in [wide.shallow_clone(), wide.transpose(1, 2)] {
            let x = orthogonal(&batch);
            assert_eq!(x.size(), batch.size());
            let (_, singular, _) = x.svd(true, false);
            let (low, high) = (singular.min().double_value(&[]), singular.max().double_value(&[]));
            assert!(low > 0.6 && high < 1.3, "{low} to {high}");
        }
    }
}
