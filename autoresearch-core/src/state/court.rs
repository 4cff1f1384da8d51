//! The court: settles proposals, those that are accepted after the holdout has spoken.

use super::{Event, Phase, StudyState};
use crate::accept::{Decision, HoldoutStatus, RunRecord, Verdict};
use crate::arm::{Arm, Part, QuestionId, RunId, Version};
use crate::candidate::Candidate;
use crate::compose::Conflict;
use crate::curate::Settled;
use crate::failure::FailureKind;
use crate::holdout::Answer;
use crate::limits::StopReason;
use crate::propose::{Fate, TrialRecord};
use crate::stats::Moments;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Decisions of one step, some of which wait for the holdout.
pub(super) struct Court {
    pub(super) cases: Vec<Case>,
}

pub(super) struct Case {
    pub(super) decision: Decision,
    pub(super) hearing: Hearing,
    /// Which constraint it breaks; the holdout is then not asked.
    pub(super) objection: Option<String>,
}

/// Where a case stands with the holdout.
pub(super) enum Hearing {
    /// It needs no answer.
    None,
    /// There was no question left for it.
    Refused,
    Asked {
        question: QuestionId,
        shard: u64,
        handed: bool,
    },
    Heard(Answer),
}

impl<C: Candidate> StudyState<C> {
    /// Opens the court: settles what needs no holdout when nothing does, else waits for the answers.
    pub(super) fn decide(&mut self, decisions: Vec<Decision>) -> Result<(), String> {
        if decisions.is_empty() {
            return Err("it decides, and names no proposal".into());
        }
        let (several, mut seen) = (decisions.len() > 1, BTreeSet::new());
        let mut cases = Vec::with_capacity(decisions.len());
        for decision in decisions {
            let p = decision.proposal;
            if self.deferred.contains(&p) {
                continue; // pending for good: questions do not come back
            }
            // What was set aside may be settled once more, with whatever outcome.
            let waits = self.live.contains_key(&p) || self.aside.contains_key(&p);
            // Nearly always it is the only one.
            let twice = several && !seen.insert(p);
            if !waits || twice {
                return Err(format!("it decides on proposal {}, which is not waiting for judgement", p.0));
            }
            let objection = self.objection(&decision);
            let hearing = match (decision.verdict, &decision.claim) {
                (Verdict::Reject | Verdict::SetAside | Verdict::Undecided | Verdict::Rebase, _) => {
                    Hearing::None
                }
                (Verdict::Accept, Some(_)) => self.summon(&decision, objection.is_none())?,
                (Verdict::Accept, None) => self.find_cleared(&decision)?,
                (other, _) => return Err(format!("{other:?} on proposal {} settles nothing", p.0)),
            };
            cases.push(Case { decision, hearing, objection });
        }
        if !cases.is_empty() {
            self.court = Some(Court { cases });
        } else if matches!(self.phase, Phase::Searching) {
            self.phase = Phase::Draining(StopReason::HoldoutSpent);
        }
        Ok(())
    }

    /// What is kept without a claim must have been answered with yes before.
    fn find_cleared(&self, decision: &Decision) -> Result<Hearing, String> {
        match parts(decision).iter().find(|part| !self.cleared.contains(part)) {
            None => Ok(Hearing::None),
            Some(part) => Err(format!(
                "it accepts {} without a claim, and no question about it was answered with yes",
                Arm::from_iter([*part])
            )),
        }
    }

    /// Checks a claim, and has the holdout asked about it where that is of use.
    fn summon(&mut self, decision: &Decision, ask: bool) -> Result<Hearing, String> {
        let p = decision.proposal;
        let claim = decision.claim.as_ref().ok_or(format!("it accepts proposal {} without a claim", p.0))?;
        if claim.candidate.is_empty() || claim.incumbent.is_empty() {
            return Err(format!("its claim on proposal {} has an arm without runs", p.0));
        }
        if claim.paired && claim.candidate.len() != claim.incumbent.len() {
            return Err(format!("its claim on proposal {} is paired, and its arms differ in length", p.0));
        }
        let mut all = claim.candidate.iter().chain(&claim.incumbent);
        if let Some(id) = all.find(|id| !self.confirmed.contains_key(id)) {
            let what = "which is not a finished confirming run";
            return Err(format!("its claim on proposal {} rests on run {}, {what}", p.0, id.0));
        }
        match self.ledger.holdout {
            _ if !ask => Ok(Hearing::None),
            HoldoutStatus::Absent => Ok(Hearing::None),
            HoldoutStatus::Spent | HoldoutStatus::Open { .. } => match self.spend(1) {
                (_, 0) => Ok(Hearing::Refused),
                (shard, _) => Ok(Hearing::Asked { question: self.take_question_id(), shard, handed: false }),
            },
        }
    }

