//! Consequences: asks the acceptor until it waits, and carries out what it decides.

use super::{Case, Court, Event, Hearing, Job, Phase, Request, RunSpec, StudyState, materialise};
use crate::accept::{Cohort, Decision, HoldoutStatus, Plan, RunRecord, Step, Verdict};
use crate::arm::{Arm, Part, QuestionId, RunId, Version};
use crate::candidate::Candidate;
use crate::failure::{FailureKind, RunFailure};
use crate::limits::StopReason;
use crate::propose::{Fate, TrialRecord};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

impl<C: Candidate> StudyState<C> {
    /// Draws all consequences of what is known. Depends on the facts alone, not on which actions were given out:
    /// a run counts from its planning to its end, so the rhythm of the caller changes nothing.
    pub(super) fn pump(&mut self) {
        loop {
            match self.phase {
                Phase::Searching | Phase::Draining(_) => {}
                Phase::Finale(_) => return self.pump_finale(),
                Phase::Stopped(_) => return,
            }
            if let Some(court) = &self.court {
                if court.cases.iter().any(|c| matches!(c.hearing, Hearing::Asked { .. })) {
                    return;
                }
                self.conclude();
                continue;
            }
            if matches!(self.phase, Phase::Searching)
                && let Some(reason) = self.nothing_more_to_keep()
            {
                self.phase = Phase::Draining(reason);
            }
            let draining = matches!(self.phase, Phase::Draining(_));
            if !draining && !self.shelf.is_empty() {
                self.take_from_shelf();
                continue;
            }
            if !draining && self.ledger.outstanding >= self.ledger.capacity {
                return;
            }
            let step = {
                let (live, ledger, compose) = (&self.live, &self.ledger, self.compose.as_deref());
                let newest = &self.incumbents[self.incumbents.len() - 1];
                let composes = |arm: &Arm| materialise(newest, live, ledger, compose, arm).is_ok();
                let cohort = Cohort::new(&self.ledger, &composes);
                let acceptor = &mut self.acceptor;
                catch_unwind(AssertUnwindSafe(|| acceptor.next(&cohort)))
            };
            let Ok(step) = step else {
                self.halt(StopReason::AcceptorFailed("it panicked".into()));
                continue;
            };
            match step {
                Step::Decide(decisions) => {
                    if let Err(why) = self.decide(decisions) {
                        self.halt(StopReason::AcceptorFailed(why));
                    }
                }
                step if draining => {
                    // The acceptor counts on its plans: they are kept for when the study is resumed.
                    if let Step::Run(plans) = step {
                        self.plan(plans);
                    }
                    if self.ledger.outstanding > 0 {
                        return;
                    }
                    self.end_search();
                }
                Step::Run(plans) => self.plan(plans),
                Step::Propose { on, wanted } => {
                    if self.request.is_some() {
                        return;
                    }
                    self.ask(on, wanted);
                }
                Step::Wait => {
                    if self.ledger.outstanding == 0 && self.request.is_none() {
                        let why = "it waits although nothing is under way".into();
                        self.halt(StopReason::AcceptorFailed(why));
                        continue;
                    }
                    return;
                }
                Step::Finish => self.phase = Phase::Draining(StopReason::Exhausted),
            }
        }
    }

    fn ask(&mut self, on: Arm, wanted: usize) {
        if self.ledger.no_more_proposals() {
            self.phase = Phase::Draining(StopReason::Exhausted);
            return;
        }
        let left = self.ledger.proposals_left().map_or(usize::MAX, |n| n as usize);
        let wanted = wanted.clamp(1, left);
        match self.materialise(&on) {
            Ok(candidate) => {
                self.ledger.asked = wanted;
                let version = self.ledger.version;
                self.request =
                    Some(Request { on, version, candidate, wanted, handed: None, snoozing: false });
            }
            Err(conflict) => {
                self.halt(StopReason::AcceptorFailed(format!("proposals were to build on {on}: {conflict}")))
            }
        }
    }

