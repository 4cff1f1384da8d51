//! Proposals, and what became of them.

use super::difference::difference;
use super::{Change, Fold, Run, incumbent};
use crate::text;
use autoresearch_core::{Effect, Fate, Proposal, Role, Source, Strength};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A proposal and what became of it.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Trial {
    /// Its number.
    pub id: u64,
    /// Its title, shortened to 300 characters.
    pub title: String,
    /// Why it should help, shortened to 2,000 characters.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub rationale: String,
    /// What it changes, in its proposer's words, shortened to 8,000 characters.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub change: String,
    /// What it changes, value by value, where candidates are made of named values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// The improvement that was expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<f64>,
    /// The standard deviation of what was expected, as it was stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spread: Option<f64>,
    /// How probable it was said to be that this is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub likely: Option<f64>,
    /// Whose idea it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Labels, at most 8.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The incumbent that it was made for.
    pub version: u32,
    /// What became of it; `None`: it is being judged, or waits.
    pub fate: Option<Fate>,
    /// Which units of its change were kept, from 0, where not all ([`Change::unit`](super::Change::unit)).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub units: Option<Vec<u16>>,
    /// The incumbent's version when it was settled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled_version: Option<u32>,
    /// The measured improvement on validation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    /// The e-value and its level.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strength: Option<Strength>,
    /// Why, in a sentence, shortened to 400 characters.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Runs that trained it, alone or with others.
    pub runs: u64,
    /// Those of them that were fresh tests. None were where a policy keeps what looks best: its runs choose, whatever their
    /// role.
    pub confirming: u64,
    /// Seconds that they took; a run of several proposals counts in full for each.
    pub seconds: f64,
    /// The same with the seconds of each run divided evenly among the proposals that it trained.
    pub share: f64,
    /// The mean objective of the runs that trained it alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objective: Option<f64>,
    /// The mean objective of the runs that trained it together with others, or a part of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub together: Option<f64>,
    /// What the holdout said of it, if it was asked about it alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_out: Option<bool>,
    /// Runs that had ended when it was settled, or by its last run; those of a stack that has it and is built upon do not
    /// count.
    pub at_run: u64,
    /// Seconds that the study had been running by then.
    pub at_time: f64,
    /// The number of the event that settled it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<u64>,
    /// The largest metric `memory_gb` of its runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_gb: Option<f64>,
}

impl Trial {
    /// Whether its effect was measured by the runs that chose it.
    pub(crate) fn is_chosen(&self) -> bool {
        self.effect.is_some_and(|effect| !effect.fresh)
    }
}

/// What is said where a proposal is settled.
pub(super) struct Settled {
    pub(super) fate: Fate,
    pub(super) units: Option<Vec<u16>>,
    pub(super) version: u32,
    pub(super) effect: Option<Effect>,
    pub(super) strength: Option<Strength>,
    pub(super) reason: String,
}

impl Fold {
    pub(super) fn proposed(
        &mut self,
        id: u64,
        version: u32,
        on: &[(u64, Option<u16>)],
        proposal: Proposal<Value>,
    ) {
        let hypothesis = proposal.hypothesis;
        let changes = match self.applied.parent(version, on) {
            Some(parent) => difference(&parent, &proposal.candidate),
            None => Vec::new(),
        };
        // What a title says in place of nothing.
        let title = match text::line(&hypothesis.title, 300) {
            title if title.is_empty() => format!("proposal {id}"),
            title => title,
        };
        self.applied.propose(id, &changes);
        self.trials.push(Trial {
            id,
            title,
            rationale: text::block(&hypothesis.rationale, 40, 2000),
            change: text::block(&hypothesis.change, 200, 8000),
            changes: changes.into_iter().map(|change| change.shown()).collect(),
            expected: hypothesis.expected.filter(|x| x.is_finite()),
            spread: hypothesis.spread.filter(|x| x.is_finite() && *x >= 0.0),
            likely: hypothesis.kept.filter(|p| (0.0..=1.0).contains(p)),
            source: hypothesis.source,
            tags: hypothesis.tags.iter().take(8).map(|tag| text::line(tag, 60)).collect(),
            version,
            fate: None,
            units: None,
            settled_version: None,
            effect: None,
            strength: None,
            reason: String::new(),
            runs: 0,
            confirming: 0,
            seconds: 0.0,
            share: 0.0,
            objective: None,
            together: None,
            held_out: None,
            at_run: self.runs.len() as u64,
            at_time: self.cost.elapsed,
            settled_at: None,
            memory_gb: None,
        });
    }

    pub(super) fn settled(&mut self, seq: u64, proposal: u64, settled: Settled) {
        let Settled { fate, units, version, effect, strength, reason } = settled;
        let (at_run, at_time) = (self.runs.len() as u64, self.cost.elapsed);
        let Some(trial) = find(&mut self.trials, proposal) else { return };
        trial.fate = Some(fate);
        trial.units.clone_from(&units);
        trial.settled_version = Some(version);
        trial.effect = effect.filter(|e| e.mean.is_finite());
        trial.strength = strength;
        trial.reason = text::line(&reason, 400);
        (trial.at_run, trial.at_time) = (at_run, at_time);
        trial.settled_at = Some(seq);
        if matches!(fate, Fate::Kept | Fate::Revoked) {
            let effect = trial.effect;
            self.keeps.push(incumbent::Keep { version, proposal, fate, effect, at_run, at_time });
        }
        match fate {
            Fate::Kept => self.applied.keep(proposal, units.as_deref(), version),
            Fate::SetAside | Fate::Undecided => {} // arms may have it again
            _ => self.applied.forget(proposal),
        }
    }
}

/// Proposals are numbered from 1, in order; where events are missing, some are not where their number says.
pub(super) fn find(trials: &mut [Trial], id: u64) -> Option<&mut Trial> {
    let guess = usize::try_from(id.checked_sub(1)?).ok()?;
    let at = match trials.get(guess) {
        Some(trial) if trial.id == id => guess,
        _ => trials.binary_search_by_key(&id, |trial| trial.id).ok()?,
    };
    trials.get_mut(at)
}

/// Where a policy keeps what looks best, its runs choose, whatever their role: none of them is a test.
pub(super) fn without_tests(trials: &mut [Trial]) {
    let chose = |trial: &Trial| trial.confirming > 0 && trial.confirming == trial.runs;
    if trials.iter().any(|trial| trial.is_chosen() && chose(trial)) {
        let untested = |trial: &&mut Trial| chose(trial) && trial.effect.is_none_or(|effect| !effect.fresh);
        trials.iter_mut().filter(untested).for_each(|trial| trial.confirming = 0);
    }
}

/// The mean objective of each proposal's runs: of those on which nothing else was switched on, and of the others.
pub(super) fn objectives(trials: &mut [Trial], runs: &[Run]) {
    let mut sums: BTreeMap<(u64, bool), (f64, u32)> = BTreeMap::new();
    for run in runs.iter().filter(|run| run.role != Role::Transfer) {
        let Some(objective) = run.objective else { continue };
        let alone = run.arm.len() == 1 && !run.partial;
        for id in &run.arm {
            let of = sums.entry((*id, alone)).or_default();
            *of = (of.0 + objective, of.1 + 1);
        }
    }
    for ((id, alone), (sum, n)) in sums {
        if let Some(trial) = find(trials, id) {
            let mean = Some(sum / f64::from(n));
            if alone { trial.objective = mean } else { trial.together = mean }
        }
    }
}
