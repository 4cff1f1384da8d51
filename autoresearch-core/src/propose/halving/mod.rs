//! Asynchronous successive halving: cheap runs choose what is worth a proposal.

mod cost;
mod ladder;
mod screen;

pub use cost::Screens;

use self::ladder::Ladder;
use self::screen::{Parts, Screen, context};
use super::{Proposal, ProposeContext, ProposeError, Proposed, Proposer, TrialRecord};
use crate::cancel::{CancelOnDrop, Cancellation};
use crate::candidate::Candidate;
use crate::compose::Compose;
use crate::evaluate::Evaluator;
use crate::execute::Executor;
use crate::failure::{Fault, RunFailure};
use crate::fidelity::Fidelity;
use crate::measure::Direction;
use crate::meter::Meter;
use crate::state::mix;
use async_trait::async_trait;
use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::task::{Id, JoinError, JoinSet};

/// How often the proposer may repeat itself before it counts as having nothing new.
const TRIES: u32 = 20;

/// Tells the folders of several screenings in one process apart.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// Screens a proposer's candidates in cheap runs, and proposes those that come through. Made by
/// [`ProposerExt::halving`](super::ProposerExt::halving).
///
/// Asynchronous successive halving (ASHA; Li et al. 2020). Candidates are run at the lowest fidelity; the best third
/// of those measured there ([`one_in`](Self::one_in)) goes up to the next fidelity, each as soon as it is among the best
/// third of those measured so far, without waiting for others; and so on. What goes up from the highest *rung* is
/// proposed: the study's own runs are the top. So a proposal costs about 3 runs at the highest rung, 9 at the one below
/// it, and so on (somewhat fewer while rungs are short, since what is among the best third now need not be later):
/// choose fidelities that are about a third of the next one.
///
/// ```
/// use autoresearch_core::{
///     executor_fn, testkit, Fidelity, Greedy, Limits, LocalSearch, ParamSet, ParamSpace, ProposerExt, RunContext,
///     Study,
/// };
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let train = || executor_fn(|set: ParamSet, run: RunContext| async move {
///     let steps = if let Some(Fidelity::Steps(n)) = run.fidelity { n as f64 } else { 900.0 };
///     let rate = set.float("rate").expect("the space has it");
///     Ok((rate - 0.3).powi(2) + 1.0 / steps)
/// });
/// let space = ParamSpace::new().float("rate", 0.0..=1.0);
/// let proposer = LocalSearch::over(space)
///     .halving(train(), testkit::loss(), [Fidelity::steps(100), Fidelity::steps(300)]);
/// let screens = proposer.screens();
/// let report = Study::new(ParamSet::new().with("rate", 0.9), proposer, train(), testkit::loss())
///     .acceptor(Greedy::new())
///     .limits(Limits::new().proposals(10))
///     .run()
///     .await?;
/// println!("{} proposals, {} screening runs", report.proposals, screens.runs());
/// # assert!(screens.runs() >= 10 * (2 + 4) && report.stack().float("rate")? < 0.9);
/// # Ok(())
/// # }
/// ```
///
/// # What it costs
/// A study knows nothing of screening runs: they are not stored, not reported, and not part of `Limits::runs`. Its
/// wall-clock limit does see the time that they take. [`screens`](Self::screens) counts them by fidelity, and
/// [`runs`](Self::runs) limits them; when these are spent, the proposer is exhausted.
///
/// Screening runs are started while the study asks for proposals, [`in_flight`](Self::in_flight) at a time. Those
/// under way when a proposal is ready go on beside the study's own runs: where both share a device, give both the
/// clones of one executor with a [`limit`](crate::ExecutorExt::limit).
///
/// # What it decides
/// Nothing but what is tried. A screening run is never evidence: the study runs a proposal from the beginning. All
/// candidates of a rung have one seed, so that their differences are less noisy. It comes from the study's seed
/// and is one of 2^32; that the study later confirms on the same seed is possible, next to impossible, and
/// would be a run at another fidelity. What ranks differently at a low fidelity (a schedule, a large model) is screened
/// out for the wrong reason.
///
/// When the proposer within has nothing more, what has not come through by then is not proposed.
///
/// When the incumbent changes, or the stack that is built upon, all rungs start anew: a loss on the one before
/// says little about a change to this one, and a candidate made of the one before would undo what was kept since.
/// A restart, too, begins with empty rungs.
///
/// # Whose fault
/// A candidate that fails in a screening run ranks last there, and nobody else hears of it. A run that the
/// infrastructure lost is an error of the proposer, which the study meets by asking again; the run is then
/// repeated, with its seed. Give the executor a [`retry`](crate::ExecutorExt::retry).
///
/// # Cancel safety
/// Dropping the future of `propose` loses no screening run; they go on. Dropping the proposer drops them, and
/// raises their [`RunContext::cancel`](crate::RunContext::cancel).
pub struct Halving<C: Candidate, P> {
    inner: P,
    screen: Arc<dyn Screen<C>>,
    direction: Direction,
    in_flight: usize,
    most: Option<u64>,
    scratch: PathBuf,
    screens: Screens,
    ladder: Ladder<C>,
    /// What the rungs are about.
    base: Option<String>,
    seed: Option<u64>,
    /// Drawn from the proposer, ever.
    drawn: u64,
    /// Fingerprints of what was drawn on this base.
    seen: HashSet<u64>,
    queue: VecDeque<Job<C>>,
    tasks: JoinSet<Result<f64, RunFailure>>,
    under_way: HashMap<Id, Job<C>>,
    cancel: Cancellation,
    _ends_with_us: CancelOnDrop,
    /// What screening costs is charged to the study.
    meter: Meter,
}

/// A screening run to be made.
struct Job<C> {
    rung: usize,
    proposal: Proposal<C>,
}

/// What the proposer within says when there is nothing to screen.
enum Dry {
    Waits,
    Exhausted,
}

impl<C: Candidate, P: fmt::Debug> fmt::Debug for Halving<C, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Halving")
            .field("inner", &self.inner)
            .field("screens", &self.screens)
            .finish_non_exhaustive()
    }
}

