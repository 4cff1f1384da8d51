//! Plays an acceptor and a proposer that learns on the world of parameters, written as a space.

use super::simulate::{Feed, Rules, Simulated, play};
use super::slots::{Levels, Slots};
use super::world::{Merit, World};
use crate::accept::Acceptor;
use crate::checks::Checks;
use crate::compose::Compose;
use crate::propose::{Proposal, ProposeContext, Proposed, Proposer};
use crate::space::{ParamSet, ParamSpace};
use crate::state::{Event, StateError};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// [`Slots`] with a [`ParamSpace`]: whole numbers from 0 to 12 and choices, `k0`, `k1` and so on. Any proposer over spaces
/// can search it.
#[derive(Debug)]
pub struct SlotSpace(Slots);

impl SlotSpace {
    /// The same world.
    pub fn new(slots: Slots) -> Self {
        Self(slots)
    }

    /// What there is to search.
    pub fn space(&self) -> ParamSpace {
        self.0.levels().enumerate().fold(ParamSpace::new(), |space, (key, (numeric, levels))| {
            if numeric {
                space.int(name(key), 0..=levels as i64 - 1)
            } else {
                space.choice(name(key), (0..levels).map(|level| level.to_string()))
            }
        })
    }

    fn set(&self, levels: &Levels) -> ParamSet {
        let kinds = self.0.levels().zip(levels).enumerate();
        kinds.fold(ParamSet::new(), |set, (key, ((numeric, _), level))| {
            if numeric {
                set.with(name(key), i64::from(*level))
            } else {
                set.with(name(key), level.to_string())
            }
        })
    }

    fn levels(&self, set: &ParamSet) -> Levels {
        let level = |(key, (numeric, _))| {
            let name = name(key);
            let level = if numeric {
                set.int(&name).ok().and_then(|level| level.try_into().ok())
            } else {
                set.text(&name).ok().and_then(|level| level.parse().ok())
            };
            level.unwrap_or_default()
        };
        self.0.levels().enumerate().map(level).collect()
    }
}

fn name(key: usize) -> String {
    format!("k{key}")
}

impl World for SlotSpace {
    type Candidate = ParamSet;

    fn baseline(&self) -> ParamSet {
        self.set(&self.0.baseline())
    }

    fn propose(&self, index: u32, on: &ParamSet) -> ParamSet {
        self.set(&self.0.propose(index, &self.levels(on)))
    }

    fn is_one_change(&self, index: u32) -> bool {
        self.0.is_one_change(index)
    }

    fn loss(&self, candidate: &ParamSet, seed: u64, split: usize) -> f64 {
        self.0.loss(&self.levels(candidate), seed, split)
    }

    fn composer(&self) -> Arc<dyn Compose<ParamSet>> {
        Arc::new(self.space().composer())
    }

    fn gain(&self, candidate: &ParamSet) -> f64 {
        self.0.gain(&self.levels(candidate))
    }

    fn ideal(&self, proposals: u64) -> f64 {
        self.0.ideal(proposals)
    }

    fn judge(&self, candidate: &ParamSet) -> Merit {
        self.0.judge(&self.levels(candidate))
    }

    fn split_error(&self) -> Option<f64> {
        self.0.split_error()
    }
}

/// Plays a study on a world to its end, whose proposals come from `proposer`. It is told of what is settled, as in a
/// [`Study`](crate::Study). [`Rules::proposals`] does not apply.
///
/// # Errors
/// What the state machine refuses; none is expected.
///
/// # Panics
/// The proposer fails, or awaits something that needs a runtime.
pub fn simulate_searched<W: World>(
    world: &W,
    acceptor: impl Acceptor + 'static,
    proposer: impl Proposer<W::Candidate>,
    rules: &Rules,
) -> Result<Simulated, StateError> {
    let mut feed = Search { proposer, observed: 0, made: 0 };
    play(world, acceptor, rules, &mut Checks::off(), |_| {}, None, &mut feed)
}

struct Search<P> {
    proposer: P,
    observed: usize,
    made: u64,
}

impl<W: World, P: Proposer<W::Candidate>> Feed<W> for Search<P> {
    fn propose(&mut self, _world: &W, view: ProposeContext<'_, W::Candidate>) -> Vec<Proposal<W::Candidate>> {
        while let Some(settled) = view.history.get(self.observed) {
            self.proposer.observe(settled);
            self.observed += 1;
        }
        let mut future = pin!(self.proposer.propose(view));
        let made = match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(Proposed::Proposals(made))) => made,
            Poll::Ready(Ok(Proposed::Exhausted | Proposed::Wait)) => Vec::new(),
            Poll::Ready(Err(error)) => panic!("the proposer failed: {error}"),
            Poll::Pending => panic!("the proposer awaits something that needs a runtime"),
        };
        self.made += made.len() as u64;
        made
    }

    fn observe(&mut self, _event: &Event<W::Candidate>) {}

    fn seen(&self) -> u64 {
        self.made
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accept::Greedy;
    use crate::propose::LocalSearch;

    #[test]
    fn it_is_the_same_world() {
        let (slots, world) = (Slots::new(20, 5).steep(), SlotSpace::new(Slots::new(20, 5).steep()));
        let (mut levels, mut set) = (slots.baseline(), world.baseline());
        for index in 0..50 {
            (levels, set) = (slots.propose(index, &levels), world.propose(index, &set));
            assert_eq!(world.levels(&set), levels);
            assert_eq!(world.gain(&set), slots.gain(&levels));
            assert_eq!(world.loss(&set, 3, 1), slots.loss(&levels, 3, 1));
            world.space().validate(&set).expect("a setting of the space");
        }
        let units = world.composer().units(&world.baseline(), &set);
        assert_eq!(units.len(), slots.composer().units(&slots.baseline(), &levels).len());
    }

    #[test]
    fn a_search_climbs() {
        let world = SlotSpace::new(Slots::new(20, 5));
        let search = LocalSearch::over(world.space());
        let played = simulate_searched(&world, Greedy::new(), search, &Rules::budget(300)).expect("it plays");
        assert!(played.runs == 300 && played.proposals >= 290, "{played:?}");
        assert!(played.true_gain > 0.3 * played.ideal_gain, "{played:?}");
    }
}