    fn plan(&mut self, plans: Vec<Plan>) {
        if plans.is_empty() {
            return self.halt(StopReason::AcceptorFailed("it wants to run, and names no run".into()));
        }
        for plan in plans {
            let id = self.take_run_id();
            self.ledger.use_seed(plan.seed);
            let version = self.ledger.version;
            let Plan { arm, seed, role, about } = plan;
            match self.materialise(&arm) {
                Ok(candidate) => {
                    let spec = RunSpec { id, arm, version, seed, role, about };
                    self.shelf.push(Job { spec, candidate, attempt: 0 });
                }
                Err(conflict) => {
                    // It cannot be built, so there is nothing to run: the acceptor finds the failure at once.
                    let loss = Err(RunFailure::candidate(conflict.to_string()).kind(FailureKind::Conflict));
                    let record = RunRecord { id, arm, version, seed, role, about, loss };
                    self.ledger.runs.insert(id, record);
                }
            }
        }
    }

    /// Lets planned runs start, all or none of them: half a pair is of no use.
    fn take_from_shelf(&mut self) {
        let planned = self.shelf.len();
        if let (0, Some(limit)) = (self.ledger.started, self.ledger.limits.runs)
            && limit < planned as u64
        {
            return self.halt(StopReason::TooFewRuns { needed: planned as u64, limit });
        }
        if self.ledger.runs_left().is_some_and(|left| left < planned as u64) {
            self.phase = Phase::Draining(StopReason::Runs);
            return;
        }
        self.queue.extend(self.shelf.drain(..));
        self.ledger.outstanding += planned;
        self.ledger.started += planned as u64;
    }

    pub(super) fn take_run_id(&mut self) -> RunId {
        let id = self.ledger.next_run;
        self.ledger.next_run.0 += 1;
        id
    }

    /// Opens the court: settles what needs no holdout when nothing does, else waits for the answers.
    fn decide(&mut self, decisions: Vec<Decision>) -> Result<(), String> {
        if decisions.is_empty() {
            return Err("it decides, and names no proposal".into());
        }
        let mut seen = BTreeSet::new();
        let mut cases = Vec::with_capacity(decisions.len());
        for decision in decisions {
            let p = decision.proposal;
            if !self.live.contains_key(&p) || !seen.insert(p) {
                return Err(format!("it decides on proposal {}, which is not waiting for judgement", p.0));
            }
            let hearing = match decision.verdict {
                Verdict::Reject => Hearing::None,
                Verdict::Accept => self.summon(&decision)?,
                other => return Err(format!("{other:?} on proposal {} settles nothing", p.0)),
            };
            cases.push(Case { decision, hearing });
        }
        self.court = Some(Court { cases });
        Ok(())
    }