    /// Takes questions from the holdout's budget: which shard answers, and how many of them it can.
    pub(super) fn spend(&mut self, questions: u64) -> (u64, u64) {
        let (shard, granted) = self.book.ask(questions);
        self.ledger.holdout = self.book.status();
        // Where shards are left, those can be asked what one shard could not answer all of.
        self.refused |= granted < questions && self.ledger.holdout == HoldoutStatus::Spent;
        (shard, granted)
    }

    /// Settles all cases of the court; what is kept joins the incumbent in one step.
    pub(super) fn conclude(&mut self) {
        let Some(Court { cases }) = self.court.take() else { return };
        let mut verdicts = Vec::with_capacity(cases.len());
        let (mut accepted, mut built) = (Arm::incumbent(), None);
        let mut undecided = Vec::new();
        for mut case in cases {
            self.take_credit(&mut case.decision);
            if matches!(case.hearing, Hearing::Refused) {
                self.defer(&case.decision);
                continue;
            }
            let mut fate = judge(&mut case);
            if fate == Fate::Kept {
                match self.add(&accepted, &case.decision) {
                    Ok((arm, candidate)) => (accepted, built) = (arm, Some(candidate)),
                    Err(conflict) => (fate, case.decision.reason) = (Fate::Conflict, conflict.to_string()),
                }
            } else if fate == Fate::Undecided {
                undecided.push(case.decision.clone());
            }
            verdicts.push((case.decision, fate));
        }
        // Built on the incumbent of before, like everything else in this step.
        let mut stack = None;
        for decision in &undecided {
            let on = stack.as_ref().map_or(&accepted, |(arm, _)| arm);
            // What does not fit beside the others is left out.
            stack = self.add(on, decision).ok().or(stack);
        }
        if let Some(candidate) = built {
            self.keep_credit(&accepted);
            self.incumbents.push(candidate);
            self.ledger.version = Version(self.ledger.version.0 + 1);
            self.champions.clear();
            self.cleared.clear();
            self.incumbent_losses = Moments::new();
            self.stack = None;
        }
        self.stack = stack.or(self.stack.take());
        for (decision, fate) in verdicts {
            self.settle(decision, fate);
        }
        self.forget();
        let version = self.ledger.version;
        let newest = Arc::clone(self.newest());
        if let Some(request) = &mut self.request
            && request.on.is_incumbent()
        {
            (request.version, request.candidate) = (version, newest);
        }
    }

    /// An arm with what a decision is about switched on as well.
    fn add(&self, arm: &Arm, decision: &Decision) -> Result<(Arm, Arc<C>), Conflict> {
        let with = parts(decision).into_iter().fold(arm.clone(), |arm, part| arm.with(part));
        let candidate = self.materialise(&with)?;
        Ok((with, candidate))
    }

    /// Accepted on validation, and no question left for it: it stays pending.
    fn defer(&mut self, decision: &Decision) {
        self.deferred.insert(decision.proposal);
        let reason = format!(
            "{}; the holdout's budget of questions is spent, so it could not be confirmed and stays pending",
            decision.reason
        );
        self.outbox.push(Event::Deferred { proposal: decision.proposal, reason });
    }

    /// Why no further proposal may or can be kept.
    pub(super) fn nothing_more_to_keep(&self) -> Option<StopReason> {
        if self.ledger.limits.accepted.is_some_and(|limit| self.ledger.kept >= limit) {
            return Some(StopReason::Accepted);
        }
        if let Some(reason) = self.ledger.spent() {
            return Some(reason);
        }
        let spent = self.refused || self.ledger.holdout == HoldoutStatus::Spent;
        spent.then_some(StopReason::HoldoutSpent)
    }

