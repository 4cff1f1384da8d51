//! A study before anything happened.

use super::{Event, Finale, Phase, Settings, StateError, StudyState};
use crate::accept::{Acceptor, Ledger, UnitInfo};
use crate::arm::{RunId, Version};
use crate::candidate::Candidate;
use crate::compose::Compose;
use crate::holdout::Book;
use crate::propose::History;
use crate::stats::Moments;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

impl<C: Candidate> StudyState<C> {
    /// Opens a new study under this identifier.
    pub(crate) fn open_as(
        study: &str,
        baseline: C,
        acceptor: Box<dyn Acceptor>,
        compose: Option<Arc<dyn Compose<C>>>,
        settings: Settings,
        executor: String,
    ) -> Result<Self, StateError> {
        let opened = Event::Opened {
            study: study.into(),
            baseline: baseline.clone(),
            settings: settings.clone(),
            policy: acceptor.describe(),
            executor,
        };
        let mut state = Self::blank(study, baseline, acceptor, compose, settings)?;
        state.outbox.push(opened);
        state.pump();
        Ok(state)
    }

    /// A state before anything happened.
    pub(super) fn blank(
        study: &str,
        baseline: C,
        acceptor: Box<dyn Acceptor>,
        compose: Option<Arc<dyn Compose<C>>>,
        settings: Settings,
    ) -> Result<Self, StateError> {
        settings.limits.check().map_err(StateError::Settings)?;
        settings.constraints.iter().try_for_each(|c| c.check()).map_err(StateError::Settings)?;
        acceptor.check(&settings.setup(compose.is_some())).map_err(StateError::Settings)?;
        if let Some(rules) = &settings.holdout {
            rules.rule.check().map_err(StateError::Settings)?;
        }
        let book = Book::new(settings.holdout.as_ref());
        let ledger = Ledger {
            version: Version(0),
            live: BTreeMap::new(),
            aside: BTreeMap::new(),
            runs: BTreeMap::new(),
            next_run: RunId(1),
            next_seed: 0,
            seed_offset: seed_offset(settings.seed),
            seed_bits: settings.seed_bits(),
            outstanding: 0,
            shelved: 0,
            capacity: settings.width(),
            asked: 0,
            exhausted: false,
            unaffordable: false,
            started: 0,
            proposed: 0,
            kept: 0,
            limits: settings.limits.clone(),
            elapsed: 0.0,
            compute: 0.0,
            money: 0.0,
            money_of_runs: 0.0,
            ended: 0,
            holdout: book.status(),
        };
        Ok(Self {
            study: study.into(),
            settings,
            acceptor,
            compose,
            whole: [UnitInfo { key: "".into(), level: None, from: None }].into(),
            incumbents: vec![Arc::new(baseline)],
            ledger,
            backlog: None,
            live: BTreeMap::new(),
            aside: BTreeMap::new(),
            cleared: BTreeSet::new(),
            terms: super::terms::Terms::default(),
            stack: None,
            history: History::default(),
            queue: VecDeque::new(),
            shelf: Vec::new(),
            flying: BTreeMap::new(),
            arrived: BTreeMap::new(),
            confirmed: BTreeMap::new(),
            request: None,
            court: None,
            inquiry: None,
            baseline_losses: Moments::new(),
            incumbent_losses: Moments::new(),
            book,
            refused: false,
            deferred: BTreeSet::new(),
            forget_at: 64,
            phase: Phase::Searching,
            consulted: false,
            finale: Finale::default(),
            next_question: 1,
            failures: 0,
            losses: 0,
            lost: BTreeSet::new(),
            baseline_runs: false,
            elapsed: 0.0,
            champions: Vec::new(),
            kept: Vec::new(),
            outbox: Vec::new(),
        })
    }
}

/// Where a study's run seeds begin: 0 for study seed 0, scattered for others (MurmurHash3's finaliser).
pub(crate) fn seed_offset(seed: u64) -> u32 {
    let mut h = (seed ^ (seed >> 32)) as u32;
    h ^= h >> 16;
    h = h.wrapping_mul(0x85EB_CA6B);
    h ^= h >> 13;
    h = h.wrapping_mul(0xC2B2_AE35);
    h ^ (h >> 16)
}