    fn summon(&mut self, decision: &Decision) -> Result<Hearing, String> {
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
            HoldoutStatus::Absent => Ok(Hearing::None),
            HoldoutStatus::Spent => Ok(Hearing::Refused),
            HoldoutStatus::Open { left } => {
                self.ledger.holdout =
                    if left > 1 { HoldoutStatus::Open { left: left - 1 } } else { HoldoutStatus::Spent };
                Ok(Hearing::Asked { question: self.take_question_id(), handed: false })
            }
        }
    }

    pub(super) fn take_question_id(&mut self) -> QuestionId {
        let id = QuestionId(self.next_question);
        self.next_question += 1;
        id
    }

    /// Settles all cases of the court; what is kept joins the incumbent in one step.
    fn conclude(&mut self) {
        let Some(Court { cases }) = self.court.take() else { return };
        let mut stack = Arm::incumbent();
        let mut built = None;
        let mut verdicts = Vec::with_capacity(cases.len());
        for case in cases {
            let (mut fate, mut reason) = judge(&case);
            if fate == Fate::Kept {
                let with = parts(&case.decision).into_iter().fold(stack.clone(), |arm, part| arm.with(part));
                match self.materialise(&with) {
                    Ok(candidate) => (stack, built) = (with, Some(candidate)),
                    Err(conflict) => (fate, reason) = (Fate::Conflict, conflict.to_string()),
                }
            }
            verdicts.push((case.decision, fate, reason));
        }
        if let Some(candidate) = built {
            self.incumbents.push(candidate);
            self.ledger.version = Version(self.ledger.version.0 + 1);
            self.champions.clear();
        }
        for (decision, fate, reason) in verdicts {
            self.settle(decision, fate, reason);
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

    /// Why no further proposal may or can be kept.
    fn nothing_more_to_keep(&self) -> Option<StopReason> {
        if self.ledger.limits.accepted.is_some_and(|limit| self.ledger.kept >= limit) {
            return Some(StopReason::Accepted);
        }
        (self.ledger.holdout == HoldoutStatus::Spent).then_some(StopReason::HoldoutSpent)
    }

    fn settle(&mut self, decision: Decision, fate: Fate, reason: String) {
        let id = decision.proposal;
        let (Some(live), Some(_)) = (self.live.remove(&id), self.ledger.live.remove(&id)) else { return };
        if fate == Fate::Kept {
            self.ledger.kept += 1;
            self.kept.push(id);
            self.champions.extend(decision.claim.iter().flat_map(|c| c.candidate.iter().copied()));
        }
        self.outbox.push(Event::Settled {
            proposal: id,
            fate,
            units: decision.units,
            version: self.ledger.version,
            effect: decision.effect,
            strength: decision.strength,
            runs: live.runs,
            reason: reason.clone(),
        });
        self.history.push(TrialRecord {
            id,
            proposal: live.proposal,
            version: self.ledger.version,
            fate,
            effect: decision.effect,
            reason,
            runs: live.runs,
        });
        self.acceptor.settled(id, fate == Fate::Kept);
    }

    /// Whether anything may still be decided with this run.
    pub(super) fn still_matters(&self, run: &RunRecord) -> bool {
        match run.about {
            Some(proposal) => self.live.contains_key(&proposal),
            None if run.arm.is_incumbent() => run.version == self.ledger.version,
            None => run.arm.proposals().any(|p| self.live.contains_key(&p)),
        }
    }

    /// Forgets runs that nothing can be decided with any more, so that memory does not grow with the history.
    fn forget(&mut self) {
        let mut runs = std::mem::take(&mut self.ledger.runs);
        runs.retain(|_, run| self.still_matters(run));
        self.ledger.runs = runs;
        let (known, champions) = (&self.ledger.runs, &self.champions);
        self.confirmed.retain(|id, _| known.contains_key(id) || champions.contains(id));
    }

    /// Stops at once: what is under way is set back, to be run again if the study is resumed.
    pub(super) fn halt(&mut self, reason: StopReason) {
        for job in std::mem::take(&mut self.flying).into_values().rev() {
            self.requeue(job);
        }
        if let Some(request) = &mut self.request {
            request.handed = None;
        }
        for case in self.court.iter_mut().flat_map(|c| &mut c.cases) {
            if let Hearing::Asked { handed, .. } = &mut case.hearing {
                *handed = false;
            }
        }
        self.finale.set_back();
        self.phase = Phase::Draining(reason);
        self.end_search();
    }
}

/// What becomes of a case, now that the holdout has spoken.
fn judge(case: &Case) -> (Fate, String) {
    let why = &case.decision.reason;
    match (&case.hearing, &case.decision.failure, case.decision.verdict) {
        (Hearing::Refused, ..) => (
            Fate::Unconfirmed,
            format!("{why}; the holdout's query budget is spent, so it could not be confirmed"),
        ),
        (Hearing::Heard(answer), ..) if !answer.passed => {
            (Fate::HeldBack, format!("{why}; the holdout does not confirm it"))
        }
        (_, _, Verdict::Accept) => (Fate::Kept, why.clone()),
        (_, Some(failure), _) if failure.what() == FailureKind::Conflict => (Fate::Conflict, why.clone()),
        (_, Some(_), _) => (Fate::Failed, why.clone()),
        _ => (Fate::Rejected, why.clone()),
    }
}

fn parts(decision: &Decision) -> Vec<Part> {
    match &decision.units {
        None => vec![decision.proposal.into()],
        Some(units) => {
            units.iter().map(|&unit| Part { proposal: decision.proposal, unit: Some(unit) }).collect()
        }
    }
}
