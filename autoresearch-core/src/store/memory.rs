//! Events in memory: for tests, and for studies that nobody will ask about tomorrow.

use super::{Seq, Store, StoreError};
use crate::candidate::Candidate;
use crate::state::Event;
use async_trait::async_trait;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Keeps a study's events in memory, for as long as the store or a clone of it lives.
///
/// Clones share the same events, so that a study can be dropped and resumed from a clone. Nothing survives the process.
pub struct MemoryStore<C> {
    events: Arc<Mutex<Vec<Event<C>>>>,
}

impl<C: Candidate> MemoryStore<C> {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<C> MemoryStore<C> {
    /// Every change to the list is a single step, so a panic elsewhere leaves it whole.
    fn events(&self) -> MutexGuard<'_, Vec<Event<C>>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> Default for MemoryStore<C> {
    fn default() -> Self {
        Self { events: Arc::default() }
    }
}

impl<C> Clone for MemoryStore<C> {
    fn clone(&self) -> Self {
        Self { events: Arc::clone(&self.events) }
    }
}

impl<C> fmt::Debug for MemoryStore<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("events", &self.events().len()).finish()
    }
}

#[async_trait]
impl<C: Candidate> Store<C> for MemoryStore<C> {
    async fn append(&self, expected: Seq, events: &[Event<C>]) -> Result<Seq, StoreError> {
        let mut batch = events.to_vec(); // a candidate's `Clone` may panic: before anything is appended
        let mut stored = self.events();
        let found = Seq(stored.len() as u64);
        if found != expected {
            return Err(StoreError::Conflict { expected, found });
        }
        stored.append(&mut batch);
        Ok(Seq(stored.len() as u64))
    }

    async fn read(&self, from: Seq, limit: usize) -> Result<Vec<(Seq, Event<C>)>, StoreError> {
        let skip = usize::try_from(from.0).unwrap_or(usize::MAX);
        let stored = self.events();
        let after = stored.iter().skip(skip).take(limit);
        Ok((from.0.saturating_add(1)..).map(Seq).zip(after.cloned()).collect())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn it_conforms() {
        super::super::store_conformance(MemoryStore::new).await;
        super::super::store_conformance(|| Arc::new(MemoryStore::new())).await;
        super::super::store_conformance(|| Box::new(MemoryStore::new()) as Box<dyn Store<f64>>).await;
    }

    #[tokio::test]
    async fn clones_share_events_and_candidates_need_no_serde() {
        #[derive(Clone, Debug, PartialEq)]
        struct Plain;
        let store = MemoryStore::<Plain>::new();
        store.append(Seq(0), &[Event::Exhausted]).await.unwrap();
        assert_eq!(store.clone().read(Seq(0), 9).await.unwrap(), [(Seq(1), Event::Exhausted)]);
        assert_eq!(store.scratch(), None);
    }
}
