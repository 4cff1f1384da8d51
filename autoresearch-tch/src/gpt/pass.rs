//! How the model is run: for evaluation, or for a step of training.

use crate::{Dropout, GptRecipe, Precision};
use tch::{Kind, Tensor};

/// One pass through the model: its precision, and what it drops.
pub(super) struct Pass<'a> {
    precision: Precision,
    dropout: Option<(&'a mut Dropout, f64)>,
}

impl<'a> Pass<'a> {
    /// 32 bits, nothing dropped: whatever precision a model was trained in, it is measured as exactly as can be, and
    /// does not depend on how its inputs are batched.
    pub(super) fn evaluation() -> Self {
        Self { precision: Precision::F32, dropout: None }
    }

    pub(super) fn training(recipe: &GptRecipe, dropout: &'a mut Dropout) -> Self {
        let dropout = (recipe.dropout > 0.0).then_some((dropout, recipe.dropout));
        Self { precision: recipe.precision, dropout }
    }

    /// `x` times the transposed weight. In bfloat16, both are rounded to it first, products are summed in 32 bits, and
    /// the result comes in bfloat16.
    pub(super) fn linear(&self, x: &Tensor, weight: &Tensor) -> Tensor {
        match self.precision {
            Precision::F32 => x.linear::<Tensor>(weight, None),
            Precision::Bf16 => {
                x.to_kind(Kind::BFloat16).linear::<Tensor>(&weight.to_kind(Kind::BFloat16), None)
            }
        }
    }

    /// Queries, keys and values as attention takes them: 32 bits, but bfloat16 on a card that trains in it. There its
    /// kernels are several times faster; on a processor the way back through them is three times slower.
    pub(super) fn attended(&self, part: Tensor) -> Tensor {
        let on_card = self.precision == Precision::Bf16 && part.device().is_cuda();
        part.to_kind(if on_card { Kind::BFloat16 } else { Kind::Float })
    }

    /// Drops from what is added to the stream, in training.
    pub(super) fn drop(&mut self, site: &str, x: Tensor) -> Tensor {
        match &mut self.dropout {
            Some((dropout, share)) => dropout.drop(site, &x, *share),
            None => x,
        }
    }
}
