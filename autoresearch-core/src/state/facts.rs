//! Facts in: each is checked, turned into an event, applied, and its consequences drawn.

use super::{
    Case, Event, Finale, Hearing, Job, Live, Outcome, Phase, RunSpec, Settings, StateError, StudyState,
};
use crate::accept::{Acceptor, HoldoutStatus, Ledger, Pending, Role, RunRecord};
use crate::arm::{Arm, ProposalId, QuestionId, RunId, Version};
use crate::candidate::Candidate;
use crate::compose::Compose;
use crate::failure::Fault;
use crate::holdout::{Answer, Basis, HeldOut, gate};
use crate::limits::{Limits, StopReason};
use crate::measure::{Direction, Measurement};
use crate::propose::{History, Proposal, Proposed};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

impl<C: Candidate> StudyState<C> {
    pub(crate) fn open(
        baseline: C,
        acceptor: Box<dyn Acceptor>,
        compose: Option<Arc<dyn Compose<C>>>,
        settings: Settings,
        executor: String,
    ) -> Result<Self, StateError> {
        Self::open_as("study", baseline, acceptor, compose, settings, executor)
    }

    /// Opens a new study under this identifier.
    pub(crate) fn open_as(
        study: &str,
        baseline: C,
        acceptor: Box<dyn Acceptor>,
        compose: Option<Arc<dyn Compose<C>>>,
        settings: Settings,
        executor: String,
    ) -> Result<Self, StateError> {
        let opened = Event::Opened {
            study: study.into(),
            baseline: baseline.clone(),
            settings: settings.clone(),
            policy: acceptor.describe(),
            executor,
        };
        let mut state = Self::blank(study, baseline, acceptor, compose, settings)?;
        state.outbox.push(opened);
        state.pump();
        Ok(state)
    }

    /// A state before anything happened.
    pub(super) fn blank(
        study: &str,
        baseline: C,
        acceptor: Box<dyn Acceptor>,
        compose: Option<Arc<dyn Compose<C>>>,
        settings: Settings,
    ) -> Result<Self, StateError> {
        if settings.limits.runs == Some(0) {
            return Err(StateError::Settings(
                "the limit on runs is 0, so that not even the baseline could be measured; give at least 1"
                    .into(),
            ));
        }
        let ledger = Ledger {
            version: Version(0),
            live: BTreeMap::new(),
            runs: BTreeMap::new(),
            next_run: RunId(1),
            next_seed: 0,
            seed_offset: fold_seed(settings.seed),
            outstanding: 0,
            capacity: settings.in_flight,
            asked: 0,
            exhausted: false,
            started: 0,
            proposed: 0,
            kept: 0,
            limits: settings.limits.clone(),
            holdout: match &settings.holdout {
                None => HoldoutStatus::Absent,
                Some(h) if h.queries == 0 => HoldoutStatus::Spent,
                Some(h) => HoldoutStatus::Open { left: h.queries },
            },
        };
        Ok(Self {
            study: study.into(),
            settings,
            acceptor,
            compose,
            incumbents: vec![Arc::new(baseline)],
            ledger,
            live: BTreeMap::new(),
            history: History::default(),
            queue: VecDeque::new(),
            flying: BTreeMap::new(),
            confirmed: BTreeMap::new(),
            request: None,
            court: None,
            phase: Phase::Searching,
            finale: Finale::default(),
            next_question: 1,
            failures: 0,
            baseline_runs: false,
            elapsed: 0.0,
            champions: Vec::new(),
            kept: Vec::new(),
            outbox: Vec::new(),
        })
    }

    /// Hands in what the proposer answered.
    ///
    /// # Errors
    /// Nobody asked.
    pub fn proposed(&mut self, answer: impl Into<Proposed<C>>) -> Result<(), StateError> {
        let Some(request) = &mut self.request else { return Err(StateError::NotAsked) };
        let (on, version) = (request.on.clone(), request.handed.unwrap_or(request.version));
        match answer.into() {
            Proposed::Proposals(mut proposals) if !proposals.is_empty() => {
                proposals.truncate(self.ledger.proposals_left().map_or(usize::MAX, |n| n as usize));
                let first = ProposalId(self.ledger.proposed + 1);
                self.record(Event::Proposed { first, on, version, proposals });
            }
            Proposed::Exhausted => self.record(Event::Exhausted),
            Proposed::Proposals(_) | Proposed::Wait => {
                request.handed = None;
                request.snoozing = true;
            }
        }
        Ok(())
    }

