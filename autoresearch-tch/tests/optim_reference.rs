//! The optimisers against PyTorch's: three steps of each, from `reference/optim.py`, which writes the vectors.
#![allow(clippy::unwrap_used)]

use autoresearch_tch::tch::{self, Kind, Tensor};
use autoresearch_tch::{AdamW, Muon, Optimizer, Orthogonal, Parameters};
use serde::Deserialize;
use std::collections::BTreeMap;

type Tensors = BTreeMap<String, Vec<f32>>;

#[derive(Deserialize)]
struct Vectors {
    shapes: BTreeMap<String, Vec<i64>>,
    rates: Vec<f64>,
    start: Tensors,
    gradients: Vec<Tensors>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    optimizer: String,
    settings: serde_json::Value,
    after: Vec<Tensors>,
}

#[derive(Deserialize)]
struct AdamWSettings {
    lr: f64,
    betas: (f64, f64),
    eps: f64,
    weight_decay: f64,
    #[serde(default)]
    cautious: bool,
}

#[derive(Deserialize)]
struct MuonSettings {
    lr: f64,
    momentum: f64,
    nesterov: bool,
    orthogonal: Orthogonal,
    steps: u32,
    weight_decay: f64,
    cautious: bool,
    beta2: Option<f64>,
}

fn optimizer(case: &Case, parameters: &Parameters) -> Box<dyn Optimizer> {
    let settings = case.settings.clone();
    if case.optimizer == "adamw" {
        let s: AdamWSettings = serde_json::from_value(settings).unwrap();
        let adamw = AdamW::new(parameters.iter(), s.lr).betas(s.betas.0, s.betas.1).eps(s.eps);
        return Box::new(adamw.weight_decay(s.weight_decay).cautious(s.cautious));
    }
    let s: MuonSettings = serde_json::from_value(settings).unwrap();
    let muon = Muon::new(parameters.iter(), s.lr)
        .momentum(s.momentum)
        .nesterov(s.nesterov)
        .orthogonal(s.orthogonal, s.steps)
        .weight_decay(s.weight_decay)
        .cautious(s.cautious);
    Box::new(match s.beta2 {
        Some(beta2) => muon.normalised(beta2),
        None => muon,
    })
}

#[test]
fn every_optimizer_goes_the_way_of_pytorch() {
    let vectors: Vectors = serde_json::from_str(include_str!("data/optim.json")).unwrap();
    let tensor = |values: &[f32], name: &str| Tensor::from_slice(values).reshape(&vectors.shapes[name]);
    for case in &vectors.cases {
        let mut parameters = Parameters::seeded(1);
        for name in case.after[0].keys() {
            let x = parameters.constant(name, &vectors.shapes[name], 0.0).unwrap();
            x.detach().copy_(&tensor(&vectors.start[name], name));
        }
        let mut optimizer = optimizer(case, &parameters);
        for (step, (rate, after)) in vectors.rates.iter().zip(&case.after).enumerate() {
            for parameter in parameters.iter() {
                let gradient = tensor(&vectors.gradients[step][parameter.name()], parameter.name());
                (parameter.tensor() * gradient).sum(Kind::Float).backward();
            }
            tch::no_grad(|| optimizer.step(*rate));
            for parameter in parameters.iter() {
                let expected = tensor(&after[parameter.name()], parameter.name());
                let apart = (parameter.tensor() - expected).abs().max().double_value(&[]);
                let (name, settings) = (parameter.name(), &case.settings);
                assert!(apart < 1e-5, "{name} after step {step} of {settings}: {apart}");
                _ = parameter.tensor().grad().zero_();
            }
        }
    }
}
