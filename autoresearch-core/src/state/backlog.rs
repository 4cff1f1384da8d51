//! The backlog in the machine: ideas arrive, people move them, and what becomes of them is remembered.

use super::idea::{BacklogEntry, Idea, IdeaState, Move};
use super::known::Known;
use super::{Event, StateError, StudyState};
use crate::arm::{Arm, ProposalId, Version};
use crate::candidate::Candidate;
use crate::curate::{Curation, Curator, Rules, Settled};
use crate::propose::{Fate, Proposal};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many answers without anything new, one after the other, are taken for having nothing more to say.
const BARREN: u32 = 8;

pub(super) struct Backlog<C> {
    pub(super) curator: Box<dyn Curator>,
    pub(super) rules: Rules,
    pub(super) ideas: BTreeMap<ProposalId, Idea<C>>,
    pub(super) waiting: BTreeSet<ProposalId>,
    /// Shelved because there was no room.
    pub(super) passed_over: BTreeSet<ProposalId>,
    /// Which idea a proposal is.
    pub(super) taken: BTreeMap<ProposalId, ProposalId>,
    pub(super) known: Known,
    /// Ideas so far, answers that brought some, and how often some were taken.
    pub(super) made: u64,
    pub(super) answers: u64,
    pub(super) takes: u64,
    /// Whoever proposes has said, since ideas were last taken, that there is nothing more for now.
    pub(super) answered: bool,
    /// Nobody will propose anything again; whether for want of money.
    pub(super) dry: Option<bool>,
    barren: u32,
    /// Counts every change that a reader could see.
    pub(super) revision: u64,
}

impl<C: Candidate> StudyState<C> {
    /// Lets proposals wait in a backlog, ranked by a curator; see [`Study::curate`](crate::Study::curate). To be called
    /// before the first fact; of a study that was reopened, before its events are replayed, with the curator and the
    /// rules that it was opened with.
    ///
    /// # Errors
    /// Something has happened already, or the stored rules are others.
    pub fn curate(mut self, curation: Curation) -> Result<Self, StateError> {
        if self.ledger.proposed > 0 || self.ledger.ended > 0 {
            let why = "curate: something has happened in this study already; call it before the first fact";
            return Err(StateError::Settings(why.into()));
        }
        let Curation { curator, rules } = curation;
        if let Some(Event::Opened { settings, .. }) = self.outbox.first_mut() {
            settings.curation = Some(rules.clone());
            self.settings.curation = Some(rules.clone());
        }
        let stored = self.settings.curation.as_ref().map_or_else(|| "none".into(), Rules::to_string);
        super::replay::same("curation", &stored, &rules.to_string())?;
        self.backlog = Some(Box::new(Backlog {
            curator,
            rules,
            ideas: BTreeMap::new(),
            waiting: BTreeSet::new(),
            passed_over: BTreeSet::new(),
            taken: BTreeMap::new(),
            known: Known::default(),
            made: 0,
            answers: 0,
            takes: 0,
            answered: false,
            dry: None,
            barren: 0,
            revision: 0,
        }));
        Ok(self)
    }

