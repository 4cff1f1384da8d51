//! Reading texts and dealing them into splits.
#![allow(clippy::unwrap_used)]

use autoresearch_tch::{Corpus, CorpusError, CorpusReader, Split, SplitName, Splits};
use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, Int32Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use proptest::prelude::*;
use std::fs;
use std::path::Path;
use std::sync::Arc;

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

/// Writes a parquet file with a number and, unless it is `None`, a text a row.
fn write_parquet(path: &Path, column: &str, compression: Compression, texts: &[Option<&str>]) {
    let schema = format!("message texts {{ required int32 id; optional binary {column} (UTF8); }}");
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    // Small pages and groups of rows, so that there are several of both.
    let properties =
        WriterProperties::builder().set_compression(compression).set_data_page_size_limit(64).build();
    let mut writer =
        SerializedFileWriter::new(fs::File::create(path).unwrap(), schema, Arc::new(properties)).unwrap();
    for rows in texts.chunks(7) {
        let mut group = writer.next_row_group().unwrap();
        let mut ids = group.next_column().unwrap().unwrap();
        ids.typed::<Int32Type>().write_batch(&vec![1; rows.len()], None, None).unwrap();
        ids.close().unwrap();
        let values: Vec<ByteArray> = rows.iter().flatten().map(|&text| text.into()).collect();
        let levels: Vec<i16> = rows.iter().map(|text| i16::from(text.is_some())).collect();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
    }
    writer.close().unwrap();
}

#[test]
fn all_formats_give_the_same_corpus_in_memory_and_out_of_it() {
    let text = |i| (0..=i % 5).map(|j| format!("document {i}.{j}, größer\n\"quoted {i}.{j}\"\n")).collect();
    let texts: Vec<String> = (0..40).map(text).collect();
    let expected = Corpus::from_texts(texts.clone());
    let folder = tempfile::tempdir().unwrap();
    let lines: Vec<String> =
        texts.iter().map(|text| serde_json::json!({ "id": 1, "text": text }).to_string()).collect();
    let rows: Vec<_> = texts.iter().map(|text| Some(text.as_str())).collect();
    for name in ["txt", "jsonl", "plain", "snappy", "gzip", "zstd"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    for (index, text) in texts.iter().enumerate() {
        fs::write(folder.path().join(format!("txt/{index}.txt")), text).unwrap();
    }
    // Windows' line ends and a byte-order mark are no part of a line.
    fs::write(folder.path().join("jsonl/a.jsonl"), format!("\u{feff}{}", lines[..20].join("\r\n"))).unwrap();
    fs::write(folder.path().join("jsonl/b.JSONL"), lines[20..].join("\n") + "\n").unwrap();
    for (name, compression) in [
        ("plain", Compression::UNCOMPRESSED),
        ("snappy", Compression::SNAPPY),
        ("gzip", Compression::GZIP(Default::default())),
        ("zstd", Compression::ZSTD(Default::default())),
    ] {
        write_parquet(&folder.path().join(name).join("x.parquet"), "text", compression, &rows);
    }
    let scratch = tempfile::tempdir().unwrap();
    for name in ["txt", "jsonl", "plain", "snappy", "gzip", "zstd"] {
        let path = folder.path().join(name);
        assert_eq!(Corpus::read(&path).unwrap().fingerprint(), expected.fingerprint(), "{name}");
        let stored = CorpusReader::new().scratch(scratch.path()).read(&path).unwrap();
        assert!(!stored.is_in_memory() && expected.is_in_memory());
        assert_eq!((stored.fingerprint(), stored.bytes()), (expected.fingerprint(), expected.bytes()));
        let texts = |corpus: &Corpus| -> Vec<_> {
            corpus.documents().iter().map(|d| d.text().unwrap().into_owned()).collect()
        };
        assert_eq!(texts(&stored), texts(&expected));
        let (cut, expected) = (stored.cut(30).unwrap(), expected.cut(30).unwrap());
        assert_eq!(texts(&cut), texts(&expected));
        assert!(cut.len() > stored.len() && !cut.is_in_memory());
    }
    // All at once: each text counts once.
    assert_eq!(Corpus::read(folder.path()).unwrap().fingerprint(), expected.fingerprint());
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0, "the scratch file has no name");
}

