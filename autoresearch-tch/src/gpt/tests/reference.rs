//! Against vectors that `reference/reference.py` wrote with PyTorch 2.13, in 64 bits, from the formulas.

use super::build;
use crate::{Dropout, GptRecipe};
use safetensors::SafeTensors;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use tch::{Device, Kind, Tensor};

#[derive(Deserialize)]
struct Case {
    recipe: GptRecipe,
    tokens: Vec<Vec<i64>>,
    targets: Vec<Vec<i64>>,
    loss: f64,
    gradients: BTreeMap<String, Gradient>,
}

#[derive(Deserialize)]
struct Gradient {
    norm: f64,
    /// The sum of all entries, each times the cosine of its position.
    dot: f64,
    entries: Vec<(i64, f64)>,
}

fn data(file: &str) -> Vec<u8> {
    let path = format!("{}/tests/data/{file}", env!("CARGO_MANIFEST_DIR"));
    fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

#[test]
fn loss_and_gradients_are_pytorchs() {
    let cases: BTreeMap<String, Case> = serde_json::from_slice(&data("gpt.json")).unwrap();
    assert_eq!(cases.len(), 3);
    for (name, case) in cases {
        let (model, parameters) = build(&case.recipe);
        let file = data(&format!("gpt_{name}.safetensors"));
        let weights = SafeTensors::deserialize(&file).unwrap();
        let mut names: Vec<_> = parameters.iter().map(|p| p.name()).collect();
        let mut theirs = weights.names();
        names.sort_unstable();
        theirs.sort_unstable();
        assert_eq!(names, theirs, "{name}");
        for parameter in parameters.iter() {
            let view = weights.tensor(parameter.name()).unwrap();
            let shape: Vec<_> = view.shape().iter().map(|&d| d as i64).collect();
            assert_eq!(parameter.tensor().size(), shape, "{name}: {}", parameter.name());
            let values: Vec<f32> = view.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
            let values = Tensor::from_slice(&values).view(shape.as_slice());
            tch::no_grad(|| parameter.tensor().shallow_clone().copy_(&values));
        }
        let rows = case.tokens.len() as i64;
        let flat = |all: &[Vec<i64>]| Tensor::from_slice(&all.concat());
        let tokens = flat(&case.tokens).view([rows, -1]);
        let loss = model.loss(&tokens, &flat(&case.targets), &mut Dropout::new(0));
        let found = loss.double_value(&[]);
        assert!(
            (found - case.loss).abs() < 1e-5 * case.loss,
            "{name}: the loss is {found}, not {}",
            case.loss
        );
        loss.backward();
        for parameter in parameters.iter() {
            let of = parameter.name();
            compare(&format!("{name}: {of}"), &parameter.tensor().grad(), &case.gradients[of]);
        }
    }
}

fn compare(what: &str, gradient: &Tensor, expected: &Gradient) {
    let flat = gradient.flatten(0, -1).to_kind(Kind::Double);
    let cosines = Tensor::arange(flat.numel() as i64, (Kind::Double, Device::Cpu)).cos();
    // A scalar in front of a normalisation hardly matters: its gradient is a small difference of large sums.
    let scale = expected.norm.max(0.1);
    let close = |part: &str, found: f64, wanted: f64| {
        assert!((found - wanted).abs() < 1e-5 * scale, "{what}, {part}: {found}, not {wanted}");
    };
    assert!(expected.norm > 1e-4, "{what} has no gradient worth the name: {}", expected.norm);
    close("norm", flat.norm().double_value(&[]), expected.norm);
    close("dot", flat.dot(&cosines).double_value(&[]), expected.dot);
    for &(at, wanted) in &expected.entries {
        close(&format!("entry {at}"), flat.double_value(&[at]), wanted);
    }
}
