#![allow(clippy::unwrap_used)]

use super::*;
use crate::{GptRecipe, Parameters, Trainer};
use proptest::prelude::*;

fn corpus() -> Corpus {
    // Lengths that leave a window of one byte, a full one, and everything between.
    Corpus::from_texts(
        (1..40).map(|n: usize| (0..n).map(|i| char::from(b'a' + (i * i + n) as u8 % 26)).collect::<String>()),
    )
}

fn model() -> GptModel {
    model_of(GptRecipe::default())
}

/// A small model whose vocabulary, if any, is learned from the corpus.
fn model_of(recipe: GptRecipe) -> GptModel {
    // More threads than idle cores make libtorch many times slower.
    tch::set_num_threads(1);
    let recipe = GptRecipe { head_dim: 8, context: 8, init_std: 0.3, ..recipe };
    Gpt::on(&corpus()).build(&recipe, &mut Parameters::seeded(5)).unwrap()
}

fn joined() -> GptModel {
    model_of(GptRecipe { vocab: 300, ..GptRecipe::default() })
}

fn measure(evaluator: &BitsPerByte, model: &GptModel) -> Measurement {
    tch::no_grad(|| evaluator.measure(model, &Cancellation::new())).unwrap()
}

/// Symbol by symbol, each with only what comes before it in its window.
fn bits_directly(model: &GptModel, document: &str) -> f64 {
    let document = model.tokenizer().encode(document).unwrap();
    let mut bits = 0.0;
    for at in 0..document.len() {
        let window = at / 8 * 8;
        let before = if window == 0 { u32::from(b'\n') } else { document[window - 1] };
        let seen: Vec<i64> = [before].iter().chain(&document[window..at]).map(|&b| i64::from(b)).collect();
        let logits = model.logits(&Tensor::from_slice(&seen).view([1, seen.len() as i64]));
        let last = logits.get(seen.len() as i64 - 1).log_softmax(0, Kind::Double);
        bits -= last.double_value(&[i64::from(document[at])]) / std::f64::consts::LN_2;
    }
    bits
}

#[test]
fn it_equals_a_direct_computation() {
    let corpus = corpus();
    for model in [model(), joined()] {
        let measured = measure(&BitsPerByte::on(&corpus).whole(), &model);
        let units = measured.units().unwrap();
        let (mut bits, mut bytes) = (0.0, 0.0);
        for (index, document) in corpus.documents().iter().enumerate() {
            let direct = bits_directly(&model, &document.text().unwrap());
            let length = document.len() as f64;
            assert!((units.values()[index] - direct / length).abs() < 1e-5);
            assert_eq!(units.weights().unwrap()[index], length);
            assert_eq!(units.clusters().unwrap()[index], document.id().cluster());
            bits += direct;
            bytes += length;
        }
        assert!((measured.objective() - bits / bytes).abs() < 1e-6);
    }
}

#[test]
fn the_batch_size_does_not_matter() {
    let corpus = corpus();
    for model in [model(), joined()] {
        let at = |tokens| measure(&BitsPerByte::on(&corpus).batch_tokens(tokens), &model).objective();
        let expected = at(4096);
        for tokens in [1, 8, 24, 100, 1000] {
            assert!((at(tokens) - expected).abs() < 1e-6 * expected, "{tokens}: {} {expected}", at(tokens));
        }
    }
}

#[test]
fn a_uniform_model_pays_the_logarithm_of_its_vocabulary_for_each_symbol() {
    for vocab in [256, 300, 1000] {
        // A head of zeros gives every symbol the same logit.
        let recipe =
            GptRecipe { vocab, tied_embeddings: false, zero_init_outputs: true, ..GptRecipe::default() };
        let model = model_of(recipe);
        let measured = measure(&BitsPerByte::on(&corpus()).whole(), &model);
        let (mut symbols, mut bytes) = (0, 0);
        for (document, value) in corpus().documents().iter().zip(measured.units().unwrap().values()) {
            let own = model.tokenizer().encode(&document.text().unwrap()).unwrap().len();
            let expected = f64::from(vocab).log2() * own as f64 / document.len() as f64;
            // The model computes in 32 bits.
            assert!((value - expected).abs() < 1e-6 * expected, "{vocab}: {value} {expected}");
            symbols += own;
            bytes += document.len();
        }
        assert!(vocab == 256 || symbols < bytes);
        let expected = f64::from(vocab).log2() * symbols as f64 / bytes as f64;
        assert!((measured.objective() - expected).abs() < 1e-6 * expected);
    }
}

#[test]
fn documents_and_weights_are_the_same_for_every_vocabulary() {
    let texts = (0..30_u64).map(|i| format!("{i:03}").repeat(200));
    let evaluator = BitsPerByte::on(&Corpus::from_texts(texts)).excerpt(100).most(950);
    let (bytes, joined) = (measure(&evaluator, &model()), measure(&evaluator, &joined()));
    assert_eq!(bytes.units().unwrap().weights(), joined.units().unwrap().weights());
    assert_eq!(bytes.units().unwrap().clusters(), joined.units().unwrap().clusters());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Whatever the excerpts: no symbol counts twice, those that begin within count, and bytes are those of the symbols.
    #[test]
    fn each_symbol_of_an_excerpt_counts_once(
        pieces in prop::collection::vec("[a-e]{1,3}|abab|cdcd| |é|\n", 1..80),
        excerpt in 2_usize..40,
    ) {
        let text = pieces.concat();
        let learned = Corpus::from_texts(["abab abab cdcd cdcd abab cdcd ab cd é é\n"; 1]);
        let evaluator = BitsPerByte::on(&learned).excerpt(excerpt);
        for tokenizer in [Tokenizer::bytes(), Tokenizer::train(&learned, 270).unwrap()] {
            let symbols = tokenizer.encode(&text).unwrap();
            let excerpts: Vec<_> = evaluator.excerpts(text.len()).collect();
            let unit = Unit::new(1, &symbols, &tokenizer, excerpts.iter().cloned());
            prop_assert_eq!(unit.weight, excerpts.iter().map(Range::len).sum::<usize>());
            let counted: Vec<u32> =
                unit.stretches.iter().flat_map(|s| &s[1..]).map(|&s| u32::from(s)).collect();
            prop_assert!(!counted.is_empty());
            prop_assert_eq!(unit.bytes, counted.iter().map(|&s| tokenizer.length(s)).sum::<usize>());
            let mut at = 0;
            let mut expected = Vec::new();
            for &symbol in &symbols {
                if excerpts.iter().any(|excerpt| excerpt.contains(&at)) {
                    expected.push(symbol);
                }
                at += tokenizer.length(symbol);
            }
            prop_assert!(expected.is_empty() || counted == expected);
            if tokenizer == Tokenizer::bytes() {
                prop_assert_eq!(unit.bytes, unit.weight);
            }
        }
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
