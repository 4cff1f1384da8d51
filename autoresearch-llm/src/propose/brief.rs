//! What of the history is told, within so many tokens: the newest and most informative first.

use super::digest::{self, Digest};
use super::learned;
use super::memory::Memory;
use crate::codec::Codec;
use crate::prompt::{Brief, Told};
use autoresearch_core::{Candidate, Direction, ProposalId, ProposeContext, Source};
use std::collections::HashSet;
use std::sync::Arc;

/// How many tags are told at the most.
const TAGS: usize = 16;

/// What is told whatever the room: where the study stands, and what may be changed.
pub(crate) fn fixed<C: Candidate>(cx: &ProposeContext<'_, C>, codec: &dyn Codec<C>) -> Brief {
    let same = codec.identity(&cx.baseline) == codec.identity(cx.incumbent);
    let since = if same { String::new() } else { codec.difference(&cx.baseline, cx.incumbent) };
    Brief {
        direction: match cx.direction {
            Direction::Minimize => "low",
            Direction::Maximize => "high",
        },
        baseline: cx.baseline_objective.map(rounded),
        incumbent: cx.incumbent_objective.map(rounded),
        runs_left: cx.runs_left,
        money_left: cx.money_left().map(rounded),
        on: cx.on().proposals().map(|id| id.to_string()).collect(),
        since_baseline: since,
        space: codec.describe(cx.incumbent),
        ..Brief::default()
    }
}

/// As many digits as a reader wants.
fn rounded(x: f64) -> f64 {
    format!("{x:.5e}").parse().unwrap_or(x)
}

/// Fills in what was tried, in at most so many tokens as `count` counts them; says whether anything is told.
///
/// Each kind has a share of the room. What a kind leaves goes to all others that are recent, and then to more of those that
/// were kept.
pub(crate) fn fill<C: Candidate>(
    brief: &mut Brief,
    (memory, own): (&Memory, &Source),
    cx: &ProposeContext<'_, C>,
    room: u64,
    count: impl Fn(&str) -> u64,
) -> bool {
    let share = |percent: u64| room * percent / 100;
    let mut filler = Filler { left: room, shown: HashSet::new(), count };
    brief.counts = memory.counts;
    brief.pending = filler.pending(cx, share(20));
    brief.kept = filler.take(memory.kept.iter().rev(), share(30));
    let mut near: Vec<&Digest> = memory.near.iter().rev().collect();
    near.sort_by(|a, b| b.mean.total_cmp(&a.mean)); // stable: the newer first among equals
    brief.near = filler.take(near.into_iter(), share(20));
    brief.failed = filler.take(memory.failed.iter().rev(), share(15));
    let mut tags = Vec::new();
    let mut most = share(5);
    for tag in memory.tags(TAGS) {
        let cost = (filler.count)(&tag.line) + 1;
        if cost > most.min(filler.left) {
            break;
        }
        (most, filler.left) = (most - cost, filler.left - cost);
        tags.push(tag);
    }
    brief.tags = tags;
    let mut most = share(5);
    for line in learned::lines(&memory.lessons, own) {
        let cost = (filler.count)(&line) + 1;
        if cost > most.min(filler.left) {
            break;
        }
        (most, filler.left) = (most - cost, filler.left - cost);
        brief.learned.push(line);
    }
    let rest = filler.left;
    brief.recent = filler.take(memory.recent.iter().rev(), rest);
    let rest = filler.left;
    brief.kept.extend(filler.take(memory.kept.iter().rev(), rest));
    brief.not_shown = memory.counts.settled.saturating_sub(filler.shown.len() as u64);
    !filler.shown.is_empty() || !brief.pending.is_empty() || !brief.tags.is_empty()
}

struct Filler<F> {
    left: u64,
    shown: HashSet<ProposalId>,
    count: F,
}

impl<F: Fn(&str) -> u64> Filler<F> {
    /// Takes from these what has not been told yet, until one does not fit.
    fn take<'a>(&mut self, digests: impl Iterator<Item = &'a Digest>, most: u64) -> Vec<Told> {
        let mut most = most.min(self.left);
        let mut taken = Vec::new();
        for digest in digests {
            if self.shown.contains(&digest.id) {
                continue;
            }
            let cost = (self.count)(&digest.told.line) + 1;
            if cost > most {
                break;
            }
            (most, self.left) = (most - cost, self.left - cost);
            self.shown.insert(digest.id);
            taken.push(digest.told.clone());
        }
        taken
    }

    fn pending<C: Candidate>(&mut self, cx: &ProposeContext<'_, C>, most: u64) -> Vec<Told> {
        let mut most = most.min(self.left);
        let mut taken = Vec::new();
        for proposal in cx.pending.iter().rev() {
            let taken_up = cx.taken.iter().find(|taken| Arc::ptr_eq(&taken.proposal, proposal));
            let told = digest::pending(proposal, taken_up.map(|taken| &taken.effect));
            let cost = (self.count)(&told.line) + 1;
            if cost > most {
                break;
            }
            (most, self.left) = (most - cost, self.left - cost);
            taken.push(told);
        }
        taken
    }
}
