//! The end: baseline, incumbent and bolder stack side by side on fresh seeds, and the test split opened once.

use super::{Event, HoldoutQuery, Job, Phase, PlannedRun, RunSpec, Split, StateError, StudyState};
use crate::accept::Role;
use crate::arm::{Arm, QuestionId, RunId, Version};
use crate::candidate::Candidate;
use crate::holdout::{Comparison, FinalResult, HeldOut, Splits, compare};
use crate::limits::StopReason;
use crate::measure::Direction;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

const LEVEL: f64 = 0.95;

pub(super) struct Finale<C> {
    pub(super) queue: VecDeque<Job<C>>,
    pub(super) result: Option<FinalResult>,
    version: Version,
    /// The bolder stack that it was planned with.
    stack: Option<Arm>,
    /// What meets the baseline.
    arms: Vec<Finalist>,
    /// A run of the baseline and of every arm, on one seed.
    rounds: Vec<Vec<RunId>>,
    done: BTreeMap<RunId, (Job<C>, Option<f64>)>,
    question: Option<Pose<C>>,
    holdout: Option<Vec<Comparison>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Finalist {
    Kept,
    Stack,
}

/// A question about the final runs.
struct Pose<C> {
    query: HoldoutQuery<C>,
    handed: bool,
}

impl<C> Default for Finale<C> {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            result: None,
            version: Version(0),
            stack: None,
            arms: Vec::new(),
            rounds: Vec::new(),
            done: BTreeMap::new(),
            question: None,
            holdout: None,
        }
    }
}

impl<C: Candidate> Finale<C> {
    pub(super) fn finished(&mut self, job: Job<C>, loss: Option<f64>) {
        self.done.insert(job.spec.id, (job, loss));
    }

    pub(super) fn needs(&self, run: RunId) -> bool {
        self.result.is_none() && self.done.contains_key(&run)
    }

    pub(super) fn set_back(&mut self) {
        if let Some(pose) = &mut self.question {
            pose.handed = false;
        }
    }

    pub(super) fn next_question(&mut self) -> Option<HoldoutQuery<C>> {
        let pose = self.question.as_mut().filter(|p| !p.handed)?;
        pose.handed = true;
        Some(pose.query.clone())
    }

    /// The rounds of which all runs gave a number.
    fn whole_rounds(&self) -> Vec<Vec<(&Job<C>, f64)>> {
        let get = |id: &RunId| self.done.get(id).and_then(|(job, loss)| loss.map(|l| (job, l)));
        self.rounds.iter().filter_map(|round| round.iter().map(get).collect()).collect()
    }

    /// The question about all of them: the baseline's runs first, then those of each arm.
    fn pose(&mut self, id: QuestionId, split: Split) {
        let rounds = self.whole_rounds();
        let run = |job: &Job<C>| PlannedRun::new(&job.spec, Arc::clone(&job.candidate), job.attempt);
        let runs = (0..=self.arms.len()).flat_map(|arm| rounds.iter().map(move |round| run(round[arm].0)));
        let query = HoldoutQuery { id, split, proposal: None, runs: runs.collect() };
        self.question = Some(Pose { query, handed: false });
    }

    /// Takes an answer; gives the result once the test split has spoken.
    pub(super) fn answered(
        &mut self,
        id: QuestionId,
        held: &[HeldOut],
        direction: Direction,
        version: Version,
    ) -> Result<Option<FinalResult>, StateError> {
        let query = match &self.question {
            Some(pose) if pose.query.id == id => &pose.query,
            _ => return Err(StateError::UnknownQuestion(id)),
        };
        let (expected, got) = (query.runs.len(), held.len());
        if expected != got {
            return Err(StateError::WrongCount { expected, got });
        }
        let losses: Vec<f64> = held.iter().map(|h| h.loss(direction)).collect();
        let invalid = |e: crate::stats::StatsError| StateError::HeldOut(e.to_string());
        let of_arms = |losses: &[f64]| -> Result<Vec<Comparison>, StateError> {
            let mut arms = losses.chunks(losses.len() / (self.arms.len() + 1));
            let baseline = arms.next().unwrap_or_default();
            arms.map(|arm| compare(baseline, arm, direction, LEVEL).map_err(invalid)).collect()
        };
        let comparisons = of_arms(&losses)?;
        if query.split == Split::HoldoutReport {
            self.holdout = Some(comparisons);
            self.pose(QuestionId(id.0 + 1), Split::Test);
            return Ok(None);
        }
        let rounds = self.whole_rounds();
        let losses = (0..=self.arms.len()).flat_map(|arm| rounds.iter().map(move |round| round[arm].1));
        let validation = of_arms(&losses.collect::<Vec<f64>>())?;
        let of = |finalist| {
            let i = self.arms.iter().position(|arm| *arm == finalist)?;
            let holdout = self.holdout.as_ref().map(|comparisons| comparisons[i]);
            Some(Splits { validation: validation[i], holdout, test: comparisons[i] })
        };
        Ok(Some(FinalResult {
            version,
            pairs: rounds.len() as u32,
            level: LEVEL,
            kept: of(Finalist::Kept),
            stack: of(Finalist::Stack),
        }))
    }
}

