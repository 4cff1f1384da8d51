#![doc = include_str!("../README.md")]

mod chart;
mod data;
mod error;
mod source;
mod text;

pub use data::*;
pub use error::ReportError;
pub use source::{Entry, Source};
