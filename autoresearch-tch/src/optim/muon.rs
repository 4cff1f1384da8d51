//! Muon (Jordan, 2024): momentum whose matrices are made orthogonal.

use super::decay::Decay;
use super::orthogonal::orthogonal;
use super::{Optimizer, gradient};
use crate::{Orthogonal, Parameter};
use tch::{Kind, Tensor};

/// Keeps the divisor of a row that never moved away from zero.
const EPSILON: f64 = 1e-8;

/// Muon, for the matrices between the hidden layers: the momentum of a matrix is replaced by about the nearest
/// orthogonal one, so that every direction moves equally far. Embeddings, heads and vectors belong to
/// [`AdamW`](super::AdamW).
///
/// A step adds -`lr` sqrt(max(1, rows / columns)) O, where O is the orthogonal matrix. Matrices of one shape are worked
/// on in one batch.
#[derive(Debug)]
pub struct Muon {
    groups: Vec<Group>,
    lr: f64,
    momentum: f64,
    nesterov: bool,
    orthogonal: Orthogonal,
    steps: u32,
    normalised: Option<f64>,
    decay: Decay,
    bf16: bool,
}

/// All matrices of one shape, and their state: `[matrices, rows, columns]`.
#[derive(Debug)]
struct Group {
    matrices: Vec<Tensor>,
    shape: [i64; 2],
    momentum: Tensor,
    /// Mean square of what each row moved by, `[matrices, rows, 1]`.
    variance: Option<Tensor>,
}

impl Muon {
    /// With momentum .95, Nesterov's look ahead, five Newton-Schulz steps and no weight decay.
    ///
    /// # Panics
    /// A parameter is not two-dimensional.
    pub fn new<'a>(parameters: impl IntoIterator<Item = &'a Parameter>, lr: f64) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        for parameter in parameters {
            let size = parameter.tensor().size();
            let &[rows, columns] = size.as_slice() else {
                panic!("Muon moves matrices, but {:?} has the shape {size:?}", parameter.name());
            };
            let shape = [rows, columns];
            match groups.iter_mut().find(|group| group.shape == shape) {
                Some(group) => group.matrices.push(parameter.tensor().shallow_clone()),
                None => {
                    let momentum = parameter.tensor().detach().zeros_like();
                    let matrices = vec![parameter.tensor().shallow_clone()];
                    groups.push(Group { matrices, shape, momentum, variance: None });
                }
            }
        }
        for group in &mut groups {
            group.momentum = group.momentum.unsqueeze(0).repeat([group.matrices.len() as i64, 1, 1]);
        }
        Self {
            groups,
            lr,
            momentum: 0.95,
            nesterov: true,
            orthogonal: Orthogonal::NewtonSchulz,
            steps: 5,
            normalised: None,
            decay: Decay::default(),
            bf16: false,
        }
    }

    /// How slowly the momentum forgets.
    #[must_use]
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// Whether it looks ahead along the momentum.
    #[must_use]
    pub fn nesterov(mut self, nesterov: bool) -> Self {
        self.nesterov = nesterov;
        self
    }

    /// By which polynomials matrices are made orthogonal, and in how many steps.
    #[must_use]
    pub fn orthogonal(mut self, kind: Orthogonal, steps: u32) -> Self {
        (self.orthogonal, self.steps) = (kind, steps);
        self
    }

    /// NorMuon (Li et al., 2025): each row of the orthogonal matrix is divided by the root of a running mean of its
    /// square, which forgets by `beta2` a step; then the whole is scaled to the norm that it had. (The paper scales it
    /// to a fixed norm; this way the learning rate means the same with and without.)
    #[must_use]
    pub fn normalised(mut self, beta2: f64) -> Self {
        self.normalised = Some(beta2);
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

    /// Whether the polynomials are computed in bfloat16, as in Jordan's own code: quicker where the processor has such
    /// products. Momentum and weights stay in 32 bits.
    #[must_use]
    pub fn bf16(mut self, bf16: bool) -> Self {
        self.bf16 = bf16;
        self
    }

    /// What a group moves by, but for the learning rate.
    fn direction(&self, ahead: &Tensor) -> Tensor {
        if self.bf16 {
            orthogonal(&ahead.to_kind(Kind::BFloat16), self.orthogonal, self.steps).to_kind(Kind::Float)
        } else {
            orthogonal(ahead, self.orthogonal, self.steps)
        }
    }
}

