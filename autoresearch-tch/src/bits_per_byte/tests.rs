#![allow(clippy::unwrap_used)]

use super::*;
use crate::{GptRecipe, Parameters, Trainer};

fn corpus() -> Corpus {
    // Lengths that leave a window of one byte, a full one, and everything between.
    Corpus::from_texts(
        (1..40).map(|n: usize| (0..n).map(|i| char::from(b'a' + (i * i + n) as u8 % 26)).collect::<String>()),
    )
}

fn model() -> GptModel {
    // More threads than idle cores make libtorch many times slower.
    tch::set_num_threads(1);
    let recipe = GptRecipe { head_dim: 8, context: 8, init_std: 0.3, ..GptRecipe::default() };
    Gpt::without_text().build(&recipe, &mut Parameters::seeded(5)).unwrap()
}

fn measure(evaluator: &BitsPerByte, model: &GptModel) -> Measurement {
    tch::no_grad(|| evaluator.measure(model, &Cancellation::new())).unwrap()
}

/// Byte by byte, each with only what comes before it in its window.
fn bits_directly(model: &GptModel, document: &[u8]) -> f64 {
    let mut bits = 0.0;
    for at in 0..document.len() {
        let window = at / 8 * 8;
        let before = if window == 0 { b'\n' } else { document[window - 1] };
        let seen: Vec<i64> = [before].iter().chain(&document[window..at]).map(|&b| i64::from(b)).collect();
        let logits = model.logits(&Tensor::from_slice(&seen).view([1, seen.len() as i64]));
        let last = logits.get(seen.len() as i64 - 1).log_softmax(0, Kind::Double);
        bits -= last.double_value(&[i64::from(document[at])]) / std::f64::consts::LN_2;
    }
    bits
}

#[test]
fn it_equals_a_direct_computation() {
    let (corpus, model) = (corpus(), model());
    let measured = measure(&BitsPerByte::on(&corpus).whole(), &model);
    let units = measured.units().unwrap();
    let (mut bits, mut bytes) = (0.0, 0.0);
    for (index, document) in corpus.documents().iter().enumerate() {
        let direct = bits_directly(&model, document.bytes());
        let length = document.bytes().len() as f64;
        assert!((units.values()[index] - direct / length).abs() < 1e-5);
        assert_eq!(units.weights().unwrap()[index], length);
        assert_eq!(units.clusters().unwrap()[index], document.id().cluster());
        bits += direct;
        bytes += length;
    }
    assert!((measured.objective() - bits / bytes).abs() < 1e-6);
}

#[test]
fn the_batch_size_does_not_matter() {
    let (corpus, model) = (corpus(), model());
    let at = |tokens| measure(&BitsPerByte::on(&corpus).batch_tokens(tokens), &model).objective();
    let expected = at(4096);
    for tokens in [1, 8, 24, 100, 1000] {
        assert!((at(tokens) - expected).abs() < 1e-6 * expected, "{tokens}: {} {expected}", at(tokens));
    }
}

#[test]
fn limits_bound_what_is_measured_and_keep_the_first_documents() {
    let texts = (0..30_u64).map(|i| format!("{i:03}").repeat(200));
    let (corpus, model) = (Corpus::from_texts(texts), model());
    let some = measure(&BitsPerByte::on(&corpus).excerpt(100).most(950), &model);
    let all = measure(&BitsPerByte::on(&corpus).excerpt(100), &model);
    let (some, all) = (some.units().unwrap(), all.units().unwrap());
    assert_eq!((some.values().len(), all.values().len()), (10, 30));
    assert_eq!(some.clusters().unwrap(), &all.clusters().unwrap()[..10]);
    assert!(some.weights().unwrap().iter().all(|&w| w == 100.0));
}

#[test]
fn a_cancelled_evaluation_stops() {
    let stop = Cancellation::new();
    stop.cancel();
    assert_eq!(BitsPerByte::on(&corpus()).measure(&model(), &stop), Err(RunFailure::cancelled()));
}

#[test]
fn excerpts_keep_to_their_length_and_never_overlap() {
    let corpus = Corpus::from_texts(["x"]);
    for excerpt in [2, 3, 100, 4096] {
        let evaluator = BitsPerByte::on(&corpus).excerpt(excerpt);
        for length in (1..2000).chain([4095, 4096, 4097, 8191, 8192, 100_000]) {
            let parts: Vec<_> = evaluator.excerpts(length).collect();
            let total: usize = parts.iter().map(Range::len).sum();
            assert!(total <= excerpt && total + 1 >= excerpt.min(length), "{length} {parts:?}");
            assert!(parts.iter().all(|p| p.end <= length && !p.is_empty()));
            assert!(parts.windows(2).all(|p| p[0].end <= p[1].start), "{length} {parts:?}");
        }
    }
}

#[test]
fn windows_cover_an_excerpt_once() {
    let covered: Vec<usize> = windows(10..33, 8).flatten().collect();
    assert_eq!(covered, (10..33).collect::<Vec<_>>());
}