    /// Hands in what came of a run.
    ///
    /// A cancelled run is planned again; a run lost to the infrastructure is attempted again with the same seed.
    ///
    /// # Errors
    /// The run is not under way, or the evaluator states another direction than the study.
    pub fn finished(&mut self, run: RunId, outcome: Outcome) -> Result<(), StateError> {
        self.finished_after(run, outcome, 0.0, self.elapsed)
    }

    /// The same with the seconds that the run took, and that the study had been running when it ended.
    ///
    /// # Errors
    /// As [`finished`](Self::finished).
    pub fn finished_after(
        &mut self,
        run: RunId,
        outcome: Outcome,
        seconds: f64,
        elapsed: f64,
    ) -> Result<(), StateError> {
        let job = self.flying.get(&run).ok_or(StateError::UnknownRun(run))?;
        if let Ok(measurement) = &outcome {
            check_direction(self.settings.direction, measurement)?;
        }
        if matches!(&outcome, Err(failure) if failure.fault() == Fault::Cancelled) {
            if let Some(job) = self.flying.remove(&run) {
                self.requeue(job);
            }
            return Ok(());
        }
        let (spec, attempt) = (job.spec.clone(), job.attempt);
        let finite = |x: f64| if x.is_finite() { x.max(0.0) } else { 0.0 };
        self.record(Event::Finished {
            run: spec,
            attempt,
            outcome,
            seconds: finite(seconds),
            elapsed: finite(elapsed),
        });
        Ok(())
    }

    /// Hands in the held-out measurements of a question's runs, in the question's order.
    ///
    /// # Errors
    /// The question was not asked, another number of measurements came back, or they cannot be compared.
    pub fn held_out(&mut self, question: QuestionId, held: Vec<HeldOut>) -> Result<(), StateError> {
        if let Phase::Finale(_) = self.phase {
            return match self.finale.answered(
                question,
                &held,
                self.settings.direction,
                self.ledger.version,
            )? {
                None => Ok(()),
                Some(result) => {
                    self.record(Event::Tested { result });
                    Ok(())
                }
            };
        }
        let asked = |c: &&Case| matches!(c.hearing, Hearing::Asked { question: q, .. } if q == question);
        let case = self.court.as_ref().and_then(|court| court.cases.iter().find(asked));
        let claim = case.and_then(|c| c.decision.claim.as_ref());
        let (Some(case), Some(claim), Some(settings)) = (case, claim, &self.settings.holdout) else {
            return Err(StateError::UnknownQuestion(question));
        };
        let expected = claim.candidate.len() + claim.incumbent.len();
        if held.len() != expected {
            return Err(StateError::WrongCount { expected, got: held.len() });
        }
        let (candidate, incumbent) = held.split_at(claim.candidate.len());
        let answer = gate(claim, candidate, incumbent, settings, self.settings.direction)
            .map_err(StateError::HeldOut)?;
        let proposal = case.decision.proposal;
        self.record(Event::Answered { question, proposal, answer });
        Ok(())
    }

    /// Says that a question about a proposal cannot be answered, because its outputs cannot be measured on the holdout
    /// by the candidate's own fault. That counts as a no.
    ///
    /// # Errors
    /// The question was not asked about a proposal.
    pub fn holdout_failed(&mut self, question: QuestionId) -> Result<(), StateError> {
        let asked = |c: &&Case| matches!(c.hearing, Hearing::Asked { question: q, .. } if q == question);
        let case = self.court.as_ref().and_then(|court| court.cases.iter().find(asked));
        let proposal = case.map(|c| c.decision.proposal).ok_or(StateError::UnknownQuestion(question))?;
        let answer = Answer { passed: false, basis: Basis::Unmeasured };
        self.record(Event::Answered { question, proposal, answer });
        Ok(())
    }

    /// Tells the study to stop: nothing new starts, and what is under way is set back.
    pub fn stop(&mut self, reason: StopReason) {
        if self.stopped().is_none() {
            self.record(Event::Stopping { reason });
        }
    }

    /// Lets a stopped study go on, or changes its limits.
    pub fn resume(&mut self, limits: Limits, in_flight: usize) {
        self.record(Event::Resumed { limits, in_flight: in_flight.max(1) });
    }

    /// Applies an event, remembers it for the store, and draws its consequences.
    fn record(&mut self, event: Event<C>) {
        // A fact that ends the study draws that conclusion at once: it still comes first.
        let place = self.outbox.len();
        self.apply(&event);
        self.outbox.insert(place, event);
        self.pump();
    }

