//! Takes the best ideas from the backlog, when an acceptor asks for proposals.

use super::idea::Move;
use super::{Event, Phase, StudyState, mix};
use crate::arm::ProposalId;
use crate::candidate::Candidate;
use crate::curate::{Ranking, Waiting};
use crate::limits::StopReason;
use crate::propose::Proposal;
use crate::state::Stale;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

impl<C: Candidate> StudyState<C> {
    /// Answers the standing request from the backlog; says whether anything came of it.
    pub(super) fn serve(&mut self) -> bool {
        if !matches!(self.phase, Phase::Searching) {
            return false;
        }
        let (Some(backlog), Some(request)) = (&self.backlog, &self.request) else { return false };
        let wanted = request.wanted;
        if self.shortage(wanted).is_some() && !backlog.answered {
            return false;
        }
        let mut taken = self.take_best(wanted);
        if taken.is_empty() && self.recall() {
            taken = self.take_best(wanted);
        }
        if taken.is_empty() {
            return self.give_up();
        }
        let Some(request) = &self.request else { return false };
        let (on, version) = (request.on.clone(), request.version);
        let first = ProposalId(self.ledger.proposed + 1);
        let mut proposals = Vec::with_capacity(taken.len());
        for (id, (idea, proposal)) in (first.0..).map(ProposalId).zip(taken) {
            self.draw_move(idea, Move::Taken { proposal: id });
            proposals.push(proposal);
        }
        self.apply_proposed(first, &on, version, &proposals);
        self.outbox.push(Event::Proposed { first, on, version, proposals });
        if let Some(backlog) = &mut self.backlog {
            backlog.takes += 1;
            backlog.answered = false;
        }
        self.wake();
        true
    }

    /// The best that apply to what the request builds on, each with its proposal. What was ranked beyond the room there
    /// is goes to the shelf.
    fn take_best(&mut self, wanted: usize) -> Vec<(ProposalId, Proposal<C>)> {
        let Some(order) = self.ranked(wanted) else { return Vec::new() };
        let mut taken = Vec::new();
        let mut rest = Vec::new();
        for id in order {
            if taken.len() == wanted {
                rest.push(id);
                continue;
            }
            match self.made_for_request(id) {
                Ok(Some(proposal)) => taken.push((id, proposal)),
                Ok(None) => {
                    let found = "it is what the incumbent is by now".into();
                    self.draw_move(id, Move::Known { of: None, found });
                }
                Err(reason) => self.draw_move(id, Move::Outdated { reason }),
            }
        }
        let high = self.backlog.as_ref().map_or(0, |b| b.rules.room().for_step(wanted).high);
        for id in rest.into_iter().skip(high.saturating_sub(wanted)) {
            self.draw_move(id, Move::PassedOver);
        }
        taken
    }

    /// Those that wait, best first: what is pinned, what somebody gave a place, then as the curator has it.
    fn ranked(&mut self, wanted: usize) -> Option<Vec<ProposalId>> {
        let (seed, version) = (self.settings.seed, self.ledger.version);
        let on = &self.request.as_ref()?.on;
        let live = |id: ProposalId| self.live.get(&id).or_else(|| self.aside.get(&id));
        let stack: Vec<_> = on.proposals().filter_map(live).map(|l| Arc::clone(&l.proposal)).collect();
        let stack: Vec<_> = stack.iter().map(|proposal| &proposal.hypothesis).collect();
        let backlog = self.backlog.as_mut()?;
        let ideas = backlog.waiting.iter().filter_map(|id| Some((*id, backlog.ideas.get(id)?)));
        let waiting: Vec<Waiting<'_>> = ideas
            .map(|(id, idea)| {
                let mut waiting = Waiting::new(id, &idea.proposal.hypothesis, id.0).keys(&idea.keys);
                (waiting.pinned, waiting.place) = (idea.pinned, idea.place);
                waiting
            })
            .collect();
        let cx = Ranking::new(wanted, mix(mix(seed, 73), backlog.takes)).version(version).stack(&stack);
        let curator = &mut backlog.curator;
        let Ok(order) = catch_unwind(AssertUnwindSafe(|| curator.rank(&waiting, &cx))) else {
            self.halt(StopReason::AcceptorFailed("the curator panicked".into()));
            return None;
        };
        // One that a curator leaves out, or names twice, is there once all the same.
        let mut places = BTreeMap::new();
        for (place, id) in order.into_iter().enumerate() {
            places.entry(id).or_insert(place);
        }
        let place = |idea: &Waiting<'_>| {
            let by_hand = (!idea.pinned, idea.place.unwrap_or(u64::MAX));
            (by_hand, places.get(&idea.id).copied().unwrap_or(usize::MAX), idea.arrived)
        };
        let mut order: Vec<_> = waiting.iter().map(|idea| (place(idea), idea.id)).collect();
        order.sort_unstable();
        Some(order.into_iter().map(|(_, id)| id).collect())
    }

    /// An idea as a proposal on what the request builds on; nothing, where it changes nothing there.
    fn made_for_request(&self, id: ProposalId) -> Result<Option<Proposal<C>>, String> {
        let (Some(request), Some(backlog)) = (&self.request, &self.backlog) else { return Ok(None) };
        let Some(idea) = backlog.ideas.get(&id) else { return Ok(None) };
        let is_made_for_it = idea.on == request.on && idea.version == request.version;
        let mut proposal = (*idea.proposal).clone();
        if !is_made_for_it {
            if self.settings.stale == Stale::Drop && idea.version != request.version {
                return Err("the incumbent has changed since it was made".into());
            }
            let Some(compose) = &self.compose else {
                return Err(
                    "the incumbent has changed since it was made, and nobody knows how to merge".into()
                );
            };
            let merge = || compose.apply(&request.candidate, &idea.parent, &idea.proposal.candidate);
            proposal.candidate = match catch_unwind(AssertUnwindSafe(merge)) {
                Ok(Ok(candidate)) => candidate,
                Ok(Err(conflict)) => return Err(conflict.to_string()),
                Err(_) => return Err("the merge panicked".into()),
            };
        }
        Ok((!self.is_same(&proposal.candidate, &request.candidate)).then_some(proposal))
    }

    /// Takes what was passed over from the shelf; says whether anything was there.
    fn recall(&mut self) -> bool {
        let Some(backlog) = &self.backlog else { return false };
        let ids: Vec<ProposalId> = backlog.passed_over.iter().copied().collect();
        for id in &ids {
            self.draw_move(*id, Move::Recalled);
        }
        !ids.is_empty()
    }

    /// Nothing waits. Where nobody will say anything more, that is the end of proposals.
    fn give_up(&mut self) -> bool {
        let Some(unaffordable) = self.backlog.as_ref().and_then(|b| b.dry) else { return false };
        self.ledger.exhausted = true;
        self.ledger.unaffordable = unaffordable;
        self.ledger.asked = 0;
        self.request = None;
        self.wake();
        true
    }
}
