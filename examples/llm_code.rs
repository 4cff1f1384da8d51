//! A language model improves a piece of code, the learning-rate schedule of a small neural network:
//! `cargo run --release -p autoresearch-llm --example llm_code`.
//!
//! The code is a script of Rhai, an interpreter within this process that has no files, no network and a limit on its
//! operations, so that whatever the model writes can be run. It asks the model that AUTORESEARCH_LLM_URL and
//! AUTORESEARCH_LLM_MODEL name, or else the small local one of `cargo xtask setup --llm`.

#[path = "support/local_model.rs"]
mod local_model;
#[path = "support/spirals.rs"]
mod spirals;

use autoresearch_core::{
    Event, Limits, Measurement, MemoryStore, RunFailure, Seq, Store, Study, evaluator_fn, executor_fn,
};
use autoresearch_llm::{EditCodec, EditFormat, Files, LlmProposer};
use rhai::{AST, Engine, Scope};
use spirals::Net;
use std::error::Error;

const STEPS: usize = 1_500;

const SCHEDULE: &str = "\
// The learning rate of a step, from 0 to steps - 1.
fn rate(step, steps) {
    let progress = step / steps;
    0.1
}
";

const PROGRAM: &str = "\
A network with one hidden layer learns to tell two spirals apart, by SGD with momentum .9, in 1,500 steps. Its learning \
rate comes from schedule.rhai, a script of Rhai (https://rhai.rs): a function `rate(step, steps)` of two floating-point \
numbers that gives one. Numbers need a decimal point (`0.5`), the last expression is the result, `PI()`, `cos(x)`, `sqrt(x)` and \
`exp(x)` are there.

Lower the cross entropy on unseen points: warm-up, decay, other shapes, other heights.";

/// An interpreter that can compute and do nothing else.
fn engine() -> Engine {
    let mut engine = Engine::new();
    engine.set_max_operations(2_000).set_max_call_levels(16).set_max_expr_depths(64, 64);
    engine
}

fn train(code: &Files, seed: u64) -> Result<Net, RunFailure> {
    let text = code.get("schedule.rhai").ok_or_else(|| RunFailure::candidate("schedule.rhai is gone"))?;
    let engine = engine();
    let script: AST =
        engine.compile(text).map_err(|e| RunFailure::candidate(format!("schedule.rhai: {e}")))?;
    let settings = spirals::Settings { width: 24, momentum: 0.9, weight_decay: 1e-5, steps: STEPS };
    spirals::train(&settings, seed, |step| {
        let rate = engine
            .call_fn::<f64>(&mut Scope::new(), &script, "rate", (step as f64, STEPS as f64))
            .map_err(|e| RunFailure::candidate(format!("schedule.rhai at step {step}: {e}")))?;
        let usable = (0.0..=100.0).contains(&rate);
        if usable {
            Ok(rate)
        } else {
            Err(RunFailure::candidate(format!("the rate of step {step} is {rate}")))
        }
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (model, _server) = local_model::model()?;
    let baseline = Files::new([("schedule.rhai", SCHEDULE)])?;
    let store = MemoryStore::new();
    let codec = EditCodec::new(["schedule.rhai"])?.format(EditFormat::WholeFiles);
    let report = Study::new(
        baseline,
        // The file is short, and a small model that has once failed rarely does better when it is asked again.
        LlmProposer::new(model, codec).program(PROGRAM).answer_tokens(400).repairs(1),
        executor_fn(|code: Files, run| async move { train(&code, run.seed) }),
        evaluator_fn(|net: &Net| Ok(Measurement::new(net.losses(1))?)),
    )
    .holdout(evaluator_fn(|net: &Net| Ok(Measurement::new(net.losses(2))?)))
    .limits(Limits::new().proposals(3))
    .store(store.clone())
    .run()
    .await?;

    for (_, event) in store.read(Seq(0), usize::MAX).await? {
        match event {
            Event::Remarked { text } => println!("not used: {text}"),
            Event::Settled { proposal, fate, reason, .. } => println!("{proposal}: {fate}, {reason}"),
            _ => {}
        }
    }
    println!("{report}{}", report.stack().get("schedule.rhai").unwrap_or_default());
    Ok(())
}
