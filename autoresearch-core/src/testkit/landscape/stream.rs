//! The edits of an endless stream: effects, biases, and what belongs together.

use super::draw::{fixed, float};
use super::measured;
use super::mixture::Mixture;
use crate::state::mix;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::OnceLock;

/// The stream is drawn in blocks of this many edits; what belongs together lies in one block.
const BLOCK: u32 = 700;
/// In the measured world mechanisms are few, and last.
const MEASURED_BLOCK: u32 = 2800;
const BLOCKS: usize = 2048;

/// An edit, in fixed point.
#[derive(Debug, Clone)]
pub(super) struct Edit {
    /// Its true effect, alone on the baseline.
    pub(super) effect: i64,
    /// What each split sees besides: validation, holdout.
    pub(super) bias: [i64; 2],
    /// The edit that does the same.
    pub(super) twin: Option<u32>,
    /// The mechanism that it works through.
    pub(super) mechanism: Option<usize>,
    /// The slot that only one edit can take.
    pub(super) slot: Option<u32>,
    /// The parts of training that it touches, a bit each.
    pub(super) touches: u16,
}

impl Edit {
    pub(super) fn of(effect: f64) -> Self {
        Self {
            effect: fixed(effect),
            bias: [0; 2],
            twin: None,
            mechanism: None,
            slot: None,
            touches: u16::MAX,
        }
    }
}

#[derive(Debug)]
pub(super) struct Block {
    pub(super) edits: Vec<Edit>,
    /// Members of each mechanism, the strongest first.
    pub(super) mechanisms: Vec<Vec<u32>>,
}

/// An endless stream, drawn where it is looked at.
#[derive(Debug)]
pub(super) struct Stream {
    seed: u64,
    mixture: Mixture,
    split: f64,
    twins: bool,
    length: u32,
    blocks: Vec<OnceLock<Block>>,
}

impl Stream {
    pub(super) fn new(seed: u64, mixture: Mixture, split: f64, twins: bool) -> Self {
        let length = if mixture == Mixture::Measured { MEASURED_BLOCK } else { BLOCK };
        let blocks = (0..BLOCKS).map(|_| OnceLock::new()).collect();
        Self { seed, mixture, split, twins, length, blocks }
    }

    /// The block of an edit. Beyond the last block the stream begins anew.
    pub(super) fn block(&self, edit: u32) -> &Block {
        let block = (edit / self.length) as usize % BLOCKS;
        self.blocks[block].get_or_init(|| self.draw(block as u32))
    }

    pub(super) fn edit(&self, edit: u32) -> &Edit {
        &self.block(edit).edits[(edit % self.length) as usize]
    }

    pub(super) fn effect(&self, edit: u32) -> f64 {
        float(self.edit(edit).effect)
    }

    fn draw(&self, block: u32) -> Block {
        let mut rng = ChaCha8Rng::seed_from_u64(mix(mix(self.seed, 1), u64::from(block)));
        let first = block * self.length;
        let mut edits: Vec<Edit> =
            (first..first + self.length).map(|i| Edit::of(self.mixture.effect(i, &mut rng))).collect();
        if self.twins {
            pair_up(first, &mut edits, &mut rng);
        }
        let mechanisms = match self.mixture {
            Mixture::Measured => measured::structure(first, &mut edits, &mut rng),
            _ => Vec::new(),
        };
        for edit in &mut edits {
            let sd = match self.mixture {
                Mixture::Measured => measured::split_noise(float(edit.effect)),
                _ => self.split,
            };
            edit.bias = [sd, sd / HOLDOUT.sqrt()].map(|sd| fixed(sd * normal(&mut rng)));
        }
        Block { edits, mechanisms }
    }
}

/// The holdout has this many times the documents of the validation split.
pub(super) const HOLDOUT: f64 = 11.0;

/// A standard normal number.
pub(super) fn normal(rng: &mut impl Rng) -> f64 {
    super::draw::gaussian(rng.random())
}

/// Every edit with merit gets a twin at a random later place of its block.
fn pair_up(first: u32, edits: &mut [Edit], rng: &mut impl Rng) {
    for i in 0..edits.len() - 1 {
        if edits[i].effect > 0 && edits[i].twin.is_none() {
            let j = rng.random_range(i + 1..edits.len());
            if edits[j].twin.is_some() {
                continue;
            }
            edits[j].effect = fixed(Mixture::real(rng));
            edits[j].twin = Some(first + i as u32);
            edits[i].twin = Some(first + j as u32);
        }
    }
}
