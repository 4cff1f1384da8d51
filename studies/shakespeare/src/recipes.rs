//! What is searched: two starting points, the space of recipes around them, and what a run is given.

use autoresearch_core::{Fidelity, ParamSpace};
use autoresearch_tch::{Activation, Cooldown, GptRecipe, OptimizerKind, Position};
use serde::{Deserialize, Serialize};

/// Training tokens of a run of the plain recipe: 64 steps of 1,024.
const TOKENS: f64 = 65_536.0;
/// Operations a token of the plain recipe, forward and backward.
const FLOPS_PER_TOKEN: f64 = 786_432.0;

/// What a run is given: the operations that the plain recipe needs for its tokens, so that a larger model does not win by
/// computing more.
pub(crate) fn fidelity() -> Fidelity {
    Fidelity::flops(TOKENS * FLOPS_PER_TOKEN)
}

/// Where a search begins.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Start {
    /// A plain recipe in the manner of nanoGPT: everything is left to find, and first gains are tens of sigma.
    Plain,
    /// A recipe that has been searched before: gains are one to three sigma.
    Tuned,
}

impl Start {
    pub(crate) const ALL: [Self; 2] = [Self::Plain, Self::Tuned];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Tuned => "tuned",
        }
    }

    pub(crate) fn recipe(self) -> GptRecipe {
        match self {
            Self::Plain => GptRecipe::default(),
            Self::Tuned => tuned(),
        }
    }
}

/// `GptRecipe::strong` for a run of 64 steps: higher rates, and no more pairs of tokens than so short a run can learn.
fn tuned() -> GptRecipe {
    GptRecipe {
        activation: Activation::Relu2,
        position: Position::Rope,
        optimizer: OptimizerKind::Muon,
        cooldown: 0.6,
        cooldown_shape: Cooldown::Linear,
        bigrams: 4096,
        batch: 8,
        lr: 0.02,
        muon_lr: 0.04,
        ..GptRecipe::strong()
    }
}

/// All fields that a recipe has, but for the vocabulary (bytes), each where a run of this size stays a matter of seconds:
/// with a budget in operations a tiny model takes very many steps, and steps have a price of their own; so has a large table,
/// which costs no operations and every step all of its memory.
pub(crate) fn space() -> ParamSpace {
    let full = GptRecipe::space();
    let kept = full.params().iter().map(|param| param.name.as_str());
    let narrowed = [
        "vocab",
        "depth",
        "heads",
        "head_dim",
        "mlp_ratio",
        "batch",
        "accumulation",
        "context",
        "bigrams",
        "muon_steps",
    ];
    let kept: Vec<&str> = kept.filter(|name| !narrowed.contains(name)).collect();
    full.clone()
        .only(kept)
        .int("depth", 1..=4)
        .choice("heads", [2, 3, 4])
        .choice("head_dim", [24, 32, 48])
        .log_float("mlp_ratio", 2.0..=8.0)
        .choice("batch", [8, 16, 32])
        .choice("bigrams", [0, 1024, 4096])
        .choice("context", [64, 128])
        .choice("muon_steps", [3, 4, 5])
        .when("optimizer", "muon")
}

#[cfg(test)]
mod tests {
    use super::*;
    use autoresearch_core::{ParamSet, RandomSearch, testkit};

    #[test]
    fn both_starts_are_points_of_the_space() {
        for start in Start::ALL {
            let recipe = start.recipe();
            recipe.validate().expect("a recipe");
            let set = ParamSet::of(&recipe).expect("flat");
            for param in space().params() {
                let value = set.get(&param.name).expect("a field of the recipe");
                assert!(param.kind.contains(value), "{} is {value:?} at {}", param.name, start.name());
            }
        }
        space().check().expect("a space");
    }

    #[test]
    fn every_proposal_is_a_recipe() {
        let _ = (RandomSearch::<GptRecipe>::over(space()), testkit::loss);
    }
}