impl<C: Candidate, P> Halving<C, P> {
    pub(super) fn new<E, V>(
        inner: P,
        executor: E,
        evaluator: V,
        rungs: impl IntoIterator<Item = Fidelity>,
    ) -> Self
    where
        E: Executor<C> + 'static,
        V: Evaluator<E::Output> + 'static,
    {
        let rungs: Vec<Fidelity> = rungs.into_iter().collect();
        let cancel = Cancellation::new();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let own = format!("{}-{number}", std::process::id());
        Self {
            inner,
            screen: Arc::new(Parts { executor, evaluator }),
            direction: Direction::Minimize,
            in_flight: 1,
            most: None,
            scratch: std::env::temp_dir().join("autoresearch-screens").join(own),
            screens: Screens::new(rungs.iter().copied()),
            ladder: Ladder::new(rungs),
            base: None,
            seed: None,
            drawn: 0,
            seen: HashSet::new(),
            queue: VecDeque::new(),
            tasks: JoinSet::new(),
            under_way: HashMap::new(),
            _ends_with_us: cancel.on_drop(),
            meter: Meter::default(),
            cancel,
        }
    }

    /// One in so many goes up, at least in two; 3 unless said.
    #[must_use]
    pub fn one_in(mut self, share: usize) -> Self {
        self.ladder.share = share.max(2);
        self
    }

    /// How many screening runs at a time, at least one; 1 unless said.
    #[must_use]
    pub fn in_flight(mut self, n: usize) -> Self {
        self.in_flight = n.max(1);
        self
    }

    /// At most so many screening runs; then it is exhausted.
    #[must_use]
    pub fn runs(mut self, most: u64) -> Self {
        self.most = Some(most);
        self
    }

    /// A higher objective is better, unless the measurement says otherwise.
    #[must_use]
    pub fn maximize(mut self) -> Self {
        self.direction = Direction::Maximize;
        self
    }

    /// Where screening runs get their folders, which are deleted after each; a temporary folder unless said.
    #[must_use]
    pub fn scratch(mut self, folder: impl Into<PathBuf>) -> Self {
        self.scratch = folder.into();
        self
    }

    /// A handle that counts the screening runs.
    pub fn screens(&self) -> Screens {
        self.screens.clone()
    }

    /// Starts anew if the candidate to build upon is another one.
    fn turn_to(&mut self, incumbent: &C) {
        let base = format!("{incumbent:?}");
        if self.base.as_ref() != Some(&base) {
            self.base = Some(base);
            self.ladder.clear();
            self.seen.clear();
            self.queue.clear();
            self.cancel.cancel();
            self.cancel = Cancellation::new();
            self._ends_with_us = self.cancel.on_drop();
            self.tasks = JoinSet::new();
            self.under_way.clear();
        }
    }