    /// Applies a fact; the caller draws the consequences.
    pub(super) fn apply(&mut self, event: &Event<C>) {
        match event {
            Event::Proposed { first, on, version, proposals } => {
                self.apply_proposed(*first, on, *version, proposals);
            }
            Event::Exhausted => {
                self.ledger.exhausted = true;
                self.ledger.asked = 0;
                self.request = None;
            }
            Event::Finished { run, outcome, elapsed, .. } => {
                self.elapsed = self.elapsed.max(*elapsed);
                self.apply_finished(run, outcome);
            }
            Event::Answered { question, answer, .. } => {
                for case in self.court.iter_mut().flat_map(|c| &mut c.cases) {
                    if matches!(case.hearing, Hearing::Asked { question: q, .. } if q == *question) {
                        case.hearing = Hearing::Heard(*answer);
                    }
                }
            }
            Event::Tested { result } => self.finale.result = Some(*result),
            Event::Stopping { reason } => self.halt(reason.clone()),
            Event::Resumed { limits, in_flight } => {
                self.ledger.limits = limits.clone();
                self.settings.limits = limits.clone();
                self.settings.in_flight = *in_flight;
                self.ledger.capacity = *in_flight;
                self.failures = 0;
                self.phase = Phase::Searching;
                if let Some(request) = &mut self.request {
                    request.handed = None; // whoever was asked is gone
                }
            }
            Event::Opened { .. } | Event::Settled { .. } | Event::Stopped { .. } => {}
        }
        if let Some(request) = &mut self.request {
            request.snoozing = false;
        }
    }

    fn apply_proposed(&mut self, first: ProposalId, on: &Arm, version: Version, proposals: &[Proposal<C>]) {
        let parent = match self.request.take() {
            Some(request) if !on.is_incumbent() => request.candidate,
            _ => Arc::clone(self.incumbents.get(version.0 as usize).unwrap_or_else(|| self.newest())),
        };
        for (id, proposal) in (first.0..).map(ProposalId).zip(proposals) {
            let mut proposal = proposal.clone();
            if proposal.hypothesis.title.is_empty() {
                proposal.hypothesis.title = format!("proposal {}", id.0);
            }
            let live = Live { proposal: Arc::new(proposal), parent: Arc::clone(&parent), runs: 0 };
            self.live.insert(id, live);
            self.ledger.live.insert(id, Pending { on: on.clone(), version });
            self.ledger.proposed = id.0;
        }
        self.ledger.asked = 0;
    }

    fn apply_finished(&mut self, spec: &RunSpec, outcome: &Outcome) {
        let Some(mut job) = self.take_job(spec.id) else { return };
        match outcome {
            Ok(_) => self.failures = 0,
            Err(_) => self.failures += 1,
        }
        let limit = self.ledger.limits.consecutive_failures;
        let too_many = |failure: &crate::RunFailure, failures: u32| {
            (failures >= limit).then(|| StopReason::ConsecutiveFailures(failure.to_string()))
        };
        let loss = match outcome {
            Err(failure) if failure.fault() != Fault::Candidate => {
                job.attempt += 1;
                self.requeue(job);
                if let Some(reason) = too_many(failure, self.failures) {
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
        self.ledger.outstanding = self.ledger.outstanding.saturating_sub(1);
        for proposal in spec.arm.proposals() {
            if let Some(live) = self.live.get_mut(&proposal) {
                live.runs += 1;
            }
        }
        if spec.version == Version(0) && spec.arm.is_incumbent() {
            match &loss {
                Ok(_) => self.baseline_runs = true,
                Err(failure) if !self.baseline_runs => {
                    self.halt(StopReason::BaselineFailed(failure.to_string()));
                    return;
                }
                Err(_) => {}
            }
        }
        if let Err(failure) = &loss
            && let Some(reason) = too_many(failure, self.failures)
        {
            self.halt(reason);
        }
        self.keep_record(job, loss);
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
            if spec.role == Role::Confirm && record.loss.is_ok() {
                self.confirmed.insert(spec.id, job);
            }
            self.ledger.runs.insert(record.id, record);
        }
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

fn check_direction(study: Direction, measurement: &Measurement) -> Result<(), StateError> {
    let word = |d| match d {
        Direction::Minimize => "minimised",
        Direction::Maximize => "maximised",
    };
    match measurement.stated_direction() {
        Some(stated) if stated != study => {
            Err(StateError::Direction { stated: word(stated), study: word(study) })
        }
        _ => Ok(()),
    }
}

/// Where a study's run seeds begin: 0 for study seed 0, scattered for others (MurmurHash3's finaliser).
fn fold_seed(seed: u64) -> u32 {
    let mut h = (seed ^ (seed >> 32)) as u32;
    h ^= h >> 16;
    h = h.wrapping_mul(0x85EB_CA6B);
    h ^= h >> 13;
    h = h.wrapping_mul(0xC2B2_AE35);
    h ^ (h >> 16)
}
