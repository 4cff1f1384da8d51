//! What a run draws at random while it trains.

use crate::Dropout;
use crate::parameters::{generator, unit};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// The random choices of one training run, from its seed and apart from the initial weights: equal seeds see the
/// same examples in the same order whatever the model looks like.
#[derive(Debug)]
pub struct Draws {
    batches: ChaCha8Rng,
    dropout: Dropout,
}

impl Draws {
    /// Order and dropout from one seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self::seeded(seed, seed)
    }

    /// Order and dropout, each from a seed of its own.
    pub(crate) fn seeded(order: u64, dropout: u64) -> Self {
        // No parameter has this name: it has a control character.
        Self { batches: generator(order, "\0batches"), dropout: Dropout::new(dropout) }
    }

    /// An index from 0 to below `count`. One draw each, so that a slightly different `count` (a longer context, say)
    /// shifts the choices a little and does not shuffle them.
    pub fn index(&mut self, count: usize) -> usize {
        ((u128::from(self.batches.next_u64()) * count as u128) >> 64) as usize
    }

    /// As many indices as asked for, for `Tensor::index_select` and the like.
    pub fn indices(&mut self, how_many: usize, count: usize) -> Vec<i64> {
        (0..how_many).map(|_| self.index(count) as i64).collect()
    }

    /// A number from 0 to below 1.
    pub fn unit(&mut self) -> f64 {
        unit(&mut self.batches)
    }

    /// Dropout for the pass, from a stream of its own: it changes nothing about which examples are seen.
    pub fn dropout(&mut self) -> &mut Dropout {
        &mut self.dropout
    }
}
