//! A GPT over bytes or byte-level BPE, the first implementor of [`Trainer`](crate::Trainer).

mod attention;
mod batch;
mod block;
mod embeddings;
mod feed_forward;
mod flops;
mod groups;
mod init;
mod model;
mod norm;
mod packing;
mod pass;
mod rotation;
mod shift;
mod text;
mod value_embedding;
mod window;

pub(crate) use batch::NO_TARGET;
pub use model::GptModel;

use crate::corpus::{Corpus, Splits};
use crate::optim::Optimizer;
use crate::tokenizer::{BYTES, SCHEME, Tokenizer};
use crate::{
    Checkpoint, Draws, GptRecipe, Parameters, RecipeError, Scale, Scaled, StepCost, Trainer, Training,
};
use autoresearch_core::{Cancellation, FailureKind, RunFailure};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use tch::Tensor;
use text::Texts;

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

    /// Keeps vocabularies and tokens in this folder: see [`Gpt::token_cache`].
    #[must_use]
    pub fn token_cache(mut self, folder: impl Into<PathBuf>) -> Self {
        self.trainer = Arc::new(Gpt::clone(&self.trainer).token_cache(folder));
        self
    }
}

/// GPTs on one training text: all documents, one after the other, a line end before each.
///
/// Batches are windows of the recipe's context at random places of that text, or by documents: see
/// [`Packing`](crate::Packing). Which windows is decided by the seed alone: candidates of the same vocabulary, context
/// and packing see the same ones in the same order. The training loss is in nats a symbol.
///
/// **Vocabularies.** A recipe's `vocab` of 256 are bytes; a larger one is learned from the training text when the first
/// run wants it, and the text is written in it once. Later runs of the process share it.
#[derive(Clone)]
pub struct Gpt {
    texts: Arc<Texts>,
    identity: Arc<str>,
}

impl Gpt {
    /// GPTs to train on these documents.
    pub fn on(corpus: &Corpus) -> Self {
        let identity = format!("GPT on {}, {SCHEME}", corpus.fingerprint()).into();
        Self { texts: Arc::new(Texts::new(corpus.clone(), None)), identity }
    }

    /// Keeps vocabularies and tokens in this folder, so that the next process need not make them again, and training
    /// reads tokens from memory-mapped files: needed for corpora larger than memory. Without a folder they are kept in
    /// memory. (What was read of a mapped file counts as the process's memory, though the system takes it back at will.
    /// A file that another process cuts short while it is mapped ends this one: leave the folder alone during a run.)
    ///
    /// Files are named and checked by the content of the corpus and the vocabulary, and written under another name
    /// first: several processes may share the folder. What is damaged is made anew, with a warning. Nothing in it is
    /// ever needed again that cannot be made again; delete what you like while no run is going on.
    #[must_use]
    pub fn token_cache(mut self, folder: impl Into<PathBuf>) -> Self {
        self.texts = Arc::new(Texts::new(self.texts.corpus().clone(), Some(folder.into())));
        self
    }

    /// The vocabulary of recipes with this `vocab`; learned if need be.
    ///
    /// # Errors
    /// Corpus or cache cannot be read or written.
    pub fn tokenizer(&self, vocab: u32) -> Result<Tokenizer, RunFailure> {
        Ok(self.texts.get(vocab)?.tokenizer.clone())
    }

    /// For evaluation alone: builds models, trains none.
    pub(crate) fn without_text() -> Self {
        let nothing = Corpus::from_texts(std::iter::empty::<String>());
        Self { texts: Arc::new(Texts::new(nothing, None)), identity: "".into() }
    }

    /// The vocabulary goes with the weights: a checkpoint needs no other file to be measured.
    fn vocabulary(&self, vocab: u32, parameters: &mut Parameters) -> Result<Tokenizer, RunFailure> {
        if vocab == BYTES {
            return Ok(Tokenizer::bytes());
        }
        let merges = parameters.constants("vocabulary.merges", || {
            let tokenizer = self.tokenizer(vocab)?;
            Ok(tokenizer.merges().as_flattened().iter().map(|&id| id as f32).collect())
        })?;
        let merges: Vec<[u32; 2]> =
            merges.as_chunks().0.iter().map(|pair| pair.map(|id| id as u32)).collect();
        Tokenizer::from_merges(vocab, &merges)
            .map_err(|error| RunFailure::infrastructure(format!("vocabulary mismatch: {error}")))
    }
}

impl fmt::Debug for Gpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gpt({}, {} bytes)", self.identity, self.texts.corpus().bytes())
    }
}

impl Trainer for Gpt {
    type Candidate = GptRecipe;
    type Model = GptModel;

    fn check(&self, recipe: &GptRecipe) -> Result<(), RunFailure> {
        let invalid =
            |error: RecipeError| RunFailure::candidate(error.to_string()).kind(FailureKind::InvalidCandidate);
        recipe.validate().map_err(invalid)
    }

    fn prepare(&self, recipe: &GptRecipe, stop: &Cancellation) -> Result<(), RunFailure> {
        let text = self.texts.get_unless(recipe.vocab, stop)?;
        let (symbols, context) = (text.tokens.len(), recipe.context);
        if symbols <= u64::from(context) {
            let what = if recipe.vocab == BYTES { "bytes" } else { "symbols" };
            let message = format!("context is {context}, but the training text has only {symbols} {what}");
            return Err(RunFailure::candidate(message).kind(FailureKind::InvalidCandidate));
        }
        Ok(())
    }

    fn build(&self, recipe: &GptRecipe, parameters: &mut Parameters) -> Result<GptModel, RunFailure> {
        let tokenizer = self.vocabulary(recipe.vocab, parameters)?;
        Ok(GptModel::new(recipe, parameters)?.with_tokenizer(tokenizer))
    }

    fn loss(&self, model: &GptModel, draws: &mut Draws) -> Result<Tensor, RunFailure> {
        let recipe = model.recipe();
        let batch = batch::draw(&*self.texts.get(recipe.vocab)?, recipe, draws);
        Ok(model.loss(&batch.inputs, &batch.targets, draws.dropout()))
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

    /// Nats a symbol come to nats a byte by the symbols that the training text has a byte.
    fn loss_scale(&self, recipe: &GptRecipe) -> f64 {
        if recipe.vocab == BYTES {
            return 1.0;
        }
        let corpus = self.texts.corpus();
        let bytes = (corpus.bytes() + corpus.len()) as f64; // with the line end before each document
        self.texts.get(recipe.vocab).map_or(1.0, |text| text.tokens.len() as f64 / bytes)
    }

    fn identity(&self) -> String {
        self.identity.to_string()
    }
}

#[cfg(test)]
mod tests;
