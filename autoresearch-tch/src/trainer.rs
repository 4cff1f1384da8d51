//! What a user's own model has to say to be trained and searched over.

use crate::optim::{AdamW, Optimizer};
use crate::{Draws, Parameters, StepCost};
use autoresearch_core::{Cancellation, Candidate, RunFailure};
use serde::Serialize;
use std::sync::Arc;
use tch::Tensor;

/// A model to train with libtorch: how it is built from a candidate, and its loss on a batch.
///
/// [`Training`](crate::Training) makes an executor of it and sees to everything else: seeds, budget, cancellation,
/// schedule, clipping, non-finite losses, progress, checkpoint and metrics.
/// [`model_evaluator`](crate::model_evaluator) measures what it trained.
///
/// The trainer itself holds what all runs share, above all the training data, as plain memory: `tch::Tensor` cannot be
/// shared between threads. Tensors belong into the model, which lives and dies on its run's thread.
///
/// For equal seeds to be worth something, draw initial values from [`Parameters`], batches from [`Draws`] and dropout
/// from [`Draws::dropout`], never from libtorch's own generator: that one is shared by every run of the process.
///
/// To run on a GPU as well, move batches and constants to [`Parameters::device`], where the parameters are.
///
/// A classifier of points inside and outside of a circle:
/// ```
/// use autoresearch_core::{Evaluator, EvalContext, Executor, Fidelity, Measurement, RunContext, RunFailure};
/// use autoresearch_tch::{Draws, Parameters, Trainer, Training, model_evaluator, tch::{Kind, Tensor}};
///
/// #[derive(Clone, Debug, serde::Serialize)]
/// struct Net { width: i64 }                                            // the candidate
/// struct Circle;                                                       // the data, here a formula
/// impl Circle {
///     fn points(&self, draws: &mut Draws, count: i64) -> (Tensor, Tensor) {
///         let xy: Vec<f32> = (0..2 * count).map(|_| 2.0 * draws.unit() as f32 - 1.0).collect();
///         let xy = Tensor::from_slice(&xy).view([count, 2]);
///         let inside = xy.square().sum_dim_intlist(1, false, Kind::Float).lt(0.6).to_kind(Kind::Int64);
///         (xy, inside)
///     }
/// }
/// impl Trainer for Circle {
///     type Candidate = Net;
///     type Model = [Tensor; 3];
///     fn build(&self, net: &Net, p: &mut Parameters) -> Result<[Tensor; 3], RunFailure> {
///         Ok([p.normal("in", &[2, net.width], 1.0)?, p.normal("bias", &[net.width], 1.0)?, p.normal("out", &[net.width, 2], 0.1)?])
///     }
///     fn loss(&self, [a, b, c]: &[Tensor; 3], draws: &mut Draws) -> Result<Tensor, RunFailure> {
///         let (points, inside) = self.points(draws, 64);
///         Ok((points.matmul(a) + b).relu().matmul(c).cross_entropy_for_logits(&inside))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), RunFailure> {
/// let trained = Training::of(Circle).fidelity(Fidelity::steps(300)).execute(Net { width: 32 }, RunContext::for_test(1)).await?;
/// let accuracy = model_evaluator(Circle, |circle, [a, b, c], draws| {
///     let (points, inside) = circle.points(draws, 500);
///     let right = (points.matmul(a) + b).relu().matmul(c).argmax(1, false).eq_tensor(&inside);
///     Ok(Measurement::new(Vec::<bool>::try_from(right).unwrap().into_iter().map(f64::from))?)
/// });
/// assert!(accuracy.evaluate(&trained, EvalContext::for_test(1)).await?.objective() > 0.8);
/// # Ok(()) }
/// ```
///
/// A panic within these methods (tch's plain methods panic where libtorch reports an error) fails the run as the
/// candidate's fault, with libtorch's message; out of memory is told apart.
pub trait Trainer: Send + Sync + 'static {
    /// What is searched over.
    type Candidate: Candidate + Serialize;
    /// The model of one run: its parameters, and whatever else the loss needs to know of the candidate.
    type Model;

    /// Makes the model. It is called for training, and again with the trained values for every evaluation.
    fn build(
        &self,
        candidate: &Self::Candidate,
        parameters: &mut Parameters,
    ) -> Result<Self::Model, RunFailure>;

    /// The mean loss on the next batch: a tensor with one number. With [`accumulation`](Self::accumulation) it is called
    /// several times a step.
    fn loss(&self, model: &Self::Model, draws: &mut Draws) -> Result<Tensor, RunFailure>;

    /// Refuses a candidate before anything is built; say which field, which value, and what it may be.
    fn check(&self, _candidate: &Self::Candidate) -> Result<(), RunFailure> {
        Ok(())
    }

    /// Makes what all runs share, at its first use: a vocabulary, shards of tokens. Called after [`check`](Self::check) and
    /// before anything is built. It may take long: look at `stop`, and leave nothing half-made.
    fn prepare(&self, _candidate: &Self::Candidate, _stop: &Cancellation) -> Result<(), RunFailure> {
        Ok(())
    }

    /// What moves the parameters: AdamW at 1e-3 unless said.
    fn optimizer(&self, _candidate: &Self::Candidate, parameters: &Parameters) -> Box<dyn Optimizer> {
        Box::new(AdamW::new(parameters.iter(), 1e-3))
    }

    /// The factor on the learning rate when `progress` (0 to 1) of the run is done. Constant unless said.
    fn rate(&self, _candidate: &Self::Candidate, _progress: f64) -> f64 {
        1.0
    }

    /// The most that the norm of all gradients together may be; `None`: anything.
    fn clip(&self, _candidate: &Self::Candidate) -> Option<f64> {
        None
    }

    /// Passes a step, each over a batch of its own, whose gradients are averaged: one unless said.
    fn accumulation(&self, _candidate: &Self::Candidate) -> u32 {
        1
    }

    /// The factor a step by which a running mean of the weights forgets, if that mean is to be measured in place of the
    /// last weights: from 0 to below 1. `None`: the last weights.
    fn ema(&self, _candidate: &Self::Candidate) -> Option<f64> {
        None
    }

    /// What a step costs, all its passes together, for budgets in tokens and in floating-point operations. One token a
    /// step unless said.
    fn cost(&self, _candidate: &Self::Candidate) -> StepCost {
        StepCost::tokens(1)
    }

    /// The factor that brings this candidate's loss to a unit which all candidates share, in curves, progress and
    /// metrics: where the loss is a mean over tokens and the tokenizer is searched over, tokens a byte. 1 unless said.
    fn loss_scale(&self, _candidate: &Self::Candidate) -> f64 {
        1.0
    }

    /// What decides the outcome besides candidate, seed and budget: which data, say.
    fn identity(&self) -> String {
        std::any::type_name::<Self>().to_string()
    }
}

