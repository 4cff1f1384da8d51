//! Which optimiser moves which parameter of a GPT, and how fast.

use crate::optim::{AdamW, Muon, Optimizer};
use crate::{GptRecipe, OptimizerKind, Parameter, Parameters, Precision};

/// What a parameter is, as its name tells: the one place that decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// A matrix between two hidden layers.
    Matrix,
    /// Vectors by token, place or pair of tokens; a tied head is one of them.
    Embedding,
    /// An untied head.
    Head,
    /// Gains, gates, and whatever else works on each number or each head by itself.
    Vector,
}

/// The matrices of a block.
const MATRICES: [&str; 7] = ["query", "key", "value", "attention_out", "gate", "up", "down"];

impl Class {
    const ALL: [Self; 4] = [Self::Matrix, Self::Embedding, Self::Head, Self::Vector];

    fn of(parameter: &Parameter) -> Self {
        let name = parameter.name();
        let part = name.rsplit('.').next().unwrap_or(name);
        if ["embedding", "places", "bigrams"].iter().any(|end| part.ends_with(end)) {
            Self::Embedding
        } else if part == "head" {
            Self::Head
        } else if name.starts_with("block.") && MATRICES.contains(&part) {
            Self::Matrix
        } else {
            Self::Vector
        }
    }

    /// AdamW's learning rate.
    fn rate(self, recipe: &GptRecipe) -> f64 {
        recipe.lr
            * match self {
                Self::Matrix => 1.0,
                Self::Embedding => recipe.embedding_lr,
                Self::Head => recipe.head_lr,
                Self::Vector => recipe.vector_lr,
            }
    }
}

/// AdamW for all, but for the matrices where the recipe says Muon.
pub(super) fn optimizer(recipe: &GptRecipe, parameters: &Parameters) -> Box<dyn Optimizer> {
    let of = |class| parameters.iter().filter(move |p| Class::of(p) == class);
    let mut all: Vec<Box<dyn Optimizer>> = Vec::new();
    for class in Class::ALL {
        if of(class).next().is_none() {
            continue;
        }
        all.push(if class == Class::Matrix && recipe.optimizer == OptimizerKind::Muon {
            let muon = Muon::new(of(class), recipe.muon_lr)
                .momentum(recipe.muon_momentum)
                .nesterov(recipe.muon_nesterov)
                .orthogonal(recipe.muon_orthogonal, recipe.muon_steps)
                .weight_decay(recipe.weight_decay)
                .cautious(recipe.cautious_decay)
                .bf16(recipe.precision == Precision::Bf16);
            Box::new(if recipe.muon_normalised { muon.normalised(recipe.beta2) } else { muon })
        } else {
            let adam = AdamW::new(of(class), class.rate(recipe));
            let adam = adam.betas(recipe.beta1, recipe.beta2).eps(recipe.eps);
            Box::new(adam.weight_decay(recipe.weight_decay).cautious(recipe.cautious_decay))
        });
    }
    Box::new(all)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{Activation, Gpt, NormPlace, Trainer};

    fn classes(recipe: &GptRecipe) -> Vec<(String, Class)> {
        let mut parameters = Parameters::seeded(1);
        _ = Gpt::without_text().build(recipe, &mut parameters).unwrap();
        parameters.iter().map(|p| (p.name().to_string(), Class::of(p))).collect()
    }

    const VECTORS: &str = "-residual_scalar -x0_scalar -attention_norm -attention_out_norm -query_gain -value_gate \
                           -mlp_norm -mlp_out_norm norm";

    #[test]
    fn every_parameter_has_its_class() {
        let recipe = GptRecipe {
            depth: 1,
            activation: Activation::Swiglu,
            tied_embeddings: false,
            norm_place: NormPlace::Both,
            qk_norm: true,
            learned_qk_gain: true,
            value_embeddings: true,
            bigrams: 16,
            residual_scalars: true,
            x0_scalars: true,
            ..GptRecipe::default()
        };
        let all = classes(&recipe);
        let of = |class| {
            let names =
                all.iter().filter(|(_, c)| *c == class).map(|(name, _)| name.replace("block.0.", "-"));
            names.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(of(Class::Matrix), "-query -key -value -attention_out -gate -up -down");
        assert_eq!(of(Class::Embedding), "embedding places bigrams -value_embedding");
        assert_eq!(of(Class::Head), "head");
        assert_eq!(of(Class::Vector), VECTORS);
    }

    /// One step of AdamW on a constant gradient moves everything by its class's rate.
    #[test]
    fn each_class_has_its_rate() {
        let recipe = GptRecipe {
            lr: 0.01,
            embedding_lr: 2.0,
            head_lr: 3.0,
            vector_lr: 4.0,
            weight_decay: 0.0,
            tied_embeddings: false,
            ..GptRecipe::default()
        };
        let mut parameters = Parameters::seeded(1);
        _ = Gpt::without_text().build(&recipe, &mut parameters).unwrap();
        let mut optimizer = optimizer(&recipe, &parameters);
        let before: Vec<_> = parameters.iter().map(|p| p.tensor().detach().copy()).collect();
        let sum = |p: &Parameter| p.tensor().sum(tch::Kind::Float);
        parameters.iter().map(sum).reduce(|a, b| a + b).unwrap().backward();
        tch::no_grad(|| optimizer.step(1.0));
        for (parameter, before) in parameters.iter().zip(before) {
            let moved = (before - parameter.tensor()).mean(tch::Kind::Double).double_value(&[]);
            let expected = Class::of(parameter).rate(&recipe);
            assert!((moved - expected).abs() < 1e-6, "{}: {moved} {expected}", parameter.name());
        }
    }
}
