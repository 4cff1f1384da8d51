//! A language model improves the settings of a small neural network:
//! `cargo run --release -p autoresearch-llm --example llm_params`.
//!
//! It asks the model that AUTORESEARCH_LLM_URL and AUTORESEARCH_LLM_MODEL name, or else the small local one of
//! `cargo xtask setup --llm`.

#[path = "support/local_model.rs"]
mod local_model;
#[path = "support/spirals.rs"]
mod spirals;

use autoresearch_core::{
    Limits, Measurement, MemoryStore, ParamSpace, Searchable, Seq, Store, Study, evaluator_fn, executor_fn,
};
use autoresearch_llm::{LlmProposer, ParamCodec, Price};
use serde::{Deserialize, Serialize};
use spirals::Net;
use std::error::Error;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Recipe {
    lr: f64,
    momentum: f64,
    weight_decay: f64,
    width: u32,
    schedule: String,
}

impl Searchable for Recipe {
    fn space() -> ParamSpace {
        ParamSpace::new()
            .log_float("lr", 1e-3..=3.0)
            .doc("peak learning rate of SGD")
            .float("momentum", 0.0..=0.98)
            .log_float("weight_decay", 1e-7..=1e-1)
            .log_int("width", 4..=64)
            .doc("hidden units")
            .choice("schedule", ["constant", "linear", "cosine"])
            .doc("how the learning rate falls to 0 over the run")
    }
}

const STEPS: usize = 1_500;

fn train(recipe: &Recipe, seed: u64) -> Net {
    let (momentum, weight_decay, width) = (recipe.momentum, recipe.weight_decay, recipe.width as usize);
    let settings = spirals::Settings { width, momentum, weight_decay, steps: STEPS };
    let rate = |step: usize| {
        let left = 1.0 - step as f64 / STEPS as f64;
        Ok::<_, std::convert::Infallible>(match recipe.schedule.as_str() {
            "linear" => recipe.lr * left,
            "cosine" => recipe.lr * 0.5 * (1.0 - (std::f64::consts::PI * left).cos()),
            _ => recipe.lr,
        })
    };
    match spirals::train(&settings, seed, rate) {
        Ok(net) => net,
        Err(never) => match never {},
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (model, _server) = local_model::model()?;
    let baseline =
        Recipe { lr: 0.1, momentum: 0.0, weight_decay: 1e-4, width: 16, schedule: "constant".into() };
    let store = MemoryStore::new();
    let proposer = LlmProposer::new(model, ParamCodec::of::<Recipe>())
        .program(include_str!("program.md"))
        .price(Price::FREE) // of a model that costs: Prices::builtin().of(name), and Limits::money
        .per_call(4);
    let report = Study::new(
        baseline,
        proposer,
        executor_fn(|recipe: Recipe, run| async move { Ok(train(&recipe, run.seed)) }),
        evaluator_fn(|net: &Net| Ok(Measurement::new(net.losses(1))?)),
    )
    .holdout(evaluator_fn(|net: &Net| Ok(Measurement::new(net.losses(2))?)))
    .test_split(evaluator_fn(|net: &Net| Ok(Measurement::new(net.losses(3))?)))
    .limits(Limits::new().proposals(12))
    .store(store.clone())
    .run()
    .await?;

    for (_, event) in store.read(Seq(0), usize::MAX).await? {
        if let autoresearch_core::Event::Remarked { text } = event {
            println!("not used: {text}");
        }
    }
    println!("{report}stack: {:?}", report.stack());
    Ok(())
}
