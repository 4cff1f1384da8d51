//! Facts in: each is checked, turned into an event, applied, and its consequences drawn.

use super::{Case, Event, Hearing, Outcome, Phase, StateError, StudyState};
use crate::arm::{ProposalId, QuestionId, RunId};
use crate::candidate::Candidate;
use crate::failure::Fault;
use crate::holdout::{Answer, Basis, Hall, HeldOut, Release, decide_pair};
use crate::limits::{Limits, StopReason};
use crate::measure::Direction;
use crate::meter::Charge;
use crate::propose::Proposed;

impl<C: Candidate> StudyState<C> {
    /// Hands in what the proposer answered.
    ///
    /// # Errors
    /// Nobody asked.
    pub fn proposed(&mut self, answer: impl Into<Proposed<C>>) -> Result<(), StateError> {
        self.check_terms()?;
        let Some(request) = &self.request else { return Err(StateError::NotAsked) };
        let (on, version) = (request.on.clone(), request.handed.unwrap_or(request.version));
        match answer.into() {
            Proposed::Proposals(ideas) if !ideas.is_empty() && self.backlog.is_some() => {
                let first = ProposalId(self.backlog.as_ref().map_or(0, |b| b.made) + 1);
                self.record(Event::Queued { first, on, version, ideas, asked: true });
            }
            Proposed::Proposals(mut proposals) if !proposals.is_empty() => {
                let left = self.ledger.proposals_left().map_or(usize::MAX, |n| n as usize);
                if proposals.len() > left {
                    let over = proposals.len() - left;
                    self.remarked(format!("{over} more proposals than the limit allows were left out"));
                    proposals.truncate(left);
                }
                let first = ProposalId(self.ledger.proposed + 1);
                self.record(Event::Proposed { first, on, version, proposals });
            }
            Proposed::Exhausted => self.record(Event::Exhausted),
            Proposed::Proposals(_) | Proposed::Wait => self.snooze(),
        }
        Ok(())
    }

