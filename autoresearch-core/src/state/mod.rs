//! The study as a pure state machine: facts in, actions out. No I/O, no clock, no runtime.
//!
//! `mod` holds the state and gives actions out, `open` makes it, `facts` takes facts in, `apply` says what each changes,
//! `order` whose turn it is, `pump` asks the acceptor, `court` settles proposals, `inquiry` puts an acceptor's questions to the holdout, `terms`
//! adds what no acceptor sees, `materialise` builds the candidate of an arm, `finale` measures baseline against result
//! at the end, `view` is what can be read off, `backlog` keeps what waits
//! where a study has one (`idea`), `known` recognises it, `serve` takes from it, `replay` rebuilds a state from stored events.

mod action;
mod apply;
mod backlog;
mod court;
mod error;
mod event;
mod facts;
mod finale;
mod idea;
mod inquiry;
mod known;
mod materialise;
mod open;
mod order;
mod pump;
mod replay;
mod serve;
mod settings;
mod terms;
mod view;

pub use action::{Action, HoldoutQuery, PlannedRun, Split};
pub use error::StateError;
pub use event::{Event, Outcome, RunSpec};
pub use idea::{BacklogEntry, IdeaState, Move};
pub(crate) use open::seed_offset;
pub use order::{DecisionOrder, Stale};
pub(crate) use settings::SHORT_SEED;
pub use settings::Settings;
pub(crate) use terms::{Complexity, allowance};

use crate::accept::{Acceptor, Ledger, Standing, UnitInfo};
use crate::arm::{Arm, Part, ProposalId, RunId, Version};
use crate::candidate::Candidate;
use crate::compose::{Compose, Conflict, Unit};
use crate::holdout::Book;
use crate::limits::StopReason;
use crate::propose::{History, Proposal};
use crate::stats::Moments;
use court::{Case, Court, Hearing};
use finale::Finale;
use inquiry::Inquiry;
use materialise::Workshop;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;

/// A waiting proposal with what it takes to apply it elsewhere.
struct Live<C> {
    proposal: Arc<Proposal<C>>,
    parent: Arc<C>,
    units: Vec<Unit<C>>,
    /// What its losses are lowered by for being simpler, a unit; nothing where it is not.
    credits: Vec<f64>,
    runs: u32,
}

/// A planned run with its candidate.
struct Job<C> {
    /// Boxed: jobs move from list to list.
    spec: Box<RunSpec>,
    candidate: Arc<C>,
    attempt: u32,
}

impl<C> Clone for Job<C> {
    fn clone(&self) -> Self {
        Self { spec: self.spec.clone(), candidate: Arc::clone(&self.candidate), attempt: self.attempt }
    }
}

/// A standing request for proposals.
struct Request<C> {
    on: Arm,
    version: Version,
    candidate: Arc<C>,
    wanted: usize,
    standing: Standing,
    /// Given out and not answered yet, at this version of the incumbent.
    handed: Option<Version>,
    /// Answered with "wait": not given out again while something else is under way.
    snoozing: bool,
}

enum Phase {
    Searching,
    /// No new runs; what is under way is finished and judged.
    Draining(StopReason),
    /// Baseline and incumbent side by side on fresh seeds.
    Finale(StopReason),
    Stopped(StopReason),
}

