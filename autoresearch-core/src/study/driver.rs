//! Performs the state machine's actions with tokio and feeds the facts back.
//!
//! One loop: store what happened, start what there is to start, wait for whatever
//! ends first, and take what has ended meanwhile along, so that all of it shares one append. Executors, evaluators and proposers run in tasks of their own (`tasks`); `take` feeds what ended back as facts, and
//! `desk` is what the loop keeps in order
//! besides: the runs' outputs and folders, and the observers.

use super::StudyError;
use super::builder::Study;
use super::open::{Opened, open, scratch};
use super::report::Report;
use super::spans::Spans;
use super::tally::Tally;
use super::tasks::{Done, Exhibit, Thought, backoff, held_out, run};
use crate::accept::Role;
use crate::arm::RunId;
use crate::cancel::{CancelOnDrop, Cancellation};
use crate::candidate::Candidate;
use crate::execute::{RunContext, RunProgress, Scratch, Sink};
use crate::failure::RunFailure;
use crate::holdout::HeldOut;
use crate::limits::StopReason;
use crate::meter::{Collected, Meter};
use crate::observe::Notice;
use crate::propose::{Fate, ProposeContext, Proposed, Proposer, proposer_fn};
use crate::state::{Action, Event, HoldoutQuery, PlannedRun, Split, StudyState};
use crate::store::Seq;
use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tracing::Instrument;

/// How many facts are stored in one append, with all that follows from them.
const TOGETHER: usize = 256;

type Heard = Result<Vec<HeldOut>, RunFailure>;

pub(super) struct Driver<C: Candidate, A: Send + Sync + 'static> {
    pub(super) study: Study<C, A>,
    pub(super) state: StudyState<C>,
    seq: Seq,
    pub(super) tally: Tally,
    pub(super) scratch: Arc<Path>,
    started: Instant,
    /// Seconds that earlier sessions of this study took.
    before: f64,
    runs: JoinSet<Done<A>>,
    /// What is under way, and since when.
    pub(super) under_way: HashMap<Id, (RunId, Instant)>,
    pub(super) outputs: BTreeMap<RunId, Arc<A>>,
    thinking: JoinSet<Thought<C>>,
    /// At home unless it is thinking.
    pub(super) proposer: Option<Box<dyn Proposer<C>>>,
    observed: usize,
    pub(super) proposer_failures: u32,
    pub(super) proposer_waits: u32,
    /// How long the proposer asked to be left alone.
    pub(super) proposer_pause: Duration,
    hearings: JoinSet<Heard>,
    pub(super) heard: HashMap<Id, HoldoutQuery<C>>,
    pub(super) hearing_failures: u32,
    /// Whether a run has worked since the study was started.
    pub(super) has_worked: bool,
    /// Whether an output was measured on the holdout, to see that it can be.
    pub(super) rehearsed: bool,
    /// Raised for the runs of now; renewed after each stop.
    pub(super) run_cancel: Cancellation,
    pub(super) spans: Spans,
    progress: mpsc::Receiver<(RunId, RunProgress)>,
    /// How runs tell how far they are.
    sink: Sink,
    /// What runs and proposer have charged since the last look.
    meter: Meter,
    _ends_with_us: CancelOnDrop,
}

/// What ended first.
pub(super) enum Happening<C: Candidate, A> {
    Run(Result<(Id, Done<A>), JoinError>),
    Thought(Result<Thought<C>, JoinError>),
    Heard(Result<(Id, Heard), JoinError>),
    Progress(RunId, RunProgress),
    /// Something cost money: that is stored before it ends.
    Charged,
    /// Somebody may have said something of the backlog.
    People,
    Stop(StopReason),
}

impl<C: Candidate, A: Send + Sync + 'static> Study<C, A> {
    /// Runs the study until a limit, a cancellation, or nothing is left to try.
    ///
    /// # Errors
    /// The store fails or holds another study, or the evaluators contradict the settings.
    ///
    /// # Cancel safety
    /// Dropping the future ends runs and proposer; what was stored is safe, and the study can be resumed.
    pub async fn run(self) -> Result<Report<C>, StudyError> {
        Driver::open(self).await?.run().await
    }
}

