//! A libtorch language-model trainer to search over.
mod corpus;
pub use corpus::{Corpus, CorpusError, Document, DocumentId, Split, SplitName, Splits};
