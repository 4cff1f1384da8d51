//! Vocabularies kept in a folder, so that each is learned once.

use super::{SCHEME, Tokenizer, TokenizerError};
use crate::corpus::Corpus;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{self, Write};
use std::path::Path;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    scheme: String,
    corpus: String,
    size: u32,
    merges: Vec<[u32; 2]>,
    sha256: String,
}

impl Stored {
    fn checksum(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(format!("{}\n{}\n{}\n", self.scheme, self.corpus, self.size));
        self.merges.as_flattened().iter().for_each(|id| hash.update(id.to_le_bytes()));
        hex(&hash.finalize())
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The vocabulary learned from `corpus`: from `folder` if it is there, sound, and of this very corpus; else it is
/// learned, and kept there. Without a folder it is learned.
pub(crate) fn load_or_train(
    corpus: &Corpus,
    size: u32,
    folder: Option<&Path>,
) -> Result<Tokenizer, TokenizerError> {
    let (Some(folder), true) = (folder, size > super::BYTES) else {
        return Tokenizer::train(corpus, size);
    };
    let name = format!("vocabulary-{size}-{}.json", corpus.fingerprint());
    let path = folder.join(&name);
    let corpus_digest = hex(&corpus.digest());
    match load(&path, &corpus_digest, size) {
        Ok(Some(tokenizer)) => return Ok(tokenizer),
        Ok(None) => (),
        Err(error @ TokenizerError::Io { .. }) => return Err(error),
        Err(error) => warn_and_remove(&path, &error),
    }
    let tokenizer = Tokenizer::train(corpus, size)?;
    let merges = tokenizer.merges().to_vec();
    let mut stored =
        Stored { scheme: SCHEME.into(), corpus: corpus_digest, size, merges, sha256: String::new() };
    stored.sha256 = stored.checksum();
    let write = || {
        fs::create_dir_all(folder)?;
        let mut file = tempfile::Builder::new().prefix(".vocabulary-").tempfile_in(folder)?;
        file.write_all(&serde_json::to_vec(&stored)?)?;
        file.as_file().sync_all()?;
        file.persist(&path).map(|_| ()).map_err(|error| error.error)
    };
    write().map_err(|source: io::Error| TokenizerError::Io { path: path.clone(), source })?;
    Ok(tokenizer)
}

fn load(path: &Path, corpus: &str, size: u32) -> Result<Option<Tokenizer>, TokenizerError> {
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|source| TokenizerError::Io { path: path.to_path_buf(), source })?,
    };
    let stored: Stored =
        serde_json::from_slice(&bytes).map_err(|error| TokenizerError::Damaged(error.to_string()))?;
    if stored.sha256 != stored.checksum() {
        return Err(TokenizerError::Damaged("it does not match its checksum".to_string()));
    }
    if (stored.scheme.as_str(), stored.corpus.as_str(), stored.size) != (SCHEME, corpus, size) {
        return Err(TokenizerError::Damaged("it is of another corpus, size or version".to_string()));
    }
    Tokenizer::from_merges(size, &stored.merges).map(Some)
}

/// What the cache holds can be made anew: a damaged part is said to be so, removed, and never trusted.
pub(crate) fn warn_and_remove(path: &Path, error: &dyn std::fmt::Display) {
    tracing::warn!(path = %path.display(), %error, "a part of the cache cannot be used; it is made anew");
    _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
}
