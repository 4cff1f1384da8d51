//! The format: what is damaged is found, whichever byte it is.

use super::*;
use crate::{CurvePoint, Draws};
use autoresearch_core::Fault;
use std::fs;
use tch::Tensor;

fn metrics() -> RunMetrics {
    serde_json::from_value(serde_json::json!({
        "train_loss": 1.25, "steps": 3, "tokens": 30, "parameters": 5, "seconds": 0.5, "tokens_per_s": 60.0,
        "memory_gb": null,
        "curve": [CurvePoint { step: 3, tokens: 30, flops: 0.0, seconds: 0.5, loss: 1.25 }],
    }))
    .unwrap()
}

/// Five numbers in two parameters; `rows` says how many of them are in the first.
struct Small {
    rows: i64,
    more: bool,
}

impl Trainer for Small {
    type Candidate = u32;
    type Model = Vec<Tensor>;
    fn build(&self, _: &u32, p: &mut Parameters) -> Result<Vec<Tensor>, RunFailure> {
        let mut all = vec![p.normal("embedding", &[self.rows, 1], 1.0)?];
        if self.more {
            all.push(p.normal("head", &[2], 1.0)?);
        }
        Ok(all)
    }
    fn loss(&self, _: &Vec<Tensor>, _: &mut Draws) -> Result<Tensor, RunFailure> {
        Err(RunFailure::candidate("not to be trained"))
    }
}

const TRAINED: Small = Small { rows: 3, more: true };

fn write(folder: &Path, metrics: RunMetrics) -> Checkpoint<u32> {
    let mut parameters = Parameters::seeded(1);
    TRAINED.build(&0, &mut parameters).unwrap();
    let origin = Origin { identity: "small", seed: 1 };
    Checkpoint::write(folder, 7, metrics, origin, &parameters, &Cancellation::new()).unwrap()
}

#[test]
fn a_flip_of_any_single_bit_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = write(folder.path(), metrics());
    let whole = fs::read(&checkpoint.path).unwrap();
    for index in 0..whole.len() {
        for bit in 0..8 {
            let mut flipped = whole.clone();
            flipped[index] ^= 1 << bit;
            let found = Weights::check(&checkpoint.path, &flipped);
            let failure = found.expect_err(&format!("bit {bit} of byte {index}"));
            assert_eq!(failure.fault(), Fault::Infrastructure);
            assert!(failure.message().contains("model.safetensors"), "{failure}");
        }
    }
    for length in 0..whole.len() {
        assert!(Weights::check(&checkpoint.path, &whole[..length]).is_err(), "cut to {length} bytes");
    }
    assert!(checkpoint.load(&TRAINED).is_ok());
}

#[test]
fn the_digest_is_of_the_weights_alone() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let slower = RunMetrics { seconds: 9.0, ..metrics() };
    let (a, b) = (write(a.path(), metrics()), write(b.path(), slower));
    assert_ne!(fs::read(&a.path).unwrap(), fs::read(&b.path).unwrap());
    assert_eq!(a.digest().unwrap(), b.digest().unwrap());
}

#[test]
fn another_vocabulary_or_another_model_is_refused_by_name_and_size() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = write(folder.path(), metrics());
    for (model, words) in [
        (Small { rows: 4, more: true }, "\"embedding\" has the shape [3, 1], the model wants [4, 1]"),
        (Small { rows: 3, more: false }, "the model that is built has no parameter head"),
    ] {
        let failure = checkpoint.load(&model).unwrap_err();
        assert_eq!(failure.fault(), Fault::Infrastructure);
        assert!(failure.message().contains(words), "{failure}");
    }
}

#[test]
fn metrics_of_before_the_curve_are_read() {
    let metrics = metrics();
    assert!(!metrics.stopped_early && metrics.phases.is_none());
    let json = serde_json::to_string(&metrics).unwrap();
    assert_eq!(serde_json::from_str::<RunMetrics>(&json).unwrap(), metrics);
}
