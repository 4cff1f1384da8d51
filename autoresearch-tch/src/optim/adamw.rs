//! AdamW (Loshchilov and Hutter, 2019): the default for everything.

use super::decay::Decay;
use super::{Optimizer, gradient};
use crate::Parameter;
use tch::Tensor;

/// AdamW: a running mean of the gradient over the root of a running mean of its square, and decay of the weights
/// themselves. Decay leaves vectors alone, as is usual: gains and biases have no reason to be small.
#[derive(Debug)]
pub struct AdamW {
    slots: Vec<Slot>,
    lr: f64,
    betas: (f64, f64),
    eps: f64,
    decay: Decay,
    steps: i32,
}

#[derive(Debug)]
struct Slot {
    parameter: Tensor,
    mean: Tensor,
    square: Tensor,
}

impl AdamW {
    /// With betas .9 and .95, eps 1e-8 and no weight decay.
    pub fn new<'a>(parameters: impl IntoIterator<Item = &'a Parameter>, lr: f64) -> Self {
        let slot = |parameter: &Parameter| {
            let parameter = parameter.tensor().shallow_clone();
            Slot { mean: parameter.zeros_like(), square: parameter.zeros_like(), parameter }
        };
        let slots = parameters.into_iter().map(slot).collect();
        Self { slots, lr, betas: (0.9, 0.95), eps: 1e-8, decay: Decay::default(), steps: 0 }
    }

    /// How slowly the two running means forget.
    #[must_use]
    pub fn betas(mut self, first: f64, second: f64) -> Self {
        self.betas = (first, second);
        self
    }

    /// What is added to the root, which keeps it away from zero.
    #[must_use]
    pub fn eps(mut self, eps: f64) -> Self {
        self.eps = eps;
        self
    }

    /// The share of a matrix that goes in a step, per unit of learning rate.
    #[must_use]
    pub fn weight_decay(mut self, weight_decay: f64) -> Self {
        self.decay.share = weight_decay;
        self
    }

    /// Whether decay spares weights that the step moves away from zero (Chen et al., 2025).
    #[must_use]
    pub fn cautious(mut self, cautious: bool) -> Self {
        self.decay.cautious = cautious;
        self
    }
}

impl Optimizer for AdamW {
    fn step(&mut self, rate: f64) {
        self.steps += 1;
        let (first, second) = self.betas;
        let lr = rate * self.lr;
        // The means start at zero; the two corrections undo what that does to the first steps.
        let scale = lr / (1.0 - first.powi(self.steps));
        let correction = (1.0 - second.powi(self.steps)).sqrt();
        for slot in &mut self.slots {
            let Some(gradient) = gradient(&slot.parameter) else { continue };
            _ = slot.mean.lerp_(&gradient, 1.0 - first);
            _ = slot.square.lerp_(&gradient.square(), 1.0 - second);
            let mut root = slot.square.sqrt();
            _ = root.g_div_scalar_(correction).g_add_scalar_(self.eps).g_div_scalar_(-scale);
            if slot.parameter.dim() > 1 {
                self.decay.apply(&mut slot.parameter, &slot.mean, lr);
            }
            _ = slot.parameter.addcdiv_(&slot.mean, &root);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::Parameters;
    use tch::Kind;

    /// Algorithm 2 of the paper, on one number, in double precision.
    #[test]
    fn it_follows_the_paper() {
        let (lr, beta1, beta2, decay) = (0.1, 0.8, 0.9, 0.3);
        let mut parameters = Parameters::seeded(1);
        let x = parameters.constant("x", &[1, 1], 2.0).unwrap();
        let mut optimizer = AdamW::new(parameters.iter(), lr).betas(beta1, beta2).weight_decay(decay);
        let (mut expected, mut mean, mut square) = (2.0_f64, 0.0, 0.0);
        for step in 1..=20 {
            let rate = 1.0 / f64::from(step);
            x.square().sum(Kind::Float).backward();
            tch::no_grad(|| optimizer.step(rate));
            super::super::clear(&parameters);

            let gradient = 2.0 * expected;
            mean = beta1 * mean + (1.0 - beta1) * gradient;
            square = beta2 * square + (1.0 - beta2) * gradient * gradient;
            let (m, v) = (mean / (1.0 - beta1.powi(step)), square / (1.0 - beta2.powi(step)));
            expected -= rate * lr * decay * expected;
            expected -= rate * lr * m / (v.sqrt() + 1e-8);
            assert!((x.double_value(&[0, 0]) - expected).abs() < 1e-5, "step {step}: {x:?} {expected}");
        }
    }

    #[test]
    fn clipping_shrinks_all_gradients_together() {
        let mut parameters = Parameters::seeded(1);
        let x = parameters.constant("x", &[2], 1.0).unwrap();
        _ = parameters.constant("unused", &[2], 1.0).unwrap();
        (&x * Tensor::from_slice(&[3.0_f32, 4.0])).sum(Kind::Float).backward();
        tch::no_grad(|| super::super::clip(&parameters, 10.0));
        assert_eq!(x.grad().norm().double_value(&[]), 5.0);
        tch::no_grad(|| super::super::clip(&parameters, 1.0));
        assert!((x.grad().double_value(&[1]) - 0.8).abs() < 1e-6);
    }
}
