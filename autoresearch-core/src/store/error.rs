//! What can go wrong with a store, and what to do about it.

use super::Seq;
use std::error::Error;
use std::path::PathBuf;

/// Why a store could not be opened, read or appended to.
///
/// `place` is the store in words: for a file, its path.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The last event is not the one that the writer knows: somebody else writes to this store.
    #[error(
        "event {expected} was expected to be the last one stored, and event {found} is: something else writes to \
         this store; nothing was appended. Make sure that one study alone uses it, then open the study again"
    )]
    Conflict {
        /// What the writer believed to be the last event.
        expected: Seq,
        /// What is the last event.
        found: Seq,
    },
    /// It cannot be opened.
    #[error("cannot open the store {}: {reason}", path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
        /// The failure below, where there is one.
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// Another process, or another part of this one, has it open for writing.
    #[error(
        "the store {} is being written by {}; wait for it or stop it, or open the store read-only \
         (its lock is {}, and vanishes with the process that holds it: there is no need to delete it)",
        path.display(), holder.map_or("another process".into(), |pid| format!("process {pid}")), lock.display()
    )]
    Locked {
        /// Which file.
        path: PathBuf,
        /// The file that carries the lock.
        lock: PathBuf,
        /// The process that holds it, where that is known.
        holder: Option<u32>,
    },
    /// It was written by a later version of this library.
    #[error(
        "the store {} has schema {found}, and this version of the library knows schemas up to {known}; use the \
         version that wrote it, or a later one", path.display()
    )]
    NewerSchema {
        /// Which file.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The latest schema known here.
        known: u32,
    },
    /// It was opened to be read only.
    #[error(
        "{place} is open for reading only; nothing was appended. Open it for writing to go on with the study"
    )]
    ReadOnly {
        /// Which store.
        place: String,
    },
    /// An event that this store could not give back: it was not written.
    #[error(
        "a `{kind}` event cannot be stored, because it could not be read back: {reason}. The candidate must survive \
         being written as JSON and read again; numbers that are not finite, and maps whose keys are not text, do not"
    )]
    Encode {
        /// The event's name.
        kind: &'static str,
        /// What does not work.
        reason: String,
    },
    /// A stored event that cannot be understood.
    #[error(
        "event {seq} in {place} cannot be understood: {reason}. Either the study is about another type of candidate \
         than the one it is being read as, or the store was damaged: restore it from a copy"
    )]
    Corrupt {
        /// Which store.
        place: String,
        /// Which event.
        seq: Seq,
        /// What is wrong with it.
        reason: String,
    },
    /// The store as a whole is damaged.
    #[error(
        "{place} is damaged: {source}. Restore it from a copy, or save what `sqlite3 FILE .recover` still finds"
    )]
    Damaged {
        /// Which store.
        place: String,
        /// The failure below.
        source: Box<dyn Error + Send + Sync>,
    },
    /// No room left.
    #[error("there is no room left for {place}; nothing was appended. Make room, then go on")]
    Full {
        /// Which store.
        place: String,
    },
    /// Something else held it for longer than the store waits.
    #[error(
        "{place} is held by another program (a backup, a database browser?) for longer than a writer waits; \
         nothing was appended. Close that program, then go on"
    )]
    Busy {
        /// Which store.
        place: String,
    },
    /// The medium or the system failed.
    #[error("{place}: {source}")]
    Io {
        /// Which store.
        place: String,
        /// The failure below.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl StoreError {
    /// Whether the same call can succeed later without anybody changing the study: no room, or held by another program.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::Busy { .. })
    }

    /// Whether somebody else writes to this store, so that this writer must stop.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. } | Self::Locked { .. })
    }
}
