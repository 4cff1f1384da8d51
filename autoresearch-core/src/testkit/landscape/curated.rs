//! Plays an acceptor and a curator on a world: ideas wait in a backlog, and the curator says which is tried next.

use super::simulate::{Feed, Rules, Simulated, play};
use super::world::World;
use crate::accept::Acceptor;
use crate::arm::{Arm, ProposalId};
use crate::checks::Checks;
use crate::curate::{Curator, Ranking, Room, Settled, Waiting};
use crate::propose::{Hypothesis, Proposal};
use crate::state::{Event, StateError, mix};
use std::collections::{HashSet, VecDeque};
use std::hash::Hash;

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

/// Plays a study on a world to its end, whose ideas come from `ideas` and wait in a backlog with this room.
///
/// # Errors
/// What the state machine refuses; none is expected.
pub fn simulate_curated<W: World>(
    world: &W,
    acceptor: impl Acceptor + 'static,
    curator: &mut dyn Curator,
    ideas: &mut dyn FnMut() -> Idea,
    room: Room,
    rules: &Rules,
) -> Result<Curated, StateError>
where
    W::Candidate: Eq + Hash,
{
    let mut feed = Backlog {
        curator,
        ideas,
        room,
        seed: mix(rules.seed, 71),
        made: 0,
        known: 0,
        furthest: 0,
        wasted: 0,
        waiting: Vec::new(),
        taken: Vec::new(),
        seen: HashSet::new(),
        tried: HashSet::new(),
        again: VecDeque::new(),
    };
    let simulated = play(world, acceptor, rules, &mut Checks::off(), |_| {}, &mut feed)?;
    let (ideas, known, tried) = (feed.made, feed.known, feed.taken.len() as u64);
    Ok(Curated { simulated, ideas, known, tried, wasted_runs: feed.wasted })
}

fn made<W: World>(idea: &Idea, world: &W, on: &W::Candidate) -> W::Candidate {
    idea.edit.map_or_else(|| on.clone(), |edit| world.propose(edit, on))
}

struct Backlog<'a, C> {
    curator: &'a mut dyn Curator,
    ideas: &'a mut dyn FnMut() -> Idea,
    room: Room,
    seed: u64,
    made: u64,
    known: u64,
    furthest: u32,
    wasted: u64,
    waiting: Vec<(u64, Idea)>,
    /// By proposal, and whether its runs are for nothing.
    taken: Vec<(Idea, bool)>,
    /// What each idea makes of the baseline.
    seen: HashSet<C>,
    /// Edits that were tried: known by the world's truth, not by what the study can see.
    tried: HashSet<u32>,
    again: VecDeque<(Idea, ProposalId)>,
}

impl<C: Eq + Hash + Clone> Backlog<'_, C> {
    fn fill<W: World<Candidate = C>>(&mut self, wanted: usize, world: &W, on: &C) {
        let Some(more) = self.room.ask(self.waiting.len(), wanted) else { return };
        let baseline = world.baseline();
        for _ in 0..more {
            let idea = (self.ideas)();
            self.made += 1;
            self.furthest = self.furthest.max(idea.edit.unwrap_or(0));
            // The same as before, or what the incumbent is anyway.
            if made(&idea, world, on) == *on || !self.seen.insert(made(&idea, world, &baseline)) {
                self.known += 1;
                continue;
            }
            self.waiting.push((self.made, idea));
        }
    }

    /// The numbers of those that wait, best first.
    fn ranked(&mut self, wanted: usize, arm: &Arm) -> Vec<ProposalId> {
        let backlog: Vec<Waiting<'_>> =
            self.waiting.iter().map(|(n, idea)| Waiting::new(ProposalId(*n), &idea.hypothesis, *n)).collect();
        let idea = |id: ProposalId| self.taken.get(id.0 as usize - 1).map(|(idea, _)| &idea.hypothesis);
        let stack: Vec<&Hypothesis> = arm.proposals().filter_map(idea).collect();
        let seed = mix(self.seed, self.taken.len() as u64);
        self.curator.rank(&backlog, &Ranking::new(wanted, seed).stack(&stack))
    }
}

impl<W: World> Feed<W> for Backlog<'_, W::Candidate>
where
    W::Candidate: Eq + Hash,
{
    fn propose(
        &mut self,
        wanted: usize,
        world: &W,
        on: &W::Candidate,
        arm: &Arm,
    ) -> Vec<Proposal<W::Candidate>> {
        let mut next: Vec<(Idea, Option<ProposalId>)> = Vec::new();
        while next.len() < wanted
            && let Some((idea, earlier)) = self.again.pop_front()
        {
            next.push((idea, Some(earlier)));
        }
        let wanted = wanted - next.len();
        if wanted > 0 {
            self.fill(wanted, world, on);
            let order = self.ranked(wanted, arm);
            let high = self.room.for_step(wanted).high;
            let place = |n: u64| order.iter().take(high).position(|id| id.0 == n);
            let mut stay: Vec<(usize, (u64, Idea))> = Vec::new();
            for (n, idea) in std::mem::take(&mut self.waiting) {
                stay.extend(place(n).map(|place| (place, (n, idea))));
            }
            stay.sort_by_key(|(place, _)| *place);
            let rest = stay.split_off(wanted.min(stay.len()));
            next.extend(stay.into_iter().map(|(_, (_, idea))| (idea, None)));
            self.waiting = rest.into_iter().map(|(_, waiting)| waiting).collect();
        }
        let make = |(idea, earlier): (Idea, Option<ProposalId>)| {
            let candidate = made(&idea, world, on);
            // What is made anew after a conflict was not run in vain before.
            let again = idea.edit.is_some_and(|edit| !self.tried.insert(edit));
            let wasted = candidate == *on || again && earlier.is_none();
            let mut proposal = Proposal::new(candidate);
            proposal.hypothesis = idea.hypothesis.clone();
            proposal.rebases = earlier.filter(|_| idea.edit.is_some_and(|edit| world.is_one_change(edit)));
            self.taken.push((idea, wasted));
            proposal
        };
        next.into_iter().map(make).collect()
    }

    fn observe(&mut self, event: &Event<W::Candidate>) {
        let Event::Settled { proposal, fate, effect, runs, version, .. } = event else { return };
        let Some((idea, wasted)) = self.taken.get(proposal.0 as usize - 1) else { return };
        self.wasted += if *wasted { u64::from(*runs) } else { 0 };
        if *fate == crate::Fate::Conflict {
            self.again.push_back((idea.clone(), *proposal));
        }
        let outcome = Settled::new(*proposal, &idea.hypothesis, *fate, *runs);
        self.curator.settled(&outcome.effect(*effect).version(*version));
    }

    fn seen(&self) -> u64 {
        u64::from(self.furthest) + 1
    }
}
