//! What a certificate costs, so that scouting leaves enough for it.

use super::REPORT;

/// Units a group of 32 runs; more of them where there are very many.
const GROUP: usize = 26;
const LARGE_GROUP: usize = 30;
/// Keys of a parameter set interact little: 58 of them share 64 runs.
const KEYED_GROUP: usize = 58;

/// Where effects are many times the noise few runs show them, and what else is off blurs them: small groups, near to the
/// whole stack.
const STEEP_GROUP: usize = 3;
const STEEP_RUNS: usize = 8;

/// What is certified, which says how much of it may be switched at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ground {
    /// Edits of a source tree.
    Edits,
    /// Keys of a parameter set.
    Keys,
    /// Keys that are worth many sigma each.
    Steep,
}

/// How the first round deals `units` into groups: how many, and runs a group.
pub(super) fn groups(units: usize, ground: Ground) -> (usize, usize) {
    match (units, ground) {
        (_, Ground::Steep) => (units.div_ceil(STEEP_GROUP).max(1), STEEP_RUNS),
        (0..=GROUP, _) => (1, 32),
        (_, Ground::Keys) => (units.div_ceil(KEYED_GROUP), 64),
        (..=180, Ground::Edits) => (units.div_ceil(GROUP), 32),
        (_, Ground::Edits) => (units.div_ceil(LARGE_GROUP), 32),
    }
}

/// Runs to be kept back for the certificate of so many units, and the report on what it certifies.
pub(super) fn reserve(units: usize, ground: Ground) -> u64 {
    let (groups, runs) = groups(units, ground);
    let second = match (units, ground) {
        (_, Ground::Steep) => groups * runs / 2,
        (27..=150, Ground::Keys) | (151..=300, _) => 64,
        (0..=150, _) => 32,
        (301.., _) => 128,
    };
    (groups * runs + second + REPORT) as u64
}
