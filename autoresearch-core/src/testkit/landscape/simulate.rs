//! Plays an acceptor on a world, through the real state machine.

use super::draw::uniform;
use super::world::{Merit, World};
use crate::accept::Acceptor;
use crate::arm::ProposalId;
use crate::candidate::Candidate;
use crate::checks::Checks;
use crate::curate::Curation;
use crate::failure::RunFailure;
use crate::holdout::{HeldOut, Holdout};
use crate::limits::{Limits, StopReason};
use crate::measure::Measurement;
use crate::propose::{Fate, Proposal, ProposeContext, Proposed};
use crate::state::{Action, Event, PlannedRun, Settings, StateError, StudyState, mix};
use std::collections::VecDeque;

/// Where a simulated study gets its proposals from.
pub(super) trait Feed<W: World> {
    /// So many as are wanted, or fewer: nothing means that there will be nothing more.
    fn propose(&mut self, world: &W, view: ProposeContext<'_, W::Candidate>) -> Vec<Proposal<W::Candidate>>;
    /// What has come of them.
    fn observe(&mut self, event: &Event<W::Candidate>);
    /// Edits of the world's stream that were looked at.
    fn seen(&self) -> u64;
}

/// How long a simulated study goes on, and what befalls its runs.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Rules {
    /// The limit on runs.
    pub runs: Option<u64>,
    /// The length of the stream of proposals; without, it is endless.
    pub proposals: Option<u32>,
    /// The share of runs that fail by the candidate's fault, whatever the candidate; the baseline's never do.
    pub missing: f64,
    /// Whether the holdout, where the world has one, has to confirm what is kept.
    pub holdout: bool,
    /// Seeds the study.
    pub seed: u64,
}

impl Rules {
    /// A stream of `proposals`, no limit on runs.
    pub fn stream(proposals: u32) -> Self {
        Self { runs: None, proposals: Some(proposals), missing: 0.0, holdout: true, seed: 0 }
    }

    /// An endless stream and `runs` runs.
    pub fn budget(runs: u64) -> Self {
        Self { runs: Some(runs), proposals: None, missing: 0.0, holdout: true, seed: 0 }
    }

    /// At most this many runs.
    #[must_use]
    pub fn runs(mut self, runs: u64) -> Self {
        self.runs = Some(runs);
        self
    }

    /// The share of runs that fail.
    #[must_use]
    pub fn missing(mut self, share: f64) -> Self {
        self.missing = share;
        self
    }

    /// Nothing but validation decides.
    #[must_use]
    pub fn without_holdout(mut self) -> Self {
        self.holdout = false;
        self
    }

    /// Seeds the study.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}

/// What a policy did on a world.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Simulated {
    /// What it kept, judged by leaving one out.
    pub merit: Merit,
    /// The true gain of what the study stands behind.
    pub true_gain: f64,
    /// The true gain of the larger, unproven stack that the study offers besides.
    pub stack_gain: f64,
    /// The best gain that could be had.
    pub ideal_gain: f64,
    /// What the study claims to have gained.
    pub reported_gain: f64,
    /// Runs used.
    pub runs: u64,
    /// Proposals made.
    pub proposals: u64,
    /// Why it ended.
    pub stopped: StopReason,
}

impl Simulated {
    /// The share of junk in what was kept; 0 where nothing was.
    pub fn false_discovery_proportion(&self) -> f64 {
        share(self.merit.junk, self.merit.edits)
    }

