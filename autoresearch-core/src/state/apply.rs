//! What each event changes; the same when it happens and when it is replayed.

use super::{DecisionOrder, Event, Hearing, Job, Live, Outcome, Phase, StudyState};
use crate::accept::{Pending, Role, RunRecord, UnitInfo};
use crate::arm::{Arm, ProposalId, RunId, Version};
use crate::candidate::Candidate;
use crate::compose::Unit;
use crate::failure::Fault;
use crate::limits::StopReason;
use crate::meter::RUNS;
use crate::propose::Proposal;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

impl<C: Candidate> StudyState<C> {
    /// Applies a fact; the caller draws the consequences.
    pub(super) fn apply(&mut self, event: &Event<C>) {
        match event {
            Event::Proposed { first, on, version, proposals } => {
                self.apply_proposed(*first, on, *version, proposals);
            }
            Event::Queued { .. } => self.apply_queued(event),
            Event::Moved { idea, to } => self.apply_moved(*idea, to),
            Event::Exhausted | Event::Unaffordable if self.backlog.is_some() => {
                self.run_dry(matches!(event, Event::Unaffordable));
            }
            Event::Exhausted | Event::Unaffordable => {
                self.ledger.exhausted = true;
                self.ledger.unaffordable = matches!(event, Event::Unaffordable);
                self.ledger.asked = 0;
                self.request = None;
            }
            Event::Waited => return self.apply_waited(),
            // Nothing that a proposer waits for.
            Event::Charged(charge) => {
                self.ledger.money += charge.amount;
                if charge.what == RUNS {
                    self.ledger.money_of_runs += charge.amount;
                }
                return;
            }
            Event::Remarked { .. } => return,
            Event::Finished { run, outcome, seconds, elapsed, .. } => {
                let Some(job) = self.take_job(run.id) else { return };
                if !self.arrive(job, outcome, *seconds, *elapsed) {
                    return; // it changes nothing yet
                }
            }
            // Its plan stands as it was.
            Event::Interrupted { run, seconds } => {
                // The final runs are not the search's.
                if self.planned(*run).is_none_or(|spec| spec.role != Role::Final) {
                    self.ledger.compute += seconds;
                }
                return;
            }
            Event::Answered { question, answer, release, .. } => {
                for case in self.court.iter_mut().flat_map(|c| &mut c.cases) {
                    if let Hearing::Asked { question: q, shard, .. } = case.hearing
                        && q == *question
                    {
                        case.hearing = Hearing::Heard(*answer);
                        self.book.answered(shard, 1, u64::from(answer.passed), release);
                    }
                }
                self.ledger.holdout = self.book.status();
            }
            Event::Examined { question, answers, release, .. } => self.hear(*question, answers, release),
            Event::Tested { result } => self.finale.result = Some(*result),
            Event::Stopping { reason, elapsed } => {
                if self.is_searching() {
                    self.elapsed = self.elapsed.max(*elapsed);
                }
                self.halt(reason.clone());
            }
            Event::Resumed { limits, in_flight } => {
                self.ledger.limits = limits.clone();
                self.settings.limits = limits.clone();
                self.settings.in_flight = *in_flight;
                self.ledger.capacity = self.settings.width();
                self.failures = 0;
                self.no_losses();
                self.ledger.exhausted = false; // whoever proposes now may have more to say
                self.ledger.unaffordable = false;
                self.no_longer_dry();
                self.phase = Phase::Searching;
                if let Some(request) = &mut self.request {
                    request.handed = None; // whoever was asked is gone
                }
            }
            Event::Opened { .. } | Event::Settled { .. } | Event::Deferred { .. } | Event::Stopped { .. } => {
            }
        }
        self.wake();
    }

    pub(super) fn apply_proposed(
        &mut self,
        first: ProposalId,
        on: &Arm,
        version: Version,
        proposals: &[Proposal<C>],
    ) {
        let parent = match self.request.take() {
            Some(request) if !on.is_incumbent() => request.candidate,
            _ => Arc::clone(self.incumbents.get(version.0 as usize).unwrap_or_else(|| self.newest())),
        };
        for (id, proposal) in (first.0..).map(ProposalId).zip(proposals) {
            let mut proposal = proposal.clone();
            if proposal.hypothesis.title.is_empty() {
                proposal.hypothesis.title = format!("proposal {}", id.0);
            }
            let units = self.split(&parent, &proposal.candidate);
            let info = |u: &Unit<C>| UnitInfo {
                key: u.key.as_str().into(),
                level: u.level.clone(),
                from: u.from.clone(),
            };
            let seen = match self.compose {
                None => Arc::clone(&self.whole),
                Some(_) => units.iter().map(info).collect(),
            };
            let credits = self.credits(&parent, &proposal.candidate, &units);
            let rebases = proposal.rebases.filter(|earlier| *earlier < id);
            let proposal = Arc::new(proposal);
            let live = Live { proposal, parent: Arc::clone(&parent), units, credits, runs: 0 };
            self.live.insert(id, live);
            self.ledger.live.insert(id, Pending { on: on.clone(), version, units: seen, rebases });
            self.ledger.proposed = id.0;
        }
        self.ledger.asked = 0;
    }

