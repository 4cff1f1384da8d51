//! The model as a whole: embeddings, blocks, head.

use super::attention::Seen;
use super::block::Block;
use super::embeddings::Embeddings;
use super::norm::Normalise;
use super::pass::Pass;
use super::rotation::Rotation;
use crate::tokenizer::Tokenizer;
use crate::{Dropout, GptRecipe, Parameters, Position};
use autoresearch_core::RunFailure;
use tch::{Kind, Tensor};

/// A GPT in memory.
///
/// Its parameters, under the names that they have in a checkpoint, which any safetensors library opens. W is the
/// width, H the hidden width, K the width of keys (and of values), `kv_heads` x `head_dim`; matrices are
/// `[outputs, inputs]`; `i` counts blocks from 0. All are 32-bit numbers.
///
/// | name | shape | there with |
/// |---|---|---|
/// | `embedding` | vocab, W | always |
/// | `places` | context, W | `position` = learned |
/// | `bigrams` | bigrams, W | `bigrams` |
/// | `block.i.query` | W, W | always |
/// | `block.i.key`, `block.i.value` | K, W | always |
/// | `block.i.attention_out` | W, W | always |
/// | `block.i.up` | H, W | always |
/// | `block.i.gate` | H, W | `activation` = swiglu |
/// | `block.i.down` | W, H | always |
/// | `block.i.attention_norm`, `block.i.mlp_norm` | W | `norm_place` = before or both |
/// | `block.i.attention_out_norm`, `block.i.mlp_out_norm` | W | `norm_place` = after or both |
/// | `block.i.query_gain` | heads | `learned_qk_gain` |
/// | `block.i.value_embedding` | vocab, K | `value_embeddings`, every second block from the last one back |
/// | `block.i.value_gate` | `kv_heads`, the lesser of 32 and W | with `value_embedding` |
/// | `block.i.residual_scalar`, `block.i.x0_scalar` | 1 | `residual_scalars`, `x0_scalars` |
/// | `norm` | W | always |
/// | `head` | vocab, W | not `tied_embeddings` |
#[derive(Debug)]
pub struct GptModel {
    recipe: GptRecipe,
    tokenizer: Tokenizer,
    embeddings: Embeddings,
    rotation: Option<Rotation>,
    blocks: Vec<Block>,
    norm: Normalise,
    head: Tensor,
}

impl GptModel {
    pub(super) fn new(recipe: &GptRecipe, parameters: &mut Parameters) -> Result<Self, RunFailure> {
        let embeddings = Embeddings::new(recipe, parameters)?;
        let device = embeddings.tokens.device();
        let rotation = (recipe.position == Position::Rope).then(|| Rotation::new(recipe, device));
        let blocks =
            (0..recipe.depth).map(|index| Block::new(index, recipe, parameters)).collect::<Result<_, _>>()?;
        let norm = Normalise::new("norm", recipe, parameters)?;
        let head = if recipe.tied_embeddings {
            embeddings.tokens.shallow_clone()
        } else {
            let std = if recipe.zero_init_outputs { 0.0 } else { recipe.init_std };
            parameters.normal("head", &[i64::from(recipe.vocab), i64::from(recipe.width())], std)?
        };
        let tokenizer = Tokenizer::bytes();
        Ok(Self { recipe: recipe.clone(), tokenizer, embeddings, rotation, blocks, norm, head })
    }

    /// Says what its symbols mean; bytes unless said.
    pub(super) fn with_tokenizer(mut self, tokenizer: Tokenizer) -> Self {
        self.tokenizer = tokenizer;
        self
    }

    /// What its symbols mean.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The recipe it was built by.
    pub fn recipe(&self) -> &GptRecipe {
        &self.recipe
    }

    /// Logits of the next token at every place: from `[batch, length]` tokens, at most `context` long, to
    /// `[batch * length, vocab]`. As in evaluation: nothing is dropped, and all is computed in 32 bits whatever
    /// precision the model was trained in.
    pub fn logits(&self, tokens: &Tensor) -> Tensor {
        self.run(tokens, &mut Pass::evaluation())
    }

    /// The training loss in nats a token: the mean cross-entropy of the targets, `[batch * length]`, with dropout and in
    /// the recipe's precision.
    pub fn loss(&self, tokens: &Tensor, targets: &Tensor, dropout: &mut Dropout) -> Tensor {
        let logits = self.run(tokens, &mut Pass::training(&self.recipe, dropout));
        logits.cross_entropy_for_logits(&targets.to_device(logits.device()))
    }

    /// Nats of each target, `[batch * length]`; 0 where the target is -100.
    pub(crate) fn nats(&self, tokens: &Tensor, targets: &Tensor) -> Tensor {
        let logits = self.logits(tokens);
        let targets = targets.to_device(logits.device());
        let nats = logits.cross_entropy_loss::<Tensor>(&targets, None, tch::Reduction::None, -100, 0.0);
        nats.to_kind(Kind::Double)
    }

    fn run(&self, tokens: &Tensor, pass: &mut Pass<'_>) -> Tensor {
        let tokens = &tokens.to_device(self.embeddings.tokens.device()); // wherever the batch was made
        let x0 = pass.drop("embedding", self.embeddings.forward(tokens));
        let rotation = self.rotation.as_ref().map(|rotation| rotation.narrow(tokens.size()[1]));
        let seen = Seen { tokens, rotation: rotation.as_ref() };
        let mut x = x0.shallow_clone();
        for block in &self.blocks {
            x = block.forward(x, &x0, &seen, pass);
        }
        let x = self.norm.forward(&x).view([-1, i64::from(self.recipe.width())]);
        let logits = pass.linear(&x, &self.head).to_kind(Kind::Float);
        if self.recipe.logit_softcap > 0.0 {
            let cap = self.recipe.logit_softcap;
            (logits / cap).tanh() * cap
        } else {
            logits
        }
    }
}
