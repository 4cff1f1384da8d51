//! An acceptor's question to the holdout about several factors at once; nothing is settled by it.

use super::{Event, HoldoutQuery, Job, PlannedRun, Split, StateError, StudyState};
use crate::accept::{EffectsClaim, EffectsTest, HoldoutStatus};
use crate::arm::{Part, QuestionId, RunId};
use crate::candidate::Candidate;
use crate::holdout::{Basis, HeldOut, contenders, examine};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A question under way.
pub(super) struct Inquiry {
    pub(super) question: QuestionId,
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
    pub(super) fn inquire(&mut self, claim: EffectsClaim) -> Result<(), String> {
        claim.check()?;
        if let Some(run) = claim.runs().find(|run| !self.confirmed.contains_key(run)) {
            return Err(format!(
                "its question rests on run {}, which is not a finished confirming run",
                run.0
            ));
        }
        let wanted = contenders(&claim);
        let left = match self.ledger.holdout {
            HoldoutStatus::Absent => {
                let answers: Vec<Option<bool>> = wanted.iter().map(|w| Some(w.is_some())).collect();
                self.tell(&claim, &answers);
                return Ok(());
            }
            HoldoutStatus::Spent => 0,
            HoldoutStatus::Open { left } => left,
        };
        // The strongest first, where not all can be asked.
        let mut order: Vec<usize> = (0..wanted.len()).filter(|&j| wanted[j].is_some()).collect();
        order.sort_by(|&a, &b| wanted[b].unwrap_or(0.0).total_cmp(&wanted[a].unwrap_or(0.0)));
        let mut asked: Vec<Option<bool>> = wanted.iter().map(|w| w.map_or(Some(false), |_| None)).collect();
        let affordable = order.len().min(left as usize);
        order[..affordable].iter().for_each(|&j| asked[j] = Some(true));
        self.refused |= affordable < order.len();
        self.spend(affordable as u64);
        if affordable == 0 {
            self.tell(&claim, &asked);
            return Ok(());
        }
        let question = self.take_question_id();
        self.inquiry = Some(Inquiry { question, claim, asked, handed: false });
        Ok(())
    }

    /// The event that holds the answers to the question under way.
    pub(super) fn examined(
        &self,
        question: QuestionId,
        held: Option<Vec<HeldOut>>,
    ) -> Result<Option<Event<C>>, StateError> {
        let Some(inquiry) = self.inquiry.as_ref().filter(|i| i.question == question) else {
            return Ok(None);
        };
        let claim = &inquiry.claim;
        let asked: Vec<bool> = inquiry.asked.iter().map(|a| *a == Some(true)).collect();
        let (bits, basis) = match (held, &self.settings.holdout) {
            (Some(held), Some(rules)) => {
                let (expected, got) = (claim.runs().count(), held.len());
                if expected != got {
                    return Err(StateError::WrongCount { expected, got });
                }
                let arms: Vec<_> = claim
                    .runs()
                    .filter_map(|run| self.confirmed.get(&run))
                    .map(|job| &job.spec.arm)
                    .collect();
                let from = self.asked_before(&asked);
                let held = rules.on_shard(from, held).map_err(StateError::HeldOut)?;
                let held = self.credited(claim.runs(), held)?;
                examine(claim, &asked, &arms, &held, rules, self.settings.direction)
                    .map_err(StateError::HeldOut)?
            }
            _ => (vec![false; asked.len()], Basis::Unmeasured),
        };
        let answers =
            inquiry.asked.iter().zip(bits).map(|(a, bit)| if *a == Some(true) { Some(bit) } else { *a });
        Ok(Some(Event::Examined {
            question,
            factors: claim.factors.clone(),
            answers: answers.collect(),
            basis,
        }))
    }

    /// How many questions the holdout had answered before the one under way, which is about so many factors.
    fn asked_before(&self, asked: &[bool]) -> u64 {
        self.questions_asked().saturating_sub(asked.iter().filter(|a| **a).count() as u64)
    }

    /// How many questions the holdout has been asked so far, those under way included.
    pub(super) fn questions_asked(&self) -> u64 {
        let all = self.settings.holdout.as_ref().map_or(0, |h| h.questions());
        match self.ledger.holdout {
            HoldoutStatus::Open { left } => all.saturating_sub(left),
            _ => all,
        }
    }

    /// The holdout has answered.
    pub(super) fn hear(&mut self, question: QuestionId, answers: &[Option<bool>]) {
        if let Some(inquiry) = self.inquiry.take_if(|i| i.question == question) {
            self.tell(&inquiry.claim, answers);
        }
    }

    fn tell(&mut self, claim: &EffectsClaim, answers: &[Option<bool>]) {
        let passed = claim.factors.iter().zip(answers).filter(|(_, answer)| **answer == Some(true));
        self.cleared
            .extend(passed.flat_map(|(factor, _)| factor.parts().iter().copied()).collect::<Vec<Part>>());
        self.acceptor.answered(answers);
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
