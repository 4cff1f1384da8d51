//! Text to train and to measure on: documents told apart by what they say, not by where they lie.

mod document;
mod error;
mod parquet;
mod read;
mod split;
mod store;

pub use document::{Document, DocumentId};
pub use error::CorpusError;
pub use read::CorpusReader;
pub use split::{Split, SplitName, Splits};
use store::TextStore;

use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A set of documents: each text once, in the order of the ids, whatever the order of the files. Cheap to clone.
///
/// ```
/// use autoresearch_tch::{Corpus, Split};
/// let corpus = Corpus::from_texts((0..100).map(|i| format!("This is document {i}.")));
/// let splits = corpus.split(Split::default())?;
/// assert_eq!(corpus.len(), 100);
/// assert!(splits.holdout().len() > 0);
/// # Ok::<(), autoresearch_tch::CorpusError>(())
/// ```
#[derive(Clone)]
pub struct Corpus {
    documents: Arc<[Document]>,
}

impl Corpus {
    /// Reads every `.txt` file (a document each), `.jsonl` file (a document a line, in the field `text`) and
    /// `.parquet` file (a document a row, in the column `text`) in a folder and the folders within it. Hidden files and
    /// linked folders are left out. One file may be given instead. [`CorpusReader`] reads other fields, and corpora
    /// larger than memory.
    ///
    /// Texts must be UTF-8; a byte-order mark is dropped, nothing else is changed. Equal texts count once. Parquet
    /// files may be plain or compressed with snappy, gzip or zstandard.
    ///
    /// # Errors
    /// The folder is missing or holds no documents, a file is not UTF-8 or damaged, a line or row has no `text`. File
    /// and line or row are named.
    pub fn read(folder: impl AsRef<Path>) -> Result<Self, CorpusError> {
        CorpusReader::new().read(folder)
    }

    /// A corpus of texts already in memory. Empty texts are left out.
    pub fn from_texts<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Self {
        let texts = texts.into_iter().map(Into::into).filter(|text| !text.is_empty());
        Self::from_documents(texts.map(|text| Document::in_memory(&text)))
    }

    fn from_documents(documents: impl IntoIterator<Item = Document>) -> Self {
        let by_id: BTreeMap<_, _> = documents.into_iter().map(|d| (d.id(), d)).collect();
        Self { documents: by_id.into_values().collect() }
    }

    /// Cuts long documents at line ends into pieces of about `bytes`, each a document of its own: for a corpus that
    /// is one large file. Neighbouring pieces may land in different splits, and they resemble each other more than
    /// documents do, so numbers on the splits are a little too good and their errors a little too small.
    ///
    /// # Errors
    /// A text that is not in memory cannot be read.
    pub fn cut(&self, bytes: usize) -> Result<Self, CorpusError> {
        let bytes = bytes.max(1);
        let mut pieces = Vec::new();
        for document in self.documents.iter() {
            let text = document.text()?;
            let (mut start, mut end) = (0, 0);
            for line in text.split_inclusive('\n') {
                end += line.len();
                if end - start >= bytes {
                    pieces.push(document.piece(&text[start..end], start));
                    start = end;
                }
            }
            if start < end {
                pieces.push(document.piece(&text[start..end], start));
            }
        }
        Ok(Self::from_documents(pieces))
    }

    /// Deals the documents into training, validation, holdout and test; see [`Split`].
    ///
    /// # Errors
    /// The fractions make no sense, or a split would be empty.
    pub fn split(&self, split: Split) -> Result<Splits, CorpusError> {
        split.deal(self)
    }

    /// The documents, in the order of their ids.
    pub fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// How many documents there are.
    pub fn len(&self) -> usize {
        self.documents.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }

    /// How many bytes they have in all.
    pub fn bytes(&self) -> usize {
        self.documents.iter().map(Document::len).sum()
    }

    /// Whether the texts are in memory, and not in a scratch file.
    pub fn is_in_memory(&self) -> bool {
        self.documents.iter().all(Document::is_in_memory)
    }

    /// Sixteen hexadecimal digits that change when any document does.
    pub fn fingerprint(&self) -> String {
        DocumentId(self.digest()).to_string()
    }

    /// The whole of what the fingerprint shows 64 bits of.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for document in self.documents.iter() {
            hash.update(document.id().0);
        }
        hash.finalize().into()
    }
}

impl fmt::Debug for Corpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Corpus({} documents, {} bytes, {})", self.len(), self.bytes(), self.fingerprint())
    }
}
