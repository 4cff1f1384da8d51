//! What the stages of a trial cost, so that no trial begins that could not end.

/// Runs of stage B that one trial may spend; the last block may begin below and end above it.
pub(super) const MOST: usize = 48;
/// Runs of each arm of the stack check, and of a new incumbent that no check has measured.
pub(super) const CHECK: usize = 4;
/// What is kept back for stage B of one proposal alone, and for stage B and the check of several.
const ALONE: usize = 16;
const SEVERAL: usize = 32 + 3 * CHECK;
/// Fewer runs than these of a pair of arms reach no level that a stream begins with.
const FEWEST: usize = 8;

/// Runs of the ranking of so many proposals; there is none of fewer than 3.
pub(super) fn ranking(proposals: usize) -> usize {
    if proposals < 3 { 0 } else { (proposals + 1).next_power_of_two() }
}

/// Runs of a block of stage B with so many proposals that are switched.
pub(super) fn block(proposals: usize) -> usize {
    if proposals <= 1 { 2 } else { (proposals + 1).next_power_of_two().max(4) }
}

/// Runs of the check of a stack of so many.
pub(super) fn check(kept: usize) -> usize {
    if kept < 2 { 0 } else { CHECK * (kept + 1) }
}

/// What is kept back for a trial of so many proposals, of which most will not survive the ranking.
pub(super) fn reserve(proposals: usize) -> u64 {
    (if proposals <= 1 { ALONE } else { ranking(proposals) + SEVERAL }) as u64
}

/// The fewest runs with which a trial of so many proposals can come to anything.
fn least(proposals: usize) -> u64 {
    (ranking(proposals) + block(proposals).max(FEWEST)) as u64
}

/// Of so many proposals, how many can be tried with the runs that are left.
pub(super) fn affordable(proposals: usize, left: Option<u64>) -> usize {
    let Some(left) = left else { return proposals };
    (1..=proposals).rev().find(|&n| least(n) <= left).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_designs() {
        assert_eq!([2, 3, 4, 7, 8, 15, 16, 31].map(ranking), [0, 4, 8, 8, 16, 16, 32, 32]);
        assert_eq!([1, 2, 3, 4, 7, 8, 15, 31].map(block), [2, 4, 4, 8, 8, 16, 16, 32]);
        assert_eq!([0, 1, 2, 5].map(check), [0, 0, 12, 24]);
    }

    #[test]
    fn a_trial_shrinks_to_what_is_left() {
        assert_eq!(affordable(15, None), 15);
        assert_eq!(affordable(15, Some(32)), 15);
        assert_eq!(affordable(15, Some(31)), 7);
        assert_eq!(affordable(15, Some(11)), 2);
        assert_eq!(affordable(15, Some(7)), 0);
        assert_eq!(affordable(0, Some(100)), 0);
    }

    /// What is kept back always suffices to begin with what is waiting.
    #[test]
    fn the_reserve_covers_the_least() {
        assert!((1..=63).all(|n| affordable(n, Some(reserve(n))) == n || least(n) > reserve(n)));
        assert!((1..=31).all(|n| least(n) <= reserve(n)));
    }
}
