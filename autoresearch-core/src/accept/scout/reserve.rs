//! What a certificate costs, so that scouting leaves enough for it.

use super::REPORT;

/// Units a group of 32 runs; more of them where there are very many.
const GROUP: usize = 26;
const LARGE_GROUP: usize = 30;
/// Keys of a parameter set interact little: 58 of them share 64 runs.
const KEYED_GROUP: usize = 58;

/// How the first round deals `units` into groups: how many, and runs a group.
pub(super) fn groups(units: usize, keyed: bool) -> (usize, usize) {
    match (units, keyed) {
        (0..=GROUP, _) => (1, 32),
        (_, true) => (units.div_ceil(KEYED_GROUP), 64),
        (..=180, false) => (units.div_ceil(GROUP), 32),
        (_, false) => (units.div_ceil(LARGE_GROUP), 32),
    }
}

/// Runs to be kept back for the certificate of so many units, and the report on what it certifies.
pub(super) fn reserve(units: usize, keyed: bool) -> u64 {
    let (groups, runs) = groups(units, keyed);
    let second = match (units, keyed) {
        (27..=150, true) | (151..=300, _) => 64,
        (0..=150, _) => 32,
        (301.., _) => 128,
    };
    (groups * runs + second + REPORT) as u64
}
