//! What people want of the backlog: heard before what has happened is stored, answered afterwards.

use super::backlog_file::BacklogFile;
use crate::arm::ProposalId;
use crate::candidate::Candidate;
use crate::propose::Proposal;
use crate::state::{BacklogEntry, Move, StudyState};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// How often it is looked whether somebody has changed the file.
const LOOK: Duration = Duration::from_millis(500);

enum Wish<C> {
    Add(Box<Proposal<C>>),
    Move(ProposalId, Move),
}

struct Shared<C> {
    wishes: Mutex<Vec<Wish<C>>>,
    entries: Mutex<Vec<BacklogEntry>>,
    stirred: Notify,
}

/// Acts on a study's backlog while it runs, from any thread. Clones act on the same.
///
/// ```
/// use autoresearch_core::{BacklogHandle, Curation, Fifo, Proposal, Source, Study, testkit};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use autoresearch_core::{executor_fn, evaluator_fn, Measurement};
/// # let run = executor_fn(|x: f64, _| async move { Ok(x) });
/// # let loss = evaluator_fn(|loss: &f64| Ok(Measurement::scalar(*loss)?));
/// let people = BacklogHandle::new();
/// people.add(Proposal::new(0.5).title("half of it").source(Source::person("Ada")));
/// let report = Study::new(1.0, testkit::scripted([]), run, loss)
///     .acceptor(autoresearch_core::Greedy::new())
///     .curate(Curation::new(Fifo::new()))
///     .people(&people)
///     .run()
///     .await?;
/// assert_eq!(*report.stack(), 0.5);
/// assert_eq!(people.entries()[0].state.to_string(), "settled as p1: kept");
/// # Ok(())
/// # }
/// ```
pub struct BacklogHandle<C>(Arc<Shared<C>>);

impl<C> BacklogHandle<C> {
    /// A handle that no study has yet; what is asked for by then is heard when one does.
    pub fn new() -> Self {
        let (wishes, entries) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
        Self(Arc::new(Shared { wishes, entries, stirred: Notify::new() }))
    }

    /// Has an idea wait, made on the incumbent of when it is heard.
    pub fn add(&self, idea: Proposal<C>) {
        self.wish(Wish::Add(Box::new(idea)));
    }

    /// Moves an idea of the backlog. Where that cannot be (it was tried meanwhile, say), a remark in the history says so.
    pub fn move_idea(&self, idea: ProposalId, to: Move) {
        self.wish(Wish::Move(idea, to));
    }

    /// The backlog as it was stored last.
    pub fn entries(&self) -> Vec<BacklogEntry> {
        held(&self.0.entries).clone()
    }

    fn wish(&self, wish: Wish<C>) {
        held(&self.0.wishes).push(wish);
        self.0.stirred.notify_one();
    }
}

/// What is behind the lock is whole even if whoever held it panicked.
fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<C> Default for BacklogHandle<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C> Clone for BacklogHandle<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C> fmt::Debug for BacklogHandle<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BacklogHandle").field("ideas", &held(&self.0.entries).len()).finish_non_exhaustive()
    }
}

/// Everybody who may act on a study's backlog.
pub(crate) struct People<C> {
    pub(crate) handle: Option<BacklogHandle<C>>,
    pub(crate) file: Option<BacklogFile<C>>,
    told: Option<u64>,
}

impl<C> Default for People<C> {
    fn default() -> Self {
        Self { handle: None, file: None, told: None }
    }
}

impl<C: Candidate> People<C> {
    pub(super) fn is_there(&self) -> bool {
        self.handle.is_some() || self.file.is_some()
    }

    /// Ends when somebody may have said something.
    pub(super) async fn stirred(&self) {
        let file = async {
            match &self.file {
                Some(file) => loop {
                    tokio::time::sleep(LOOK).await;
                    if file.has_changed() {
                        return;
                    }
                },
                None => std::future::pending().await,
            }
        };
        let handle = async {
            match &self.handle {
                Some(handle) => handle.0.stirred.notified().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = file => {}
            () = handle => {}
        }
    }

    /// Turns what was said into facts. A study that is over hears nothing more.
    pub(super) fn hear(&mut self, state: &mut StudyState<C>) {
        if !state.is_searching() {
            return;
        }
        let wishes = self.handle.as_ref().map(|handle| std::mem::take(&mut *held(&handle.0.wishes)));
        for wish in wishes.into_iter().flatten() {
            let done = match wish {
                Wish::Add(idea) => state.add_idea(*idea).map(|_| ()),
                Wish::Move(idea, to) => state.move_idea(idea, to),
            };
            if let Err(error) = done {
                state.remarked(format!("what somebody wanted of the backlog cannot be: {error}"));
            }
        }
        if let Some(file) = &mut self.file {
            file.hear(state);
        }
    }

    /// Tells what there is, once it is stored.
    pub(super) fn tell(&mut self, state: &StudyState<C>) {
        if !self.is_there() {
            return;
        }
        let revision = state.backlog_revision();
        if self.told != Some(revision) {
            self.told = Some(revision);
            if let Some(handle) = &self.handle {
                *held(&handle.0.entries) = state.backlog().collect();
            }
            if let Some(file) = &mut self.file {
                file.is_stale();
            }
        }
        if let Some(file) = &mut self.file {
            file.tell(state);
        }
    }
}
