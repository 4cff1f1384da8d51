#![doc = include_str!("../README.md")]

pub use autoresearch_core::*;

/// The libtorch trainer: corpus, GPT recipe, bits per byte, and a trait for your own model.
#[cfg(feature = "tch")]
pub use autoresearch_tch as tch;

#[doc = include_str!("../DESIGN.md")]
pub mod design {}
