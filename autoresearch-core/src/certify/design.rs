//! Which runs leave which parts out.
//!
//! A part's effect is wanted beside everything else that stands, so a run leaves out only parts of one small group:
//! within a group a two-level design, around it everything switched on. Small stacks leave one part out at a time.

use crate::stats::two_level_design;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Up to so many parts, each is left out alone.
const FEW: usize = 4;
/// A group has at most so many parts; with fewer, orders of runs are wasted, with more, the context is far from the
/// stack.
const MOST: usize = 19;

/// Rows of a design: which of `units` are left out in each run, by their number.
pub(super) type LeftOut = Vec<usize>;

/// A design within `budget` runs for `units`, those that matter most first: what does not fit is left for later. Empty
/// where nothing fits.
pub(super) fn rows(units: &[usize], budget: usize, seed: u64) -> Vec<LeftOut> {
    let m = (1..=units.len()).rev().find(|&m| groups(m, budget).is_some());
    let Some(m) = m else { return Vec::new() };
    let mut chosen = units[..m].to_vec();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    chosen.shuffle(&mut rng);
    let Some(Shape { groups, runs }) = groups(m, budget) else { return Vec::new() };
    if runs == 0 {
        return (0..groups).flat_map(|_| chosen.iter().map(|&j| vec![j])).collect();
    }
    let mut rows = Vec::new();
    for group in 0..groups {
        let members: Vec<usize> = chosen.iter().skip(group).step_by(groups).copied().collect();
        let design = two_level_design(members.len(), runs, seed.wrapping_add(1 + group as u64));
        for on in design.unwrap_or_default() {
            rows.push(members.iter().zip(on).filter(|(_, on)| !on).map(|(j, _)| *j).collect());
        }
    }
    rows.shuffle(&mut rng); // so that a machine that drifts favours no group
    rows
}

/// `groups` blocks of `runs` runs each; where `runs` is 0, each unit is left out alone `groups` times.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Shape {
    groups: usize,
    runs: usize,
}

/// The cheapest division of `m` units that the budget allows.
fn groups(m: usize, budget: usize) -> Option<Shape> {
    if m <= FEW {
        let times = (budget / m).min(2);
        return (times > 0).then_some(Shape { groups: times, runs: 0 });
    }
    let shape = |groups: usize| Shape { groups, runs: order(m.div_ceil(groups)) };
    let shapes = (m.div_ceil(MOST)..=m.div_ceil(MOST / 2)).map(shape);
    shapes.min_by_key(|s| s.groups * s.runs).filter(|s| s.groups * s.runs <= budget)
}

/// The smallest order of a two-level design for so many factors.
fn order(factors: usize) -> usize {
    (factors / 4 + 1) * 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_design_fits_its_budget_and_leaves_each_part_out() {
        for m in 1..=120 {
            let units: Vec<usize> = (0..m).collect();
            let rows = rows(&units, 2 * m, 7);
            assert!(!rows.is_empty() && rows.len() <= 2 * m, "{m}: {}", rows.len());
            assert!(units.iter().all(|j| rows.iter().any(|row| row.contains(j))), "{m}");
        }
    }

    #[test]
    fn what_does_not_fit_is_the_last() {
        assert_eq!(rows(&[5, 3, 8], 2, 1).into_iter().flatten().max(), Some(5));
        assert!(rows(&[5, 3], 0, 1).is_empty() && rows(&[], 9, 1).is_empty());
        assert_eq!(rows(&[1, 2], 4, 1).len(), 4);
    }
}
