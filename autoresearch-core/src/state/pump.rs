//! Consequences: asks the acceptor until it waits, and carries out what it decides.

use super::{Hearing, Job, Phase, Request, RunSpec, StudyState, Workshop};
use crate::accept::{Cohort, Plan, Role, RunRecord, Standing, Step};
use crate::arm::{Arm, QuestionId, RunId};
use crate::candidate::Candidate;
use crate::failure::{FailureKind, RunFailure};
use crate::limits::StopReason;
use std::panic::{AssertUnwindSafe, catch_unwind};

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
            if self.inquiry.is_some() {
                return; // the holdout is being asked
            }
            if self.serve() {
                continue;
            }
            let draining = matches!(self.phase, Phase::Draining(_));
            if !draining && !self.shelf.is_empty() {
                self.take_from_shelf();
                continue;
            }
            if !draining && self.ledger.outstanding >= self.ledger.capacity {
                return;
            }
            // It would plan once more, and take more numbers of runs, for what says nothing to it: a remark, or a run whose
            // turn has not come.
            if draining && self.consulted {
                return;
            }
            let step = {
                let workshop = Workshop {
                    incumbent: &self.incumbents[self.incumbents.len() - 1],
                    live: &self.live,
                    aside: &self.aside,
                    ledger: &self.ledger,
                    compose: self.compose.as_deref(),
                    stale: self.settings.stale,
                };
                let cohort = Cohort::new(&self.ledger, &workshop);
                let acceptor = &mut self.acceptor;
                catch_unwind(AssertUnwindSafe(|| acceptor.next(&cohort)))
            };
            let Ok(step) = step else {
                self.halt(StopReason::AcceptorFailed("it panicked".into()));
                continue;
            };
            // Measuring the incumbent may go on; what could only lead to something that cannot be kept may not.
            if matches!(self.phase, Phase::Searching)
                && leads_to_more(&step)
                && let Some(reason) = self.nothing_more_to_keep()
            {
                self.phase = Phase::Draining(reason);
            }
            let draining = matches!(self.phase, Phase::Draining(_));
            match step {
                Step::Decide(decisions) => {
                    if let Err(why) = self.decide(decisions) {
                        self.halt(StopReason::AcceptorFailed(why));
                    } else if self.court.is_none() {
                        // All of it waits for a holdout that answers no more; asking again would change nothing.
                        if self.ledger.outstanding > 0 {
                            self.consulted = true;
                            return;
                        }
                        self.end_search();
                    }
                }
                Step::Ask(claim) => {
                    self.terms.experiment = Some(claim.clone());
                    if let Err(why) = self.inquire(claim) {
                        self.halt(StopReason::AcceptorFailed(why));
                    }
                }
                step if draining => {
                    // The acceptor counts on its plans: they are kept for when the study is resumed.
                    if let Step::Run(plans) = step {
                        self.plan(plans);
                    }
                    if self.ledger.outstanding > 0 {
                        self.consulted = true;
                        return;
                    }
                    self.end_search();
                }
                Step::Run(plans) => self.plan(plans),
                Step::Propose { on, wanted, standing } => {
                    if self.request.is_some() {
                        return;
                    }
                    self.ask(on, wanted, standing);
                }
                Step::Wait => {
                    if self.ledger.outstanding == 0 && self.request.is_none() {
                        let why = "it waits although nothing is under way".into();
                        self.halt(StopReason::AcceptorFailed(why));
                        continue;
                    }
                    return;
                }
                Step::Finish => self.phase = Phase::Draining(self.why_finished()),
            }
        }
    }

    /// Why an acceptor has had enough: there is nothing left to try, or what is left of the budget is of no use to it.
    fn why_finished(&self) -> StopReason {
        let scarce = self.ledger.affordable().filter(|_| !self.ledger.no_more_proposals());
        scarce.map_or_else(|| self.ledger.nobody_proposes(), |(_, limit)| limit)
    }

    fn ask(&mut self, on: Arm, wanted: usize, standing: Standing) {
        if self.ledger.no_more_proposals() {
            self.phase = Phase::Draining(self.ledger.nobody_proposes());
            return;
        }
        let left = self.ledger.proposals_left().map_or(usize::MAX, |n| n as usize);
        let wanted = wanted.clamp(1, left);
        match self.materialise(&on) {
            Ok(candidate) => {
                self.ledger.asked = wanted;
                let version = self.ledger.version;
                let (handed, snoozing) = (None, false);
                self.request = Some(Request { on, version, candidate, wanted, standing, handed, snoozing });
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
                    self.note_plan(id, &arm);
                    let spec = Box::new(RunSpec { id, arm, version, seed, role, about });
                    self.shelf.push(Job { spec, candidate, attempt: 0 });
                    self.ledger.shelved += 1;
                }
                Err(conflict) => {
                    // It cannot be built, so there is nothing to run: the acceptor finds the failure at once.
                    let loss = Err(RunFailure::candidate(conflict.to_string()).kind(FailureKind::Conflict));
                    let record = RunRecord { id, arm, version, seed, role, about, loss };
                    self.ledger.runs.insert(id, Box::new(record));
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
        let too_many = self.ledger.runs_left().is_some_and(|left| left < planned as u64);
        if let Some(reason) = too_many.then_some(StopReason::Runs).or(self.ledger.spent()) {
            self.phase = Phase::Draining(reason);
            return;
        }
        self.queue.extend(self.shelf.drain(..));
        self.ledger.shelved = 0;
        self.ledger.outstanding += planned;
        self.ledger.started += planned as u64;
    }

    pub(super) fn take_question_id(&mut self) -> QuestionId {
        let id = QuestionId(self.next_question);
        self.next_question += 1;
        id
    }

    pub(super) fn take_run_id(&mut self) -> RunId {
        let id = self.ledger.next_run;
        self.ledger.next_run.0 += 1;
        id
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
        if let Some(inquiry) = &mut self.inquiry {
            inquiry.handed = false;
        }
        self.finale.set_back();
        self.phase = Phase::Draining(reason);
        self.end_search();
    }
}

/// Whether a step is on the way to keeping something further.
fn leads_to_more(step: &Step) -> bool {
    match step {
        Step::Propose { .. } => true,
        Step::Run(plans) => plans.iter().any(|plan| plan.role != Role::Calibrate),
        Step::Ask(_) | Step::Decide(_) | Step::Wait | Step::Finish => false,
    }
}
