#![allow(clippy::unwrap_used)]

use super::*;
use crate::gpt::batch;
use crate::{CorpusReader, Draws, Gpt, GptRecipe, Packing, Parameters, Trainer};
use std::fs;

fn texts() -> Vec<String> {
    (0..40)
        .map(|i| format!("document {i} says what documents say, {}\n", "and more ".repeat(i % 7)))
        .collect()
}

fn in_memory() -> Texts {
    Texts::new(Corpus::from_texts(texts()), None)
}

fn symbols(texts: &Texts, vocabulary: u32) -> Vec<i64> {
    let text = texts.get(vocabulary).unwrap();
    let mut out = Vec::new();
    text.tokens.read(0, text.tokens.len() as usize, &mut out);
    out
}

#[test]
fn every_document_stands_behind_a_line_end() {
    let texts = in_memory();
    for vocabulary in [256, 300] {
        let (text, symbols) = (texts.get(vocabulary).unwrap(), symbols(&texts, vocabulary));
        let starts = text.tokens.starts();
        assert_eq!(starts.len(), 41);
        for (document, place) in texts.corpus().documents().iter().zip(starts.windows(2)) {
            let own: Vec<u32> =
                symbols[place[0] as usize..place[1] as usize].iter().map(|&s| s as u32).collect();
            assert_eq!(own[0], BEGIN);
            assert_eq!(text.tokenizer.decode(&own[1..]), document.text().unwrap().as_bytes());
        }
    }
}

#[test]
fn a_text_that_is_given_up_leaves_nothing_and_is_made_when_it_is_wanted_again() {
    let folder = tempfile::tempdir().unwrap();
    let cached = Texts::new(Corpus::from_texts(texts()), Some(folder.path().into()));
    let stop = Cancellation::new();
    stop.cancel();
    for (texts, vocabulary) in [(&cached, 256), (&cached, 300), (&in_memory(), 256)] {
        let failure = texts.get_unless(vocabulary, &stop).unwrap_err();
        assert_eq!(failure.fault(), autoresearch_core::Fault::Cancelled);
    }
    let left = || fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().path());
    assert!(left().all(|path| path.is_file()), "{:?}", left().collect::<Vec<_>>()); // the vocabulary alone
    assert_eq!(symbols(&cached, 300), symbols(&in_memory(), 300));
}

#[test]
fn the_cache_holds_the_same_and_is_made_anew_where_it_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let cached = || Texts::new(Corpus::from_texts(texts()), Some(folder.path().join("deep/er")));
    let expected = [symbols(&in_memory(), 256), symbols(&in_memory(), 300)];
    for round in 0..2 {
        let texts = cached();
        assert_eq!([symbols(&texts, 256), symbols(&texts, 300)], expected, "round {round}");
        assert!(texts.get(300).unwrap().tokens.is_mapped());
    }
    let folders = || fs::read_dir(folder.path().join("deep/er")).unwrap().map(|e| e.unwrap().path());
    assert_eq!(folders().count(), 3, "a vocabulary and two texts, no temporary");
    for shard in folders().filter(|path| path.is_dir()).flat_map(|path| fs::read_dir(path).unwrap()) {
        let shard = shard.unwrap().path();
        let mut bytes = fs::read(&shard).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&shard, bytes).unwrap();
    }
    let texts = cached();
    assert_eq!([symbols(&texts, 256), symbols(&texts, 300)], expected);
}

#[test]
fn a_corpus_that_is_not_in_memory_trains_from_files_alone() {
    let folder = tempfile::tempdir().unwrap();
    for (index, text) in texts().iter().enumerate() {
        fs::write(folder.path().join(format!("{index}.txt")), text).unwrap();
    }
    let scratch = tempfile::tempdir().unwrap();
    let corpus = CorpusReader::new().scratch(scratch.path()).read(folder.path()).unwrap();
    let failure = Texts::new(corpus.clone(), None).get(256).unwrap_err();
    assert!(failure.message().contains("GptTrainer::token_cache"), "{failure}");
    let texts = Texts::new(corpus, Some(scratch.path().to_path_buf()));
    assert_eq!(symbols(&texts, 300), symbols(&in_memory(), 300));
}