#[test]
fn another_field_may_hold_the_text() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.jsonl"), "{\"text\": 3, \"body\": \"one\"}").unwrap();
    write_parquet(&folder.path().join("b.parquet"), "body", Compression::SNAPPY, &[Some("two")]);
    let corpus = CorpusReader::new().field("body").read(folder.path()).unwrap();
    assert_eq!(corpus.fingerprint(), Corpus::from_texts(["one", "two"]).fingerprint());
}

#[test]
fn parquet_errors_name_file_column_and_row() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.parquet");
    let error = || Corpus::read(&path).unwrap_err().to_string();
    write_parquet(&path, "body", Compression::SNAPPY, &[Some("two")]);
    let missing = error();
    assert!(missing.contains("rows.parquet: no column \"text\"; it has id, body"), "{missing}");
    let number = CorpusReader::new().field("id").read(&path).unwrap_err().to_string();
    assert!(number.contains("\"id\" does not hold texts"), "{number}");

    let mut rows = vec![Some("text"); 20];
    rows[16] = None;
    write_parquet(&path, "text", Compression::SNAPPY, &rows);
    let null = error();
    assert!(null.contains("rows.parquet, row 17: no text in the column \"text\""), "{null}");

    let rows: Vec<String> = (0..30).map(|i| format!("text {i} of many")).collect();
    let rows: Vec<_> = rows.iter().map(|row| Some(row.as_str())).collect();
    write_parquet(&path, "text", Compression::SNAPPY, &rows);
    let whole = fs::read(&path).unwrap();
    for damaged in
        [whole[..whole.len() - 9].to_vec(), whole[..20].to_vec(), Vec::new(), b"no parquet at all".to_vec()]
    {
        fs::write(&path, damaged).unwrap();
        let damaged = error();
        assert!(damaged.contains("rows.parquet"), "{damaged}");
    }
    // Any damage within is an error that names the file, or changes texts; it is never a panic.
    for at in (0..whole.len()).step_by(2) {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x55;
        fs::write(&path, flipped).unwrap();
        match Corpus::read(&path) {
            Ok(corpus) => assert!(corpus.len() <= 30),
            Err(error) => assert!(error.to_string().contains("rows.parquet"), "{error}"),
        }
    }
}

#[test]
fn a_scratch_folder_that_cannot_be_used_says_so() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let folder = folder(&[("a.txt", b"text")]);
    let error = CorpusReader::new().scratch(file.path()).read(folder.path()).unwrap_err().to_string();
    assert!(error.contains("scratch folder") && error.contains(file.path().to_str().unwrap()), "{error}");
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

    /// Renaming files, and another format, move none either: places are those of contents.
    #[test]
    fn names_and_formats_do_not_matter(
        texts in prop::collection::hash_set("[a-zé\"\n]{1,12}", 40..60),
        names in any::<u64>(),
        salt in 0_u64..4,
    ) {
        let texts: Vec<String> = texts.into_iter().collect();
        let folder = tempfile::tempdir().unwrap();
        let mut lines = String::new();
        for (index, text) in texts.iter().enumerate() {
            if index % 2 == 0 {
                fs::write(folder.path().join(format!("{:x}.txt", names.wrapping_mul(2 * index as u64 + 1))), text).unwrap();
            } else {
                lines += &format!("{}\n", serde_json::json!({ "text": text }));
            }
        }
        fs::write(folder.path().join("lines.jsonl"), lines).unwrap();
        let split = Split::default().salt(salt);
        let read = Corpus::read(folder.path()).unwrap().split(split);
        if let (Ok(one), Ok(other)) = (Corpus::from_texts(texts).split(split), read) {
            for (one, other) in [(one.train(), other.train()), (one.test(), other.test()), (one.holdout(), other.holdout())] {
                prop_assert_eq!(one.fingerprint(), other.fingerprint());
            }
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
