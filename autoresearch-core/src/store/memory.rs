//! A history in memory.

use super::{Seq, Store, StoreError};
use crate::candidate::Candidate;
use crate::state::Event;
use async_trait::async_trait;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// A history in memory: for tests, and for studies that need not outlive their process. Clones share it.
pub struct MemoryStore<C>(Arc<Mutex<Vec<Event<C>>>>);

impl<C> MemoryStore<C> {
    /// An empty history.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<C> Default for MemoryStore<C> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<C> Clone for MemoryStore<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C> fmt::Debug for MemoryStore<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        write!(f, "MemoryStore({} events)", events.len())
    }
}

#[async_trait]
impl<C: Candidate> Store<C> for MemoryStore<C> {
    async fn append(&self, expected: Seq, events: &[Event<C>]) -> Result<Seq, StoreError> {
        let mut stored = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = Seq(stored.len() as u64);
        if found != expected {
            return Err(StoreError::Conflict { expected, found });
        }
        stored.extend_from_slice(events);
        Ok(Seq(stored.len() as u64))
    }

    async fn read(&self, from: Seq, limit: usize) -> Result<Vec<(Seq, Event<C>)>, StoreError> {
        let stored = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let after = stored.get(from.0 as usize..).unwrap_or_default();
        Ok((from.0 + 1..).map(Seq).zip(after.iter().take(limit).cloned()).collect())
    }
}