/// A study as a pure state machine: the ask/tell interface, and what the async [`Study`](crate::Study) drives.
///
/// ```
/// use autoresearch_core::{Action, Greedy, Limits, Measurement, Proposal, Settings, StudyState};
/// let loss = |rate: f64| (rate.log10() + 3.0).abs();
/// let settings = Settings::new().limits(Limits::new().proposals(10));
/// let mut study = StudyState::new(1.0, Greedy::new(), settings)?;
/// loop {
///     match study.next_action() {
///         Action::Propose { .. } => {
///             let half = study.view().incumbent / 2.0;
///             study.proposed(Proposal::new(half).title("halve it"))?;
///         }
///         Action::Run(run) => study.finished(run.id, Ok(Measurement::scalar(loss(*run.candidate))?))?,
///         Action::AskHoldout(_) | Action::Wait => unreachable!("no holdout, and nothing runs beside this loop"),
///         Action::Stop(reason) => break println!("{reason}"),
///     }
/// }
/// assert!(*study.incumbent() < 2e-3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The same facts give the same actions and decisions, bit for bit, in whatever rhythm actions are asked for.
pub struct StudyState<C: Candidate> {
    study: Arc<str>,
    settings: Settings,
    acceptor: Box<dyn Acceptor>,
    compose: Option<Arc<dyn Compose<C>>>,
    /// What acceptors are told of a change that cannot be split; nearly all of them share it.
    whole: Arc<[UnitInfo]>,
    /// Every incumbent, by version; the first is the baseline.
    incumbents: Vec<Arc<C>>,
    ledger: Ledger,
    /// Boxed: most studies have none.
    backlog: Option<Box<backlog::Backlog<C>>>,
    live: BTreeMap<ProposalId, Live<C>>,
    /// Set aside: settled, and still of use in arms.
    aside: BTreeMap<ProposalId, Live<C>>,
    /// What the holdout has confirmed for the incumbent of now, through an inquiry.
    cleared: BTreeSet<Part>,
    terms: terms::Terms<C>,
    /// The incumbent with what is undecided, and that arm.
    stack: Option<(Arm, Arc<C>)>,
    history: History<C>,
    queue: VecDeque<Job<C>>,
    /// Planned when no run may start any more: they wait for the study to be resumed.
    shelf: Vec<Job<C>>,
    flying: BTreeMap<RunId, Job<C>>,
    /// Ended, and not judged before those planned earlier.
    arrived: BTreeMap<RunId, order::Arrived<C>>,
    /// Finished runs that the holdout may be asked about.
    confirmed: BTreeMap<RunId, Job<C>>,
    request: Option<Request<C>>,
    court: Option<Court>,
    inquiry: Option<Inquiry>,
    /// Losses of the baseline's own runs, and of the incumbent's, as far as neither helped to choose it.
    baseline_losses: Moments,
    incumbent_losses: Moments,
    /// What the holdout was asked.
    book: Book,
    /// Something that validation accepted could not be put to the holdout any more.
    refused: bool,
    /// The proposals among it: they stay pending.
    deferred: BTreeSet<ProposalId>,
    /// With so many runs remembered, those that do not matter any more are forgotten.
    forget_at: usize,
    phase: Phase,
    /// The acceptor has been asked since the last fact that it can see, and no run can start for what it answers.
    consulted: bool,
    finale: Finale<C>,
    next_question: u64,
    /// Failures of candidates in a row, as they are judged.
    failures: u32,
    /// Losses in a row, as they come; what is lost together counts once.
    losses: u32,
    /// The runs that were lost since the last of these was counted.
    lost: BTreeSet<RunId>,
    baseline_runs: bool,
    elapsed: f64,
    /// Runs that trained the incumbent and were tested: their outputs outlive their cohort.
    champions: Vec<RunId>,
    kept: Vec<ProposalId>,
    outbox: Vec<Event<C>>,
}

impl<C: Candidate> StudyState<C> {
    /// A new study of `baseline`, judged by `acceptor`.
    ///
    /// # Errors
    /// Settings that cannot work, such as a limit of no runs at all.
    pub fn new(
        baseline: C,
        acceptor: impl Acceptor + 'static,
        settings: Settings,
    ) -> Result<Self, StateError> {
        Self::open_as("study", baseline, Box::new(acceptor), None, settings, String::new())
    }

    /// The same with a way to merge candidates. Without one a proposal applies only to the very incumbent it was made
    /// for, and policies that stack proposals refuse to work.
    ///
    /// # Errors
    /// Settings that cannot work.
    pub fn composing(
        baseline: C,
        acceptor: impl Acceptor + 'static,
        compose: impl Compose<C> + 'static,
        settings: Settings,
    ) -> Result<Self, StateError> {
        let compose: Arc<dyn Compose<C>> = Arc::new(compose);
        Self::open_as("study", baseline, Box::new(acceptor), Some(compose), settings, String::new())
    }

