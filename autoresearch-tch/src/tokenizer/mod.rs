//! From text to symbols and back.

mod bpe;
mod file;

use crate::corpus::{Corpus, CorpusError};
use bpe::Bpe;
use sha2::{Digest, Sha256};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

pub(crate) use file::{load_or_train, warn_and_remove};

/// The symbol that stands before every document: a line end, so that no vocabulary needs a special symbol.
pub(crate) const BEGIN: u32 = b'\n' as u32;

/// Bytes as symbols: the vocabulary that is always there.
pub(crate) const BYTES: u32 = 256;

/// Changes whenever equal texts may give other symbols than before (a new version of the `tokenizers` crate may learn or
/// cut words differently, too), so that older files are not taken for newer ones.
pub(crate) const SCHEME: &str = "autoresearch tokens 1";

/// What can be wrong with a vocabulary.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// A size that no vocabulary can have.
    #[error("a vocabulary cannot have {0} symbols: 256 for bytes, or up to 65536 for byte-level BPE")]
    Size(u32),
    /// The texts to learn from cannot be read.
    #[error(transparent)]
    Corpus(#[from] CorpusError),
    /// What the `tokenizers` crate reported.
    #[error("cannot learn or use a vocabulary: {0}")]
    Library(String),
    /// Merges that no training gives.
    #[error("damaged vocabulary: {0}")]
    Damaged(String),
    /// A file of the cache cannot be read or written.
    #[error("cannot use the cached vocabulary {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// A vocabulary: bytes, or byte-level BPE (Sennrich et al., 2016, over bytes as in GPT-2). Cheap to clone.
///
/// Symbols 0 to 255 are the bytes in both, those above are joined from two earlier ones. So every text can be written,
/// and none of the symbols is special: before a document stands a line end, symbol 10, which is read and never scored.
///
/// ```
/// use autoresearch_tch::{Corpus, Tokenizer};
/// let corpus = Corpus::from_texts((0..50).map(|i| format!("the cat sat on mat number {i}")));
/// let tokenizer = Tokenizer::train(&corpus, 300)?;
/// let symbols = tokenizer.encode("the cat – a cat!")?;
/// assert!(symbols.len() < 16);
/// assert_eq!(tokenizer.decode(&symbols), "the cat – a cat!".as_bytes());
/// # Ok::<(), autoresearch_tch::TokenizerError>(())
/// ```
#[derive(Clone)]
pub struct Tokenizer {
    size: u32,
    name: Arc<str>,
    bpe: Option<Arc<Bpe>>,
}

impl Tokenizer {
    /// Every byte is a symbol.
    pub fn bytes() -> Self {
        Self { size: BYTES, name: "bytes".into(), bpe: None }
    }

    /// Learns a vocabulary of `size` symbols from a corpus; give it the training split alone. Of large corpora it reads
    /// 64 MiB, documents being taken in the order of their ids. Equal corpora give equal vocabularies.
    ///
    /// A small corpus may offer too few pairs that occur twice: then fewer symbols are used.
    ///
    /// # Errors
    /// A size below 256 or above 65,536, or a text that cannot be read.
    pub fn train(corpus: &Corpus, size: u32) -> Result<Self, TokenizerError> {
        match size {
            BYTES => Ok(Self::bytes()),
            257..=65_536 => Self::from_merges(size, &bpe::train(corpus, size)?),
            _ => Err(TokenizerError::Size(size)),
        }
    }

    /// A vocabulary from the pairs that it joins, in order.
    pub(crate) fn from_merges(size: u32, merges: &[[u32; 2]]) -> Result<Self, TokenizerError> {
        let bpe = Bpe::new(size, merges)?;
        let mut hash = Sha256::new_with_prefix(SCHEME);
        for id in merges.as_flattened() {
            hash.update(id.to_le_bytes());
        }
        let hash: String = hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { size, name: format!("bpe-{size}-{hash}").into(), bpe: Some(Arc::new(bpe)) })
    }

    /// The pairs that it joins, in order; none for bytes.
    pub(crate) fn merges(&self) -> &[[u32; 2]] {
        self.bpe.as_ref().map_or(&[], |bpe| bpe.merges())
    }

    /// How many symbols a model of this vocabulary reads and writes.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// `bytes`, or `bpe-`, the size and 16 hexadecimal digits that change when any symbol does.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The symbols of a text.
    ///
    /// # Errors
    /// What the `tokenizers` crate reports; nothing in a text makes it do so.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        match &self.bpe {
            None => Ok(text.bytes().map(u32::from).collect()),
            Some(bpe) => bpe.encode(text),
        }
    }

    /// The bytes of symbols. Symbols that the vocabulary does not use have none.
    pub fn decode(&self, symbols: &[u32]) -> Vec<u8> {
        symbols.iter().flat_map(|&symbol| self.piece(symbol).collect::<Vec<_>>()).collect()
    }

    /// How many bytes a symbol stands for; 0 for one that the vocabulary does not use.
    pub fn length(&self, symbol: u32) -> usize {
        match &self.bpe {
            None => usize::from(symbol < BYTES),
            Some(bpe) => bpe.piece(symbol).len(),
        }
    }

    fn piece(&self, symbol: u32) -> impl Iterator<Item = u8> {
        let joined = self.bpe.as_ref().map(|bpe| bpe.piece(symbol)).unwrap_or_default();
        let byte = u8::try_from(symbol).ok().filter(|_| self.bpe.is_none());
        joined.iter().copied().chain(byte)
    }

    /// The vocabulary as a `tokenizer.json`, which Python's `tokenizers` loads.
    ///
    /// # Errors
    /// For bytes, which need no file; and what the `tokenizers` crate reports.
    pub fn to_json(&self) -> Result<String, TokenizerError> {
        match &self.bpe {
            None => Err(TokenizerError::Library(
                "bytes are their own symbols, they need no tokenizer.json".into(),
            )),
            Some(bpe) => bpe.to_json(),
        }
    }
}

impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokenizer({})", self.name)
    }
}

impl PartialEq for Tokenizer {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

#[cfg(test)]
mod tests;
