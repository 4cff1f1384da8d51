//! Plays an acceptor and a curator on a world: ideas wait in a backlog, and the curator says which is tried next.

use super::simulate::{Feed, Rules, Simulated, play};
use super::world::World;
use crate::accept::Acceptor;
use crate::arm::ProposalId;
use crate::checks::Checks;
use crate::curate::Curation;
use crate::propose::{Fate, Hypothesis, Proposal, ProposeContext};
use crate::state::{Event, Move, StateError};
use std::collections::{BTreeMap, HashSet, VecDeque};

/// An edit of the world's stream, with what is said of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Idea {
    /// Which edit; `None`: what the incumbent is anyway.
    pub edit: Option<u32>,
    /// What is said of it.
    pub hypothesis: Hypothesis,
}

/// What a policy and a curator did on a world.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Curated {
    /// The study.
    pub simulated: Simulated,
    /// Ideas that were made.
    pub ideas: u64,
    /// Those that were recognised as ideas of before, or as the incumbent itself.
    pub known: u64,
    /// Those that were tried.
    pub tried: u64,
    /// Runs of ideas that had been tried before, or that change nothing.
    pub wasted_runs: u64,
}

/// Plays a study on a world to its end, whose ideas come from `ideas` and wait in its backlog.
///
/// # Errors
/// What the state machine refuses; none is expected.
pub fn simulate_curated<W: World>(
    world: &W,
    acceptor: impl Acceptor + 'static,
    curation: Curation,
    ideas: &mut dyn FnMut() -> Idea,
    rules: &Rules,
) -> Result<Curated, StateError> {
    let mut feed = Backlog {
        ideas,
        made: Vec::new(),
        known: 0,
        furthest: 0,
        tried: 0,
        wasted: 0,
        taken: BTreeMap::new(),
        edits: HashSet::new(),
        again: VecDeque::new(),
    };
    let simulated = play(world, acceptor, rules, &mut Checks::off(), |_| {}, Some(curation), &mut feed)?;
    let Backlog { known, tried, wasted, .. } = feed;
    Ok(Curated { simulated, ideas: feed.made.len() as u64, known, tried, wasted_runs: wasted })
}

struct Backlog<'a> {
    ideas: &'a mut dyn FnMut() -> Idea,
    /// In the order of their numbers in the backlog.
    made: Vec<Idea>,
    known: u64,
    furthest: u32,
    tried: u64,
    wasted: u64,
    /// By proposal: which idea it is, and whether its runs are for nothing.
    taken: BTreeMap<ProposalId, (usize, bool)>,
    /// What was tried, by the world's truth.
    edits: HashSet<u32>,
    again: VecDeque<(Idea, ProposalId)>,
}

impl<W: World> Feed<W> for Backlog<'_> {
    fn propose(&mut self, world: &W, view: ProposeContext<'_, W::Candidate>) -> Vec<Proposal<W::Candidate>> {
        let on = view.incumbent;
        let make = |_| {
            let (idea, earlier) = match self.again.pop_front() {
                Some((idea, earlier)) => (idea, Some(earlier)),
                None => ((self.ideas)(), None),
            };
            self.furthest = self.furthest.max(idea.edit.unwrap_or(0));
            let candidate = idea.edit.map_or_else(|| on.clone(), |edit| world.propose(edit, on));
            let mut proposal = Proposal::new(candidate);
            proposal.hypothesis = idea.hypothesis.clone();
            proposal.rebases = earlier.filter(|_| idea.edit.is_some_and(|edit| world.is_one_change(edit)));
            self.made.push(idea);
            proposal
        };
        (0..view.wanted).map(make).collect()
    }

    fn observe(&mut self, event: &Event<W::Candidate>) {
        match event {
            Event::Moved { to: Move::Known { .. }, .. } => self.known += 1,
            Event::Moved { idea, to: Move::Taken { proposal } } => {
                let place = idea.0 as usize - 1;
                let Some(said) = self.made.get(place) else { return };
                // The incumbent itself, or what was tried before.
                let wasted = said.edit.is_none_or(|edit| !self.edits.insert(edit));
                self.tried += 1;
                self.taken.insert(*proposal, (place, wasted));
            }
            Event::Settled { proposal, fate, runs, .. } => {
                let Some((place, wasted)) = self.taken.get(proposal) else { return };
                self.wasted += if *wasted { u64::from(*runs) } else { 0 };
                if *fate == Fate::Conflict
                    && let Some(idea) = self.made.get(*place)
                {
                    self.again.push_back((idea.clone(), *proposal));
                }
            }
            _ => {}
        }
    }

    fn seen(&self) -> u64 {
        u64::from(self.furthest) + 1
    }
}