    /// What a change can be split into; a split that panics is none.
    pub(super) fn split(&self, parent: &C, edited: &C) -> Vec<Unit<C>> {
        let whole = || vec![Unit::new("", edited.clone())];
        let Some(compose) = &self.compose else { return whole() };
        let units = catch_unwind(AssertUnwindSafe(|| compose.units(parent, edited)));
        units.ok().filter(|units| !units.is_empty()).unwrap_or_else(whole)
    }

    pub(super) fn apply_finished(&mut self, mut job: Job<C>, outcome: &Outcome) {
        let spec = &job.spec;
        match outcome {
            Ok(_) => self.failures = 0,
            Err(failure) if failure.fault() == Fault::Candidate => self.failures += 1,
            Err(_) => self.count_loss(job.spec.id),
        }
        let too_many = self.failed_in_a_row() >= self.ledger.limits.consecutive_failures;
        let too_many = |failure: &crate::RunFailure| {
            too_many.then(|| StopReason::ConsecutiveFailures(failure.to_string()))
        };
        let loss = match outcome {
            Err(failure) if failure.fault() != Fault::Candidate => {
                job.attempt += 1;
                self.requeue(job);
                if let Some(reason) = too_many(failure) {
                    self.halt(reason);
                }
                return;
            }
            Err(failure) => Err(failure.clone()),
            Ok(measurement) => Ok(self.settings.direction.loss(measurement.objective())),
        };
        if spec.role == Role::Final {
            self.finale.finished(job, loss.ok());
            return;
        }
        if spec.version == Version(0) && spec.arm.is_incumbent() {
            match &loss {
                Ok(_) => self.baseline_runs = true,
                Err(failure) if !self.baseline_runs => {
                    // Nothing can be judged without it: when the study is resumed, it is tried again.
                    job.attempt += 1;
                    self.requeue(job);
                    self.halt(StopReason::BaselineFailed(failure.to_string()));
                    return;
                }
                Err(_) => {}
            }
        }
        if spec.role == Role::Calibrate
            && spec.arm.is_incumbent()
            && let Ok(loss) = &loss
        {
            if spec.version == Version(0) {
                self.baseline_losses.push(*loss);
            } else if spec.version == self.ledger.version {
                self.incumbent_losses.push(*loss);
            }
        }
        self.ledger.outstanding = self.ledger.outstanding.saturating_sub(1);
        for proposal in spec.arm.proposals() {
            if let Some(live) = self.live.get_mut(&proposal) {
                live.runs += 1;
            }
        }
        if let Err(failure) = &loss
            && let Some(reason) = too_many(failure)
        {
            self.halt(reason);
        }
        if let Ok(measurement) = outcome {
            self.note_metrics(spec.id, measurement);
        }
        let credit = self.credit_of(spec.id);
        self.keep_record(job, loss.map(|loss| loss - credit));
    }

    /// How many runs failed in a row. Where runs are judged in order, losses come in between as they happen, so that the
    /// two together would depend on which run is the faster: each row counts for itself then.
    fn failed_in_a_row(&self) -> u32 {
        match self.settings.order {
            DecisionOrder::AsCompleted => self.failures + self.losses,
            DecisionOrder::AsProposed => self.failures.max(self.losses),
        }
    }

    /// Something has worked: what was lost before it is in no row any more.
    pub(super) fn no_losses(&mut self) {
        self.losses = 0;
        self.lost.clear();
    }

    /// Counts a run that was lost. One outage takes all that is under way: it counts once, and once more when the first
    /// of those runs is lost again.
    fn count_loss(&mut self, run: RunId) {
        if self.lost.contains(&run) {
            self.lost.clear();
        }
        if self.lost.is_empty() {
            self.losses += 1;
        }
        self.lost.insert(run);
    }

    fn keep_record(&mut self, job: Job<C>, loss: Result<f64, crate::RunFailure>) {
        let spec = &job.spec;
        let record = RunRecord {
            id: spec.id,
            arm: spec.arm.clone(),
            version: spec.version,
            seed: spec.seed,
            role: spec.role,
            about: spec.about,
            loss,
        };
        if self.still_matters(&record) {
            let confirms = spec.role == Role::Confirm && record.loss.is_ok();
            self.ledger.runs.insert(record.id, Box::new(record));
            if confirms {
                self.confirmed.insert(job.spec.id, job);
                return;
            }
        }
        self.forget_note(job.spec.id);
    }

    fn take_job(&mut self, run: RunId) -> Option<Job<C>> {
        if let Some(job) = self.flying.remove(&run) {
            return Some(job);
        }
        for queue in [&mut self.queue, &mut self.finale.queue] {
            if let Some(i) = queue.iter().position(|job| job.spec.id == run) {
                return queue.remove(i);
            }
        }
        None
    }

    /// Plans a run again, before all others.
    pub(super) fn requeue(&mut self, job: Job<C>) {
        if job.spec.role == Role::Final { &mut self.finale.queue } else { &mut self.queue }.push_front(job);
    }
}
