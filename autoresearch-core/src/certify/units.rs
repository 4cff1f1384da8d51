//! What can only be switched together.

use crate::accept::Cohort;
use crate::arm::{Arm, ProposalId};

/// Divides stages `0..n` into units: two stages are in one where the later cannot be had without the earlier. With each
/// unit whether the rest cannot be built without it.
pub(super) fn units(n: usize, cohort: &Cohort<'_>) -> (Vec<Vec<usize>>, Vec<bool>) {
    let id = |stage: usize| ProposalId(stage as u64 + 1);
    let mut unit_of: Vec<usize> = (0..n).collect();
    for later in 0..n {
        for earlier in 0..later {
            let (a, b) = (unit_of[earlier], unit_of[later]);
            if a != b && cohort.needs(id(later), id(earlier)) {
                unit_of.iter_mut().filter(|unit| **unit == b).for_each(|unit| *unit = a);
            }
        }
    }
    let mut units: Vec<Vec<usize>> = Vec::new();
    for first in 0..n {
        let members: Vec<usize> = (0..n).filter(|&stage| unit_of[stage] == first).collect();
        units.extend(Some(members).filter(|members| !members.is_empty()));
    }
    units.sort();
    let all: Arm = (0..n).map(id).collect();
    let stuck = |unit: &Vec<usize>| {
        let without = all.without(&unit.iter().map(|&stage| id(stage)).collect());
        !cohort.composes(&without)
    };
    let fixed = units.iter().map(stuck).collect();
    (units, fixed)
}