impl<C: Candidate, A: Send + Sync + 'static> Driver<C, A> {
    pub(super) async fn open(mut study: Study<C, A>) -> Result<Self, StudyError> {
        let Opened { state, seq, tally, resumed } = open(&mut study).await?;
        let nobody = proposer_fn(|_: ProposeContext<'_, C>| Ok(Proposed::Exhausted));
        let proposer = std::mem::replace(&mut study.proposer, Box::new(nobody));
        let (sender, progress) = mpsc::channel(64);
        let cancel = study.cancel.child();
        study.cancel = cancel.clone();
        let meter = Meter::new(state.settings().limits.money, tally.money);
        let mut driver = Self {
            scratch: scratch(&study, state.id()).into(),
            spans: Spans::new(state.id()),
            before: state.elapsed(),
            run_cancel: cancel.child(),
            _ends_with_us: cancel.on_drop(),
            study,
            state,
            seq,
            tally,
            started: Instant::now(),
            runs: JoinSet::new(),
            under_way: HashMap::new(),
            outputs: BTreeMap::new(),
            thinking: JoinSet::new(),
            proposer: Some(proposer),
            observed: 0,
            proposer_failures: 0,
            proposer_waits: 0,
            proposer_pause: Duration::ZERO,
            hearings: JoinSet::new(),
            heard: HashMap::new(),
            hearing_failures: 0,
            has_worked: false,
            rehearsed: false,
            progress,
            // A display may miss a step; a run never waits for one.
            sink: Arc::new(move |run, progress| _ = sender.try_send((run, progress))),
            meter,
        };
        driver.sweep();
        driver.notify(&Notice::Opened { resumed });
        Ok(driver)
    }

    pub(super) async fn run(mut self) -> Result<Report<C>, StudyError> {
        let span = self.spans.study.clone();
        async move {
            loop {
                self.persist().await?;
                if let Some(reason) = self.start_all() {
                    self.end_tasks().await?;
                    self.persist().await?; // what runs charged before they ended
                    self.sweep();
                    tracing::info!(%reason, "stopped");
                    self.notify(&Notice::Stopped { reason: &reason });
                    let checks = self.study.checks.is_on().then(|| self.study.checks.report());
                    return Ok(Report::of(&self.state, &self.tally, checks, reason, self.elapsed()));
                }
                let happening = self.wait().await;
                self.take(happening).await?;
                for _ in 1..TOGETHER {
                    // What ended beside the fact that stopped the study is set back like all under way.
                    if self.state.stopped().is_some() {
                        break;
                    }
                    let Some(happening) = self.ended_too() else { break };
                    if let Err(error) = self.take(happening).await {
                        self.persist().await?; // the others are facts all the same
                        return Err(error);
                    }
                }
            }
        }
        .instrument(span)
        .await
    }

    /// Starts everything that is to be done now, which is no fact yet; says why, where the study is over instead.
    fn start_all(&mut self) -> Option<StopReason> {
        loop {
            match self.state.next_action() {
                Action::Propose { .. } => self.start_thinking(),
                Action::Run(run) => self.start_run(run),
                Action::AskHoldout(query) => self.start_hearing(query),
                Action::Wait => return None,
                Action::Stop(reason) => return Some(reason),
            }
        }
    }

    pub(super) fn elapsed(&self) -> f64 {
        self.before + self.started.elapsed().as_secs_f64()
    }

    /// Stores what has happened, before anything acts on it.
    pub(super) async fn persist(&mut self) -> Result<(), StudyError> {
        let Collected { charges, wrong, remarks } = self.meter.collect();
        for charge in charges {
            self.state.charged(charge)?;
        }
        for remark in remarks {
            self.state.remarked(remark);
        }
        self.study.people.hear(&mut self.state);
        let events = self.state.take_events();
        if !events.is_empty() {
            self.seq = self.study.store.append(self.seq, &events).await?;
            for event in &events {
                self.tally.take(event);
                self.announce(event);
                let concerns = self.study.checks.heard(event);
                self.alert(concerns);
            }
            if events.iter().any(|e| matches!(e, Event::Settled { fate: Fate::Kept, .. })) {
                self.sweep(); // what an earlier session left of the incumbent of before
            }
        }
        self.study.people.tell(&self.state);
        if let Some(proposer) = &mut self.proposer {
            let (state, observed) = (&self.state, &mut self.observed);
            let told = catch_unwind(AssertUnwindSafe(|| {
                while let Some(settled) = state.history().get(*observed) {
                    proposer.observe(settled);
                    *observed += 1;
                }
            }));
            if told.is_err() {
                self.proposer = None;
                self.state.stop(StopReason::ProposerFailed("it panicked in `observe`".into()));
                return Box::pin(self.persist()).await;
            }
        }
        self.release();
        // Only now: what has happened is stored all the same.
        wrong.into_iter().try_for_each(|charge| self.state.charged(charge))?;
        Ok(())
    }

    fn context(&self, run: &PlannedRun<C>) -> RunContext {
        RunContext {
            study: Arc::clone(self.state.id()),
            run: run.id,
            arm: run.arm.clone(),
            attempt: run.attempt,
            seed: run.seed,
            fidelity: if run.role == Role::Transfer { self.study.transfer } else { self.study.fidelity },
            cancel: self.run_cancel.child(),
            scratch: Scratch::Within(Arc::clone(&self.scratch)),
            progress: Some(Arc::clone(&self.sink)),
            charged: None,
            meter: self.meter.clone(),
        }
    }

    fn start_run(&mut self, planned: PlannedRun<C>) {
        let (id, arm, attempt) = (planned.id, planned.arm.clone(), planned.attempt);
        let start = Instant::now() + backoff(attempt);
        let span = self.spans.run(&planned);
        let cx = self.context(&planned);
        let rehearses = !self.rehearsed && arm.is_incumbent();
        self.rehearsed |= rehearses;
        let rules = self.state.settings().holdout.clone().filter(|_| rehearses);
        let holdout = self.study.holdout.clone().zip(rules);
        let task =
            run(Arc::clone(&self.study.executor), Arc::clone(&self.study.evaluator), holdout, planned, cx);
        let handle = self.runs.spawn(task.instrument(span));
        self.under_way.insert(handle.id(), (id, start));
        self.notify(&Notice::RunStarted { run: id, arm: &arm, attempt });
    }

    fn start_thinking(&mut self) {
        let Some(mut proposer) = self.proposer.take() else { return };
        let ProposeContext {
            incumbent,
            baseline,
            wanted,
            history,
            pending,
            seed,
            proposals,
            runs_left,
            direction,
            under_way,
            taken,
            standing,
            on,
            ..
        } = self.state.view();
        let (baseline_objective, incumbent_objective) = (self.tally.baseline, self.tally.incumbent());
        let meter = self.meter.clone();
        let incumbent = incumbent.clone();
        let pause = backoff(self.proposer_failures.max(self.proposer_waits)).max(self.proposer_pause);
        let task = async move {
            // A timer counts in milliseconds, no time at all included.
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            let incumbent = &incumbent;
            let cx = ProposeContext {
                incumbent,
                baseline,
                wanted,
                history,
                pending,
                seed,
                proposals,
                runs_left,
                direction,
                baseline_objective,
                incumbent_objective,
                under_way,
                taken,
                standing,
                on,
                meter,
            };
            let answer = proposer.propose(cx).await;
            Thought { proposer, answer }
        };
        self.thinking.spawn(task.in_current_span());
    }

    pub(super) fn start_hearing(&mut self, query: HoldoutQuery<C>) {
        let evaluator = match query.split {
            Split::Holdout | Split::HoldoutReport => self.study.holdout.clone(),
            Split::Test => self.study.test.clone(),
        };
        let Some(evaluator) = evaluator else { return }; // `open` made sure that there is one
        let exhibit = |run: &PlannedRun<C>| Exhibit {
            run: run.clone(),
            cx: self.context(run),
            output: self.outputs.get(&run.id).cloned(),
        };
        let exhibits = query.runs.iter().map(exhibit).collect();
        let (executor, cancel) = (Arc::clone(&self.study.executor), self.run_cancel.child());
        let task = held_out(executor, evaluator, exhibits, self.hearing_failures, cancel);
        let handle = self.hearings.spawn(task.in_current_span());
        self.heard.insert(handle.id(), query);
    }

    async fn wait(&mut self) -> Happening<C, A> {
        // The limit is the search's: once it is over, the final runs may take their time.
        let limit = self.state.settings().limits.wall_clock.filter(|_| self.state.is_searching());
        let left = limit.map(|limit| {
            limit.saturating_sub(Duration::try_from_secs_f64(self.elapsed()).unwrap_or(Duration::MAX))
        });
        let time_is_up = async move {
            match left {
                Some(left) => tokio::time::sleep(left).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.study.cancel.cancelled() => Happening::Stop(StopReason::Cancelled),
            () = time_is_up => Happening::Stop(StopReason::WallClock),
            Some(ended) = self.runs.join_next_with_id() => Happening::Run(ended),
            Some(thought) = self.thinking.join_next() => Happening::Thought(thought),
            Some(heard) = self.hearings.join_next_with_id() => Happening::Heard(heard),
            Some((run, progress)) = self.progress.recv() => Happening::Progress(run, progress),
            () = self.meter.charged() => Happening::Charged,
            () = self.study.people.stirred() => Happening::People,
        }
    }

    /// What else has ended by now. It acts on nothing that is not stored yet: whatever ended was started before.
    fn ended_too(&mut self) -> Option<Happening<C, A>> {
        let run = self.runs.try_join_next_with_id().map(Happening::Run);
        let thought = || self.thinking.try_join_next().map(Happening::Thought);
        let heard = || self.hearings.try_join_next_with_id().map(Happening::Heard);
        run.or_else(thought).or_else(heard)
    }

    /// Tells everything under way to stop, and waits for it as long as the grace allows; then it is dropped. A run that
    /// gives its number by then, and is still awaited, is a fact like any other; what the others took is spent.
    pub(super) async fn end_tasks(&mut self) -> Result<(), StudyError> {
        self.run_cancel.cancel();
        self.hearings = JoinSet::new();
        self.heard.clear();
        let told = Instant::now();
        let left = |grace: Duration| grace.saturating_sub(told.elapsed());
        // What it has set aside is charged when it is dropped: that is waited for, unless it blocks its thread.
        let _ = tokio::time::timeout(left(self.study.grace), self.thinking.shutdown()).await;
        self.thinking = JoinSet::new();
        while let Ok(Some(ended)) =
            tokio::time::timeout(left(self.study.grace), self.runs.join_next_with_id()).await
        {
            self.take_last(ended)?;
            self.persist().await?; // whoever stops it may not leave it the grace
        }
        // What blocks its thread cannot be dropped, and is not waited for either.
        self.runs = JoinSet::new();
        for (_, (run, start)) in std::mem::take(&mut self.under_way) {
            self.interrupt(run, start);
        }
        self.run_cancel = self.study.cancel.child();
        Ok(())
    }
}
