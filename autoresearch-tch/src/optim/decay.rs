//! Weight decay: the part of a step that makes weights smaller whatever the gradient says.

use tch::Tensor;

/// Decoupled weight decay (Loshchilov and Hutter, 2019), and its cautious variant (Chen et al., 2025: "Cautious Weight
/// Decay"), which spares a weight that the step moves away from zero.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Decay {
    pub(super) share: f64,
    pub(super) cautious: bool,
}

impl Decay {
    /// Takes its share of the weights, before the step is made. `downhill` is what will be taken off them by the step, up
    /// to a positive factor.
    pub(super) fn apply(self, weights: &mut Tensor, downhill: &Tensor, lr: f64) {
        let share = lr * self.share;
        if share == 0.0 {
            return;
        }
        if self.cautious {
            let towards_zero = (&*weights * downhill).ge(0.0).to_kind(weights.kind());
            _ = weights.g_mul_(&(towards_zero * -share + 1.0));
        } else {
            _ = weights.g_mul_scalar_(1.0 - share);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(cautious: bool) -> Vec<f64> {
        let mut weights = Tensor::from_slice(&[2.0, 2.0, -2.0, -2.0]);
        let downhill = Tensor::from_slice(&[1.0, -1.0, 1.0, -1.0]);
        Decay { share: 0.5, cautious }.apply(&mut weights, &downhill, 0.1);
        (0..4).map(|at| weights.double_value(&[at])).collect()
    }

    #[test]
    fn cautious_decay_spares_what_moves_away_from_zero() {
        assert_eq!(after(false), [1.9, 1.9, -1.9, -1.9]);
        assert_eq!(after(true), [1.9, 2.0, -2.0, -1.9]);
    }
}