    fn settle(&mut self, decision: Decision, fate: Fate) {
        let id = decision.proposal;
        let Some(live) = self.live.remove(&id).or_else(|| self.aside.remove(&id)) else { return };
        let Some(pending) = self.ledger.live.remove(&id).or_else(|| self.ledger.aside.remove(&id)) else {
            return;
        };
        if decision.verdict == Verdict::Rebase {
            self.ledger.exhausted = false; // whoever proposed it may have it anew
            self.no_longer_dry();
        }
        if fate == Fate::Kept {
            self.ledger.kept += 1;
            self.kept.push(id);
            self.champions.extend(decision.claim.iter().flat_map(|c| c.candidate.iter().copied()));
        }
        let outcome = Settled::new(id, &live.proposal.hypothesis, fate, live.runs).effect(decision.effect);
        self.learn(&outcome.version(self.ledger.version).because(&decision.reason));
        self.outbox.push(Event::Settled {
            proposal: id,
            fate,
            units: decision.units.clone(),
            together: decision.together.clone(),
            version: self.ledger.version,
            effect: decision.effect,
            strength: decision.strength,
            runs: live.runs,
            reason: decision.reason.clone(),
        });
        let key = |k: &u16| live.units.get(usize::from(*k)).map(|unit| unit.key.clone());
        let keys = decision.units.iter().flatten().filter_map(key).collect();
        self.history.push(TrialRecord {
            id,
            proposal: Arc::clone(&live.proposal),
            parent: Arc::clone(&live.parent),
            units: decision.units,
            together: decision.together,
            version: self.ledger.version,
            fate,
            effect: decision.effect,
            reason: decision.reason,
            runs: live.runs,
            keys,
        });
        if fate == Fate::SetAside {
            self.aside.insert(id, live);
            self.ledger.aside.insert(id, pending);
        }
        self.acceptor.settled(id, fate == Fate::Kept);
    }

    /// Whether anything may still be decided with this run. What was set aside may be taken up again.
    pub(super) fn still_matters(&self, run: &RunRecord) -> bool {
        let is_open = |p| self.live.contains_key(&p) || self.aside.contains_key(&p);
        match run.about {
            Some(proposal) => self.live.contains_key(&proposal),
            None if run.arm.is_incumbent() => run.version == self.ledger.version,
            None => run.arm.proposals().any(is_open),
        }
    }

    /// Forgets runs that nothing can be decided with any more, so that memory does not grow with the history.
    fn forget(&mut self) {
        let known = |id: &RunId| self.ledger.runs.get(id).is_some_and(|run| self.still_matters(run));
        let is_gone = |id: &RunId| !self.champions.contains(id) && !known(id);
        let gone: Vec<RunId> = self.confirmed.keys().copied().filter(is_gone).collect();
        for id in gone {
            self.confirmed.remove(&id);
            self.forget_note(id);
        }
        // Going through all runs at each settlement would cost more and more: only when they have doubled.
        if self.ledger.runs.len() >= self.forget_at {
            // Few are left of many: made anew, not taken out one by one.
            let runs = std::mem::take(&mut self.ledger.runs);
            self.ledger.runs = runs.into_iter().filter(|(_, run)| self.still_matters(run)).collect();
            self.forget_at = 2 * self.ledger.runs.len() + 64;
        }
    }
}

/// What becomes of a case, now that the holdout has spoken; it adds to the reason what the policy does not know.
fn judge(case: &mut Case) -> Fate {
    let Decision { verdict, failure, reason, .. } = &mut case.decision;
    if let Some(objection) = &case.objection {
        *reason += "; ";
        *reason += objection;
        return Fate::Rejected;
    }
    match (&case.hearing, failure, verdict) {
        (Hearing::Heard(answer), ..) if !answer.passed => {
            *reason += "; the holdout does not confirm it";
            Fate::HeldBack
        }
        (_, _, Verdict::Accept) => Fate::Kept,
        (_, _, Verdict::SetAside) => Fate::SetAside,
        (_, _, Verdict::Undecided) => Fate::Undecided,
        (_, _, Verdict::Rebase) => Fate::Conflict,
        (_, Some(failure), _) if failure.what() == FailureKind::Conflict => Fate::Conflict,
        (_, Some(_), _) => Fate::Failed,
        _ => Fate::Rejected,
    }
}

pub(super) fn parts(decision: &Decision) -> Vec<Part> {
    match &decision.units {
        None => vec![decision.proposal.into()],
        Some(units) => {
            units.iter().map(|&unit| Part { proposal: decision.proposal, unit: Some(unit) }).collect()
        }
    }
}
