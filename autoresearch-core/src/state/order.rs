//! In which order finished runs are judged.

use super::{Event, Hearing, Job, Outcome, Phase, StudyState};
use crate::accept::Role;
use crate::arm::RunId;
use crate::candidate::Candidate;
use crate::failure::Fault;
use serde::{Deserialize, Serialize};

/// In which order the acceptor gets to see finished runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DecisionOrder {
    /// As they end. Nothing waits; with several runs under way, decisions depend on which of them is faster.
    #[default]
    AsCompleted,
    /// As they were planned, one after the other, and none while the proposer or the holdout is being asked. With a
    /// deterministic executor and proposer the study is the same bit for bit, however long its runs take and however
    /// many of them are under way ([`Settings::ahead`](crate::Settings::ahead) stated), but for what limits on
    /// time, compute and money, or lost runs in a row, cut short. Failures of candidates in a row are counted in the
    /// order of planning. Runs that ended before their turn when the study stopped are stored, and judged first if
    /// it goes on. Slots stand idle where a slow run, or a slow proposer, is waited for.
    AsProposed,
}

impl DecisionOrder {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What becomes of a proposal when the incumbent that it was made for is no longer the incumbent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stale {
    /// Its change is merged into the incumbent of now (by [`Compose`](crate::Compose)) and tested there on runs of its
    /// own; nothing that was measured against the incumbent of before counts. What cannot be merged is a conflict.
    #[default]
    Rebase,
    /// It is dropped as a conflict. For changes whose sense depends on what they were made for.
    Drop,
}

impl Stale {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A run that ended before its turn.
pub(super) struct Arrived<C> {
    job: Job<C>,
    outcome: Outcome,
    seconds: f64,
    elapsed: f64,
}

impl<C: Candidate> StudyState<C> {
    /// Draws all consequences of a fact, and of the runs whose turn it is then.
    pub(super) fn draw(&mut self) {
        self.pump();
        while let Some(Arrived { job, outcome, seconds, elapsed }) = self.next_arrived() {
            self.spend_time(seconds, elapsed);
            self.apply_finished(job, &outcome);
            self.wake();
            self.pump();
        }
    }

    /// Takes a run's end, and says whether it is known to the acceptor and the proposer now, or has to wait for its turn.
    /// One that the infrastructure lost is made again at once, and nobody knows of it.
    pub(super) fn arrive(&mut self, job: Job<C>, outcome: &Outcome, seconds: f64, elapsed: f64) -> bool {
        let is_final = job.spec.role == Role::Final;
        let as_it_comes = is_final || self.settings.order == DecisionOrder::AsCompleted;
        if outcome.is_ok() {
            self.no_losses(); // its turn may be long in coming
        }
        let lost = outcome.as_ref().is_err_and(|failure| failure.fault() != Fault::Candidate);
        if as_it_comes || lost {
            // The final runs are not the search's: its clock stands still meanwhile.
            if !is_final {
                self.spend_time(seconds, elapsed);
            }
            self.apply_finished(job, outcome);
            return as_it_comes;
        }
        self.elapsed = self.elapsed.max(elapsed);
        self.arrived.insert(job.spec.id, Arrived { job, outcome: outcome.clone(), seconds, elapsed });
        false
    }

    fn spend_time(&mut self, seconds: f64, elapsed: f64) {
        self.elapsed = self.elapsed.max(elapsed);
        self.ledger.elapsed = self.ledger.elapsed.max(elapsed);
        self.ledger.compute += seconds;
        self.ledger.ended += 1;
    }

    /// The run that ended and whose turn it is.
    fn next_arrived(&mut self) -> Option<Arrived<C>> {
        let first = *self.arrived.keys().next()?;
        let earlier = |id: &RunId| *id < first;
        let is_waited_for = self.flying.keys().next().is_some_and(earlier)
            || self.queue.iter().any(|job| earlier(&job.spec.id))
            || self.is_answering();
        if is_waited_for { None } else { self.arrived.remove(&first) }
    }

    /// Whether somebody's answer comes before any further run.
    fn is_answering(&self) -> bool {
        let asked = |c: &super::Case| matches!(c.hearing, Hearing::Asked { .. });
        let in_court = self.court.iter().flat_map(|c| &c.cases).any(asked);
        let holdout = in_court || self.inquiry.is_some();
        match self.phase {
            Phase::Searching => holdout || self.request.as_ref().is_some_and(|r| !r.snoozing),
            Phase::Draining(_) => holdout,
            Phase::Finale(_) | Phase::Stopped(_) => true,
        }
    }

    /// Something is known that was not: the acceptor, and a proposer that waits, may have something to say now.
    pub(super) fn wake(&mut self) {
        self.consulted = false;
        if let Some(request) = &mut self.request {
            request.snoozing = false;
        }
    }

    /// The proposer asked to wait. Where runs are judged in order that is a fact: until it was known, none could be.
    pub(super) fn snooze(&mut self) {
        let in_order = self.settings.order == DecisionOrder::AsProposed && self.ledger.outstanding > 0;
        // What waits in a backlog is then taken as it is.
        if in_order || self.backlog.is_some() {
            self.record(Event::Waited);
        } else {
            self.apply_waited();
        }
    }

    pub(super) fn apply_waited(&mut self) {
        if let Some(backlog) = &mut self.backlog {
            backlog.answered = true;
        }
        if let Some(request) = &mut self.request {
            request.handed = None;
            request.snoozing = true;
        }
    }
}