    /// The same, counting what can only be switched together as one.
    pub fn false_discovery_proportion_of_units(&self) -> f64 {
        share(self.merit.junk_units, self.merit.units)
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Plays a study on a world to its end. The holdout, where the world has split noise, is told how much it is.
///
/// # Errors
/// What the state machine refuses; none is expected.
pub fn simulate<W: World>(
    world: &W,
    acceptor: impl Acceptor + 'static,
    rules: &Rules,
) -> Result<Simulated, StateError> {
    play(world, acceptor, rules, &mut Checks::off(), |_| {}, None, &mut Stream::of(rules))
}

/// The same with overfitting checks looking on.
///
/// # Errors
/// As [`simulate`].
pub fn simulate_checked<W: World>(
    world: &W,
    acceptor: impl Acceptor + 'static,
    rules: &Rules,
    checks: &mut Checks,
) -> Result<Simulated, StateError> {
    play(world, acceptor, rules, checks, |_| {}, None, &mut Stream::of(rules))
}

/// The same, and what a store would hold of it, added to `recorded`.
///
/// # Errors
/// As [`simulate`].
pub fn simulate_recorded<W: World>(
    world: &W,
    acceptor: impl Acceptor + 'static,
    rules: &Rules,
    recorded: &mut Vec<Event<W::Candidate>>,
) -> Result<Simulated, StateError> {
    let record = |events| recorded.extend::<Vec<_>>(events);
    play(world, acceptor, rules, &mut Checks::off(), record, None, &mut Stream::of(rules))
}

pub(super) fn play<W: World>(
    world: &W,
    acceptor: impl Acceptor + 'static,
    rules: &Rules,
    checks: &mut Checks,
    mut record: impl FnMut(Vec<Event<W::Candidate>>),
    curation: Option<Curation>,
    feed: &mut impl Feed<W>,
) -> Result<Simulated, StateError> {
    let mut limits = Limits::new().consecutive_failures(u32::MAX);
    limits.runs = rules.runs;
    let mut settings = Settings::new().limits(limits).seed(rules.seed);
    if let (true, Some(error)) = (rules.holdout, world.split_error()) {
        settings = settings.holdout(Holdout::new().queries(u64::MAX).split_error(error));
    }
    let mut study = StudyState::composing(world.baseline(), acceptor, world.composer(), settings)?;
    if let Some(curation) = curation {
        study = study.curate(curation)?;
    }
    let stopped = loop {
        match study.next_action() {
            Action::Propose { .. } => {
                let proposals = feed.propose(world, study.view());
                let none = proposals.is_empty();
                study.proposed(if none { Proposed::Exhausted } else { Proposed::Proposals(proposals) })?;
            }
            Action::Run(run) => {
                let outcome = if is_lost(&run, rules) {
                    Err(RunFailure::candidate("lost"))
                } else {
                    Measurement::scalar(world.loss(&run.candidate, run.seed, 0)).map_err(Into::into)
                };
                study.finished(run.id, outcome)?;
            }
            Action::AskHoldout(query) => {
                let held = |run: &PlannedRun<_>| {
                    Measurement::scalar(world.loss(&run.candidate, run.seed, 1)).map(HeldOut::from)
                };
                let held: Result<Vec<_>, _> = query.runs.iter().map(held).collect();
                let held = held.map_err(|e| StateError::HeldOut(e.to_string()))?;
                checks.held_out(&query, &held);
                study.held_out(query.id, held)?;
            }
            Action::Wait => return Err(StateError::NotAsked),
            Action::Stop(reason) => break reason,
        }
        let events = study.take_events();
        for event in &events {
            feed.observe(event);
            checks.heard(event);
        }
        checks.release(|run| study.needs_output(run));
        record(events);
    };
    let events = study.take_events();
    for event in &events {
        checks.heard(event);
    }
    record(events);
    Ok(Simulated {
        merit: world.judge(study.incumbent()),
        true_gain: world.gain(study.incumbent()),
        stack_gain: world.gain(study.stack()),
        ideal_gain: world.ideal(feed.seen()),
        reported_gain: reported(&study),
        runs: study.runs(),
        proposals: study.proposals(),
        stopped,
    })
}

/// The edits in the order in which they are proposed. One that no longer applies is made anew, later, on what it is to
/// apply to then.
struct Stream {
    made: u32,
    end: u32,
    order: Vec<u32>,
    again: VecDeque<Next>,
}

/// An edit whose turn it is, and the proposal in which it met a conflict.
struct Next {
    edit: u32,
    rebases: Option<ProposalId>,
}

impl Next {
    fn made<W: World>(&self, world: &W, on: &W::Candidate) -> Proposal<W::Candidate> {
        let proposal = Proposal::new(world.propose(self.edit, on));
        match self.rebases {
            Some(earlier) if world.is_one_change(self.edit) => proposal.rebases(earlier),
            _ => proposal,
        }
    }
}

impl Stream {
    fn of(rules: &Rules) -> Self {
        let end = rules.proposals.unwrap_or(u32::MAX);
        Self { made: 0, end, order: Vec::new(), again: VecDeque::new() }
    }

    fn next(&mut self) -> Option<Next> {
        let next = self.again.pop_front().or_else(|| {
            (self.made < self.end).then(|| {
                self.made += 1;
                Next { edit: self.made - 1, rebases: None }
            })
        })?;
        self.order.push(next.edit);
        Some(next)
    }
}

impl<W: World> Feed<W> for Stream {
    fn propose(&mut self, world: &W, view: ProposeContext<'_, W::Candidate>) -> Vec<Proposal<W::Candidate>> {
        (0..view.wanted).map_while(|_| self.next()).map(|next| next.made(world, view.incumbent)).collect()
    }

    fn observe(&mut self, event: &Event<W::Candidate>) {
        if let Event::Settled { proposal, fate: Fate::Conflict, .. } = event {
            let edit = self.order.get(proposal.0 as usize - 1);
            self.again.extend(edit.map(|&edit| Next { edit, rebases: Some(*proposal) }));
        }
    }

    fn seen(&self) -> u64 {
        u64::from(self.made)
    }
}

fn is_lost<C>(run: &PlannedRun<C>, rules: &Rules) -> bool {
    let baseline = run.version.0 == 0 && run.arm.is_incumbent();
    rules.missing > 0.0 && !baseline && uniform(mix(mix(rules.seed, 5), run.id.0)) < rules.missing
}

/// What the study says that it has gained: measured on fresh runs, or the effects of what was kept, summed.
fn reported<C: Candidate>(study: &StudyState<C>) -> f64 {
    if let Some(gain) = study.gain() {
        return gain.mean;
    }
    let kept = |id: &ProposalId| study.kept().contains(id);
    let records = study.history().iter().filter(|record| kept(&record.id));
    records.filter_map(|record| record.effect).map(|effect| effect.mean).sum()
}
