//! Which runs are needed beside the searches, to know what is true of them.
//!
//! All on seeds that no search has: what was chosen is measured anew.

use crate::keys;
use crate::ledger::Need;
use crate::policy::Policy;
use crate::recipes::Start;
use crate::search::{Ended, STUDY};
use crate::task::Size;
use autoresearch_core::stats::{fold_over, two_level_design};
use autoresearch_tch::GptRecipe;
use std::ops::Range;

/// Seeds of a total, of a recipe with one key set back, and of the measurements of noise.
pub(crate) const TOTAL: Range<u64> = 1_000_000..1_000_008;
pub(crate) const LEFT_OUT: Range<u64> = 1_000_000..1_000_003;
/// Of the study's keys more is to be known.
const LEFT_OUT_OF_THE_STUDY: Range<u64> = 1_000_000..1_000_008;
pub(crate) const NOISE: Range<u64> = 1_000_000..1_000_016;
pub(crate) const SINGLE: Range<u64> = 1_000_000..1_000_003;
/// Runs of the large size, and of single edits there.
pub(crate) const LARGE: Range<u64> = 1_000_000..1_000_005;
pub(crate) const LARGE_SINGLE: Range<u64> = 1_000_000..1_000_002;
/// Each run of the design has a seed of its own.
const DESIGN: u64 = 2_000_000;
const DESIGN_RUNS: usize = 32;
/// Factors of the design, and single edits of the large size, at most.
const FACTORS: usize = 15;

/// What the referee runs of a search: baseline, both results, and each key of the first set back.
pub(crate) fn referee(ended: &Ended) -> Vec<Need> {
    let mut needs: Vec<Need> = Vec::new();
    for recipe in [&ended.baseline, &ended.kept_recipe, &ended.stack] {
        needs.extend(TOTAL.map(|seed| Need::small(recipe, seed)));
    }
    for (_, recipe) in left_out(ended) {
        needs.extend(left_out_on(ended).map(|seed| Need::small(&recipe, seed)));
    }
    needs
}

/// The seeds on which each key is left out.
pub(crate) fn left_out_on(ended: &Ended) -> Range<u64> {
    if ended.search.repetition == STUDY { LEFT_OUT_OF_THE_STUDY } else { LEFT_OUT }
}

/// What was kept with one key set back to the baseline's value, for each key where that is a recipe.
pub(crate) fn left_out(ended: &Ended) -> Vec<(String, GptRecipe)> {
    let kept = &ended.kept_recipe;
    let changed = keys::differing(kept, &ended.baseline);
    changed
        .into_iter()
        .filter_map(|key| Some((key.clone(), keys::with(kept, &key, &ended.baseline)?)))
        .collect()
}

/// The baseline with one key as it was kept.
pub(crate) fn singles(ended: &Ended) -> Vec<(String, GptRecipe)> {
    let changed = keys::differing(&ended.kept_recipe, &ended.baseline);
    let one = |key: String| Some((key.clone(), keys::with(&ended.baseline, &key, &ended.kept_recipe)?));
    changed.into_iter().filter_map(one).take(FACTORS).collect()
}

/// The search whose result is looked at more closely: the study, and from elsewhere the recommended policy's first.
pub(crate) fn closer(ended: &[Ended]) -> Vec<&Ended> {
    let of = |start| {
        let own = ended.iter().filter(move |e| e.search.start == start && e.search.policy == Policy::Scout);
        own.min_by_key(|e| e.search.repetition)
    };
    Start::ALL.into_iter().filter_map(of).collect()
}

/// A two-level design over the single edits, everything else as it was kept: rows of switches, and their recipes.
pub(crate) fn design(ended: &Ended) -> (Vec<String>, Vec<(Vec<bool>, Need)>) {
    let names: Vec<String> = singles(ended).into_iter().map(|(key, _)| key).collect();
    if names.is_empty() {
        return (names, Vec::new());
    }
    // Resolution IV: no interaction of two keys is taken for an effect of one.
    let mut rows = two_level_design(names.len(), DESIGN_RUNS / 2, 1).unwrap_or_default();
    rows.extend(fold_over(&rows));
    let run = |(i, row): (usize, Vec<bool>)| {
        let mut recipe = Some(ended.kept_recipe.clone());
        for (key, on) in names.iter().zip(&row) {
            if !on {
                recipe = recipe.and_then(|recipe| keys::with(&recipe, key, &ended.baseline));
            }
        }
        Some((row, Need::small(&recipe?, DESIGN + i as u64)))
    };
    let runs = rows.into_iter().enumerate().filter_map(run).collect();
    (names, runs)
}

/// Runs that tell how noisy runs are, and how edits act on one another.
pub(crate) fn noise(ended: &[Ended]) -> Vec<Need> {
    let mut needs = Vec::new();
    for one in closer(ended) {
        for recipe in [&one.baseline, &one.kept_recipe] {
            needs.extend(NOISE.map(|seed| Need::small(recipe, seed)));
        }
        needs.push(Need { again: 1, ..Need::small(&one.baseline, NOISE.start) });
        for (_, recipe) in singles(one) {
            needs.extend(SINGLE.map(|seed| Need::small(&recipe, seed)));
        }
        needs.extend(design(one).1.into_iter().map(|(_, need)| need));
    }
    needs
}

/// Runs of the large size: both ends on equal seeds, and single edits.
pub(crate) fn transfer(ended: &[Ended]) -> Vec<Need> {
    let mut needs = Vec::new();
    for one in closer(ended) {
        for recipe in [&one.baseline, &one.kept_recipe] {
            needs.extend(LARGE.map(|seed| Need::large(recipe, seed)));
        }
        for (_, recipe) in singles(one) {
            needs.extend(LARGE_SINGLE.map(|seed| Need { size: Size::Large, ..Need::small(&recipe, seed) }));
        }
    }
    needs
}
