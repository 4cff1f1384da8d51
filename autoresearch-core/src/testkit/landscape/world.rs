//! What a simulated landscape has to say.

use crate::candidate::Candidate;
use crate::compose::Compose;
use std::sync::Arc;

/// A simulated landscape whose truth is known, in units of the standard deviation of one run.
///
/// Everything is a function of the world's seed and the arguments: the same question gets the same answer, in whatever
/// order questions are asked.
pub trait World: Send + Sync {
    /// What is searched over.
    type Candidate: Candidate;

    /// Where the search begins; its gain is 0.
    fn baseline(&self) -> Self::Candidate;

    /// The `index`-th proposal of the stream (counted from 0), built upon `on`.
    fn propose(&self, index: u32, on: &Self::Candidate) -> Self::Candidate;

    /// Whether the `index`-th proposal is the same change whatever it is built upon.
    fn is_one_change(&self, _index: u32) -> bool {
        true
    }

    /// The loss of one run. Split 0 is validation, 1 the holdout.
    fn loss(&self, candidate: &Self::Candidate, seed: u64, split: usize) -> f64;

    /// How candidates merge.
    fn composer(&self) -> Arc<dyn Compose<Self::Candidate>>;

    /// The true gain over the baseline.
    fn gain(&self, candidate: &Self::Candidate) -> f64;

    /// The best gain to be had from the first `proposals` of the stream, as far as that can be told.
    fn ideal(&self, proposals: u64) -> f64;

    /// Which of the changes in a candidate earn their place there.
    fn judge(&self, candidate: &Self::Candidate) -> Merit;

    /// The standard deviation of the holdout's own bias for one change, if the holdout has any.
    fn split_error(&self) -> Option<f64>;
}

/// The changes in a candidate, judged by leaving one out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Merit {
    /// Changes.
    pub edits: usize,
    /// Those whose removal would lose nothing (in the measured scenario, where nothing is exactly nothing: next to it).
    pub junk: usize,
    /// Those whose removal would lose less than a quarter of a standard deviation.
    pub weak: usize,
    /// What can only be switched together counts as one: keys, connected groups of overlapping edits.
    pub units: usize,
    /// The same for units.
    pub junk_units: usize,
}
