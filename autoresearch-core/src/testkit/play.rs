//! A search strategy alone: no runtime, no clock, no files.

use crate::accept::Greedy;
use crate::arm::ProposalId;
use crate::candidate::Candidate;
use crate::limits::Limits;
use crate::measure::Measurement;
use crate::propose::{History, Proposed, Proposer};
use crate::state::{Action, Settings, StudyState};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// How a played study ended.
#[derive(Debug)]
pub struct Played<C: Candidate>(StudyState<C>);

impl<C: Candidate> Played<C> {
    /// What the strategy arrived at.
    pub fn incumbent(&self) -> &C {
        self.0.incumbent()
    }

    /// Every settled proposal.
    pub fn history(&self) -> &History<C> {
        self.0.history()
    }

    /// The proposals that were kept.
    pub fn kept(&self) -> &[ProposalId] {
        self.0.kept()
    }
}

/// Plays `proposals` proposals of a strategy against a loss function, keeping what is better ([`Greedy`]).
///
/// A strategy that answers "wait" with nothing under way has nothing more to say here, and ends the play.
///
/// ```
/// use autoresearch_core::{testkit, proposer_fn, Proposal, ProposeContext};
/// let halve = proposer_fn(|cx: ProposeContext<'_, f64>| Ok(Proposal::new(cx.incumbent / 2.0).into()));
/// let played = testkit::play(halve, 8.0, 10, |rate, _seed| (rate - 1.0).abs());
/// assert_eq!(*played.incumbent(), 1.0);
/// ```
///
/// # Panics
/// The loss is not finite, or the proposer fails or awaits something that needs a runtime.
pub fn play<C: Candidate>(
    mut proposer: impl Proposer<C>,
    baseline: C,
    proposals: u64,
    loss: impl Fn(&C, u64) -> f64,
) -> Played<C> {
    let settings = Settings::new().limits(Limits::new().proposals(proposals));
    let composer = proposer.composer();
    let state = match composer {
        Some(composer) => StudyState::composing(baseline, Greedy::new(), composer, settings),
        None => StudyState::new(baseline, Greedy::new(), settings),
    };
    let mut state = state.unwrap_or_else(|e| panic!("the study cannot be made: {e}"));
    let mut observed = 0;
    loop {
        while let Some(settled) = state.history().get(observed) {
            proposer.observe(settled);
            observed += 1;
        }
        match state.next_action() {
            Action::Propose { .. } => {
                let answer = answer(&mut proposer, &state);
                let waits = match &answer {
                    Proposed::Wait => true,
                    Proposed::Proposals(list) => list.is_empty(),
                    Proposed::Exhausted => false,
                };
                state.proposed(answer).unwrap_or_else(|e| panic!("{e}"));
                if waits {
                    return Played(state);
                }
            }
            Action::Run(run) => {
                let value = loss(&run.candidate, run.seed);
                let measured = Measurement::scalar(value)
                    .unwrap_or_else(|e| panic!("the loss of {:?} cannot be used: {e}", run.candidate));
                state.finished(run.id, Ok(measured)).unwrap_or_else(|e| panic!("{e}"));
            }
            Action::AskHoldout(_) | Action::Wait | Action::Stop(_) => return Played(state),
        }
    }
}

fn answer<C: Candidate>(proposer: &mut impl Proposer<C>, state: &StudyState<C>) -> Proposed<C> {
    let mut future = pin!(proposer.propose(state.view()));
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(answer)) => answer,
        Poll::Ready(Err(error)) => panic!("the proposer failed: {error}"),
        Poll::Pending => panic!(
            "the proposer awaits something that needs a runtime (a timer, a socket, another task); play it in a \
             `Study` with a mock executor instead"
        ),
    }
}
