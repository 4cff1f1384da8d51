//! Where a study's events are kept: append-only, in order, guarded against a second writer.

#[cfg(feature = "testkit")]
mod conformance;
mod error;
mod memory;
#[cfg(feature = "sqlite")]
mod sqlite;

#[cfg(feature = "testkit")]
pub use conformance::store_conformance;
pub use error::StoreError;
pub use memory::MemoryStore;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;

use crate::candidate::Candidate;
use crate::state::Event;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Sequence number of an event: 0 before the first, n after the n-th.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Keeps the events of one study, in order and for good.
///
/// Events are appended, never changed and never deleted. A writer says which event it believes to be the last; if
/// that is no longer so, somebody else writes to the same store, and nothing is appended. A study is resumed by reading
/// everything from `Seq(0)` on.
///
/// ```
/// use autoresearch_core::{Event, MemoryStore, Seq, Store, StoreError};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let store = MemoryStore::<f64>::new();
/// let last = store.append(Seq(0), &[Event::Exhausted]).await?;
/// assert_eq!(last, Seq(1));
/// let stale = store.append(Seq(0), &[Event::Exhausted]).await;
/// assert!(matches!(stale, Err(StoreError::Conflict { expected: Seq(0), found: Seq(1) })));
/// assert_eq!(store.read(Seq(0), 100).await?, [(Seq(1), Event::Exhausted)]);
/// # Ok::<(), StoreError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A store of your own passes `testkit::conformance::store` (feature `testkit`).
#[async_trait]
pub trait Store<C: Candidate>: Send + Sync {
    /// Appends all of `events` or none, provided that the last stored one is `expected`; returns the new last one.
    ///
    /// When it returns, the events survive the death of the process, in a store that keeps them outside of it; each
    /// durable store says whether they also survive a power failure. An empty slice appends nothing, and still
    /// compares.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if another event is the last one; the store's own failures otherwise. After an error
    /// the store holds what it held before, and may be tried again. One exception: if the medium itself failed while
    /// the events were being written ([`StoreError::Io`]) and the process then dies, a reader may find the batch
    /// stored after all, whole.
    ///
    /// # Cancel safety
    /// If the future is dropped, the append has happened whole or not at all, or is still going on; the next call on
    /// this store or a clone of it waits for it to end, so that a [`read`](Self::read) tells which.
    async fn append(&self, expected: Seq, events: &[Event<C>]) -> Result<Seq, StoreError>;

    /// The events after `from`, oldest first and without gaps, at most `limit` of them. Fewer than `limit` means that
    /// there were no more.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] names the first event among them that cannot be understood.
    ///
    /// # Cancel safety
    /// Nothing is changed, so nothing is lost if the future is dropped.
    async fn read(&self, from: Seq, limit: usize) -> Result<Vec<(Seq, Event<C>)>, StoreError>;

    /// Where runs' folders may live beside the store, if it lives somewhere. The folder need not exist.
    fn scratch(&self) -> Option<PathBuf> {
        None
    }
}

macro_rules! forward {
    ($pointer:ident) => {
        #[async_trait]
        #[deny(clippy::missing_trait_methods)]
        impl<C: Candidate, T: Store<C> + ?Sized> Store<C> for $pointer<T> {
            async fn append(&self, expected: Seq, events: &[Event<C>]) -> Result<Seq, StoreError> {
                (**self).append(expected, events).await
            }

            async fn read(&self, from: Seq, limit: usize) -> Result<Vec<(Seq, Event<C>)>, StoreError> {
                (**self).read(from, limit).await
            }

            fn scratch(&self) -> Option<PathBuf> {
                (**self).scratch()
            }
        }
    };
}

forward!(Arc);
forward!(Box);
