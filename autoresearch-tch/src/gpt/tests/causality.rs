//! What a place may know of.

use super::{apart, build, small, tokens};
use crate::gpt::attention::{Attention, Seen};
use crate::gpt::pass::Pass;
use crate::{GptRecipe, Parameters, WindowPattern};
use autoresearch_core::ParamSet;
use proptest::prelude::*;
use tch::{Kind, Tensor};

/// A recipe of the space, with weights large enough that every token matters, and little to compute.
fn recipe(seed: u64) -> GptRecipe {
    let point: ParamSet = GptRecipe::space().sample(seed).unwrap();
    let recipe: GptRecipe = serde_json::from_value(serde_json::to_value(&point).unwrap()).unwrap();
    GptRecipe {
        context: 16,
        heads: recipe.heads.min(2),
        head_dim: 16,
        init_std: 0.2,
        zero_init_outputs: false,
        ..recipe
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]
    #[test]
    fn a_later_token_never_changes_what_came_before(seed in any::<u64>(), at in 1_i64..16) {
        let recipe = recipe(seed);
        let (model, _) = build(&recipe);
        let before = tokens(2, 16);
        let after = before.copy();
        // Another token at this place in the first row alone.
        let mut place = after.select(0, 0).narrow(0, at, 1);
        let other = (&place + 17).remainder(i64::from(recipe.vocab));
        place.copy_(&other);
        let logits = |tokens| tch::no_grad(|| model.logits(tokens)).view([2, 16, -1]);
        let (before, after) = (logits(&before), logits(&after));
        let first = |x: &Tensor, from, count| x.select(0, 0).narrow(0, from, count);
        prop_assert!(apart(&first(&before, 0, at), &first(&after, 0, at)) < 1e-5, "{recipe:?}");
        prop_assert!(apart(&first(&before, at, 1), &first(&after, at, 1)) > 1e-5, "{recipe:?}");
        prop_assert!(apart(&before.select(0, 1), &after.select(0, 1)) < 1e-5, "{recipe:?}");
    }
}

#[test]
fn a_short_window_ends_where_it_says() {
    tch::set_num_threads(1);
    for (window, seen) in [(0.25, 3), (0.01, 1), (0.5, 6), (1.0, 12)] {
        let recipe = GptRecipe { window_pattern: WindowPattern::SL, window, ..small() };
        let attention = Attention::new(0, &recipe, &mut Parameters::seeded(1)).unwrap();
        let tokens = tokens(1, 12);
        let run = |x: &Tensor| {
            let seen = Seen { tokens: &tokens, rotation: None };
            tch::no_grad(|| attention.forward(x, &seen, &Pass::evaluation()))
        };
        let x = (Tensor::arange(12 * 16, (Kind::Float, tch::Device::Cpu)) * 1.3).sin().view([1, 12, 16]);
        let plain = run(&x);
        for changed in 0..12 {
            let other = x.copy();
            _ = other.narrow(1, changed, 1).g_add_scalar_(0.5);
            let other = run(&other);
            for place in 0..12 {
                let difference = apart(&plain.narrow(1, place, 1), &other.narrow(1, place, 1));
                let sees = (changed..changed + seen).contains(&place);
                assert_eq!(difference > 1e-6, sees, "window {seen}: {place} of {changed}, {difference}");
            }
        }
    }
}

#[test]
fn a_shorter_text_is_read_as_the_beginning_of_a_longer_one() {
    let edits: [fn(&mut GptRecipe); 4] = [
        |_| (),
        |r| (r.window_pattern, r.window) = (WindowPattern::SL, 0.25),
        |r| r.position = crate::Position::Rope,
        |r| (r.shift_kv, r.bigrams, r.value_embeddings) = (true, 64, true),
    ];
    for edit in edits {
        let mut recipe = small();
        edit(&mut recipe);
        let (model, _) = build(&recipe);
        let long = tokens(1, 12);
        for length in [1, 2, 7] {
            let whole = model.logits(&long).narrow(0, 0, length);
            assert!(
                apart(&whole, &model.logits(&long.narrow(1, 0, length))) < 1e-5,
                "{length} of {recipe:?}"
            );
        }
    }
}
