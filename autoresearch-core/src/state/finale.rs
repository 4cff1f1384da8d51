//! The end: baseline and incumbent side by side on fresh seeds, and the test split opened once.

use super::{Event, HoldoutQuery, Job, Phase, PlannedRun, RunSpec, Split, StateError, StudyState};
use crate::accept::Role;
use crate::arm::{Arm, QuestionId, RunId, Version};
use crate::candidate::Candidate;
use crate::holdout::{Comparison, FinalResult, HeldOut, compare};
use crate::limits::StopReason;
use crate::measure::Direction;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

const LEVEL: f64 = 0.95;

pub(super) struct Finale<C> {
    pub(super) queue: VecDeque<Job<C>>,
    pub(super) result: Option<FinalResult>,
    version: Version,
    pairs: Vec<(RunId, RunId)>,
    done: BTreeMap<RunId, (Job<C>, Option<f64>)>,
    question: Option<Pose<C>>,
    holdout: Option<Comparison>,
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
            pairs: Vec::new(),
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

    /// The pairs of which both halves gave a number.
    fn whole_pairs(&self) -> Vec<(&Job<C>, f64, &Job<C>, f64)> {
        let get = |id| self.done.get(id).and_then(|(job, loss)| loss.map(|l| (job, l)));
        self.pairs
            .iter()
            .filter_map(|(b, i)| Some((get(b)?, get(i)?)))
            .map(|((bj, bl), (ij, il))| (bj, bl, ij, il))
            .collect()
    }

    fn pose(&mut self, id: QuestionId, split: Split) {
        let pairs = self.whole_pairs();
        let run = |job: &Job<C>| PlannedRun::new(&job.spec, Arc::clone(&job.candidate), job.attempt);
        let baselines = pairs.iter().map(|p| run(p.0));
        let runs = baselines.chain(pairs.iter().map(|p| run(p.2))).collect();
        self.question = Some(Pose { query: HoldoutQuery { id, split, proposal: None, runs }, handed: false });
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
        let (baseline, incumbent) = losses.split_at(expected / 2);
        let invalid = |e: crate::stats::StatsError| StateError::HeldOut(e.to_string());
        let comparison = compare(baseline, incumbent, direction, LEVEL).map_err(invalid)?;
        if query.split == Split::HoldoutReport {
            self.holdout = Some(comparison);
            self.pose(QuestionId(id.0 + 1), Split::Test);
            return Ok(None);
        }
        let pairs = self.whole_pairs();
        let baseline: Vec<f64> = pairs.iter().map(|p| p.1).collect();
        let incumbent: Vec<f64> = pairs.iter().map(|p| p.3).collect();
        Ok(Some(FinalResult {
            version,
            pairs: pairs.len() as u32,
            level: LEVEL,
            validation: compare(&baseline, &incumbent, direction, LEVEL).map_err(invalid)?,
            holdout: self.holdout,
            test: comparison,
        }))
    }
}

impl<C: Candidate> StudyState<C> {
    /// After the search: the finale where there is something to compare and the test split is unopened, else the end.
    pub(super) fn end_search(&mut self) {
        let Phase::Draining(reason) = &self.phase else { return };
        let reason = reason.clone();
        let wanted = reason.is_final() && self.finale.result.is_none() && self.ledger.version > Version(0);
        let seeds = self.settings.test.as_ref().map(|t| t.seeds).filter(|_| wanted);
        let Some(seeds) = seeds else { return self.end(reason) };
        self.phase = Phase::Finale(reason);
        self.request = None;
        self.ledger.asked = 0;
        if self.finale.version != self.ledger.version {
            self.plan_finale(seeds);
        }
        self.pump_finale();
    }

    fn plan_finale(&mut self, seeds: u32) {
        self.finale = Finale { version: self.ledger.version, ..Finale::default() };
        for _ in 0..seeds {
            let seed = self.ledger.seed(0);
            self.ledger.use_seed(seed);
            let arms = [Version(0), self.ledger.version].map(|version| {
                let id = self.take_run_id();
                let arm = Arm::incumbent();
                let spec = RunSpec { id, arm, version, seed, role: Role::Final, about: None };
                let candidate = Arc::clone(&self.incumbents[version.0 as usize]);
                self.finale.queue.push_back(Job { spec, candidate, attempt: 0 });
                id
            });
            self.finale.pairs.push((arms[0], arms[1]));
        }
    }

    pub(super) fn pump_finale(&mut self) {
        let all = self.finale.done.len() == 2 * self.finale.pairs.len();
        let whole = self.finale.whole_pairs().len();
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
