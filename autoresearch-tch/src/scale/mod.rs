//! Larger models by the same recipe, and what becomes of its rates.

mod executor;

pub use executor::Scaled;

use crate::{GptRecipe, Init, RecipeError};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How many times deeper and wider a model is to be than its recipe says.
///
/// What was found on a small model is worth something where it holds on a larger one. [`Scaled`] trains every recipe at
/// a scale, so that a certification can repeat itself there.
///
/// The width grows by heads (and heads of keys and values) of the same width; what is given in widths of the model grows
/// with it. Blocks grow in weights by depth x width². Learning rates follow, for a width of w times and a depth of d
/// times:
///
/// | | factor | source |
/// |---|---|---|
/// | AdamW, matrices of blocks and untied head | 1 / w | muP: Yang et al. (2022), table 3: Adam moves each weight by its rate, so that what a sum over w times as many inputs moves by is w times as much |
/// | AdamW, embeddings and vectors | 1 | the same; nothing is summed over their inputs. Tied embeddings are a head as well, and take its factor |
/// | Muon | 1 | a step has the spectral norm sqrt(rows / columns) at any width: Jordan (2024), Yang, Simon and Bernstein (2023) |
/// | AdamW and Muon, matrices of blocks | 1 / sqrt(d) | Depth-muP: Yang et al. (2023), for Adam; taken over for Muon without proof |
/// | initial weights | 1 / sqrt(w) | as table 3 for hidden matrices; `init` = `fan_in` does so by itself. With `fixed`, embeddings and head shrink too, which a norm before what reads them undoes |
/// | what is added to the stream | 1 / sqrt(d) | by the initial weights of the last matrices, which every recipe divides by the root of its depth (or starts at zero). Depth-muP would keep this factor in the model |
///
/// An untied head that does not start at zero keeps the standard deviation of its weights with `fan_in`, where muP would
/// divide it by w: the first steps then go farther in a wider model. `zero_init_outputs` avoids that.
///
/// Momenta, decay, schedule, batch and context stay. Weight decay acts in proportion to the learning rates, so that it
/// acts less where they fall. A larger model wants more tokens, which is the fidelity's affair.
///
/// ```
/// use autoresearch_tch::{GptRecipe, Scale};
/// let larger = Scale::new().depth(2).width(2).apply(&GptRecipe::default())?;
/// assert_eq!((larger.depth, larger.width()), (4, 128));
/// assert_eq!(Scale::new().depth(2).width(2).growth(), 8);
/// # Ok::<(), autoresearch_tch::RecipeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    depth: u32,
    width: u32,
}

impl Default for Scale {
    fn default() -> Self {
        Self { depth: 1, width: 1 }
    }
}

impl Scale {
    /// As the recipe says.
    pub fn new() -> Self {
        Self::default()
    }

    /// So many times as many blocks; at least 1.
    #[must_use]
    pub fn depth(mut self, times: u32) -> Self {
        self.depth = times.max(1);
        self
    }

    /// So many times as many heads, each as wide as before; at least 1.
    #[must_use]
    pub fn width(mut self, times: u32) -> Self {
        self.width = times.max(1);
        self
    }

    /// How many times as many weights the blocks have.
    pub fn growth(self) -> u64 {
        u64::from(self.depth) * u64::from(self.width).pow(2)
    }

    /// The larger recipe.
    ///
    /// # Errors
    /// The recipe is not valid, or the larger one would not be; the message names the field.
    pub fn apply(self, recipe: &GptRecipe) -> Result<GptRecipe, RecipeError> {
        recipe.validate()?;
        let (w, d) = (f64::from(self.width), f64::from(self.depth).sqrt());
        // `lr` is that of AdamW's matrices, the others are in `lr`s: what is to stay is multiplied by what `lr` loses.
        let embedding = if recipe.tied_embeddings { d } else { w * d };
        let init = if recipe.init == Init::Fixed { w.sqrt() } else { 1.0 };
        let larger = GptRecipe {
            depth: recipe.depth.saturating_mul(self.depth),
            heads: recipe.heads.saturating_mul(self.width),
            kv_heads: recipe.kv_heads.saturating_mul(self.width),
            lr: recipe.lr / (w * d),
            embedding_lr: recipe.embedding_lr * embedding,
            head_lr: recipe.head_lr * d,
            vector_lr: recipe.vector_lr * w * d,
            muon_lr: recipe.muon_lr / d,
            init_std: recipe.init_std / init,
            ..recipe.clone()
        };
        larger.validate().map(|()| larger)
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "depth x {}, width x {}", self.depth, self.width)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{Draws, Gpt, OptimizerKind, Parameters, Trainer};

