//! What is being searched over.

use std::fmt::Debug;

/// The thing being searched over: a parameter set, a recipe struct, a source tree, a prompt.
///
/// Implemented for every `Clone + Debug + Send + Sync + 'static` type; there is nothing to implement by hand.
/// The `Debug` text identifies the baseline when a stored study is opened again, so it should show what matters
/// and be the same each time: a `BTreeMap` rather than a `HashMap`.
pub trait Candidate: Clone + Debug + Send + Sync + 'static {}

impl<T: Clone + Debug + Send + Sync + 'static> Candidate for T {}
