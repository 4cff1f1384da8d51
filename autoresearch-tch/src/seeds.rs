//! Which seed governs what.

use std::fmt;

/// The three things that a run's seed governs: initial weights, the order of the batches, and dropout. Each can be
/// held fixed over all runs, to see how much of the noise of a recipe is due to which.
///
/// ```
/// # use autoresearch_tch::{Corpus, GptTrainer, Seeds, Split};
/// # let corpus = Corpus::from_texts((0..50).map(|i| format!("text {i}"))).split(Split::default())?;
/// let order_alone = GptTrainer::new(&corpus).seeds(Seeds::of_run().init(1).dropout(1)); // runs differ by their batches
/// # Ok::<(), autoresearch_tch::CorpusError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[must_use]
pub struct Seeds {
    init: Option<u64>,
    order: Option<u64>,
    dropout: Option<u64>,
}

impl Seeds {
    /// All three follow the run's seed: what a search wants.
    pub fn of_run() -> Self {
        Self::default()
    }

    /// The same initial weights in all runs: those of this seed.
    pub fn init(mut self, seed: u64) -> Self {
        self.init = Some(seed);
        self
    }

    /// The same batches in the same order in all runs.
    pub fn order(mut self, seed: u64) -> Self {
        self.order = Some(seed);
        self
    }

    /// The same dropout in all runs.
    pub fn dropout(mut self, seed: u64) -> Self {
        self.dropout = Some(seed);
        self
    }

    /// The seeds of initial weights, order and dropout in a run.
    pub(crate) fn resolve(self, run: u64) -> [u64; 3] {
        [self.init, self.order, self.dropout].map(|fixed| fixed.unwrap_or(run))
    }
}

/// Nothing where all follow the run: it goes into identities.
impl fmt::Display for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, seed) in
            [("initial weights", self.init), ("batches", self.order), ("dropout", self.dropout)]
        {
            if let Some(seed) = seed {
                write!(f, ", {what} of seed {seed}")?;
            }
        }
        Ok(())
    }
}
