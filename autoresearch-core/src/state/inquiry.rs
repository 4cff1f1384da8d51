//! An acceptor's question to the holdout about several factors at once; nothing is settled by it.

use super::{Event, HoldoutQuery, Job, PlannedRun, Split, StateError, StudyState};
use crate::accept::{EffectsClaim, EffectsTest, HoldoutStatus};
use crate::arm::{Arm, Part, QuestionId, RunId};
use crate::candidate::Candidate;
use crate::holdout::{Basis, HeldOut, Question, Release, contenders, decide_effects};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A question under way.
pub(super) struct Inquiry {
    pub(super) question: QuestionId,
    pub(super) shard: u64,
    pub(super) claim: EffectsClaim,
    /// Which factors it is about; `None`: validation has answered already, or the budget does not suffice.
    pub(super) asked: Vec<Option<bool>>,
    pub(super) handed: bool,
}

impl Inquiry {
    /// Gives the question out, once.
    pub(super) fn query<C: Candidate>(
        &mut self,
        confirmed: &BTreeMap<RunId, Job<C>>,
    ) -> Option<HoldoutQuery<C>> {
        if std::mem::replace(&mut self.handed, true) {
            return None;
        }
        let jobs = self.claim.runs().filter_map(|run| confirmed.get(&run));
        let runs =
            jobs.map(|job| PlannedRun::new(&job.spec, Arc::clone(&job.candidate), job.attempt)).collect();
        Some(HoldoutQuery { id: self.question, split: Split::Holdout, proposal: None, runs })
    }
}

impl<C: Candidate> StudyState<C> {
    /// Takes an acceptor's question. Only what validation would pass by itself is asked about: the rest cannot pass,
    /// whatever the holdout says, and costs no bit.
    pub(super) fn inquire(&mut self, mut claim: EffectsClaim) -> Result<(), String> {
        claim.check()?;
        self.leave_out_cleared(&mut claim);
        if let Some(run) = claim.runs().find(|run| !self.confirmed.contains_key(run)) {
            return Err(format!(
                "its question rests on run {}, which is not a finished confirming run",
                run.0
            ));
        }
        let wanted = contenders(&claim);
        if self.ledger.holdout == HoldoutStatus::Absent {
            let answers: Vec<Option<bool>> = wanted.iter().map(|w| Some(w.is_some())).collect();
            self.tell(&claim, &answers);
            return Ok(());
        }
        // The strongest first, where not all can be asked.
        let mut order: Vec<usize> = (0..wanted.len()).filter(|&j| wanted[j].is_some()).collect();
        order.sort_by(|&a, &b| wanted[b].unwrap_or(0.0).total_cmp(&wanted[a].unwrap_or(0.0)));
        let mut asked: Vec<Option<bool>> = wanted.iter().map(|w| w.map_or(Some(false), |_| None)).collect();
        let (shard, affordable) = self.spend(order.len() as u64);
        order.truncate(affordable as usize);
        if order.is_empty() {
            self.tell(&claim, &asked);
            return Ok(());
        }
        order.iter().for_each(|&j| asked[j] = Some(true));
        let question = self.take_question_id();
        self.inquiry = Some(Inquiry { question, shard, claim, asked, handed: false });
        Ok(())
    }

    /// What a certificate has settled already stays settled: it is not asked again, and counts as found.
    fn leave_out_cleared(&self, claim: &mut EffectsClaim) {
        let EffectsTest::Certificate { log_e, before, .. } = &mut claim.test else { return };
        for (factor, log_e) in claim.factors.iter().zip(log_e) {
            if self.is_cleared(factor) {
                *log_e = f64::NEG_INFINITY;
                *before += 1;
            }
        }
    }

