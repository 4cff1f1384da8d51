//! Times of what a run waits for before its first step. Not a check: nothing here can fail but by an error.
//!
//! `cargo test --release -p autoresearch-tch --test data_speed -- --ignored --nocapture`, with a folder of texts in the
//! environment variable `CORPUS`.
#![allow(clippy::unwrap_used)]

mod common;

use autoresearch_core::Fidelity;
use autoresearch_tch::{BitsPerByte, Corpus, GptRecipe, GptTrainer, Packing, Split, Tokenizer};
use common::train;
use std::time::Instant;

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    println!("{what}: {:.3} s", start.elapsed().as_secs_f64());
    result
}

#[tokio::test]
#[ignore = "takes minutes and needs a folder of texts"]
async fn times() {
    let folder = std::env::var("CORPUS").expect("CORPUS names a folder of texts");
    let corpus = timed("read", || Corpus::read(&folder)).unwrap();
    let splits = corpus.split(Split::default()).unwrap();
    let train_bytes = splits.train().bytes();
    println!("{corpus:?}, {train_bytes} bytes of training text");
    for vocab in [512, 1024, 4096] {
        let tokenizer = timed(&format!("learn {vocab}"), || Tokenizer::train(splits.train(), vocab)).unwrap();
        let again = Tokenizer::train(splits.train(), vocab).unwrap();
        let mut symbols = 0;
        timed(&format!("encode with {vocab}"), || {
            for document in splits.train().documents() {
                symbols += tokenizer.encode(&document.text().unwrap()).unwrap().len();
            }
        });
        println!(
            "{symbols} symbols, {:.2} bytes a symbol; learned again equal: {}",
            train_bytes as f64 / symbols as f64,
            again == tokenizer
        );
    }

    let tokenizer = Tokenizer::train(splits.train(), 512).unwrap();
    for piece in [" ", "a", "\n", "!"] {
        let text = piece.repeat(2_000_000) + "x";
        let symbols = timed(&format!("two million of {piece:?}"), || tokenizer.encode(&text)).unwrap();
        assert_eq!(tokenizer.decode(&symbols), text.as_bytes());
    }

    let cache = tempfile::tempdir().unwrap();
    for packing in [Packing::Stream, Packing::Documents] {
        for vocab in [256, 1024] {
            for what in ["first process", "next process", "same process"] {
                let trainer = GptTrainer::new(&splits).token_cache(cache.path()).fidelity(Fidelity::steps(1));
                let recipe = GptRecipe { vocab, packing, ..GptRecipe::default() };
                if what == "same process" {
                    _ = train(&trainer, recipe.clone(), 1).await.unwrap();
                }
                let start = Instant::now();
                _ = train(&trainer, recipe, 1).await.unwrap();
                let seconds = start.elapsed().as_secs_f64();
                println!("{packing:?}, vocabulary {vocab}, {what}: a run of one step in {seconds:.3} s");
            }
        }
    }
}

#[tokio::test]
#[ignore = "takes minutes and needs a folder of texts"]
async fn bits_by_vocabulary_and_packing() {
    use autoresearch_core::{EvalContext, Evaluator};
    let folder = std::env::var("CORPUS").expect("CORPUS names a folder of texts");
    let splits = Corpus::read(&folder).unwrap().split(Split::default()).unwrap();
    let trainer = GptTrainer::new(&splits).fidelity(Fidelity::tokens(300_000));
    let evaluator = BitsPerByte::on(splits.validation());
    for packing in [Packing::Stream, Packing::Documents] {
        for vocab in [256, 512, 1024] {
            for seed in 1..=2 {
                let recipe = GptRecipe { vocab, packing, lr: 3e-3, ..GptRecipe::default() };
                let (model, _folder) = train(&trainer, recipe, seed).await.unwrap();
                let start = Instant::now();
                let bits = evaluator.evaluate(&model, EvalContext::for_test(1)).await.unwrap().objective();
                let evaluation = start.elapsed().as_secs_f64();
                println!(
                    "{packing:?}, vocabulary {vocab}, seed {seed}: {bits:.4} bits per byte, {:.0} symbols/s, evaluated in {evaluation:.2} s",
                    model.metrics.tokens_per_s
                );
            }
        }
    }
}