impl Optimizer for Muon {
    fn step(&mut self, rate: f64) {
        let lr = rate * self.lr;
        let mut groups = std::mem::take(&mut self.groups);
        for group in &mut groups {
            let gradients: Vec<_> = group.matrices.iter().map(gradient).collect();
            if gradients.iter().all(Option::is_none) {
                continue;
            }
            let [rows, columns] = group.shape;
            let none = Tensor::zeros([rows, columns], (Kind::Float, group.momentum.device()));
            let stacked: Vec<&Tensor> = gradients.iter().map(|g| g.as_ref().unwrap_or(&none)).collect();
            let gradient = Tensor::stack(&stacked, 0);
            _ = group.momentum.lerp_(&gradient, 1.0 - self.momentum);
            let mut update = if self.nesterov {
                self.direction(&gradient.lerp(&group.momentum, self.momentum))
            } else {
                self.direction(&group.momentum)
            };
            if let Some(beta2) = self.normalised {
                update = even_out(update, &mut group.variance, beta2);
            }
            // Tall matrices move farther, so that the size of what they give changes equally.
            let scale = (rows as f64 / columns as f64).max(1.0).sqrt();
            _ = update.g_mul_scalar_(lr * scale);
            for (index, matrix) in group.matrices.iter().enumerate() {
                // What the loss never touched stays as it is.
                if gradients[index].is_none() {
                    continue;
                }
                let update = update.get(index as i64);
                let mut weights = matrix.detach();
                self.decay.apply(&mut weights, &update, lr);
                _ = weights.g_sub_(&update);
            }
        }
        self.groups = groups;
    }
}

/// The normalisation of NorMuon.
fn even_out(update: Tensor, variance: &mut Option<Tensor>, beta2: f64) -> Tensor {
    let norm = |x: &Tensor| x.norm_scalaropt_dim(2.0, [1_i64, 2], true);
    let square = update.square().mean_dim([2_i64].as_slice(), true, Kind::Float);
    let variance = variance.get_or_insert_with(|| square.zeros_like());
    _ = variance.lerp_(&square, 1.0 - beta2);
    let even = &update / (variance.sqrt() + EPSILON);
    let scale = norm(&update) / (norm(&even) + EPSILON);
    even * scale
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::Parameters;

    fn values(tensor: &Tensor) -> Vec<f32> {
        Vec::try_from(tensor.detach().flatten(0, -1)).unwrap()
    }

    /// Of two matrices of one shape, each goes the way it would go alone.
    #[test]
    fn matrices_of_one_shape_are_moved_one_by_one() {
        let moved = |names: &[&str]| {
            let mut parameters = Parameters::seeded(5);
            for name in names {
                _ = parameters.normal(name, &[4, 6], 0.3).unwrap();
            }
            let mut muon = Muon::new(parameters.iter(), 0.1).normalised(0.9).weight_decay(0.1);
            for _ in 0..3 {
                for parameter in parameters.iter() {
                    parameter.tensor().pow_tensor_scalar(4).sum(Kind::Float).backward();
                }
                tch::no_grad(|| muon.step(1.0));
                super::super::clear(&parameters);
            }
            parameters.iter().flat_map(|p| values(p.tensor())).collect::<Vec<f32>>()
        };
        let apart = [moved(&["a"]), moved(&["b"])].concat();
        for (together, alone) in moved(&["a", "b"]).into_iter().zip(apart) {
            assert!((together - alone).abs() < 1e-6, "{together} {alone}");
        }
    }

    #[test]
    fn in_bfloat16_it_goes_nearly_the_same_way() {
        let mut parameters = Parameters::seeded(5);
        let start = parameters.normal("x", &[16, 32], 0.3).unwrap();
        let moved = |bf16| {
            let mut parameters = Parameters::seeded(5);
            let x = parameters.normal("x", &[16, 32], 0.3).unwrap();
            let mut muon = Muon::new(parameters.iter(), 0.1).bf16(bf16);
            x.square().sum(Kind::Float).backward();
            tch::no_grad(|| muon.step(1.0));
            x.detach() - start.detach()
        };
        let (full, half) = (moved(false), moved(true));
        let along = ((&full * &half).sum(Kind::Double) / (full.norm() * half.norm())).double_value(&[]);
        // bfloat16 keeps 8 bits.
        assert!(along > 0.99 && values(&full) != values(&half), "{along}");
    }

    #[test]
    fn what_has_no_gradient_stays() {
        let mut parameters = Parameters::seeded(1);
        let (x, unused) = (
            parameters.normal("x", &[4, 4], 1.0).unwrap(),
            parameters.normal("unused", &[4, 4], 1.0).unwrap(),
        );
        let before = (values(&x), values(&unused));
        let mut muon = Muon::new(parameters.iter(), 0.1).weight_decay(0.5);
        x.square().sum(Kind::Float).backward();
        tch::no_grad(|| muon.step(1.0));
        assert_ne!(values(&x), before.0);
        assert_eq!(values(&unused), before.1);
    }
}
