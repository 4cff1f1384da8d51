//! That each field changes what it says, and nothing else.

use super::{apart, build, small, tokens, values};
use crate::{Activation, Dropout, GptRecipe, Init, NormPlace, Position, Precision, WindowPattern};
use std::collections::HashMap;
use tch::{Kind, Tensor};

type Edit = (&'static str, fn(&mut GptRecipe));

fn logits(recipe: &GptRecipe) -> Tensor {
    let (model, _) = build(recipe);
    tch::no_grad(|| model.logits(&tokens(3, 12)))
}

/// The training loss, and the gradients of all parameters.
fn gradients(recipe: &GptRecipe, dropout: u64) -> (f64, HashMap<String, Tensor>) {
    let (model, parameters) = build(recipe);
    let targets = tokens(3, 12).roll([1], [1]).flatten(0, 1);
    let loss = model.loss(&tokens(3, 12), &targets, &mut Dropout::new(dropout));
    loss.backward();
    let gradients = parameters.iter().map(|p| (p.name().to_string(), p.tensor().grad())).collect();
    (loss.double_value(&[]), gradients)
}

fn edited(edit: impl FnOnce(&mut GptRecipe)) -> GptRecipe {
    let mut recipe = small();
    edit(&mut recipe);
    recipe
}

/// Everything that adds a parameter.
const ADDITIONS: [Edit; 10] = [
    ("residual_scalars", |r| r.residual_scalars = true),
    ("x0_scalars", |r| r.x0_scalars = true),
    ("bigrams", |r| r.bigrams = 64),
    ("learned_qk_gain", |r| r.learned_qk_gain = true),
    ("value_embeddings", |r| r.value_embeddings = true),
    ("tied_embeddings", |r| r.tied_embeddings = false),
    ("norm_place", |r| r.norm_place = NormPlace::Both),
    ("position", |r| r.position = Position::Rope),
    ("depth", |r| r.depth = 3),
    ("activation", |r| (r.activation, r.mlp_ratio) = (Activation::Swiglu, 6.0)),
];

#[test]
fn what_starts_as_nothing_changes_no_logit_at_first() {
    let plain = logits(&small());
    for (field, edit) in &ADDITIONS[..4] {
        let difference = apart(&logits(&edited(edit)), &plain);
        assert!(difference < 1e-6, "{field}: {difference}");
    }
}

#[test]
fn every_addition_is_used_and_learns() {
    let plain = build(&small()).1.iter().map(|p| p.name().to_string()).collect::<Vec<_>>();
    for (field, edit) in ADDITIONS {
        let (_, gradients) = gradients(&edited(edit), 1);
        for (name, gradient) in &gradients {
            let norm = if gradient.defined() { gradient.norm().double_value(&[]) } else { 0.0 };
            assert!(norm > 0.0, "{field}: no gradient for {name}");
        }
        assert!(field == "position" || gradients.keys().any(|name| !plain.contains(name)), "{field}");
    }
}

#[test]
fn an_addition_leaves_other_initial_values_alone() {
    let initial = |recipe: &GptRecipe| -> HashMap<String, Tensor> {
        build(recipe).1.iter().map(|p| (p.name().to_string(), p.tensor().detach())).collect()
    };
    // Depth is no pure addition: what is added to the stream starts smaller in a deeper model.
    let edits = ADDITIONS.into_iter().filter(|(field, _)| *field != "depth");
    let shared: Edit = ("kv_heads", |r| r.kv_heads = 1);
    let plain = initial(&small());
    for (field, edit) in edits.chain([shared]) {
        let other = initial(&edited(edit));
        let mut same = 0;
        for (name, tensor) in &plain {
            match other.get(name) {
                Some(found) if found.size() == tensor.size() => {
                    assert_eq!(values(found), values(tensor), "{field}: {name}");
                    same += 1;
                }
                _ => assert!(
                    name == "places"
                        || field == "kv_heads" && (name.ends_with("key") || name.ends_with("value")),
                    "{field} has no {name}"
                ),
            }
        }
        assert!(same >= 10, "{field}");
    }
}

#[test]
fn every_other_field_changes_the_logits() {
    let edits: [Edit; 13] = [
        ("kv_heads", |r| r.kv_heads = 1),
        ("activation", |r| r.activation = Activation::Relu2),
        ("norm", |r| r.norm = crate::Norm::Rms),
        ("norm_place", |r| r.norm_place = NormPlace::After),
        ("position", |r| r.position = Position::Unknown),
        ("qk_norm", |r| r.qk_norm = true),
        ("qk_gain", |r| r.qk_gain = 2.0),
        ("window", |r| (r.window_pattern, r.window) = (WindowPattern::SL, 0.25)),
        ("shift_kv", |r| r.shift_kv = true),
        ("value_embeddings", |r| r.value_embeddings = true),
        ("logit_softcap", |r| r.logit_softcap = 5.0),
        ("init", |r| r.init = Init::FanIn),
        ("zero_init_outputs", |r| r.zero_init_outputs = true),
    ];
    let plain = logits(&small());
    for (field, edit) in edits {
        assert!(apart(&logits(&edited(edit)), &plain) > 1e-3, "{field}");
    }
    let base = |rope_base| logits(&edited(|r| (r.position, r.rope_base) = (Position::Rope, rope_base)));
    assert!(apart(&base(100.0), &base(1e4)) > 1e-3);
}

#[test]
fn as_many_key_heads_as_heads_are_the_usual_attention() {
    assert_eq!(values(&logits(&edited(|r| r.kv_heads = 2))), values(&logits(&small())));
}

#[test]
fn a_learned_gain_starts_as_the_fixed_one() {
    let fixed = logits(&edited(|r| r.qk_gain = 2.5));
    let learned = logits(&edited(|r| (r.qk_gain, r.learned_qk_gain) = (2.5, true)));
    assert!(apart(&fixed, &learned) < 1e-5);
}

#[test]
fn a_cap_bounds_the_logits() {
    let wild = edited(|r| r.init_std = 0.5);
    assert!(logits(&wild).abs().max().double_value(&[]) > 4.0);
    let capped = logits(&GptRecipe { logit_softcap: 4.0, ..wild });
    assert!(capped.abs().max().double_value(&[]) <= 4.0);
}

#[test]
fn dropout_acts_in_training_alone() {
    let dropping = edited(|r| r.dropout = 0.2);
    assert_eq!(values(&logits(&dropping)), values(&logits(&small())));
    let loss = |recipe: &GptRecipe, seed| gradients(recipe, seed).0;
    assert_eq!(loss(&small(), 1), loss(&small(), 2), "without it, its seed does not matter");
    assert_eq!(loss(&dropping, 1), loss(&dropping, 1));
    assert_ne!(loss(&dropping, 1), loss(&dropping, 2));
    assert_ne!(loss(&dropping, 1), loss(&small(), 1));
}

#[test]
fn initial_sizes_are_the_stated_ones() {
    let std = |recipe: &GptRecipe, name: &str| {
        let (_, parameters) = build(recipe);
        let found = parameters.iter().find(|p| p.name() == name).unwrap().tensor().std(false);
        found.double_value(&[])
    };
    let of = |head_dim, init| GptRecipe { head_dim, init, mlp_ratio: 2.0, ..GptRecipe::default() };
    for (recipe, name, expected) in [
        (of(32, Init::Fixed), "block.0.query", 0.02),
        (of(32, Init::FanIn), "block.0.query", 0.02),
        (of(64, Init::Fixed), "block.0.up", 0.02),
        (of(64, Init::FanIn), "block.0.up", 0.02 / 2.0_f64.sqrt()),
        // 8 / sqrt(256) = 1/2; two blocks have four halves: another 1/2.
        (of(64, Init::FanIn), "block.0.down", 0.02 / 4.0),
        (of(64, Init::Fixed), "block.1.attention_out", 0.02 / 2.0),
        (of(64, Init::FanIn), "embedding", 0.02),
    ] {
        // 4,096 numbers and more: a standard error of 1.1 %.
        let found = std(&recipe, name);
        assert!((found / expected - 1.0).abs() < 0.045, "{name}: {found}, not {expected}");
    }
    for name in ["block.0.down", "block.1.attention_out", "head"] {
        let zero = edited(|r| (r.zero_init_outputs, r.tied_embeddings) = (true, false));
        assert_eq!(std(&zero, name), 0.0);
    }
}

#[test]
fn lower_precision_is_the_same_but_for_rounding_and_only_in_training() {
    let modern = edited(|r| {
        (r.position, r.norm, r.qk_norm, r.activation) =
            (Position::Rope, crate::Norm::Rms, true, Activation::Relu2);
        (r.value_embeddings, r.shift_kv, r.kv_heads, r.norm_place) = (true, true, 1, NormPlace::Both);
    });
    for recipe in [small(), modern] {
        let lower = GptRecipe { precision: Precision::Bf16, ..recipe.clone() };
        assert_eq!(values(&logits(&recipe)), values(&logits(&lower)));
        let ((exact, of_exact), (rounded, of_rounded)) = (gradients(&recipe, 1), gradients(&lower, 1));
        // bfloat16 has 8 bits: a relative error of 2^-9 = .2 % a number.
        assert!(exact != rounded && (exact - rounded).abs() < 0.01 * exact, "{exact} {rounded}");
        for (name, gradient) in of_exact {
            let other = &of_rounded[&name];
            assert_eq!(other.kind(), Kind::Float);
            let difference = (other - &gradient).norm().double_value(&[]);
            assert!(difference < 0.06 * gradient.norm().double_value(&[]), "{name}: {difference}");
        }
    }
}
