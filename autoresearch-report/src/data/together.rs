//! How the evidence on proposals grew that were judged together, run by run.

use super::incumbent::half_width_of;
use super::{Run, Trial};
use autoresearch_core::stats::Design;
use autoresearch_core::{Fate, Role};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A proposal, or a part of one, or edits that were switched only together, beside the others of its cohort, after more and
/// more of the cohort's fresh runs.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Together {
    /// The proposals that it has something of.
    pub proposals: Vec<u64>,
    /// How many parts of their changes that is; `None`: they are switched as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts: Option<u64>,
    /// The incumbent that the runs were made on.
    pub version: u32,
    /// What became of the first of the proposals.
    pub fate: Option<Fate>,
    /// What was known after so many runs, where it could be told from the others' effects.
    pub points: Vec<TogetherPoint>,
}

/// What is known after so many runs of a cohort.
#[derive(Debug, Clone, Copy, Serialize)]
#[non_exhaustive]
pub struct TogetherPoint {
    /// Runs of the cohort by then.
    pub runs: u64,
    /// The improvement beside the others: the coefficient of ordinary least squares on what was switched on.
    pub mean: f64,
    /// The lower end of a 95 % t interval of it, as if this had been the only look.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
}

/// A cohort is fitted after so many numbers of runs.
const LOOKS: usize = 12;

/// More factors than that in one cohort are not told: fitting them takes the cube of their number.
const FACTORS: usize = 60;

/// More than that are not told: what was kept first, then the latest.
const MOST: usize = 200;

/// So many of the last cohorts are told.
const COHORTS: usize = 20;

type Part = (u64, Option<u16>);

pub(super) fn together(trials: &[Trial], runs: &[Run], lower_is_better: bool) -> Vec<Together> {
    let mut by_version: BTreeMap<u32, Vec<&Run>> = BTreeMap::new();
    for run in runs.iter().filter(|run| run.role == Role::Confirm && run.objective.is_some()) {
        by_version.entry(run.version).or_default().push(run);
    }
    let mut told = Vec::new();
    for (version, runs) in by_version.into_iter().rev().take(COHORTS) {
        for runs in groups(&runs) {
            told.extend(cohort(version, &runs, trials, lower_is_better));
        }
    }
    told.sort_by_key(|t| (t.fate != Some(Fate::Kept), std::cmp::Reverse(t.version)));
    told.truncate(MOST);
    told
}

/// The runs in the order in which they ended, in groups of which no two share a proposal; those of the incumbent alone with
/// the only group there is, or with none.
fn groups<'a>(runs: &[&'a Run]) -> Vec<Vec<&'a Run>> {
    let mut sets: Vec<BTreeSet<u64>> = Vec::new();
    for run in runs.iter().filter(|run| run.arm.len() > 1) {
        let mut set: BTreeSet<u64> = run.arm.iter().copied().collect();
        sets.retain(|other| {
            let apart = other.is_disjoint(&set);
            if !apart {
                set.extend(other);
            }
            apart
        });
        sets.push(set);
    }
    let alone = sets.len() == 1;
    let of = |set: &BTreeSet<u64>| {
        let within = |run: &&&Run| match run.arm.first() {
            None => alone,
            Some(first) => set.contains(first),
        };
        runs.iter().filter(within).copied().collect()
    };
    sets.iter().map(of).collect()
}

fn cohort(version: u32, runs: &[&Run], trials: &[Trial], lower_is_better: bool) -> Vec<Together> {
    let parts: BTreeSet<Part> = runs.iter().flat_map(|run| run.parts.iter().copied()).collect();
    let column = |part: &Part| -> Vec<bool> { runs.iter().map(|run| run.parts.contains(part)).collect() };
    // What is always switched together is one factor, and what is always on is none.
    let mut factors: BTreeMap<Vec<bool>, Vec<Part>> = BTreeMap::new();
    for part in parts {
        factors.entry(column(&part)).or_default().push(part);
    }
    factors.retain(|column, _| column.contains(&true) && column.contains(&false));
    if factors.is_empty() || factors.len() > FACTORS {
        return Vec::new();
    }
    let columns: Vec<&Vec<bool>> = factors.keys().collect();
    let rows: Vec<Vec<bool>> = (0..runs.len())
        .map(|i| columns.iter().filter_map(|column| column.get(i).copied()).collect())
        .collect();
    let scores: Vec<f64> =
        runs.iter().filter_map(|run| run.objective).map(|y| if lower_is_better { -y } else { y }).collect();
    let blocks = blocks(runs);
    let mut points: Vec<Vec<TogetherPoint>> = vec![Vec::new(); factors.len()];
    for n in looks(runs.len()) {
        let (Some(rows), Some(blocks), Some(scores)) = (rows.get(..n), blocks.get(..n), scores.get(..n))
        else {
            continue;
        };
        let Ok(design) = Design::new(rows, blocks) else { continue };
        let Ok(fit) = design.fit(scores) else { continue };
        let variance = (fit.df > 0.0).then(|| fit.rss / fit.df);
        for (j, (points, mean)) in points.iter_mut().zip(fit.coefficients).enumerate() {
            let Some(information) = design.information(j).filter(|_| mean.is_finite()) else { continue };
            let half = variance.and_then(|v| half_width_of((v / information).sqrt(), fit.df));
            points.push(TogetherPoint {
                runs: n as u64,
                mean,
                low: half.map(|half| mean - half),
                high: half.map(|half| mean + half),
            });
        }
    }
    let fate = |id: &u64| trials.binary_search_by_key(id, |t| t.id).ok().and_then(|i| trials.get(i)?.fate);
    let factors = factors.into_values().zip(points).filter(|(_, points)| !points.is_empty());
    factors
        .map(|(parts, points)| {
            let proposals: BTreeSet<u64> = parts.iter().map(|(id, _)| *id).collect();
            let whole = parts.iter().all(|(_, unit)| unit.is_none());
            let fate = proposals.first().and_then(fate);
            let parts = (!whole).then_some(parts.len() as u64);
            Together { proposals: proposals.into_iter().collect(), parts, version, fate, points }
        })
        .collect()
}

/// Runs on equal seeds are compared with one another; where hardly any share one, all are.
fn blocks(runs: &[&Run]) -> Vec<u32> {
    let mut seeds: BTreeMap<u64, u32> = BTreeMap::new();
    runs.iter().for_each(|run| *seeds.entry(run.seed).or_default() += 1);
    let shared: u32 = seeds.values().filter(|n| **n > 1).sum();
    if shared as usize * 2 < runs.len() {
        return vec![0; runs.len()];
    }
    let place: BTreeMap<u64, u32> = seeds.into_keys().zip(0..).collect();
    runs.iter().map(|run| place.get(&run.seed).copied().unwrap_or(0)).collect()
}

/// About evenly many runs apart, up to all of them.
fn looks(all: usize) -> Vec<usize> {
    let looks: BTreeSet<usize> = (1..=LOOKS).map(|i| all * i / LOOKS).filter(|n| *n > 2).collect();
    looks.into_iter().collect()
}