fn draw(gpt: &Gpt, recipe: &GptRecipe, seed: u64) -> (Vec<i64>, Vec<i64>) {
    let batch = batch::draw(&gpt.texts.get(recipe.vocab).unwrap(), recipe, &mut Draws::new(seed));
    let values = |tensor: &tch::Tensor| Vec::try_from(tensor.flatten(0, -1)).unwrap();
    (values(&batch.inputs), values(&batch.targets))
}

#[test]
fn the_seed_alone_decides_what_candidates_of_one_vocabulary_see() {
    let gpt = Gpt::on(&Corpus::from_texts(texts()));
    for packing in [Packing::Stream, Packing::Documents] {
        for vocab in [256, 300] {
            let recipe = GptRecipe { vocab, packing, context: 16, ..GptRecipe::default() };
            let other = GptRecipe { lr: 0.02, depth: 4, tied_embeddings: false, ..recipe.clone() };
            assert_eq!(draw(&gpt, &recipe, 3), draw(&gpt, &other, 3));
            assert_ne!(draw(&gpt, &recipe, 3), draw(&gpt, &recipe, 4));
        }
    }
}

#[test]
fn sequences_of_the_stream_go_on_and_those_of_documents_begin_where_they_should() {
    let gpt = Gpt::on(&Corpus::from_texts(texts()));
    let stream = GptRecipe { context: 16, batch: 64, ..GptRecipe::default() };
    let (inputs, targets) = draw(&gpt, &stream, 1);
    let whole = symbols(&gpt.texts, 256);
    for row in 0..64 {
        let (inputs, targets) = (&inputs[row * 16..(row + 1) * 16], &targets[row * 16..(row + 1) * 16]);
        assert_eq!(inputs[1..], targets[..15]);
        assert!(whole.windows(17).any(|w| w[..16] == *inputs && w[16] == targets[15]));
    }

    let documents = GptRecipe { packing: Packing::Documents, context: 100, ..stream };
    let (inputs, targets) = draw(&gpt, &documents, 1);
    let texts: Vec<_> = texts().into_iter().map(|text| format!("\n{text}")).collect();
    let mut scored = 0;
    for row in 0..64 {
        let (inputs, targets) = (&inputs[row * 100..(row + 1) * 100], &targets[row * 100..(row + 1) * 100]);
        assert_eq!(inputs[0], i64::from(BEGIN));
        let used = targets.iter().filter(|&&t| t != batch::NO_TARGET).count();
        assert!(targets[used..].iter().all(|&t| t == batch::NO_TARGET));
        // What is read, and the last symbol that is predicted, are whole documents: each ends with its only line end.
        let mut read: Vec<u8> = inputs[..used].iter().map(|&s| s as u8).collect();
        read.push(targets[used - 1] as u8);
        let mut rest = std::str::from_utf8(&read).unwrap().to_string();
        while !rest.is_empty() {
            let text = texts.iter().find(|text| {
                let without_end = &text[..text.len() - 1];
                rest.starts_with(text.as_str()) || rest.starts_with(without_end)
            });
            let text = text.unwrap_or_else(|| panic!("{rest:?} begins with no document"));
            let cut = if rest.starts_with(text.as_str()) && rest.len() == text.len() {
                text.len()
            } else {
                text.len() - 1
            };
            rest.drain(..cut);
        }
        scored += used;
    }
    assert!(scored as f64 > 0.8 * 6400.0, "{scored} of 6400 places are used");
}

#[test]
fn the_vocabulary_travels_with_the_weights_and_is_no_parameter() {
    let gpt = Gpt::on(&Corpus::from_texts(texts()));
    let recipe = GptRecipe { vocab: 300, ..GptRecipe::default() };
    let mut parameters = Parameters::seeded(1);
    let model = gpt.build(&recipe, &mut parameters).unwrap();
    assert_eq!(*model.tokenizer(), gpt.tokenizer(300).unwrap());
    assert!(parameters.iter().all(|parameter| !parameter.name().contains("vocabulary")));
    assert_eq!(parameters.all_constants().count(), 1);
    let mut bytes = Parameters::seeded(1);
    _ = gpt.build(&GptRecipe::default(), &mut bytes).unwrap();
    assert_eq!(bytes.all_constants().count(), 0, "bytes need none");
}
