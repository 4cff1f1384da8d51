//! A libtorch language-model trainer to search over.
//!
//! [`Corpus`] and its [`Splits`] hold the text, a [`GptRecipe`] says what to train, [`GptTrainer`] trains it, and
//! [`BitsPerByte`] measures the result on a split. [`Trainer`] is for models of your own.

mod bits_per_byte;
mod blocking;
mod budget;
mod checkpoint;
mod corpus;
mod draws;
mod evaluator;
mod gpt;
mod optim;
mod parameters;
mod recipe;
mod trainer;
mod training;

pub use bits_per_byte::BitsPerByte;
pub use blocking::torch_failure;
pub use budget::StepCost;
pub use checkpoint::{Checkpoint, RunMetrics};
pub use corpus::{Corpus, CorpusError, Document, DocumentId, Split, SplitName, Splits};
pub use draws::Draws;
pub use evaluator::{ModelEvaluator, model_evaluator};
pub use gpt::{Gpt, GptModel, GptTrainer, TrainedGpt};
pub use optim::{AdamW, Muon, Optimizer};
pub use parameters::{Parameter, Parameters};
pub use recipe::{Activation, Cooldown, GptRecipe, Norm, OptimizerKind, Position, RecipeError};
pub use tch;
pub use trainer::Trainer;
pub use training::Training;
