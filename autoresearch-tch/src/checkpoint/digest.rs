//! Checksums of a checkpoint.

use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};

/// The key of the metadata's own checksum.
pub(super) const CHECK: &str = "check";

/// Over name, shape and data of each tensor, sorted by name.
pub(super) fn weights<'a>(tensors: impl Iterator<Item = (&'a str, &'a [usize], &'a [u8])>) -> String {
    let mut hash = Sha256::new();
    for (name, shape, data) in tensors {
        part(&mut hash, name.as_bytes());
        hash.update((shape.len() as u64).to_le_bytes());
        for &size in shape {
            hash.update((size as u64).to_le_bytes());
        }
        part(&mut hash, data);
    }
    hex(hash)
}

/// Over all keys and values but [`CHECK`].
pub(super) fn metadata(all: &HashMap<String, String>) -> String {
    let mut hash = Sha256::new();
    for (key, value) in all.iter().filter(|(key, _)| *key != CHECK).collect::<BTreeMap<_, _>>() {
        part(&mut hash, key.as_bytes());
        part(&mut hash, value.as_bytes());
    }
    hex(hash)
}

/// With its length, so that no two sequences of parts look alike.
fn part(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
