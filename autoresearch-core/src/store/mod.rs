//! temporary
#![allow(missing_docs)]
use crate::{Candidate, Event};
use async_trait::async_trait;
use std::path::PathBuf;
use std::sync::Arc;
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seq(pub u64);
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("x")]
    X,
}
#[async_trait]
pub trait Store<C: Candidate>: Send + Sync {
    async fn append(&self, expected: Seq, events: &[Event<C>]) -> Result<Seq, StoreError>;
    async fn read(&self, from: Seq, limit: usize) -> Result<Vec<(Seq, Event<C>)>, StoreError>;
    fn scratch(&self) -> Option<PathBuf> {
        None
    }
}
#[derive(Debug, Clone)]
pub struct MemoryStore<C>(Arc<std::sync::Mutex<Vec<Event<C>>>>);
impl<C> MemoryStore<C> {
    pub fn new() -> Self {
        Self(Arc::default())
    }
}
#[async_trait]
impl<C: Candidate> Store<C> for MemoryStore<C> {
    async fn append(&self, _expected: Seq, events: &[Event<C>]) -> Result<Seq, StoreError> {
        let mut v = self.0.lock().unwrap();
        v.extend_from_slice(events);
        Ok(Seq(v.len() as u64))
    }
    async fn read(&self, from: Seq, limit: usize) -> Result<Vec<(Seq, Event<C>)>, StoreError> {
        let v = self.0.lock().unwrap();
        Ok(v.iter()
            .enumerate()
            .skip(from.0 as usize)
            .take(limit)
            .map(|(i, e)| (Seq(i as u64 + 1), e.clone()))
            .collect())
    }
}