    /// The event that holds the answers to the question under way.
    pub(super) fn examined(
        &self,
        question: QuestionId,
        held: Option<&[HeldOut]>,
    ) -> Result<Option<Event<C>>, StateError> {
        let Some(inquiry) = self.inquiry.as_ref().filter(|i| i.question == question) else {
            return Ok(None);
        };
        let claim = &inquiry.claim;
        let (bits, basis, release) = match (held, self.hall(question, inquiry.shard)) {
            (Some(held), Some(hall)) => {
                let (expected, got) = (claim.runs().count(), held.len());
                if expected != got {
                    return Err(StateError::WrongCount { expected, got });
                }
                let runs: Vec<RunId> = claim.runs().collect();
                let jobs = runs.iter().filter_map(|run| self.confirmed.get(run));
                let question = Question {
                    claim,
                    asked: inquiry.asked.iter().map(|a| *a == Some(true)).collect(),
                    confirmed: claim.factors.iter().map(|f| self.is_cleared(f)).collect(),
                    arms: jobs.map(|job| &job.spec.arm).collect(),
                    validation: self.validation_losses(runs.iter()),
                };
                decide_effects(&hall, &question, self.credited(claim.runs(), held.to_vec())?)
                    .map_err(StateError::HeldOut)?
            }
            _ => (vec![false; inquiry.asked.len()], Basis::Unmeasured, Release::default()),
        };
        let answers =
            inquiry.asked.iter().zip(bits).map(|(a, bit)| if *a == Some(true) { Some(bit) } else { *a });
        let (factors, answers) = (claim.factors.clone(), answers.collect());
        Ok(Some(Event::Examined { question, factors, answers, basis, release }))
    }

    /// Whether the holdout has said yes to all of a factor, for the incumbent of now.
    fn is_cleared(&self, factor: &Arm) -> bool {
        factor.parts().iter().all(|part| self.cleared.contains(part))
    }

    /// The holdout has answered.
    pub(super) fn hear(&mut self, question: QuestionId, answers: &[Option<bool>], release: &Release) {
        let Some(inquiry) = self.inquiry.take_if(|i| i.question == question) else { return };
        let asked = || inquiry.asked.iter().zip(answers).filter(|(asked, _)| **asked == Some(true));
        let yes = asked().filter(|(_, answer)| **answer == Some(true)).count();
        self.book.answered(inquiry.shard, asked().count() as u64, yes as u64, release);
        self.ledger.holdout = self.book.status();
        self.tell(&inquiry.claim, answers);
    }

    fn tell(&mut self, claim: &EffectsClaim, answers: &[Option<bool>]) {
        let passed = claim.factors.iter().zip(answers).filter(|(_, answer)| **answer == Some(true));
        let passed: Vec<Part> = passed.flat_map(|(factor, _)| factor.parts().iter().copied()).collect();
        let settled = matches!(claim.test, EffectsTest::Certificate { .. });
        let answer = |(factor, answer): (&Arm, &Option<bool>)| {
            if settled && self.is_cleared(factor) { Some(true) } else { *answer }
        };
        let answers: Vec<Option<bool>> = claim.factors.iter().zip(answers).map(answer).collect();
        self.cleared.extend(passed);
        self.acceptor.answered(&answers);
    }
}

impl EffectsClaim {
    /// All runs, in order.
    pub(super) fn runs(&self) -> impl Iterator<Item = RunId> + '_ {
        self.groups.iter().flat_map(|group| &group.blocks).flatten().copied()
    }

    fn check(&self) -> Result<(), String> {
        let n = match &self.test {
            EffectsTest::Levels(levels) => levels.len(),
            EffectsTest::Certificate { log_e, .. } => log_e.len(),
        };
        match (self.factors.is_empty(), self.runs().next().is_none(), n == self.factors.len()) {
            (true, ..) => Err("its question names no factor".into()),
            (_, true, _) => Err("its question rests on no run".into()),
            (.., false) => Err(format!("its question is about {} factors and tests {n}", self.factors.len())),
            _ => Ok(()),
        }
    }
}