impl<T: Trainer> Trainer for Arc<T> {
    type Candidate = T::Candidate;
    type Model = T::Model;
    fn build(
        &self,
        candidate: &Self::Candidate,
        parameters: &mut Parameters,
    ) -> Result<Self::Model, RunFailure> {
        (**self).build(candidate, parameters)
    }
    fn loss(&self, model: &Self::Model, draws: &mut Draws) -> Result<Tensor, RunFailure> {
        (**self).loss(model, draws)
    }
    fn check(&self, candidate: &Self::Candidate) -> Result<(), RunFailure> {
        (**self).check(candidate)
    }
    fn prepare(&self, candidate: &Self::Candidate, stop: &Cancellation) -> Result<(), RunFailure> {
        (**self).prepare(candidate, stop)
    }
    fn optimizer(&self, candidate: &Self::Candidate, parameters: &Parameters) -> Box<dyn Optimizer> {
        (**self).optimizer(candidate, parameters)
    }
    fn rate(&self, candidate: &Self::Candidate, progress: f64) -> f64 {
        (**self).rate(candidate, progress)
    }
    fn clip(&self, candidate: &Self::Candidate) -> Option<f64> {
        (**self).clip(candidate)
    }
    fn accumulation(&self, candidate: &Self::Candidate) -> u32 {
        (**self).accumulation(candidate)
    }
    fn ema(&self, candidate: &Self::Candidate) -> Option<f64> {
        (**self).ema(candidate)
    }
    fn cost(&self, candidate: &Self::Candidate) -> StepCost {
        (**self).cost(candidate)
    }
    fn loss_scale(&self, candidate: &Self::Candidate) -> f64 {
        (**self).loss_scale(candidate)
    }
    fn identity(&self) -> String {
        (**self).identity()
    }
}
