//! What every proposer must do.

use super::{PATIENCE, in_time};
use crate::accept::Greedy;
use crate::candidate::Candidate;
use crate::limits::Limits;
use crate::measure::Measurement;
use crate::propose::{Proposed, Proposer};
use crate::state::{Action, Settings, StudyState};
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// How many proposals a check asks for.
const PROPOSALS: u64 = 30;

/// Checks a proposer against the contract of [`Proposer`]; `make` gives a new one each time.
///
/// What [`varying_proposer`] checks, and that the same history and seed give the same proposals: of two made alike, of
/// one that is made anew when a third and when two thirds of the 30 proposals are made, and told the history (as when a
/// study is resumed), and of one whose answer was dropped half-way. One that answers without awaiting anything has no
/// half-way.
///
/// # Panics
/// The proposer breaks the contract; the message says how.
pub async fn proposer<C: Candidate, P: Proposer<C>>(make: impl Fn() -> P, baseline: C) {
    varying_proposer(&make, baseline.clone()).await;
    let whole = play(&make, &baseline, Disturbance::None).await;
    let again = play(&make, &baseline, Disturbance::None).await;
    same("two that are made alike and see the same", &whole, &again);
    let resumed = play(&make, &baseline, Disturbance::MadeAnew).await;
    same("one that is made anew in the middle and is told the history", &whole, &resumed);
    let dropped = play(&make, &baseline, Disturbance::Dropped).await;
    same("one whose answer is dropped half-way now and then", &whole, &dropped);
}

/// Checks a proposer whose answers differ from one time to the next (a language model, a person).
///
/// It answers in time, without a panic; it does not wait for longer than a minute with nothing under way, asked again after
/// a pause as a study does; what it merges with
/// ([`Proposer::composer`]) turns the parent into the edited candidate, and one whose answer was dropped answers the next
/// time.
///
/// # Panics
/// The proposer breaks the contract; the message says how.
pub async fn varying_proposer<C: Candidate, P: Proposer<C>>(make: impl Fn() -> P, baseline: C) {
    for disturbance in [Disturbance::None, Disturbance::MadeAnew, Disturbance::Dropped] {
        let made = play(&make, &baseline, disturbance).await;
        let Some(composer) = make().composer() else { continue };
        for (parent, edited) in made {
            let merged = composer.apply(&parent, &parent, &edited);
            let merged = merged.unwrap_or_else(|conflict| {
                panic!("its own proposal {edited:?} cannot be merged into what it was made for, {parent:?}: {conflict}")
            });
            let (merged, edited) = (format!("{merged:?}"), format!("{edited:?}"));
            assert_eq!(
                merged, edited,
                "merged into what it was made for, {parent:?}, a proposal becomes another"
            );
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Disturbance {
    None,
    MadeAnew,
    Dropped,
}

impl Disturbance {
    /// Whether one is due, the next after so many of them, with so many proposals made.
    fn is_due(self, done: u64, made: usize) -> bool {
        let after = match self {
            Self::None => return false,
            Self::MadeAnew if done >= 2 => return false,
            Self::MadeAnew => (done + 1) * PROPOSALS / 3,
            Self::Dropped => done * PROPOSALS / 6,
        };
        made as u64 >= after
    }
}

/// What was proposed, each with what it was made for.
type Made<C> = Vec<(C, C)>;

fn same<C: Candidate>(who: &str, one: &Made<C>, other: &Made<C>) {
    for (i, ((_, a), (_, b))) in one.iter().zip(other).enumerate() {
        let (a, b) = (format!("{a:?}"), format!("{b:?}"));
        assert_eq!(
            a,
            b,
            "{who}: proposal {} differs; draw randomness from `ProposeContext::seed`, and rebuild what is remembered in \
             `observe`",
            i + 1
        );
    }
    assert_eq!(one.len(), other.len(), "{who}: another number of proposals");
}

/// A loss for whatever a candidate is: by its text.
fn loss<C: Candidate>(candidate: &C) -> f64 {
    let mut hasher = DefaultHasher::new();
    format!("{candidate:?}").hash(&mut hasher);
    (hasher.finish() % 1000) as f64 / 1000.0
}

async fn play<C: Candidate, P: Proposer<C>>(
    make: &impl Fn() -> P,
    baseline: &C,
    disturbance: Disturbance,
) -> Made<C> {
    let settings = Settings::new().limits(Limits::new().proposals(PROPOSALS)).seed(1);
    let mut proposer = make();
    let state = match proposer.composer() {
        Some(composer) => StudyState::composing(baseline.clone(), Greedy::new(), composer, settings),
        None => StudyState::new(baseline.clone(), Greedy::new(), settings),
    };
    let mut state = state.unwrap_or_else(|e| panic!("the study cannot be made: {e}"));
    let (mut observed, mut made, mut disturbed) = (0, Made::new(), 0);
    let (mut pause, mut waited) = (Duration::from_millis(1), Duration::ZERO);
    loop {
        while let Some(settled) = state.history().get(observed) {
            proposer.observe(settled);
            observed += 1;
        }
        match state.next_action() {
            Action::Propose { .. } => {
                let due = disturbance.is_due(disturbed, made.len());
                if due && disturbance == Disturbance::MadeAnew {
                    disturbed += 1;
                    proposer = make();
                    (0..observed)
                        .filter_map(|i| state.history().get(i))
                        .for_each(|settled| proposer.observe(settled));
                }
                let mut answer = None;
                if due && disturbance == Disturbance::Dropped {
                    let mut future = pin!(proposer.propose(state.view()));
                    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                        Poll::Ready(ready) => answer = Some(ready), // that is its answer
                        Poll::Pending => disturbed += 1,
                    }
                }
                let parent = state.view().incumbent.clone();
                let answer = match answer {
                    Some(answer) => answer,
                    None => in_time("a proposer's answer", proposer.propose(state.view())).await,
                };
                let answer = answer.unwrap_or_else(|error| panic!("it cannot answer: {error}"));
                match &answer {
                    Proposed::Proposals(list) if !list.is_empty() => {
                        made.extend(list.iter().map(|p| (parent.clone(), p.candidate.clone())));
                        (pause, waited) = (Duration::from_millis(1), Duration::ZERO);
                    }
                    Proposed::Exhausted => {}
                    _ => {
                        assert!(waited < PATIENCE, "it waits for ever although nothing is under way");
                        tokio::time::sleep(pause).await;
                        waited += pause;
                        pause = (2 * pause).min(Duration::from_secs(1));
                    }
                }
                state.proposed(answer).unwrap_or_else(|e| panic!("{e}"));
            }
            Action::Run(run) => {
                let measured = Measurement::scalar(loss(&*run.candidate)).unwrap_or_else(|e| panic!("{e}"));
                state.finished(run.id, Ok(measured)).unwrap_or_else(|e| panic!("{e}"));
            }
            Action::AskHoldout(_) | Action::Wait | Action::Stop(_) => return made,
        }
    }
}