    #[test]
    fn a_scale_of_one_changes_nothing() {
        let recipe = GptRecipe { kv_heads: 1, ..GptRecipe::default() };
        assert_eq!(Scale::new().apply(&recipe).unwrap(), recipe);
        assert_eq!(Scale::new().depth(0).width(0), Scale::new());
    }

    #[test]
    fn rates_go_by_the_table() {
        let recipe =
            GptRecipe { tied_embeddings: false, kv_heads: 1, init: Init::FanIn, ..GptRecipe::default() };
        let rates =
            |r: &GptRecipe| [r.lr, r.lr * r.embedding_lr, r.lr * r.head_lr, r.lr * r.vector_lr, r.muon_lr];
        let before = rates(&recipe);
        let larger = Scale::new().width(4).apply(&recipe).unwrap();
        assert_eq!((larger.heads, larger.kv_heads, larger.depth), (8, 4, 2));
        assert_eq!(rates(&larger), [before[0] / 4.0, before[1], before[2] / 4.0, before[3], before[4]]);
        let deeper = Scale::new().depth(4).apply(&recipe).unwrap();
        assert_eq!(rates(&deeper), [before[0] / 2.0, before[1], before[2], before[3], before[4] / 2.0]);
        let tied = Scale::new().width(4).apply(&GptRecipe::default()).unwrap();
        assert_eq!(rates(&tied)[1], rates(&GptRecipe::default())[1] / 4.0);
        assert_eq!(tied.init_std, GptRecipe::default().init_std / 2.0);
    }

    #[test]
    fn what_would_be_too_large_names_the_field() {
        let error = Scale::new().depth(100).apply(&GptRecipe::default()).unwrap_err();
        assert_eq!((error.field, error.value.as_str()), ("depth", "200"));
        let error = Scale::new().apply(&GptRecipe { lr: -1.0, ..GptRecipe::default() }).unwrap_err();
        assert_eq!(error.field, "lr");
    }

    /// The point of the rules: some steps change the loss equally much at any width, where without them they would in
    /// proportion to the width.
    #[test]
    fn steps_go_equally_far_at_any_width() {
        let text =
            crate::Corpus::from_texts(["it is the same text for all of them, again and again".repeat(8)]);
        let gpt = Gpt::on(&text);
        let gain = |recipe: &GptRecipe| {
            let mut parameters = Parameters::seeded(3);
            let model = gpt.build(recipe, &mut parameters).unwrap();
            let mut optimizer = gpt.optimizer(recipe, &parameters);
            let loss = || gpt.loss(&model, &mut Draws::new(1)).unwrap();
            let before = loss().double_value(&[]);
            for _ in 0..5 {
                loss().backward();
                tch::no_grad(|| optimizer.step(1.0));
                crate::optim::clear(&parameters);
            }
            before - loss().double_value(&[])
        };
        let adamw = GptRecipe {
            depth: 1,
            head_dim: 8,
            context: 16,
            batch: 4,
            lr: 3e-3,
            init: Init::FanIn,
            zero_init_outputs: true,
            tied_embeddings: false,
            ..GptRecipe::default()
        };
        for optimizer in [OptimizerKind::AdamW, OptimizerKind::Muon] {
            let small = GptRecipe { optimizer, ..adamw.clone() };
            let large = Scale::new().width(4).apply(&small).unwrap();
            let unruly = GptRecipe { heads: large.heads, ..small.clone() };
            let ratio = |recipe| gain(recipe) / gain(&small);
            assert!((ratio(&large) - 1.0).abs() < 0.15, "{optimizer:?}: {}", ratio(&large));
            assert!(ratio(&unruly) > 2.0, "{optimizer:?}: {}", ratio(&unruly));
        }
    }
}