    fn start(&mut self, job: Job<C>) {
        let Some(rung) = self.ladder.rungs.get(job.rung) else { return };
        let number = self.screens.runs() + 1;
        let seed = mix(self.seed.unwrap_or_default(), job.rung as u64) & u64::from(u32::MAX);
        let folder = self.scratch.join(format!("s{number}"));
        let cx = context(number, seed, rung.fidelity, self.cancel.child(), folder, self.meter.clone());
        let (screen, candidate, direction) =
            (Arc::clone(&self.screen), job.proposal.candidate.clone(), self.direction);
        self.screens.started(job.rung);
        let task = self.tasks.spawn(async move { screen.loss(candidate, cx, direction).await });
        self.under_way.insert(task.id(), job);
    }

    /// A screening run that ended, unless it was lost.
    fn take(&mut self, ended: Result<(Id, Result<f64, RunFailure>), JoinError>) -> Result<(), ProposeError> {
        let (task, result) = match ended {
            Ok(ended) => ended,
            Err(error) => (error.id(), Err(RunFailure::candidate(error.to_string()))),
        };
        let Some(job) = self.under_way.remove(&task) else { return Ok(()) };
        let loss = match result {
            Ok(loss) => loss,
            Err(failure) if failure.fault() == Fault::Candidate => {
                tracing::debug!(title = job.proposal.hypothesis.title, %failure, "failed in screening");
                f64::INFINITY
            }
            Err(failure) => {
                self.screens.one_lost();
                self.queue.push_front(job);
                return Err(ProposeError::new(format!("a screening run was lost: {failure}")));
            }
        };
        self.ladder.record(job.rung, job.proposal, loss);
        Ok(())
    }

    fn may_start(&self) -> bool {
        self.tasks.len() < self.in_flight && self.most.is_none_or(|most| self.screens.runs() < most)
    }
}

impl<C: Candidate, P: Proposer<C>> Halving<C, P> {
    /// Asks the proposer within for settings that were not screened yet.
    async fn draw(&mut self, cx: &ProposeContext<'_, C>) -> Result<Option<Dry>, ProposeError> {
        for _ in 0..TRIES {
            let mut own = cx.clone();
            own.wanted = self.in_flight.saturating_sub(self.tasks.len()).max(1);
            own.proposals = self.drawn;
            own.seed = mix(cx.seed, self.drawn);
            let proposals = match self.inner.propose(own).await? {
                Proposed::Exhausted => return Ok(Some(Dry::Exhausted)),
                Proposed::Wait => return Ok(Some(Dry::Waits)),
                Proposed::Proposals(list) if list.is_empty() => return Ok(Some(Dry::Waits)),
                Proposed::Proposals(list) => list,
            };
            self.drawn += proposals.len() as u64;
            for proposal in proposals {
                let mut hasher = DefaultHasher::new();
                format!("{:?}", proposal.candidate).hash(&mut hasher);
                if self.seen.insert(hasher.finish()) {
                    self.queue.push_back(Job { rung: 0, proposal });
                }
            }
            if !self.queue.is_empty() {
                return Ok(None);
            }
        }
        Ok(Some(if cx.under_way { Dry::Waits } else { Dry::Exhausted }))
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<C: Candidate, P: Proposer<C>> Proposer<C> for Halving<C, P> {
    async fn propose(&mut self, cx: ProposeContext<'_, C>) -> Result<Proposed<C>, ProposeError> {
        let top = self.ladder.rungs.len().checked_sub(1).ok_or_else(|| {
            ProposeError::new("halving has no fidelity to screen at; give it at least one below the study's")
        })?;
        self.turn_to(cx.incumbent);
        self.meter = cx.meter.clone();
        self.seed = self.seed.or(Some(cx.seed));
        loop {
            let mut made = Vec::new();
            while made.len() < cx.wanted.max(1)
                && let Some((_, proposal)) = self.ladder.promote(top..top + 1)
            {
                self.screens.one_proposed();
                made.push(proposal);
            }
            if !made.is_empty() {
                return Ok(made.into());
            }
            let mut dry = None;
            while self.may_start() && dry.is_none() {
                if let Some((rung, proposal)) = self.ladder.promote(0..top) {
                    self.start(Job { rung: rung + 1, proposal });
                } else if let Some(job) = self.queue.pop_front() {
                    self.start(job);
                } else {
                    dry = self.draw(&cx).await?;
                }
            }
            match self.tasks.join_next_with_id().await {
                Some(ended) => self.take(ended)?,
                None => {
                    return Ok(match dry {
                        Some(Dry::Waits) => Proposed::Wait,
                        // The proposer within has no more, or the runs are spent.
                        Some(Dry::Exhausted) | None => Proposed::Exhausted,
                    });
                }
            }
        }
    }

    fn observe(&mut self, settled: &TrialRecord<C>) {
        self.inner.observe(settled);
    }

    fn composer(&self) -> Option<Arc<dyn Compose<C>>> {
        self.inner.composer()
    }
}
