//! What goes into the first block: embeddings of tokens, of places, and of pairs of neighbouring tokens.

use crate::{GptRecipe, Parameters, Position};
use autoresearch_core::RunFailure;
use tch::{Kind, Tensor};

#[derive(Debug)]
pub(super) struct Embeddings {
    pub(super) tokens: Tensor,
    places: Option<Tensor>,
    bigrams: Option<Bigrams>,
}

impl Embeddings {
    pub(super) fn new(recipe: &GptRecipe, p: &mut Parameters) -> Result<Self, RunFailure> {
        let (width, context) = (i64::from(recipe.width()), i64::from(recipe.context));
        let tokens = p.normal("embedding", &[i64::from(recipe.vocab), width], recipe.init_std)?;
        let places = match recipe.position {
            Position::Learned => Some(p.normal("places", &[context, width], recipe.init_std)?),
            Position::Rope | Position::Unknown => None,
        };
        let bigrams = (recipe.bigrams > 0).then(|| Bigrams::new(recipe, p)).transpose()?;
        Ok(Self { tokens, places, bigrams })
    }

    /// From tokens `[batch, length]` to `[batch, length, width]`.
    pub(super) fn forward(&self, tokens: &Tensor) -> Tensor {
        let mut x = Tensor::embedding(&self.tokens, tokens, -1, false, false);
        if let Some(places) = &self.places {
            x += places.narrow(0, 0, tokens.size()[1]);
        }
        if let Some(bigrams) = &self.bigrams {
            x += bigrams.forward(tokens);
        }
        x
    }
}

/// An embedding of each bucket of pairs, that starts at 0: at first the model is the one without.
///
/// The bucket of a token `t` after a token `s`, of `n` buckets: with pair = (s + 1) x vocab + t, and s = -1 where no
/// token stands before, it is the product (pair x 2,654,435,761 modulo 2^32) x n, divided by 2^32 and rounded down:
/// multiplicative hashing (Knuth, 1973).
#[derive(Debug)]
struct Bigrams {
    embedding: Tensor,
    vocab: i64,
    buckets: i64,
}

const FACTOR: i64 = 2_654_435_761;

impl Bigrams {
    fn new(recipe: &GptRecipe, p: &mut Parameters) -> Result<Self, RunFailure> {
        let (vocab, buckets) = (i64::from(recipe.vocab), i64::from(recipe.bigrams));
        let embedding = p.constant("bigrams", &[buckets, i64::from(recipe.width())], 0.0)?;
        Ok(Self { embedding, vocab, buckets })
    }

    fn buckets(&self, tokens: &Tensor) -> Tensor {
        let length = tokens.size()[1];
        let before = (tokens.narrow(1, 0, length - 1) + 1) * self.vocab;
        let pairs = tokens + before.constant_pad_nd([1, 0]);
        // The product wraps around at 2^64, which leaves its lower 32 bits as they should be.
        let hash = (pairs * FACTOR).bitwise_and(0xFFFF_FFFF_i64);
        (hash * self.buckets).bitwise_right_shift_tensor_scalar(32)
    }

    fn forward(&self, tokens: &Tensor) -> Tensor {
        debug_assert_eq!(tokens.kind(), Kind::Int64);
        Tensor::embedding(&self.embedding, &self.buckets(tokens), -1, false, false)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_of_a_pair_is_the_documented_one() {
        for (vocab, buckets) in [(256, 1024), (65_536, 1_000_000), (300, 7)] {
            let recipe = GptRecipe { vocab, bigrams: buckets, ..GptRecipe::default() };
            let bigrams = Bigrams::new(&recipe, &mut Parameters::seeded(1)).unwrap();
            let tokens: Vec<i64> =
                [0, 1, 255, 97, 97, 98].into_iter().chain([i64::from(vocab) - 1; 2]).collect();
            let found: Vec<i64> = bigrams
                .buckets(&Tensor::from_slice(&tokens).view([1, -1]))
                .flatten(0, -1)
                .try_into()
                .unwrap();
            let mut before = None;
            for (token, found) in tokens.into_iter().zip(found) {
                let pair = before.map_or(0, |s: i64| s as u64 + 1) * u64::from(vocab) + token as u64;
                let hash = u64::from((pair as u32).wrapping_mul(2_654_435_761));
                assert_eq!(found as u64, (hash * u64::from(buckets)) >> 32);
                before = Some(token);
            }
        }
    }

    #[test]
    fn pairs_spread_over_the_buckets() {
        let recipe = GptRecipe { bigrams: 1024, ..GptRecipe::default() };
        let bigrams = Bigrams::new(&recipe, &mut Parameters::seeded(1)).unwrap();
        let mut count = vec![0_u32; 1024];
        // All pairs of letters.
        for first in 97..123_i64 {
            let row: Vec<i64> = (97..123).flat_map(|second| [first, second]).collect();
            let buckets = bigrams.buckets(&Tensor::from_slice(&row).view([26, 2]));
            let buckets: Vec<i64> = buckets.select(1, 1).contiguous().try_into().unwrap();
            buckets.iter().for_each(|&bucket| count[bucket as usize] += 1);
        }
        // 676 pairs at random would fill 1024 (1 - exp(-676 / 1024)) = 495 buckets, give or take 12.
        let filled = count.iter().filter(|&&n| n > 0).count();
        assert!(filled > 450, "{filled}");
        assert!(count.iter().max().unwrap() <= &6);
    }
}