    /// The ideas of the backlog, in the order of their numbers, whatever their state; none where there is no backlog.
    pub fn backlog(&self) -> impl Iterator<Item = BacklogEntry> + '_ {
        self.backlog.iter().flat_map(|b| &b.ideas).map(|(id, idea)| idea.entry(*id))
    }

    /// Has a person's idea wait, made on the incumbent of now; returns its number in the backlog.
    ///
    /// # Errors
    /// The study has no backlog.
    pub fn add_idea(&mut self, idea: Proposal<C>) -> Result<ProposalId, StateError> {
        let backlog = self.backlog.as_ref().ok_or(StateError::NoBacklog)?;
        let first = ProposalId(backlog.made + 1);
        let (on, version) = (Arm::incumbent(), self.ledger.version);
        self.record(Event::Queued { first, on, version, ideas: vec![idea], asked: false });
        Ok(first)
    }

    /// Moves an idea of the backlog, as a person wants it.
    ///
    /// # Errors
    /// The study has no backlog, there is no such idea, it is being judged or settled, or the move is not a person's.
    pub fn move_idea(&mut self, idea: ProposalId, to: Move) -> Result<(), StateError> {
        let backlog = self.backlog.as_ref().ok_or(StateError::NoBacklog)?;
        let refuse = |why: String| Err(StateError::Idea { idea, why });
        let Some(known) = backlog.ideas.get(&idea) else { return refuse("there is none".into()) };
        if to.is_derived() {
            return refuse("that move follows from what is known; nobody makes it".into());
        }
        if !matches!(known.state, IdeaState::New | IdeaState::Shelved(_) | IdeaState::Vetoed(_)) {
            return refuse(format!("it does not wait: {}", known.state));
        }
        if let Move::Expected { expected, spread, kept } = &to {
            let numbers = expected.is_none_or(f64::is_finite)
                && spread.is_none_or(|x| x.is_finite() && x >= 0.0)
                && kept.is_none_or(|p| (0.0..=1.0).contains(&p));
            if !numbers {
                return refuse(
                    "an expectation is a number, its spread is not negative, a probability is between 0 and 1"
                        .into(),
                );
            }
        }
        self.record(Event::Moved { idea, to });
        Ok(())
    }

    pub(super) fn apply_queued(&mut self, event: &Event<C>) {
        let Event::Queued { first, on, version, ideas, asked } = event else { return };
        let parent = match &mut self.request {
            Some(request) if *asked => {
                request.handed = None;
                let on_it = !on.is_incumbent() && request.on == *on;
                on_it.then(|| Arc::clone(&request.candidate))
            }
            _ => None,
        };
        let of = |version: Version| self.incumbents.get(version.0 as usize).map(Arc::clone);
        let parent = parent.or_else(|| of(*version)).unwrap_or_else(|| Arc::clone(self.newest()));
        let mut fresh = false;
        for (id, proposal) in (first.0..).map(ProposalId).zip(ideas) {
            let mut proposal = proposal.clone();
            if proposal.hypothesis.title.is_empty() {
                proposal.hypothesis.title = format!("idea {}", id.0);
            }
            let traits = self.recognise(&parent, &proposal);
            let answer =
                if proposal.rebases.is_some() { None } else { self.answer(&parent, &proposal, &traits) };
            let Some(backlog) = &mut self.backlog else { return };
            backlog.made = id.0;
            let (keys, pinned) = (traits.keys.clone(), proposal.rebases.is_some());
            let mut idea = Idea {
                proposal: Arc::new(proposal),
                parent: Arc::clone(&parent),
                on: on.clone(),
                version: *version,
                keys,
                state: IdeaState::New,
                // Somebody waits for what is made anew after a conflict.
                pinned,
                place: None,
                settled: Version(0),
                found: String::new(),
                near: false,
            };
            if let Some((of, found)) = answer {
                idea.state = IdeaState::Known(found.clone());
                self.outbox.push(Event::Moved { idea: id, to: Move::Known { of, found } });
            } else {
                fresh = true;
                backlog.known.remember(id, &traits);
                backlog.waiting.insert(id);
            }
            backlog.ideas.insert(id, idea);
        }
        let Some(backlog) = &mut self.backlog else { return };
        backlog.revision += 1;
        backlog.answers += u64::from(*asked);
        if fresh {
            backlog.barren = 0;
            self.ledger.exhausted = false;
        } else if *asked {
            backlog.barren += 1;
            backlog.answered = true;
            if backlog.barren >= BARREN {
                backlog.dry = Some(false);
            }
        }
    }

    pub(super) fn apply_moved(&mut self, id: ProposalId, to: &Move) {
        let Some(backlog) = &mut self.backlog else { return };
        let Some(idea) = backlog.ideas.get_mut(&id) else { return };
        backlog.revision += 1;
        backlog.passed_over.remove(&id);
        match to {
            Move::Shelved { reason } => idea.state = IdeaState::Shelved(reason.clone()),
            Move::Vetoed { reason } => idea.state = IdeaState::Vetoed(reason.clone()),
            Move::Restored | Move::Recalled => idea.state = IdeaState::New,
            Move::Pinned(pinned) => idea.pinned = *pinned,
            Move::Placed(place) => idea.place = *place,
            Move::Expected { expected, spread, kept } => {
                let mut proposal = (*idea.proposal).clone();
                let hypothesis = &mut proposal.hypothesis;
                (hypothesis.expected, hypothesis.spread, hypothesis.kept) = (*expected, *spread, *kept);
                idea.proposal = Arc::new(proposal);
            }
            Move::Taken { proposal } => {
                idea.state = IdeaState::Running(*proposal);
                backlog.taken.insert(*proposal, id);
            }
            Move::PassedOver => {
                idea.state = IdeaState::Shelved("others were ranked before it".into());
                backlog.passed_over.insert(id);
            }
            Move::Outdated { reason } => idea.state = IdeaState::Shelved(reason.clone()),
            Move::Known { found, .. } => idea.state = IdeaState::Known(found.clone()),
        }
        // A pin or an expectation does not take an idea from the shelf.
        if idea.state == IdeaState::New {
            backlog.waiting.insert(id);
            if !to.is_derived() {
                self.ledger.exhausted = false;
            }
        } else {
            backlog.waiting.remove(&id);
        }
    }

    /// Draws a move: it is applied and stored like any other.
    pub(super) fn draw_move(&mut self, idea: ProposalId, to: Move) {
        self.apply_moved(idea, &to);
        self.outbox.push(Event::Moved { idea, to });
    }

    /// Tells curator and backlog what became of a proposal.
    pub(super) fn learn(&mut self, outcome: &Settled<'_>) {
        let Some(backlog) = &mut self.backlog else { return };
        backlog.revision += 1;
        backlog.curator.settled(outcome);
        let Some(id) = backlog.taken.get(&outcome.id).copied() else { return };
        let Some(idea) = backlog.ideas.get_mut(&id) else { return };
        idea.state = IdeaState::Settled(outcome.id, outcome.fate);
        idea.settled = outcome.version;
        idea.near = outcome.is_near();
        // That the holdout said no is all that anybody may learn from it.
        let is_told = outcome.fate != Fate::HeldBack;
        let effect = outcome.effect.filter(|_| is_told).map(|e| format!(", effect {e}")).unwrap_or_default();
        idea.found = format!("{} as {}{effect}", outcome.fate, outcome.id);
        if is_told {
            idea.found += &format!(": {}", outcome.reason);
        }
        if outcome.fate == Fate::Kept {
            let keys = idea.keys.clone();
            backlog.known.kept(outcome.version, keys);
        }
    }

    /// Nobody has anything more to say, for want of money or of ideas; what waits is tried all the same.
    pub(super) fn run_dry(&mut self, unaffordable: bool) -> bool {
        let Some(backlog) = &mut self.backlog else { return false };
        backlog.dry = Some(unaffordable);
        if let Some(request) = &mut self.request {
            request.handed = None;
        }
        true
    }

    /// Whoever proposes may have something to say again.
    pub(super) fn no_longer_dry(&mut self) {
        if let Some(backlog) = &mut self.backlog {
            (backlog.dry, backlog.barren) = (None, 0);
        }
    }

    /// How many ideas are to be asked for, where a step wants so many; `None`: enough wait, or nobody has more.
    pub(super) fn shortage(&self, wanted: usize) -> Option<usize> {
        match &self.backlog {
            None => Some(wanted),
            Some(backlog) if backlog.dry.is_some() => None,
            Some(backlog) => backlog.rules.room().ask(backlog.waiting.len(), wanted),
        }
    }
}
