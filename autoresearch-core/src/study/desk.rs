//! What the driver keeps in order besides: the runs' outputs and folders, and the observers.

use super::driver::Driver;
use crate::accept::HoldoutStatus;
use crate::arm::{ProposalId, RunId};
use crate::candidate::Candidate;
use crate::checks::Concern;
use crate::observe::{Notice, Status};
use crate::propose::Proposal;
use crate::state::Event;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

impl<C: Candidate, A: Send + Sync + 'static> Driver<C, A> {
    /// Lets go of outputs that nobody can ask for any more, and of their folders.
    pub(super) fn release(&mut self) {
        let state = &self.state;
        let gone: Vec<RunId> = self.outputs.keys().copied().filter(|run| !state.needs_output(*run)).collect();
        for run in gone {
            self.outputs.remove(&run);
            self.clear(run);
        }
        let state = &self.state;
        self.study.checks.release(|run| state.needs_output(run));
    }

    /// Tells of what the overfitting checks flag.
    pub(super) fn alert(&mut self, concerns: impl IntoIterator<Item = Concern>) {
        for concern in concerns {
            let (proposals, runs) = (self.study.checks.proposals(), self.tally.runs);
            tracing::warn!(
                target: "autoresearch::checks",
                check = concern.check(),
                proposals,
                runs,
                "{concern}"
            );
            self.notify(&Notice::Concern { concern });
        }
    }

    /// Deletes a run's folder, if it made one.
    pub(super) fn clear(&self, run: RunId) {
        let folder = self.scratch.join(run.to_string());
        if folder.exists()
            && let Err(error) = std::fs::remove_dir_all(&folder)
        {
            tracing::warn!(folder = %folder.display(), %error, "a run's folder could not be deleted");
        }
    }

    /// Deletes the folders of all runs that nobody can ask for, those of an earlier session too.
    pub(super) fn sweep(&self) {
        let Ok(entries) = std::fs::read_dir(&self.scratch) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let number = name.to_str().and_then(|n| n.strip_prefix('r')).and_then(|n| n.parse().ok());
            if let Some(run) = number.map(RunId).filter(|run| !self.state.needs_output(*run)) {
                self.clear(run);
            }
        }
    }

    /// Tells the observers of a stored event.
    pub(super) fn announce(&mut self, event: &Event<C>) {
        self.spans.open(event);
        match event {
            Event::Proposed { first, proposals, .. } => {
                for (id, proposal) in (first.0..).map(ProposalId).zip(proposals) {
                    let title = &proposal.hypothesis.title;
                    self.notify(&Notice::Proposed { proposal: id, title });
                }
            }
            Event::Finished { run, outcome: Ok(measurement), seconds, .. } => {
                let (objective, seconds) = (measurement.objective(), *seconds);
                self.notify(&Notice::RunFinished { run: run.id, arm: &run.arm, objective, seconds });
            }
            Event::Finished { run, outcome: Err(failure), .. } => {
                self.notify(&Notice::RunFailed { run: run.id, failure });
            }
            Event::Settled { proposal, fate, effect, reason, .. } => {
                let record = self.settled(*proposal);
                let title = record.as_ref().map_or("", |proposal| &proposal.hypothesis.title);
                self.spans.close(*proposal).in_scope(|| {
                    tracing::info!(trial = proposal.0, %fate, title, reason, "settled");
                });
                let (proposal, fate, effect) = (*proposal, *fate, *effect);
                self.notify(&Notice::Settled { proposal, title, fate, effect, reason });
            }
            _ => {}
        }
    }

    /// A proposal that was just settled.
    fn settled(&self, proposal: ProposalId) -> Option<Arc<Proposal<C>>> {
        let record = self.state.history().iter().rev().find(|r| r.id == proposal);
        record.map(|r| Arc::clone(&r.proposal))
    }

    pub(super) fn notify(&mut self, notice: &Notice<'_>) {
        if self.study.observers.is_empty() {
            return;
        }
        let limits = &self.state.settings().limits;
        let status = Status {
            runs: self.tally.runs,
            runs_limit: limits.runs,
            proposals: self.tally.proposals,
            proposals_limit: limits.proposals,
            kept: self.tally.kept,
            in_flight: self.under_way.len(),
            baseline: self.tally.baseline,
            incumbent: self.tally.incumbent(),
            stack: self.tally.stack(),
            holdout_left: match self.state.holdout() {
                HoldoutStatus::Absent => None,
                HoldoutStatus::Open { left } => Some(left),
                HoldoutStatus::Spent => Some(0),
            },
            elapsed: self.elapsed(),
            wall_clock: limits.wall_clock.map(|d| d.as_secs_f64()),
            compute: self.tally.compute_seconds,
            compute_limit: limits.compute.map(|d| d.as_secs_f64()),
            money: self.tally.money,
            money_limit: limits.money,
        };
        // One that panics is told nothing more; the study goes on.
        self.study.observers.retain_mut(|observer| {
            let told = catch_unwind(AssertUnwindSafe(|| observer.notice(notice, &status)));
            if told.is_err() {
                tracing::error!("an observer panicked and is told nothing more");
            }
            told.is_ok()
        });
    }
}
