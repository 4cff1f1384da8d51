//! Reading texts and dealing them into splits.
#![allow(clippy::unwrap_used)]

use autoresearch_tch::{Corpus, CorpusError, Split, SplitName, Splits};
use proptest::prelude::*;
use std::fs;

fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

fn error(files: &[(&str, &[u8])]) -> String {
    Corpus::read(folder(files).path()).unwrap_err().to_string()
}

#[test]
fn files_are_read_recursively_and_told_apart_by_content() {
    let read = |files| Corpus::read(folder(files).path()).unwrap();
    let one = read(&[
        ("a.txt", b"first"),
        ("deep/er/b.TXT", b"\xef\xbb\xbfsecond"),
        ("c.jsonl", b"{\"text\": \"third\", \"year\": 1600}\n\n{\"text\": \"first\"}\n{\"text\": \"\"}"),
        ("notes.md", b"not text to train on"),
        (".hidden.txt", b"nor this"),
    ]);
    let mut texts: Vec<_> = one.documents().iter().map(|d| d.text().unwrap().into_owned()).collect();
    texts.sort();
    assert_eq!(texts, ["first", "second", "third"]);

    let other_names = read(&[("z.txt", b"third"), ("y.txt", b"second"), ("x.txt", b"first")]);
    assert_eq!(one.fingerprint(), other_names.fingerprint());
    assert_ne!(one.fingerprint(), read(&[("a.txt", b"first")]).fingerprint());
}

#[test]
fn errors_name_the_file_and_what_to_do() {
    let none = error(&[("readme.md", b"x"), ("empty.txt", b"")]);
    assert!(none.contains("no documents in") && none.contains("2 other or empty"), "{none}");

    let latin = error(&[("ok.txt", b"ok"), ("latin.txt", b"caf\xe9")]);
    assert!(latin.contains("latin.txt") && latin.contains("byte 3") && latin.contains("iconv"), "{latin}");

    let broken = error(&[("lines.jsonl", b"{\"text\": \"fine\"}\n{\"text\": 3}\n")]);
    assert!(broken.contains("lines.jsonl:2:") && broken.contains("expected a string"), "{broken}");
    let missing = error(&[("lines.jsonl", b"{\"content\": \"x\"}")]);
    assert!(missing.contains("lines.jsonl:1: missing field `text`"), "{missing}");

    let gone = Corpus::read("/no/such/folder").unwrap_err();
    assert!(
        matches!(&gone, CorpusError::Io { .. }) && gone.to_string().contains("/no/such/folder"),
        "{gone}"
    );
}

#[test]
fn an_empty_split_is_an_error_that_says_what_helps() {
    let few = Corpus::from_texts((0..9).map(|i| format!("document {i}")));
    let thin = Split::default().test(0.01);
    let error = few.split(thin).unwrap_err().to_string();
    assert!(error.contains("the test split is empty: of 9 documents"), "{error}");
    let salt: u64 = error.split(".salt(").nth(1).unwrap().split(')').next().unwrap().parse().unwrap();
    assert!(few.split(thin.salt(salt)).is_ok(), "the advice does not help: {error}");
    let without = Split::default().test(0.0).validation(0.3).holdout(0.3);
    assert!(few.split(without).unwrap().test().is_empty(), "a split that was not asked for may be empty");

    let single = Corpus::from_texts(["line of text\n".repeat(1000)]);
    let error = single.split(Split::default()).unwrap_err().to_string();
    assert!(error.contains("Corpus::cut"), "{error}");
    // Each line is equal, so number them: equal pieces would count once.
    let numbered: String = (0..1000).map(|i| format!("line {i}\n")).collect();
    let cut = Corpus::from_texts([numbered.clone()]).cut(100).unwrap();
    assert!(cut.len() > 80 && cut.bytes() == numbered.len());
    assert!(cut.split(Split::default()).is_ok());
}

#[test]
fn fractions_must_leave_something_to_train_on() {
    let corpus = Corpus::from_texts(["a", "b"]);
    for split in
        [Split::default().test(0.7), Split::default().holdout(-0.1), Split::default().validation(f64::NAN)]
    {
        assert!(matches!(corpus.split(split), Err(CorpusError::Fractions(_))), "{split:?}");
    }
}

#[test]
fn shares_come_near_their_fractions() {
    let splits = Corpus::from_texts((0..4000).map(|i| format!("{i}"))).split(Split::default()).unwrap();
    for (part, share) in
        [(splits.train(), 0.5), (splits.validation(), 0.15), (splits.holdout(), 0.2), (splits.test(), 0.15)]
    {
        // Four standard deviations of a binomial share.
        let bound = 4.0 * (share * (1.0 - share) / 4000.0_f64).sqrt();
        assert!((part.len() as f64 / 4000.0 - share).abs() < bound, "{part:?}");
    }
}

fn part_of(splits: &Splits, text: &str) -> Vec<SplitName> {
    let parts = [
        (SplitName::Train, splits.train()),
        (SplitName::Validation, splits.validation()),
        (SplitName::Holdout, splits.holdout()),
        (SplitName::Test, splits.test()),
    ];
    parts
        .iter()
        .filter(|(_, c)| c.documents().iter().any(|d| d.text().unwrap() == text))
        .map(|p| p.0)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Reordering, doubling and adding documents moves none of the old ones, and every document is in one part.
    #[test]
    fn a_document_stays_where_it_is(
        texts in prop::collection::hash_set("[a-z]{1,12}", 40..80),
        added in prop::collection::vec("[A-Z]{1,12}", 0..80),
        salt in 0_u64..4,
        order in any::<u64>(),
    ) {
        let texts: Vec<String> = texts.into_iter().collect();
        let mut grown: Vec<String> = texts.iter().chain(&added).chain(&texts[..10]).cloned().collect();
        grown.sort_by_key(|t| t.bytes().fold(order, |h, b| h.rotate_left(7).wrapping_mul(31) ^ u64::from(b)));
        let split = Split::default().salt(salt);
        let (before, after) = (Corpus::from_texts(texts.clone()).split(split), Corpus::from_texts(grown).split(split));
        if let (Ok(before), Ok(after)) = (before, after) {
            for text in &texts {
                let place = part_of(&before, text);
                prop_assert_eq!(place.len(), 1);
                prop_assert_eq!(place, part_of(&after, text));
            }
            let total = before.train().len() + before.validation().len() + before.holdout().len() + before.test().len();
            prop_assert_eq!(total, texts.len());
        }
    }

    /// More for validation is taken from training, never from the holdout or the test split.
    #[test]
    fn guarded_splits_do_not_move(texts in prop::collection::hash_set("[a-z]{1,12}", 60..80), share in 0.1..0.4_f64) {
        let corpus = Corpus::from_texts(texts);
        let (one, other) = (corpus.split(Split::default()), corpus.split(Split::default().validation(share)));
        if let (Ok(one), Ok(other)) = (one, other) {
            prop_assert_eq!(one.holdout().fingerprint(), other.holdout().fingerprint());
            prop_assert_eq!(one.test().fingerprint(), other.test().fingerprint());
        }
    }
}
