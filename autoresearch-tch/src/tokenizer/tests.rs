#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;
use std::fs;
use std::sync::LazyLock;

fn corpus() -> Corpus {
    let words = ["the ", "cat ", "sat ", "on ", "a ", "mat.\n", "Größe ", "don't ", "1603 ", "  "];
    let text =
        |n: usize| (0..200).map(|i| words[(i * i + n * 7 + i * n / 3) % words.len()]).collect::<String>();
    Corpus::from_texts((0..30).map(text))
}

static LEARNED: LazyLock<Tokenizer> = LazyLock::new(|| Tokenizer::train(&corpus(), 400).unwrap());

fn agrees(tokenizer: &Tokenizer, text: &str) {
    let symbols = tokenizer.encode(text).unwrap();
    assert_eq!(tokenizer.decode(&symbols), text.as_bytes());
    assert!(symbols.iter().all(|&symbol| symbol < tokenizer.size()));
    assert_eq!(symbols.iter().map(|&symbol| tokenizer.length(symbol)).sum::<usize>(), text.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Any text comes back, and the lengths of its symbols are its bytes.
    #[test]
    fn every_text_can_be_written(text in any::<String>(), known in "(the |cat |mat\\.|\n|Größe | |don't |1603|\r|\t|\u{0}|\u{feff}){0,40}") {
        for text in [&text, &known] {
            agrees(&LEARNED, text);
            agrees(&Tokenizer::bytes(), text);
        }
    }
}

#[test]
fn long_runs_of_anything_can_be_written() {
    for piece in [" ", "\n", "a", "7", "!", "é", " \n", "\u{3000}"] {
        agrees(&LEARNED, &piece.repeat(30_000));
    }
}

#[test]
fn it_joins_what_occurs_often() {
    let text = "the cat sat on a mat.\n";
    let symbols = LEARNED.encode(text).unwrap();
    assert!(symbols.len() <= 8, "{symbols:?}");
    assert!(LEARNED.encode("zzz qqq").unwrap().len() >= 6, "nothing joins what never occurred");
    assert_eq!(Tokenizer::bytes().encode("\u{e9}").unwrap(), [0xc3, 0xa9]);
    // Bytes are the same symbols in every vocabulary.
    assert_eq!(LEARNED.encode("z").unwrap(), [u32::from(b'z')]);
    assert_eq!(LEARNED.encode("\n").unwrap(), [BEGIN]);
}

#[test]
fn the_same_corpus_gives_the_same_vocabulary() {
    for _ in 0..5 {
        let again = Tokenizer::train(&corpus(), 400).unwrap();
        assert_eq!((again.merges(), again.name()), (LEARNED.merges(), LEARNED.name()));
    }
    let mut texts: Vec<_> = corpus().documents().iter().map(|d| d.text().unwrap().into_owned()).collect();
    texts.reverse();
    assert_eq!(Tokenizer::train(&Corpus::from_texts(texts), 400).unwrap(), *LEARNED);
    assert_ne!(Tokenizer::train(&corpus(), 300).unwrap(), *LEARNED);
    // A smaller vocabulary is the beginning of a larger one.
    assert!(LEARNED.merges().starts_with(Tokenizer::train(&corpus(), 300).unwrap().merges()));
}

#[test]
fn sizes_that_cannot_be_are_refused_and_small_corpora_use_fewer() {
    for size in [0, 255, 65_537] {
        let error = Tokenizer::train(&corpus(), size).unwrap_err().to_string();
        assert!(error.contains(&format!("cannot have {size} symbols")), "{error}");
    }
    let little = Tokenizer::train(&Corpus::from_texts(["ab ab"]), 1000).unwrap();
    assert_eq!((little.size(), little.merges().len()), (1000, 1));
    agrees(&little, "ab abc");
    assert_eq!(little.decode(&[999]), b"", "an unused symbol stands for nothing");
}

#[test]
fn its_json_is_the_librarys() {
    let library: tokenizers::Tokenizer = LEARNED.to_json().unwrap().parse().unwrap();
    let text = "The cat sat, didn't it?  Größe 1603\n\n";
    assert_eq!(library.encode_fast(text, false).unwrap().get_ids(), LEARNED.encode(text).unwrap());
    assert_eq!(library.decode(&LEARNED.encode(text).unwrap(), false).unwrap(), text);
    assert!(Tokenizer::bytes().to_json().is_err());
}

#[test]
fn merges_that_no_training_gives_are_damaged() {
    let error = |size, merges: &[[u32; 2]]| Tokenizer::from_merges(size, merges).unwrap_err().to_string();
    assert!(error(300, &[[256, 97]]).contains("before there is one"));
    assert!(error(257, &[[97, 98], [98, 99]]).contains("258 symbols, not 257"));
}

#[test]
fn a_cached_vocabulary_is_used_and_a_damaged_one_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let load = |corpus: &Corpus| load_or_train(corpus, 300, Some(folder.path())).unwrap();
    let made = load(&corpus());
    let path = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    let whole = fs::read_to_string(&path).unwrap();

    // That the file is used shows when it says something else of its own, soundly.
    let mut other: serde_json::Value = serde_json::from_str(&whole).unwrap();
    let first = other["merges"][0].clone();
    other["merges"] = serde_json::json!([first]);
    let unsound = other.to_string();
    let merges = Tokenizer::from_merges(300, &made.merges()[..1]).unwrap();
    let mut hash = Sha256::new();
    hash.update(format!("{SCHEME}\n{}\n300\n", file::hex(&corpus().digest())));
    merges.merges().as_flattened().iter().for_each(|id| hash.update(id.to_le_bytes()));
    other["sha256"] = file::hex(&hash.finalize()).into();
    fs::write(&path, other.to_string()).unwrap();
    assert_eq!(load(&corpus()), merges);

    let foreign = whole.replace(&file::hex(&corpus().digest()), &"0".repeat(64));
    for damaged in [unsound, foreign, whole[..whole.len() / 2].to_string(), String::new(), "{}".to_string()] {
        fs::write(&path, damaged).unwrap();
        assert_eq!(load(&corpus()), made);
        assert_eq!(fs::read_to_string(&path).unwrap(), whole, "it is written anew");
    }
    // What cannot be read is not known to be damaged: it stays.
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(load_or_train(&corpus(), 300, Some(folder.path())).is_err() && path.is_dir());
    let blocked = tempfile::NamedTempFile::new().unwrap();
    let error = load_or_train(&corpus(), 300, Some(blocked.path())).unwrap_err().to_string();
    assert!(error.contains("cannot use the cached vocabulary"), "{error}");
}
