//! What is remembered of settled proposals: kept up to date as they come in, so that no call reads the history again.

use super::digest::Digest;
use crate::codec::Codec;
use crate::prompt::{Counts, TagTold};
use autoresearch_core::{Candidate, Effect, Fate, Lessons, ProposalId, TrialRecord};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

/// How many of each kind are at hand to be told; beyond that the oldest are forgotten, all but their identity.
const KEPT: usize = 200;
const NEAR: usize = 60;
const FAILED: usize = 60;
const RECENT: usize = 400;
/// How many tags are counted; beyond that those that were tried least are forgotten.
const TAGS: usize = 512;

/// All that is remembered; bounded but for a few words for each trial.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    known: HashMap<u64, Known>,
    observed: usize,
    pub(crate) counts: Counts,
    /// Newest last, all of them.
    pub(crate) kept: VecDeque<Digest>,
    pub(crate) near: VecDeque<Digest>,
    pub(crate) failed: VecDeque<Digest>,
    pub(crate) recent: VecDeque<Digest>,
    tags: BTreeMap<String, Tally>,
    pub(crate) lessons: Lessons,
}

/// A candidate that was settled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    pub(crate) id: ProposalId,
    pub(crate) fate: Fate,
    /// Where it stands in the history.
    pub(crate) at: usize,
    pub(crate) mean: Option<f64>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    tried: u64,
    kept: u64,
    failed: u64,
    measured: u64,
    sum: f64,
}

/// Identities are long; their hashes are what is compared. That two differ and share one is next to impossible, and
/// costs one proposal.
pub(crate) fn print(identity: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    identity.hash(&mut hasher);
    hasher.finish()
}

impl Memory {
    /// The trial whose candidate has this print.
    pub(crate) fn known(&self, print: u64) -> Option<&Known> {
        self.known.get(&print)
    }

    pub(crate) fn observe<C: Candidate>(&mut self, record: &TrialRecord<C>, codec: &dyn Codec<C>) {
        self.lessons.settled(&record.into());
        let print = print(&codec.identity(&record.proposal.candidate));
        // What the holdout refused was measured, and that it was is not to be added up with the others.
        let mean = record.effect.filter(|_| record.fate != Fate::HeldBack).map(|e| e.mean);
        let now = Known { id: record.id, fate: record.fate, at: self.observed, mean };
        self.observed += 1;
        let tags = &record.proposal.hypothesis.tags;
        // Settled before: set aside and taken up again, or revoked. The latest word counts.
        if let Some(before) = self.known.insert(print, now).filter(|before| before.id == record.id) {
            self.count(&before, tags, false);
            for list in [&mut self.kept, &mut self.near, &mut self.failed, &mut self.recent] {
                list.retain(|digest| digest.id != record.id);
            }
        }
        self.count(&now, tags, true);
        let digest = Digest::of(record);
        let (list, most) = match record.fate {
            Fate::Kept => (Some(&mut self.kept), KEPT),
            Fate::Failed => (Some(&mut self.failed), FAILED),
            _ if is_near(record.fate, record.effect.as_ref()) => (Some(&mut self.near), NEAR),
            _ => (None, 0),
        };
        if let Some(list) = list {
            push(list, digest.clone(), most);
        }
        push(&mut self.recent, digest, RECENT);
    }

    fn count(&mut self, trial: &Known, tags: &[String], add: bool) {
        let change = |count: &mut u64, by: bool| {
            *count = if add { *count + u64::from(by) } else { count.saturating_sub(u64::from(by)) };
        };
        let (kept, failed) = (trial.fate == Fate::Kept, trial.fate == Fate::Failed);
        change(&mut self.counts.settled, true);
        change(&mut self.counts.kept, kept);
        change(&mut self.counts.failed, failed);
        // Marks of a portfolio say who proposed it.
        for tag in tags.iter().filter(|tag| !tag.starts_with("by:")) {
            if add && self.tags.len() >= TAGS && !self.tags.contains_key(tag) {
                let least = self.tags.iter().min_by_key(|(_, tally)| tally.tried);
                if let Some(least) = least.map(|(tag, _)| tag.clone()) {
                    self.tags.remove(&least);
                }
            }
            let tally = self.tags.entry(tag.clone()).or_default();
            change(&mut tally.tried, true);
            change(&mut tally.kept, kept);
            change(&mut tally.failed, failed);
            if let Some(mean) = trial.mean {
                change(&mut tally.measured, true);
                tally.sum += if add { mean } else { -mean };
            }
        }
    }

    /// What worked by tag, those that were tried most first.
    pub(crate) fn tags(&self, most: usize) -> Vec<TagTold> {
        let mut tags: Vec<(&String, &Tally)> =
            self.tags.iter().filter(|(_, tally)| tally.tried > 0).collect();
        tags.sort_by_key(|(_, tally)| std::cmp::Reverse(tally.tried)); // stable: by name among equals
        tags.into_iter().take(most).map(|(tag, tally)| told(tag, tally)).collect()
    }
}

fn told(tag: &str, tally: &Tally) -> TagTold {
    let Tally { tried, kept, failed, measured, sum } = *tally;
    let mean = (measured > 0).then(|| sum / measured as f64);
    let tag = crate::prompt::quote(tag, 40);
    let mut line = format!("- {tag}: {tried} tried, {kept} kept, {failed} failed");
    if let Some(mean) = mean {
        line += &format!(", mean effect {}", super::digest::signed(mean));
    }
    TagTold { tag, tried, kept, failed, mean, line }
}

/// Whether it may be better for all that is known: the interval reaches above zero by more than a quarter of its width.
fn is_near(fate: Fate, effect: Option<&Effect>) -> bool {
    let open = matches!(fate, Fate::Rejected | Fate::SetAside | Fate::Undecided);
    let reach = effect.and_then(|e| e.low.zip(e.high));
    open && reach.is_some_and(|(low, high)| high > (high - low) / 4.0)
}

fn push(list: &mut VecDeque<Digest>, digest: Digest, most: usize) {
    if list.len() >= most {
        list.pop_front();
    }
    list.push_back(digest);
}
