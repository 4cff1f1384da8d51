//! Proposals that were judged together: those that shared arms which were switched on and off by design.

use super::{Run, Trial};
use autoresearch_core::{Effect, Fate, Role};
use serde::Serialize;
use std::collections::BTreeMap;

/// Proposals that were judged together, on arms of several of them.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Cohort {
    /// The incumbent that the arms were applied to.
    pub version: u32,
    /// Whether its runs are fresh: none of them helped to choose its members. Else they are runs that rank.
    pub fresh: bool,
    /// Runs of arms of two or more of them.
    pub runs: u64,
    /// The proposals, those with the largest effect first.
    pub members: Vec<Member>,
}

/// A proposal in a cohort.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Member {
    /// Its number.
    pub proposal: u64,
    /// What became of it.
    pub fate: Option<Fate>,
    /// Its effect, as the policy estimated it beside the others, from fresh runs.
    pub effect: Option<Effect>,
    /// The mean of the cohort's runs with it, better by so much than the mean of those without it: no model, no interval,
    /// other members unbalanced.
    pub crude: Option<f64>,
}

/// Where runs rank, each member must have been on and off so often: a stack that is built up one by one is no design, and
/// what its runs differ by is anything that happened meanwhile.
const BALANCE: usize = 3;

pub(super) fn cohorts(trials: &[Trial], runs: &[Run], lower_is_better: bool) -> Vec<Cohort> {
    let mut by_version: BTreeMap<(u32, bool), Vec<&Run>> = BTreeMap::new();
    for run in runs.iter().filter(|run| run.arm.len() > 1 && matches!(run.role, Role::Screen | Role::Confirm))
    {
        by_version.entry((run.version, run.role == Role::Confirm)).or_default().push(run);
    }
    let mut cohorts = Vec::new();
    for ((version, fresh), runs) in by_version {
        for (ids, runs) in together(&runs) {
            let on = |id: &u64| runs.iter().filter(|run| run.arm.contains(id)).count();
            let balanced = |id: &u64| (BALANCE..=runs.len().saturating_sub(BALANCE)).contains(&on(id));
            if !fresh && !ids.iter().all(balanced) {
                continue;
            }
            let mut members: Vec<Member> = ids
                .iter()
                .filter_map(|id| trials.binary_search_by_key(id, |trial| trial.id).ok())
                .filter_map(|i| trials.get(i))
                .map(|trial| Member {
                    proposal: trial.id,
                    fate: trial.fate,
                    effect: trial.effect.filter(|effect| fresh && effect.fresh),
                    crude: crude(trial.id, &runs, lower_is_better),
                })
                .collect();
            let size = |m: &Member| m.effect.map(|e| e.mean).or(m.crude).unwrap_or(f64::NEG_INFINITY);
            members.sort_by(|a, b| size(b).total_cmp(&size(a)));
            if members.len() > 1 {
                cohorts.push(Cohort { version, fresh, runs: runs.len() as u64, members });
            }
        }
    }
    cohorts
}

/// Groups runs so that no proposal is in two groups.
fn together<'a>(runs: &[&'a Run]) -> Vec<(Vec<u64>, Vec<&'a Run>)> {
    let mut leader: BTreeMap<u64, u64> = BTreeMap::new();
    fn find(leader: &BTreeMap<u64, u64>, mut id: u64) -> u64 {
        while let Some(next) = leader.get(&id).copied().filter(|next| *next != id) {
            id = next;
        }
        id
    }
    for run in runs {
        let Some(first) = run.arm.first() else { continue };
        for id in &run.arm {
            leader.entry(*id).or_insert(*id);
            let (a, b) = (find(&leader, *first), find(&leader, *id));
            // The lower number leads, so that chains only go down.
            leader.insert(a.max(b), a.min(b));
        }
    }
    let mut groups: BTreeMap<u64, (Vec<u64>, Vec<&Run>)> = BTreeMap::new();
    for id in leader.keys() {
        groups.entry(find(&leader, *id)).or_default().0.push(*id);
    }
    for run in runs {
        if let Some(first) = run.arm.first()
            && let Some(group) = groups.get_mut(&find(&leader, *first))
        {
            group.1.push(run);
        }
    }
    groups.into_values().collect()
}

fn crude(id: u64, runs: &[&Run], lower_is_better: bool) -> Option<f64> {
    let mean = |with: bool| {
        let of = runs.iter().filter(|run| run.arm.contains(&id) == with).filter_map(|run| run.objective);
        let (sum, n) = of.fold((0.0, 0u32), |(sum, n), x| (sum + x, n + 1));
        (n > 0).then(|| sum / f64::from(n))
    };
    let difference = mean(false)? - mean(true)?;
    Some(if lower_is_better { difference } else { -difference })
}