    /// Hands in what came of a run.
    ///
    /// A cancelled run is planned again, and what it took counts as spent; a run lost to the infrastructure is attempted again with the same seed.
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
            check_direction(self.settings.direction, measurement.stated_direction())?;
        }
        let outcome = outcome.and_then(|measurement| self.admit(measurement));
        if matches!(&outcome, Err(failure) if failure.fault() == Fault::Cancelled) {
            self.interrupted(run, seconds);
            return Ok(());
        }
        let (spec, attempt) = ((*job.spec).clone(), job.attempt);
        self.record(Event::Finished {
            run: spec,
            attempt,
            outcome,
            seconds: finite(seconds),
            elapsed: finite(elapsed),
        });
        Ok(())
    }

    /// Says that a run was ended before its time, after so many seconds. It is planned again where it was under way.
    pub(crate) fn interrupted(&mut self, run: RunId, seconds: f64) {
        if finite(seconds) > 0.0 {
            self.record(Event::Interrupted { run, seconds: finite(seconds) });
        }
        if let Some(job) = self.flying.remove(&run) {
            self.requeue(job);
        }
    }

    /// Hands in the held-out measurements of a question's runs, in the question's order.
    ///
    /// Measurements that cannot be compared or divided into shards stop the study
    /// ([`HeldOutFailed`](StopReason::HeldOutFailed)); the question stays open, and is asked again when it goes on.
    ///
    /// # Errors
    /// The question was not asked, another number of measurements came back, or they state another direction.
    pub fn held_out(&mut self, question: QuestionId, held: Vec<HeldOut>) -> Result<(), StateError> {
        for one in &held {
            check_direction(self.settings.direction, one.stated_direction())?;
        }
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
        let answered = match self.examined(question, Some(&held)) {
            Ok(None) => self.answered(question, held),
            other => other.and_then(|event| event.ok_or(StateError::UnknownQuestion(question))),
        };
        match answered {
            // The question stays open: nothing was learned, and nothing is lost when the study goes on.
            Err(StateError::HeldOut(why)) => self.stop(StopReason::HeldOutFailed(why)),
            other => self.record(other?),
        }
        Ok(())
    }

    /// The event that holds the answer to a question about a proposal.
    fn answered(&self, question: QuestionId, held: Vec<HeldOut>) -> Result<Event<C>, StateError> {
        let asked = |c: &&Case| matches!(c.hearing, Hearing::Asked { question: q, .. } if q == question);
        let case = self.court.as_ref().and_then(|court| court.cases.iter().find(asked));
        let claim = case.and_then(|c| c.decision.claim.as_ref());
        let (Some(case), Some(claim)) = (case, claim) else {
            return Err(StateError::UnknownQuestion(question));
        };
        let Hearing::Asked { shard, .. } = case.hearing else {
            return Err(StateError::UnknownQuestion(question));
        };
        let expected = claim.candidate.len() + claim.incumbent.len();
        if held.len() != expected {
            return Err(StateError::WrongCount { expected, got: held.len() });
        }
        let mean = |runs: &[RunId]| self.validation_losses(runs.iter()).map(|l| crate::stats::mean(&l));
        let validation = mean(&claim.incumbent).zip(mean(&claim.candidate)).map(|(b, c)| b - c);
        let held = self.credited(claim.candidate.iter().chain(&claim.incumbent).copied(), held)?;
        let hall = self.hall(question, shard).ok_or(StateError::UnknownQuestion(question))?;
        let (answer, release) = decide_pair(&hall, claim, held, validation).map_err(StateError::HeldOut)?;
        Ok(Event::Answered { question, proposal: case.decision.proposal, answer, release })
    }

    /// Where a question is heard; `None` without a holdout.
    pub(super) fn hall(&self, question: QuestionId, shard: u64) -> Option<Hall<'_>> {
        let rules = self.settings.holdout.as_ref()?;
        let memory = self.book.memory(shard);
        let (direction, seed) = (self.settings.direction, self.settings.seed);
        Some(Hall { rules, direction, seed, question: question.0, shard, memory })
    }

    /// What these runs lost on validation; `None` if one of them is forgotten.
    pub(super) fn validation_losses<'a>(&self, runs: impl Iterator<Item = &'a RunId>) -> Option<Vec<f64>> {
        runs.map(|id| self.ledger.runs.get(id)?.loss.as_ref().ok().copied()).collect()
    }

    /// Says that a question about a proposal cannot be answered, because its outputs cannot be measured on the holdout
    /// by the candidate's own fault. That counts as a no.
    ///
    /// # Errors
    /// The question was not asked about a proposal.
    pub fn holdout_failed(&mut self, question: QuestionId) -> Result<(), StateError> {
        if let Some(event) = self.examined(question, None)? {
            self.record(event);
            return Ok(());
        }
        let asked = |c: &&Case| matches!(c.hearing, Hearing::Asked { question: q, .. } if q == question);
        let case = self.court.as_ref().and_then(|court| court.cases.iter().find(asked));
        let proposal = case.map(|c| c.decision.proposal).ok_or(StateError::UnknownQuestion(question))?;
        let answer = Answer { passed: false, basis: Basis::Unmeasured };
        self.record(Event::Answered { question, proposal, answer, release: Release::default() });
        Ok(())
    }

    /// Says that something cost money: a run, or a question to a language model. Counts towards [`Limits::money`].
    ///
    /// # Errors
    /// The amount is negative or not a number.
    pub fn charged(&mut self, charge: Charge) -> Result<(), StateError> {
        if !charge.is_amount() {
            return Err(StateError::Charge { amount: charge.amount, what: charge.what });
        }
        if !charge.is_nothing() {
            self.record(Event::Charged(charge));
        }
        Ok(())
    }

    /// Leaves a line in the history that no decision rests on.
    pub fn remarked(&mut self, text: impl Into<String>) {
        self.record(Event::Remarked { text: text.into() });
    }

    /// Says that the proposer's next answer would cost more than [`Limits::money`] leaves: nobody is asked again before
    /// the study is resumed with a higher limit, and it ends when everything is judged.
    ///
    /// # Errors
    /// Nobody asked.
    pub fn unaffordable(&mut self) -> Result<(), StateError> {
        self.check_terms()?;
        if self.request.is_none() {
            return Err(StateError::NotAsked);
        }
        self.record(Event::Unaffordable);
        Ok(())
    }

    /// Tells the study to stop: nothing new starts, and what is under way is set back.
    pub fn stop(&mut self, reason: StopReason) {
        self.stop_after(reason, self.elapsed);
    }

    /// The same with the seconds that the study had been running.
    pub fn stop_after(&mut self, reason: StopReason, elapsed: f64) {
        if self.stopped().is_none() {
            self.record(Event::Stopping { reason, elapsed: finite(elapsed) });
        }
    }

    /// Lets a stopped study go on, or changes its limits.
    ///
    /// # Errors
    /// Limits that cannot work, such as no runs at all.
    pub fn resume(&mut self, limits: Limits, in_flight: usize) -> Result<(), StateError> {
        limits.check().map_err(StateError::Settings)?;
        self.record(Event::Resumed { limits, in_flight: in_flight.max(1) });
        Ok(())
    }

    /// Applies an event, remembers it for the store, and draws its consequences.
    pub(super) fn record(&mut self, event: Event<C>) {
        // A fact that ends the study draws that conclusion at once: it still comes first.
        let place = self.outbox.len();
        self.apply(&event);
        self.outbox.insert(place, event);
        self.draw();
    }
}

/// A time that can be stored and added up.
fn finite(seconds: f64) -> f64 {
    if seconds.is_finite() { seconds.max(0.0) } else { 0.0 }
}

fn check_direction(study: Direction, stated: Option<Direction>) -> Result<(), StateError> {
    let word = |d| match d {
        Direction::Minimize => "minimised",
        Direction::Maximize => "maximised",
    };
    match stated {
        Some(stated) if stated != study => {
            Err(StateError::Direction { stated: word(stated), study: word(study) })
        }
        _ => Ok(()),
    }
}
