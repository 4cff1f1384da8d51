//! Optimisers: what moves the parameters once their gradients are known.

mod adamw;
mod decay;
mod muon;
mod orthogonal;

pub use adamw::AdamW;
pub use muon::Muon;

use crate::Parameters;
use tch::Tensor;

/// Moves parameters along their gradients. It holds the tensors it moves, and its own state.
pub trait Optimizer {
    /// One step. `rate` multiplies the optimiser's own learning rate: the schedule's value, 1 at its peak.
    /// Called without gradient tracking, after the gradients were clipped.
    fn step(&mut self, rate: f64);
}

/// Several optimisers, each with parameters of its own.
impl Optimizer for Vec<Box<dyn Optimizer>> {
    fn step(&mut self, rate: f64) {
        for optimizer in self {
            optimizer.step(rate);
        }
    }
}

/// The gradient, or none for a parameter that the loss did not touch.
fn gradient(parameter: &Tensor) -> Option<Tensor> {
    let gradient = parameter.grad();
    gradient.defined().then_some(gradient)
}

/// Shrinks all gradients together so that their norm is at most `limit`.
pub(crate) fn clip(parameters: &Parameters, limit: f64) {
    let gradients: Vec<_> = parameters.iter().filter_map(|p| gradient(p.tensor())).collect();
    let norms: Vec<_> = gradients.iter().map(Tensor::norm).collect();
    if norms.is_empty() {
        return;
    }
    // No number is read back, so that a card need not be waited for: a factor of 1 changes nothing.
    let factor = (Tensor::stack(&norms, 0).norm().reciprocal() * limit).clamp_max(1.0);
    for mut gradient in gradients {
        _ = gradient.g_mul_(&factor);
    }
}

/// Forgets the gradients, keeping their memory.
pub(crate) fn clear(parameters: &Parameters) {
    for parameter in parameters.iter() {
        if let Some(mut gradient) = gradient(parameter.tensor()) {
            _ = gradient.zero_();
        }
    }
}
