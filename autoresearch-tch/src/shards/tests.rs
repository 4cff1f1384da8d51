#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;
use std::fs;

const KEY: ShardKey = ShardKey([7; 32]);

fn write(
    documents: &[Vec<u32>],
    vocabulary: u32,
    per_shard: u64,
    to: Destination,
) -> Result<Tokens, ShardError> {
    let mut writer = Writer::with_shards_of(per_shard, vocabulary, to)?;
    documents.iter().try_for_each(|document| writer.document(document.iter().copied()))?;
    writer.finish()
}

fn all(tokens: &Tokens) -> Vec<i64> {
    let mut out = Vec::new();
    tokens.read(0, tokens.len() as usize, &mut out);
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Files and memory hold the same symbols, at any place, across any borders of shards.
    #[test]
    fn what_is_written_is_read(
        documents in prop::collection::vec(prop::collection::vec(0_u32..65_536, 0..30), 0..12),
        small in any::<bool>(),
        per_shard in 1_u64..40,
        place in any::<prop::sample::Index>(),
        count in 1_usize..50,
    ) {
        let vocabulary = if small { 256 } else { 65_536 };
        let documents: Vec<Vec<u32>> = documents.into_iter().map(|d| d.into_iter().map(|s| s % vocabulary).collect()).collect();
        let folder = tempfile::tempdir().unwrap();
        let to = Destination::Folder(folder.path().join("tokens"), KEY);
        let mapped = write(&documents, vocabulary, per_shard, to).unwrap();
        let memory = write(&documents, vocabulary, per_shard, Destination::Memory).unwrap();
        let flat: Vec<i64> = documents.concat().into_iter().map(i64::from).collect();
        prop_assert!(mapped.is_mapped() && !memory.is_mapped());
        prop_assert_eq!(mapped.starts(), memory.starts());
        prop_assert_eq!(mapped.starts().len(), documents.len() + 1);
        prop_assert_eq!(all(&mapped), flat.clone());
        prop_assert_eq!(all(&memory), flat.clone());
        if !flat.is_empty() {
            let start = place.index(flat.len());
            let count = count.min(flat.len() - start);
            let mut out = vec![-1];
            mapped.read(start as u64, count, &mut out);
            prop_assert_eq!(&out[1..], &flat[start..start + count]);
        }
    }
}

fn written() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("tokens");
    let documents = [vec![10, 500, 7], vec![10, 3, 4, 5, 6]];
    write(&documents, 600, 4, Destination::Folder(target.clone(), KEY)).unwrap();
    (folder, target)
}

#[test]
fn every_damaged_byte_is_found_and_the_file_named() {
    let (_folder, target) = written();
    assert_eq!(fs::read_dir(&target).unwrap().count(), 3);
    for entry in fs::read_dir(&target).unwrap() {
        let path = entry.unwrap().path();
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x10;
            fs::write(&path, flipped).unwrap();
            let error = Tokens::open(&target, &KEY).unwrap_err();
            assert!(!error.missing && error.to_string().contains(".shard: it"), "byte {at}: {error}");
        }
        for length in [0, 60, whole.len() - 1] {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(Tokens::open(&target, &KEY).unwrap_err().to_string().contains("cut short"));
        }
        fs::write(&path, [whole.as_slice(), &[0, 0]].concat()).unwrap();
        assert!(Tokens::open(&target, &KEY).is_err());
        fs::write(&path, whole).unwrap();
        Tokens::open(&target, &KEY).unwrap();
    }
}

#[test]
fn shards_of_another_text_or_in_another_place_are_refused() {
    let (_folder, target) = written();
    let error = Tokens::open(&target, &ShardKey([8; 32])).unwrap_err().to_string();
    assert!(error.contains("of another corpus or vocabulary"), "{error}");

    let (one, two) = (target.join("tokens-00000.shard"), target.join("tokens-00001.shard"));
    let (first, second) = (fs::read(&one).unwrap(), fs::read(&two).unwrap());
    fs::write(&two, &first).unwrap();
    assert!(
        Tokens::open(&target, &KEY)
            .unwrap_err()
            .to_string()
            .contains("tokens-00001.shard: it is not the part")
    );
    fs::write(&two, second).unwrap();
    fs::remove_file(&one).unwrap();
    assert!(Tokens::open(&target, &KEY).unwrap_err().missing);
}

#[test]
fn the_folder_appears_whole_or_not_at_all_and_the_faster_writer_wins() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("tokens");
    let to = || Destination::Folder(target.clone(), KEY);
    let mut left = Writer::with_shards_of(4, 256, to()).unwrap();
    left.document([10, 1, 2, 3, 4, 5]).unwrap();
    assert!(!target.exists());
    drop(left);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "what was not finished is gone");

    let documents = [vec![10, 1, 2, 3, 4, 5]];
    let mut slower = Writer::with_shards_of(4, 256, to()).unwrap();
    slower.document(documents[0].iter().copied()).unwrap();
    let faster = write(&documents, 256, 4, to()).unwrap();
    assert_eq!(all(&slower.finish().unwrap()), all(&faster));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
