//! The attention half of a block (Vaswani et al., 2017).

use super::norm::unit_rms;
use super::pass::Pass;
use super::rotation::Rotation;
use super::shift::half_from_before;
use super::value_embedding::{ValueEmbedding, has_value_embedding};
use super::{init, window};
use crate::{GptRecipe, Parameters};
use autoresearch_core::RunFailure;
use tch::{Device, Tensor};

/// What the attention of every block needs to know of the pass besides the stream.
pub(super) struct Seen<'a> {
    pub(super) tokens: &'a Tensor,
    pub(super) rotation: Option<&'a Rotation>,
}

/// Causal attention, in this order: queries, keys and values; half of keys and values from the token before; value
/// embeddings; queries and keys normalised, then turned; the gain; the mixture. Query head h reads the head
/// h x kv_heads / heads (rounded down) of keys and values (Ainslie et al., 2023).
#[derive(Debug)]
pub(super) struct Attention {
    heads: i64,
    kv_heads: i64,
    head_dim: i64,
    qk_norm: bool,
    shift_kv: bool,
    scale: f64,
    gain: Option<Tensor>,
    mask: Option<Tensor>,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    value_embedding: Option<ValueEmbedding>,
    out: Tensor,
}

impl Attention {
    pub(super) fn new(block: u32, recipe: &GptRecipe, p: &mut Parameters) -> Result<Self, RunFailure> {
        let [heads, kv_heads, head_dim] = [recipe.heads, recipe.kv_heads(), recipe.head_dim].map(i64::from);
        let width = heads * head_dim;
        let name = |part: &str| format!("block.{block}.{part}");
        let std = init::inner(recipe, width);
        let gain = recipe.learned_qk_gain;
        let fixed_gain = if gain { 1.0 } else { recipe.qk_gain };
        let query = p.normal(&name("query"), &[width, width], std)?;
        let device: Device = query.device();
        Ok(Self {
            heads,
            kv_heads,
            head_dim,
            qk_norm: recipe.qk_norm,
            shift_kv: recipe.shift_kv,
            scale: fixed_gain / (head_dim as f64).sqrt(),
            gain: gain.then(|| p.constant(&name("query_gain"), &[heads], recipe.qk_gain)).transpose()?,
            mask: window::mask(recipe, block, device),
            query,
            key: p.normal(&name("key"), &[kv_heads * head_dim, width], std)?,
            value: p.normal(&name("value"), &[kv_heads * head_dim, width], std)?,
            value_embedding: has_value_embedding(recipe, block)
                .then(|| ValueEmbedding::new(block, recipe, p))
                .transpose()?,
            out: p.normal(&name("attention_out"), &[width, width], init::outer(recipe, width))?,
        })
    }

    /// From `[batch, length, width]` to the same.
    pub(super) fn forward(&self, x: &Tensor, seen: &Seen<'_>, pass: &Pass<'_>) -> Tensor {
        let (query, key, value) = self.project(x, pass);
        let value = match &self.value_embedding {
            Some(embedding) => embedding.add_to(&value, seen.tokens, x),
            None => value,
        };
        let prepare = |part: Tensor| {
            let part = if self.qk_norm { unit_rms(&part) } else { part };
            seen.rotation.map_or(part.shallow_clone(), |rotation| rotation.turn(&part))
        };
        let (query, key) = (prepare(query), prepare(key));
        let query = match &self.gain {
            Some(gain) => query * gain.unsqueeze(-1),
            None => query,
        };
        let [query, key, value] = [query, key, value].map(|part| pass.attended(part));
        pass.linear(&self.mix(&query, &key, &value), &self.out)
    }

    /// Queries, keys and values, `[batch, length, heads, head_dim]`, by one product.
    fn project(&self, x: &Tensor, pass: &Pass<'_>) -> (Tensor, Tensor, Tensor) {
        let weight = Tensor::cat(&[&self.query, &self.key, &self.value], 0);
        let all = pass.attended(pass.linear(x, &weight)).unflatten(2, [-1, self.head_dim]);
        if self.shift_kv {
            let [query, both] = [0, 1].map({
                let parts = all.split_with_sizes([self.heads, 2 * self.kv_heads], 2);
                move |index: usize| parts[index].shallow_clone()
            });
            let halves = half_from_before(&both).chunk(2, 2);
            return (query, halves[0].shallow_clone(), halves[1].shallow_clone());
        }
        let parts = all.split_with_sizes([self.heads, self.kv_heads, self.kv_heads], 2);
        (parts[0].shallow_clone(), parts[1].shallow_clone(), parts[2].shallow_clone())
    }

    /// What each place reads: `[batch, length, width]`.
    fn mix(&self, query: &Tensor, key: &Tensor, value: &Tensor) -> Tensor {
        let length = query.size()[1];
        let cut = |mask: &Tensor| mask.narrow(0, 0, length).narrow(1, 0, length).to_kind(query.kind());
        let mask = self.mask.as_ref().map(cut);
        let mixed = Tensor::scaled_dot_product_attention(
            &query.transpose(1, 2),
            &key.transpose(1, 2),
            &value.transpose(1, 2),
            mask.as_ref(),
            0.0,
            mask.is_none(),
            self.scale,
            self.kv_heads < self.heads,
        );
        mixed.transpose(1, 2).flatten(2, 3)
    }
}