    /// What is to be done next. Each run, request and question is given out once; asking again gives the next one.
    pub fn next_action(&mut self) -> Action<C> {
        if let Phase::Stopped(reason) = &self.phase {
            return Action::Stop(reason.clone());
        }
        if let Some(action) = self.next_question() {
            return action;
        }
        if self.flying.len() < self.settings.in_flight
            && let Some(job) = self.next_job()
        {
            let run = PlannedRun::new(&job.spec, Arc::clone(&job.candidate), job.attempt);
            self.flying.insert(job.spec.id, job);
            return Action::Run(run);
        }
        let busy = !self.flying.is_empty();
        let shortage = self.request.as_ref().and_then(|request| self.shortage(request.wanted));
        if matches!(self.phase, Phase::Searching)
            && let Some(wanted) = shortage
            && let Some(request) = &mut self.request
            && request.handed.is_none()
            && !(request.snoozing && busy)
        {
            request.handed = Some(request.version);
            return Action::Propose { wanted };
        }
        Action::Wait
    }

    fn next_job(&mut self) -> Option<Job<C>> {
        match self.phase {
            Phase::Searching | Phase::Draining(_) => self.queue.pop_front(),
            Phase::Finale(_) => self.finale.queue.pop_front(),
            Phase::Stopped(_) => None,
        }
    }

    fn next_question(&mut self) -> Option<Action<C>> {
        if let Phase::Finale(_) = self.phase {
            return self.finale.next_question().map(Action::AskHoldout);
        }
        if let Some(inquiry) = &mut self.inquiry {
            let query = inquiry.query(&self.confirmed)?;
            return Some(Action::AskHoldout(query));
        }
        // One after the other: what a rule answers may depend on what it answered before.
        let waiting = |c: &&mut Case| matches!(c.hearing, Hearing::Asked { .. });
        let case = self.court.as_mut()?.cases.iter_mut().find(waiting)?;
        let claim = case.decision.claim.as_ref()?;
        let Hearing::Asked { question: id, handed, .. } = &mut case.hearing else { return None };
        if std::mem::replace(handed, true) {
            return None;
        }
        let id = *id;
        let proposal = Some(case.decision.proposal);
        let runs = claim.candidate.iter().chain(&claim.incumbent);
        let runs = runs
            .filter_map(|id| self.confirmed.get(id))
            .map(|job| PlannedRun::new(&job.spec, Arc::clone(&job.candidate), job.attempt))
            .collect();
        Some(Action::AskHoldout(HoldoutQuery { id, split: Split::Holdout, proposal, runs }))
    }

    /// The events that have happened since the last call, to be stored before any further action is performed.
    pub fn take_events(&mut self) -> Vec<Event<C>> {
        // The outbox keeps its room, which is large: most facts bring one event or two.
        let mut events = Vec::with_capacity(self.outbox.len());
        events.append(&mut self.outbox);
        events
    }

    /// Whether the output of this run may still be needed: by the holdout, by the last comparison as long as
    /// that has no result, or because it is the incumbent's.
    pub fn needs_output(&self, run: RunId) -> bool {
        self.confirmed.contains_key(&run)
            || self.flying.contains_key(&run)
            || self.arrived.contains_key(&run)
            || self.finale.needs(run)
            || self.champions.contains(&run)
    }

    /// The candidate that an arm stands for now.
    fn materialise(&self, arm: &Arm) -> Result<Arc<C>, Conflict> {
        self.workshop().materialise(arm)
    }

    fn workshop(&self) -> Workshop<'_, C> {
        Workshop {
            incumbent: self.newest(),
            live: &self.live,
            aside: &self.aside,
            ledger: &self.ledger,
            compose: self.compose.as_deref(),
            stale: self.settings.stale,
        }
    }
}

impl<C: Candidate> fmt::Debug for StudyState<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StudyState")
            .field("study", &self.study)
            .field("incumbent", self.incumbent())
            .field("version", &self.ledger.version)
            .field("proposals", &self.ledger.proposed)
            .field("runs", &self.ledger.started)
            .finish_non_exhaustive()
    }
}

/// A number that depends on both in every bit (SplitMix64, Steele, Lea & Flood 2014).
pub(crate) fn mix(a: u64, b: u64) -> u64 {
    let mut z = a.wrapping_add(b.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
