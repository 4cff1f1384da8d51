#![doc = include_str!("../README.md")]

mod chart;
mod data;
mod error;
mod markdown;
mod page;
#[cfg(feature = "png")]
mod png;
mod report;
mod source;
mod summary;
mod text;
mod tsv;

pub use data::*;
pub use error::ReportError;
pub use report::Report;
pub use source::{Entry, Source};
pub use summary::Summary;
