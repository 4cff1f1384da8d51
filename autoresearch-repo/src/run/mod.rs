//! Runs: a candidate in a folder of its own, commands as jobs, and the measurement of what they leave.

mod evaluator;
mod executor;
mod failure;
mod job;
mod output;
mod workshop;

pub use evaluator::RepoEvaluator;
pub use executor::RepoExecutor;
pub use output::RunOutput;
pub(crate) use workshop::{Split, Workshop};
