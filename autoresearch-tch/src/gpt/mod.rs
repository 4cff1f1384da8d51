//! A byte-level GPT, the first implementor of [`Trainer`](crate::Trainer).

mod attention;
mod block;
mod embeddings;
mod feed_forward;
mod flops;
mod groups;
mod init;
mod model;
mod norm;
mod pass;
mod rotation;
mod shift;
mod value_embedding;
mod window;

pub use model::GptModel;

use crate::corpus::{Corpus, Splits};
use crate::optim::Optimizer;
use crate::{Checkpoint, Draws, GptRecipe, Parameters, Scale, Scaled, StepCost, Trainer, Training};
use autoresearch_core::{FailureKind, RunFailure};
use std::fmt;
use std::sync::Arc;
use tch::Tensor;

/// A GPT on disk, with the recipe it was trained by.
pub type TrainedGpt = Checkpoint<GptRecipe>;

/// The executor that trains GPTs: an [`Executor`](autoresearch_core::Executor) of [`GptRecipe`]s.
///
/// ```no_run
/// # use autoresearch_tch::{Corpus, Split, GptTrainer};
/// # use autoresearch_core::Fidelity;
/// let corpus = Corpus::read("texts/")?.split(Split::default())?;
/// let trainer = GptTrainer::new(&corpus).fidelity(Fidelity::tokens(2_000_000)).threads(1);
/// # Ok::<(), autoresearch_tch::CorpusError>(())
/// ```
pub type GptTrainer = Training<Gpt>;

impl Training<Gpt> {
    /// Trains on the training split: 2,000,000 tokens a run with one thread, unless said.
    pub fn new(corpus: &Splits) -> Self {
        let fidelity = autoresearch_core::Fidelity::tokens(2_000_000);
        Self::of(Gpt::on(corpus.train())).fidelity(fidelity)
    }

    /// Trains every recipe deeper and wider than it says.
    pub fn scaled(self, scale: Scale) -> Scaled<Self> {
        Scaled::new(self, scale)
    }
}

/// The byte that stands before every document: a line end, so that the model needs no 257th symbol.
pub(crate) const BEGIN: u8 = b'\n';

/// GPTs on one training text: all documents, one after the other, a line end before each.
///
/// Batches are windows of the recipe's context at random places of that text; they may reach over the border of two
/// documents. The training loss is in nats a byte.
#[derive(Clone)]
pub struct Gpt {
    text: Arc<[u8]>,
    identity: Arc<str>,
}

impl Gpt {
    /// GPTs to train on these documents.
    pub fn on(corpus: &Corpus) -> Self {
        let mut text = Vec::with_capacity(corpus.bytes() + corpus.len() + 1);
        for document in corpus.documents() {
            text.push(BEGIN);
            text.extend_from_slice(document.bytes());
        }
        Self { text: text.into(), identity: format!("byte-level GPT on {}", corpus.fingerprint()).into() }
    }

    /// For evaluation alone: builds models, trains none.
    pub(crate) fn without_text() -> Self {
        Self { text: Arc::new([]), identity: "".into() }
    }
}

impl fmt::Debug for Gpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gpt({}, {} bytes)", self.identity, self.text.len())
    }
}

impl Trainer for Gpt {
    type Candidate = GptRecipe;
    type Model = GptModel;

    fn check(&self, recipe: &GptRecipe) -> Result<(), RunFailure> {
        let invalid =
            |message: String| Err(RunFailure::candidate(message).kind(FailureKind::InvalidCandidate));
        if let Err(error) = recipe.validate() {
            return invalid(error.to_string());
        }
        if self.text.len() <= recipe.context as usize {
            let (bytes, context) = (self.text.len(), recipe.context);
            return invalid(format!("context is {context}, but the training text has only {bytes} bytes"));
        }
        Ok(())
    }

    fn build(&self, recipe: &GptRecipe, parameters: &mut Parameters) -> Result<GptModel, RunFailure> {
        GptModel::new(recipe, parameters)
    }

    fn loss(&self, model: &GptModel, draws: &mut Draws) -> Result<Tensor, RunFailure> {
        let (batch, context) = (model.recipe().batch as usize, model.recipe().context as usize);
        let (mut inputs, mut targets) =
            (Vec::with_capacity(batch * context), Vec::with_capacity(batch * context));
        for _ in 0..batch {
            let at = draws.index(self.text.len() - context);
            inputs.extend(self.text[at..at + context].iter().map(|&b| i64::from(b)));
            targets.extend(self.text[at + 1..=at + context].iter().map(|&b| i64::from(b)));
        }
        let inputs = Tensor::from_slice(&inputs).view([batch as i64, context as i64]);
        Ok(model.loss(&inputs, &Tensor::from_slice(&targets), draws.dropout()))
    }

    fn optimizer(&self, recipe: &GptRecipe, parameters: &Parameters) -> Box<dyn Optimizer> {
        groups::optimizer(recipe, parameters)
    }

    fn rate(&self, recipe: &GptRecipe, progress: f64) -> f64 {
        recipe.rate(progress)
    }

    fn clip(&self, recipe: &GptRecipe) -> Option<f64> {
        (recipe.grad_clip > 0.0).then_some(recipe.grad_clip)
    }

    fn accumulation(&self, recipe: &GptRecipe) -> u32 {
        recipe.accumulation
    }

    fn ema(&self, recipe: &GptRecipe) -> Option<f64> {
        (recipe.ema > 0.0).then_some(recipe.ema)
    }

    fn cost(&self, recipe: &GptRecipe) -> StepCost {
        let tokens = u64::from(recipe.accumulation) * u64::from(recipe.batch) * u64::from(recipe.context);
        StepCost::tokens(tokens).flops(tokens as f64 * flops::flops_per_token(recipe))
    }

    fn identity(&self) -> String {
        self.identity.to_string()
    }
}

#[cfg(test)]
mod tests;
