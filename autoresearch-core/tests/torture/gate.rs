//! One order of facts, whatever the machine's load: of several runs in flight the oldest ends first, and only when
//! nothing else is about to happen.
//!
//! All is on one thread, so the driver does all that follows from a fact before any run gets another look; a run ends
//! after it has found everything quiet a few times in a row.

use crate::plan::Plan;
use autoresearch_core::{Event, ParamSet, RunId, Seq, Store, StoreError, async_trait};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Default)]
struct Now {
    under_way: BTreeSet<RunId>,
    /// Ended, and not stored yet.
    ended: BTreeSet<RunId>,
    thinking: bool,
    hearing: bool,
    appending: bool,
    changes: u64,
}

/// What is going on; clones share it.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<Mutex<Now>>);

impl Gate {
    fn change(&self, change: impl FnOnce(&mut Now)) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut now);
        now.changes += 1;
    }

    pub(crate) fn thinks(&self) {
        self.change(|now| now.thinking = true);
    }

    pub(crate) fn hears(&self) {
        self.change(|now| now.hearing = true);
    }

    /// Waits for a run's turn to end.
    pub(crate) async fn pass(&self, run: RunId, plan: Plan) {
        if !plan.ordered {
            return;
        }
        self.change(|now| _ = now.under_way.insert(run));
        let (mut quiet, mut seen) = (0, 0);
        while quiet < 5 {
            tokio::task::yield_now().await;
            let now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let busy = now.thinking || now.hearing || now.appending || !now.ended.is_empty();
            let turn = now.under_way.first() == Some(&run);
            quiet = if turn && !busy && seen == now.changes { quiet + 1 } else { 0 };
            seen = now.changes;
        }
        self.change(|now| {
            now.under_way.remove(&run);
            now.ended.insert(run);
        });
    }

    fn stored(&self, events: &[Event<ParamSet>]) {
        self.change(|now| {
            now.appending = false;
            for event in events {
                match event {
                    Event::Finished { run, .. } => {
                        now.ended.remove(&run.id);
                        now.hearing = false; // the first output was tried on the holdout
                    }
                    Event::Proposed { .. } | Event::Exhausted => now.thinking = false,
                    Event::Answered { .. } | Event::Examined { .. } | Event::Tested { .. } => {
                        now.hearing = false
                    }
                    _ => {}
                }
            }
        });
    }
}

/// A store that says what it does: to the gate, and to whoever waits for the moment to kill.
pub(crate) struct Watched<S>(pub(crate) S, pub(crate) Gate);

#[async_trait]
impl<S: Store<ParamSet>> Store<ParamSet> for Watched<S> {
    async fn append(&self, expected: Seq, events: &[Event<ParamSet>]) -> Result<Seq, StoreError> {
        self.1.change(|now| now.appending = true);
        crate::session::tell("appending", expected.0);
        let last = self.0.append(expected, events).await?;
        crate::session::tell("stored", last.0);
        self.1.stored(events);
        Ok(last)
    }

    async fn read(&self, from: Seq, limit: usize) -> Result<Vec<(Seq, Event<ParamSet>)>, StoreError> {
        self.0.read(from, limit).await
    }

    fn scratch(&self) -> Option<PathBuf> {
        self.0.scratch()
    }
}
