//! One document, and where its text is kept.

use super::{CorpusError, TextStore};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// A document's identity: the SHA-256 of its bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentId(pub(super) [u8; 32]);

impl DocumentId {
    pub(super) fn of(bytes: &[u8]) -> Self {
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

/// Where the bytes of a document are.
#[derive(Clone)]
enum Place {
    Memory(Arc<str>),
    Store(Arc<TextStore>, u64),
}

/// One document. Cloning shares the text.
#[derive(Clone)]
pub struct Document {
    id: DocumentId,
    length: usize,
    place: Place,
}

impl Document {
    pub(super) fn in_memory(text: &str) -> Self {
        Self { id: DocumentId::of(text.as_bytes()), length: text.len(), place: Place::Memory(text.into()) }
    }

    /// Appends the text to a store and keeps no more than its place.
    pub(super) fn stored(text: &str, store: &Arc<TextStore>) -> Result<Self, CorpusError> {
        let place = Place::Store(Arc::clone(store), store.append(text.as_bytes())?);
        Ok(Self { id: DocumentId::of(text.as_bytes()), length: text.len(), place })
    }

    /// A piece of this document, `text` at `start`, as a document of its own, kept where this one is kept.
    pub(super) fn piece(&self, text: &str, start: usize) -> Self {
        match &self.place {
            Place::Memory(_) => Self::in_memory(text),
            Place::Store(store, at) => {
                let place = Place::Store(Arc::clone(store), at + start as u64);
                Self { id: DocumentId::of(text.as_bytes()), length: text.len(), place }
            }
        }
    }

    /// Who it is: equal texts have equal ids.
    pub fn id(&self) -> DocumentId {
        self.id
    }

    /// Its text: shared where the corpus is in memory, read anew where it is not.
    ///
    /// # Errors
    /// The text cannot be read from the scratch file any more.
    pub fn text(&self) -> Result<Cow<'_, str>, CorpusError> {
        match &self.place {
            Place::Memory(text) => Ok(Cow::Borrowed(text)),
            Place::Store(store, start) => store.read(*start, self.length).map(Cow::Owned),
        }
    }

    /// Bytes of its text; never 0.
    #[allow(clippy::len_without_is_empty)] // empty texts are no documents
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether its text is in memory.
    pub(super) fn is_in_memory(&self) -> bool {
        matches!(self.place, Place::Memory(_))
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document({}, {} bytes)", self.id, self.length)
    }
}
