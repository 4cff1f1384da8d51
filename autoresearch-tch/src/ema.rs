//! Running means of the weights.

use crate::Parameters;
use tch::Tensor;

/// A running mean of every parameter over the last steps of training, which is often better than the parameters
/// themselves as long as the learning rate is high (Polyak and Juditsky, 1992; for exponential weights Kingma and Ba,
/// 2015, section 7.2).
///
/// After step t the mean is the sum of d^(t-i) w_i over the steps i up to t, divided by the sum of d^(t-i), where d is the
/// decay and w_i are the weights after step i: initial weights have no part in it.
#[derive(Debug)]
pub struct Ema {
    decay: f64,
    steps: i32,
    slots: Vec<(Tensor, Tensor)>,
}

impl Ema {
    /// A mean that forgets by the factor `decay` (0 to below 1) a step: over about the last 1 / (1 - `decay`) steps.
    pub fn new(parameters: &Parameters, decay: f64) -> Self {
        let slot = |tensor: &Tensor| (tensor.detach(), tensor.detach().copy());
        Self { decay, steps: 0, slots: parameters.iter().map(|p| slot(p.tensor())).collect() }
    }

    /// Takes the weights into the mean: to be called after each step of the optimiser.
    pub fn update(&mut self) {
        let _guard = tch::no_grad_guard();
        self.steps = self.steps.saturating_add(1);
        // The weight of the newest: it corrects for how few there are yet, and is 1 at the first step.
        let newest = (1.0 - self.decay) / (1.0 - self.decay.powi(self.steps));
        for (parameter, mean) in &mut self.slots {
            _ = mean.lerp_(parameter, newest);
        }
    }

    /// Puts the means into the parameters. Before the first [`update`](Self::update) it changes nothing.
    pub fn apply(self) {
        let _guard = tch::no_grad_guard();
        for (mut parameter, mean) in self.slots {
            parameter.copy_(&mean);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_that_of_the_formula() {
        let mut parameters = Parameters::seeded(1);
        let x = parameters.constant("x", &[2], 100.0).unwrap();
        let mut ema = Ema::new(&parameters, 0.75);
        for value in [1.0, 2.0, 4.0] {
            _ = x.detach().fill_(value);
            ema.update();
        }
        ema.apply();
        let expected = (0.5625 * 1.0 + 0.75 * 2.0 + 4.0) / (0.5625 + 0.75 + 1.0);
        assert!((x.double_value(&[1]) - expected).abs() < 1e-6, "{x:?} {expected}");
        assert!(x.requires_grad());
    }

    #[test]
    fn without_a_step_nothing_changes() {
        let mut parameters = Parameters::seeded(1);
        let x = parameters.constant("x", &[1], 3.0).unwrap();
        Ema::new(&parameters, 0.9).apply();
        assert_eq!(x.double_value(&[0]), 3.0);
    }
}
