//! What can go wrong with a store.

use super::Seq;
use std::path::PathBuf;

/// What can go wrong with a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The history does not end where the writer thought: somebody else has written to it.
    #[error(
        "the history ends at event {} and not at {}: another study writes to this store; give each study its own",
        .found.0, .expected.0
    )]
    Conflict {
        /// Where the writer thought that it ends.
        expected: Seq,
        /// Where it ends.
        found: Seq,
    },
    /// Another process has the store open for writing.
    #[error("{} is in use by another study; wait for it, stop it, or name another file", .path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be opened.
    #[error("cannot open the store {}: {reason}", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The file is a database of something else.
    #[error("{} is a database, and not one of a study; name another file", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by a newer version of the library.
    #[error(
        "{} has schema version {found}, and this library knows up to {known}; use the version that wrote it, or a \
         newer one", .path.display()
    )]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// An event cannot be understood.
    #[error(
        "event {} cannot be read: {reason}; it is damaged, or the store belongs to a study of another kind of \
         candidate", .seq.0
    )]
    Corrupt {
        /// Which event.
        seq: Seq,
        /// Why.
        reason: String,
    },
    /// The store was opened for reading only.
    #[error("the store {} was opened for reading only", .path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// The medium failed: disk full, file gone.
    #[error("{what}: {reason}")]
    Medium {
        /// What was being done.
        what: String,
        /// What the medium says.
        reason: String,
    },
}
