//! How the evidence on a proposal grew with its pairs of runs.

use super::incumbent::half_width;
use super::{Run, Trial};
use autoresearch_core::stats::Moments;
use autoresearch_core::{Fate, Role};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A proposal against the incumbent on equal seeds, pair by pair.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Evidence {
    /// The proposal.
    pub proposal: u64,
    /// What became of it.
    pub fate: Option<Fate>,
    /// One point a pair, in the order in which the pairs became complete.
    pub pairs: Vec<EvidencePoint>,
}

/// What is known after so many pairs.
#[derive(Debug, Clone, Copy, Serialize)]
#[non_exhaustive]
pub struct EvidencePoint {
    /// The improvement that this pair saw.
    pub gain: f64,
    /// The mean improvement of all pairs until here.
    pub mean: f64,
    /// The lower end of a 95 % t interval of it, as if this had been the only look.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
}

/// A run of a proposal alone: its place among all runs, its seed and its objective.
type Single = (usize, u64, f64);

/// More than that are not told: what was kept first, then those with the most pairs.
const MOST: usize = 200;

pub(super) fn evidence(trials: &[Trial], runs: &[Run], lower_is_better: bool) -> Vec<Evidence> {
    // By seed and version: the incumbent's runs, and those of single proposals, both fresh.
    let mut incumbent: BTreeMap<(u32, u64), (usize, f64)> = BTreeMap::new();
    let mut single: BTreeMap<(u64, u32), Vec<Single>> = BTreeMap::new();
    // Runs that chose are no evidence.
    let untested = |id: u64| {
        let at = trials.binary_search_by_key(&id, |t| t.id).ok();
        at.and_then(|i| trials.get(i)).is_some_and(|trial| trial.is_chosen() && trial.confirming == 0)
    };
    for (at, run) in runs.iter().enumerate().filter(|(_, run)| run.role == Role::Confirm && !run.partial) {
        match (run.arm.as_slice(), run.objective) {
            ([], Some(objective)) => {
                incumbent.insert((run.version, run.seed), (at, objective));
            }
            ([only], Some(objective)) if !untested(*only) => {
                single.entry((*only, run.version)).or_default().push((at, run.seed, objective));
            }
            _ => {}
        }
    }
    let mut all: BTreeMap<u64, Vec<(usize, f64)>> = BTreeMap::new();
    for ((id, version), runs) in single {
        // A proposal that was judged anew on a later incumbent is told by its last judgement.
        let mut pairs: Vec<(usize, f64)> = Vec::new();
        let mut seen = BTreeSet::new();
        for (at, seed, objective) in runs {
            if let Some((other, incumbent)) = incumbent.get(&(version, seed))
                && seen.insert(seed)
            {
                let gain = if lower_is_better { incumbent - objective } else { objective - incumbent };
                pairs.push((at.max(*other), gain));
            }
        }
        if pairs.len() > 1 {
            all.insert(id, pairs);
        }
    }
    let mut all: Vec<Evidence> = all.into_iter().map(|(id, pairs)| told(id, pairs, trials)).collect();
    all.sort_by_key(|e| (e.fate != Some(Fate::Kept), std::cmp::Reverse(e.pairs.len()), e.proposal));
    all.truncate(MOST);
    all
}

fn told(proposal: u64, mut pairs: Vec<(usize, f64)>, trials: &[Trial]) -> Evidence {
    pairs.sort_by_key(|(at, _)| *at);
    let mut moments = Moments::new();
    let points = pairs.into_iter().map(|(_, gain)| {
        moments.push(gain);
        let (mean, half) = (moments.mean(), half_width(&moments));
        EvidencePoint { gain, mean, low: half.map(|half| mean - half), high: half.map(|half| mean + half) }
    });
    let fate = trials.binary_search_by_key(&proposal, |t| t.id).ok().and_then(|i| trials.get(i)?.fate);
    Evidence { proposal, fate, pairs: points.collect() }
}