impl<C: Candidate> StudyState<C> {
    /// After the search: the finale where there is something to compare and the test split is unopened, else the end.
    pub(super) fn end_search(&mut self) {
        let Phase::Draining(reason) = &self.phase else { return };
        let reason = reason.clone();
        let something = self.ledger.version > Version(0) || self.stack.is_some();
        let wanted = reason.is_final() && self.finale.result.is_none() && something;
        let seeds = self.settings.test.as_ref().map(|t| t.seeds).filter(|_| wanted);
        let Some(seeds) = seeds else { return self.end(reason) };
        self.phase = Phase::Finale(reason);
        self.request = None;
        self.ledger.asked = 0;
        let stack = self.stack.as_ref().map(|(arm, _)| arm);
        let same = self.finale.version == self.ledger.version && self.finale.stack.as_ref() == stack;
        if !same || self.finale.rounds.is_empty() {
            self.plan_finale(seeds);
        }
        self.pump_finale();
    }

    fn plan_finale(&mut self, seeds: u32) {
        let version = self.ledger.version;
        let mut arms = vec![(Version(0), Arm::incumbent(), Arc::clone(&self.incumbents[0]))];
        let mut finalists = Vec::new();
        if version > Version(0) {
            finalists.push(Finalist::Kept);
            arms.push((version, Arm::incumbent(), Arc::clone(self.newest())));
        }
        if let Some((arm, candidate)) = &self.stack {
            finalists.push(Finalist::Stack);
            arms.push((version, arm.clone(), Arc::clone(candidate)));
        }
        let stack = self.stack.as_ref().map(|(arm, _)| arm.clone());
        self.finale = Finale { version, stack, arms: finalists, ..Finale::default() };
        for _ in 0..seeds {
            let seed = self.ledger.seed(0);
            self.ledger.use_seed(seed);
            let round = arms.iter().map(|(version, arm, candidate)| {
                let id = self.take_run_id();
                let spec =
                    RunSpec { id, arm: arm.clone(), version: *version, seed, role: Role::Final, about: None };
                self.finale.queue.push_back(Job {
                    spec: Box::new(spec),
                    candidate: Arc::clone(candidate),
                    attempt: 0,
                });
                id
            });
            let round = round.collect();
            self.finale.rounds.push(round);
        }
    }

    pub(super) fn pump_finale(&mut self) {
        let all = self.finale.done.len() == self.finale.rounds.iter().map(Vec::len).sum::<usize>();
        let whole = self.finale.whole_rounds().len();
        if self.finale.result.is_some() || all && whole < 2 {
            let Phase::Finale(reason) = &self.phase else { return };
            self.end(reason.clone());
        } else if all && self.finale.question.is_none() {
            // Two numbers, so that the second question needs no counter of its own.
            let (first, second) = (self.take_question_id(), self.take_question_id());
            match self.settings.holdout {
                Some(_) => self.finale.pose(first, Split::HoldoutReport),
                None => self.finale.pose(second, Split::Test),
            }
        }
    }

    fn end(&mut self, reason: StopReason) {
        self.outbox.push(Event::Stopped { reason: reason.clone() });
        self.phase = Phase::Stopped(reason);
    }
}
