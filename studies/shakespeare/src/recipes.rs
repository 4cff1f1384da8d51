//! What is searched: two starting points, the space of recipes around them, and what a run is given.

use autoresearch_core::ParamSpace;
use autoresearch_tch::{Activation, Cooldown, GptRecipe, OptimizerKind, Position};
use serde::{Deserialize, Serialize};

/// Operations of a run: what the plain recipe needs for 65,536 training tokens, 64 steps of 1,024, at 786,432 operations a
/// token forward and backward. A larger model does not win by computing more.
pub(crate) const FLOPS: f64 = 65_536.0 * 786_432.0;

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
    use autoresearch_core::{ParamSet, ProposeContext, Proposed, Proposer, RandomSearch};

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

    /// Of every field each value that is in the space, set alone at either start, is a recipe; and so is what a thousand
    /// random draws make of them together.
    #[test]
    fn every_proposal_is_a_recipe() {
        let mut proposer = RandomSearch::over(space());
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        for start in Start::ALL.map(Start::recipe) {
            for seed in 0..500 {
                let cx = ProposeContext::for_test(&start, seed);
                let proposed = runtime.block_on(proposer.propose(cx)).expect("proposals");
                let Proposed::Proposals(proposals) = proposed else { panic!("{proposed:?}") };
                for proposal in proposals {
                    let recipe: GptRecipe = proposal.candidate;
                    recipe.validate().expect("a recipe");
                    assert_ne!(recipe, start);
                }
            }
        }
    }
}
