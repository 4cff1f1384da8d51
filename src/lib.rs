//! The facade.
pub use autoresearch_core::*;
