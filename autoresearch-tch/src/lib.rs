//! A libtorch language-model trainer to search over.
//!
//! [`Corpus`] and its [`Splits`] hold the text, a [`GptRecipe`] says what to train, [`GptTrainer`] trains it, and
//! [`BitsPerByte`] measures the result on a split. [`Trainer`] is for models of your own.
//!
//! ```
//! use autoresearch_core::{EvalContext, Evaluator, Executor, Fidelity, RunContext};
//! use autoresearch_tch::{BitsPerByte, Corpus, GptRecipe, GptTrainer, Split};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let texts = (0..100).map(|i| format!("document {i} says what documents say\n").repeat(4));
//! let corpus = Corpus::from_texts(texts).split(Split::default())?;        // or Corpus::read("texts/")?
//! let trainer = GptTrainer::new(&corpus).fidelity(Fidelity::tokens(5_000));
//! let trained = trainer.execute(GptRecipe::default(), RunContext::for_test(1)).await?;
//! let measured = BitsPerByte::on(corpus.validation()).evaluate(&trained, EvalContext::for_test(1)).await?;
//! assert!(measured.objective() < 8.0);                                     // better than guessing
//! # Ok(()) }
//! ```

mod bits_per_byte;
mod blocking;
mod budget;
mod checkpoint;
mod corpus;
mod device;
mod devices;
mod draws;
mod dropout;
mod ema;
mod evaluator;
mod gpt;
mod memory;
mod optim;
mod parameters;
mod recipe;
mod scale;
mod seeds;
mod shards;
mod tokenizer;
mod trainer;
mod training;

pub use autoresearch_core::{CurvePoint, TimeToLoss};
pub use bits_per_byte::BitsPerByte;
pub use blocking::torch_failure;
pub use budget::StepCost;
pub use checkpoint::{Checkpoint, RunMetrics};
pub use corpus::{Corpus, CorpusError, CorpusReader, Document, DocumentId, Split, SplitName, Splits};
pub use device::Device;
pub use devices::{Devices, Permit};
pub use draws::Draws;
pub use dropout::Dropout;
pub use ema::Ema;
pub use evaluator::{ModelEvaluator, model_evaluator};
pub use gpt::{Gpt, GptModel, GptTrainer, TrainedGpt};
pub use optim::{AdamW, Muon, Optimizer};
pub use parameters::{Parameter, Parameters};
pub use recipe::{
    Activation, Cooldown, GptRecipe, Init, Norm, NormPlace, OptimizerKind, Orthogonal, Packing, Position,
    Precision, RecipeError, Warmup, WindowPattern,
};
pub use scale::{Scale, Scaled};
pub use seeds::Seeds;
pub use tch;
pub use tokenizer::{Tokenizer, TokenizerError};
pub use trainer::Trainer;
pub use training::{Hopeless, HopelessError, Phases, Training};
