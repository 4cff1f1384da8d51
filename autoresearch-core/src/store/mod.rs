//! Where a study's history is kept: append-only events with compare-and-set on the sequence number.

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
use std::path::PathBuf;
use std::sync::Arc;

/// How many events there are: 0 before the first, n after the n-th.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seq(pub u64);

/// An append-only history of events.
///
/// The study appends every fact before it acts on it, so that what it acted on is never lost. A store serves one
/// writing study at a time; any number may read. Test yours with `testkit::store_conformance`.
///
/// # Cancel safety
/// An append whose future is dropped has happened whole or not at all. The writer that dropped it must read before it
/// appends again, since it does not know which.
#[async_trait]
pub trait Store<C: Candidate>: Send + Sync {
    /// Appends all of `events`, provided that the history ends at `expected`; gives its new end. When this returns,
    /// the events survive the death of the process (each store says whether also a loss of power).
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the history ends elsewhere: nothing is written. Otherwise what the medium says.
    async fn append(&self, expected: Seq, events: &[Event<C>]) -> Result<Seq, StoreError>;

    /// The events after `from`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// The medium fails, or an event cannot be understood.
    async fn read(&self, from: Seq, limit: usize) -> Result<Vec<(Seq, Event<C>)>, StoreError>;

    /// Where runs may have their folders, if the store lives somewhere; they are found there again after a restart.
    fn scratch(&self) -> Option<PathBuf> {
        None
    }
}

macro_rules! forward {
    ($pointer:ty) => {
        #[async_trait]
        impl<C: Candidate, S: Store<C> + ?Sized> Store<C> for $pointer {
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
forward!(Arc<S>);
forward!(Box<S>);
