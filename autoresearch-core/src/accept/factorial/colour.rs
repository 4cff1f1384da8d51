//! Which of the waiting proposals can be switched in one design.

use crate::accept::Cohort;
use crate::arm::{Arm, ProposalId};

/// The first colour of a greedy colouring of the conflict graph, oldest first, cut off at `most`: proposals that go
/// together two by two and all at once. All others wait for the next incumbent.
pub(super) fn together(
    waiting: impl IntoIterator<Item = ProposalId>,
    most: usize,
    composes: impl Fn(&Arm) -> bool,
) -> Vec<ProposalId> {
    let mut chosen: Vec<ProposalId> = Vec::new();
    for proposal in waiting {
        if chosen.len() == most {
            break;
        }
        let alone = Arm::single(proposal);
        let pairwise = || chosen.iter().all(|other| composes(&alone.with(*other)));
        // Pairs that merge may still clash as a whole: three edits of one short list, say.
        let whole = || chosen.iter().fold(alone.clone(), |arm, other| arm.with(*other));
        if composes(&alone) && pairwise() && composes(&whole()) {
            chosen.push(proposal);
        }
    }
    chosen
}

/// Those that do not apply to the incumbent of now, not even alone.
pub(super) fn stale(waiting: impl Iterator<Item = ProposalId>, cohort: &Cohort<'_>) -> Vec<ProposalId> {
    waiting.filter(|p| !cohort.composes(&Arm::single(*p))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(waiting: u64, most: usize, clashes: &[&[u64]]) -> Vec<u64> {
        let composes = |arm: &Arm| {
            let on: Vec<u64> = arm.proposals().map(|p| p.0).collect();
            !clashes.iter().any(|clash| clash.iter().all(|p| on.contains(p)))
        };
        together((1..=waiting).map(ProposalId), most, composes).into_iter().map(|p| p.0).collect()
    }

    #[test]
    fn the_oldest_come_first() {
        assert_eq!(chosen(5, 3, &[]), [1, 2, 3]);
        assert_eq!(chosen(2, 15, &[]), [1, 2]);
        assert_eq!(chosen(0, 15, &[]), [0; 0]);
    }

    #[test]
    fn who_clashes_with_an_older_one_waits() {
        assert_eq!(chosen(5, 15, &[&[1, 2], &[3, 5]]), [1, 3, 4]);
        // 2 waits, so its own clash with 4 matters to nobody.
        assert_eq!(chosen(4, 15, &[&[1, 2], &[2, 4]]), [1, 3, 4]);
        // A place that a clash leaves is filled with the next.
        assert_eq!(chosen(5, 3, &[&[1, 2]]), [1, 3, 4]);
    }

    #[test]
    fn who_clashes_with_the_whole_or_with_the_incumbent_waits() {
        assert_eq!(chosen(4, 15, &[&[1, 2, 3]]), [1, 2, 4]);
        assert_eq!(chosen(3, 15, &[&[1]]), [2, 3]);
    }
}
