#![doc = include_str!("../README.md")]

mod chart;
mod data;
mod error;
#[cfg(feature = "live")]
mod live;
mod markdown;
#[cfg(feature = "mlflow")]
mod mlflow;
mod page;
#[cfg(feature = "png")]
mod png;
mod report;
mod source;
mod summary;
#[cfg(feature = "tensorboard")]
mod tensorboard;
mod text;
mod tsv;

pub use data::*;
pub use error::ReportError;
#[cfg(feature = "live")]
pub use live::Live;
#[cfg(feature = "mlflow")]
pub use mlflow::MlFlow;
pub use report::Report;
pub use source::{Entry, Source};
pub use summary::Summary;
#[cfg(feature = "tensorboard")]
pub use tensorboard::TensorBoard;
