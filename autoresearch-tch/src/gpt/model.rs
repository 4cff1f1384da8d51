//! The model as a whole: embedding, blocks, head.

use super::block::{Block, Normalise, Rotation};
use crate::tokenizer::Tokenizer;
use crate::{GptRecipe, Parameters, Position};
use autoresearch_core::RunFailure;
use tch::{Kind, Tensor};

/// A GPT in memory.
#[derive(Debug)]
pub struct GptModel {
    recipe: GptRecipe,
    tokenizer: Tokenizer,
    embedding: Tensor,
    places: Option<Tensor>,
    rotation: Option<Rotation>,
    blocks: Vec<Block>,
    norm: Normalise,
    head: Tensor,
}

impl GptModel {
    pub(super) fn new(recipe: &GptRecipe, parameters: &mut Parameters) -> Result<Self, RunFailure> {
        let (width, context) = (i64::from(recipe.width()), i64::from(recipe.context));
        let symbols = i64::from(recipe.vocab);
        let embedding = parameters.normal("embedding", &[symbols, width], recipe.init_std)?;
        let (places, rotation) = match recipe.position {
            Position::Learned => {
                (Some(parameters.normal("places", &[context, width], recipe.init_std)?), None)
            }
            Position::Rope => (None, Some(Rotation::new(recipe))),
            Position::Unknown => (None, None),
        };
        let blocks =
            (0..recipe.depth).map(|index| Block::new(index, recipe, parameters)).collect::<Result<_, _>>()?;
        let norm = Normalise::new("norm", recipe, parameters)?;
        let head_std = if recipe.zero_init_outputs { 0.0 } else { recipe.init_std };
        let head = if recipe.tied_embeddings {
            embedding.shallow_clone()
        } else {
            parameters.normal("head", &[symbols, width], head_std)?
        };
        let tokenizer = Tokenizer::bytes();
        Ok(Self { recipe: recipe.clone(), tokenizer, embedding, places, rotation, blocks, norm, head })
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

    /// Logits of the next symbol at every place: from `[batch, length]` symbols, at most `context` long, to
    /// `[batch * length, vocab]`.
    pub fn logits(&self, bytes: &Tensor) -> Tensor {
        let length = bytes.size()[1];
        let mut x = Tensor::embedding(&self.embedding, bytes, -1, false, false);
        if let Some(places) = &self.places {
            x += places.narrow(0, 0, length);
        }
        let rotation = self.rotation.as_ref().map(|rotation| rotation.narrow(length));
        for block in &self.blocks {
            x = block.forward(x, rotation.as_ref());
        }
        let x = self.norm.forward(&x).view([-1, i64::from(self.recipe.width())]);
        let logits = x.linear::<Tensor>(&self.head, None);
        if self.recipe.logit_softcap > 0.0 {
            let cap = self.recipe.logit_softcap;
            (logits / cap).tanh() * cap
        } else {
            logits
        }
    }

    /// Nats of each target symbol, `[batch * length]`; 0 where the target is -100.
    pub(crate) fn nats(&self, bytes: &Tensor, targets: &Tensor) -> Tensor {
        let logits = self.logits(bytes);
        let nats = logits.cross_entropy_loss::<Tensor>(targets, None, tch::Reduction::None, -100, 0.0);
        nats.to_kind(Kind::Double)
    }
}

/// Floating-point operations a token, forward and backward: 6 for each weight of a matrix, and the attention's
/// 12 x width x context a block, as in the PaLM paper's appendix B (which counts what the causal mask hides too).
pub(super) fn flops_per_token(recipe: &GptRecipe) -> f64 {
    let (width, hidden) = (f64::from(recipe.width()), f64::from(recipe.hidden()));
    let mlp = if recipe.activation == crate::Activation::Swiglu { 3.0 } else { 2.0 } * width * hidden;
    let block = 4.0 * width * width + mlp;
    let attention = 12.0 * width * f64::from(recipe.context);
    f64::from(recipe.depth) * (6.0 * block + attention) + 6.0 * width * f64::from(recipe.vocab)
}
