//! Text to train and to measure on: documents told apart by what they say, not by where they lie.

mod error;
mod read;
mod split;

pub use error::CorpusError;
pub use split::{Split, SplitName, Splits};

use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A document's identity: the SHA-256 of its bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentId([u8; 32]);

impl DocumentId {
    fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The first 64 bits, as a cluster label for measurements.
    pub fn cluster(&self) -> u64 {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0[..8]);
        u64::from_be_bytes(first)
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.cluster())
    }
}

impl fmt::Debug for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One document. Cloning shares the text.
#[derive(Clone)]
pub struct Document {
    id: DocumentId,
    text: Arc<[u8]>,
}

impl Document {
    fn new(text: Vec<u8>) -> Self {
        Self { id: DocumentId::of(&text), text: text.into() }
    }

    /// Who it is: equal texts have equal ids.
    pub fn id(&self) -> DocumentId {
        self.id
    }

    /// Its bytes, UTF-8.
    pub fn bytes(&self) -> &[u8] {
        &self.text
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document({}, {} bytes)", self.id, self.text.len())
    }
}

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
    /// Reads every `.txt` file (a document each) and `.jsonl` file (a document a line, in the field `text`) in a
    /// folder and the folders within it. Hidden files and linked folders are left out. One file may be given instead.
    ///
    /// Texts must be UTF-8; a byte-order mark is dropped, nothing else is changed. Equal texts count once.
    ///
    /// # Errors
    /// The folder is missing or holds no documents, a file is not UTF-8, a line is not JSON with a `text`.
    pub fn read(folder: impl AsRef<Path>) -> Result<Self, CorpusError> {
        read::read(folder.as_ref()).map(Self::from_documents)
    }

    /// A corpus of texts already in memory. Empty texts are left out.
    pub fn from_texts<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Self {
        let texts = texts.into_iter().map(|text| text.into().into_bytes());
        Self::from_documents(texts.filter(|text| !text.is_empty()).map(Document::new).collect())
    }

    fn from_documents(documents: Vec<Document>) -> Self {
        let by_id: BTreeMap<_, _> = documents.into_iter().map(|d| (d.id, d)).collect();
        Self { documents: by_id.into_values().collect() }
    }

    /// Cuts long documents at line ends into pieces of about `bytes`, each a document of its own: for a corpus that
    /// is one large file. Neighbouring pieces may land in different splits, and they resemble each other more than
    /// documents do, so numbers on the splits are a little too good and their errors a little too small.
    #[must_use]
    pub fn cut(&self, bytes: usize) -> Self {
        let bytes = bytes.max(1);
        let mut pieces = Vec::new();
        for document in self.documents.iter() {
            let mut piece = Vec::new();
            for line in document.bytes().split_inclusive(|&b| b == b'\n') {
                piece.extend_from_slice(line);
                if piece.len() >= bytes {
                    pieces.push(Document::new(std::mem::take(&mut piece)));
                }
            }
            if !piece.is_empty() {
                pieces.push(Document::new(piece));
            }
        }
        Self::from_documents(pieces)
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
        self.documents.iter().map(|d| d.text.len()).sum()
    }

    /// Sixteen hexadecimal digits that change when any document does.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for document in self.documents.iter() {
            hash.update(document.id.0);
        }
        DocumentId(hash.finalize().into()).to_string()
    }
}

impl fmt::Debug for Corpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Corpus({} documents, {} bytes, {})", self.len(), self.bytes(), self.fingerprint())
    }
}
