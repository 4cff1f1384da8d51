//! Who goes up: the promotion rule of asynchronous successive halving.

use crate::fidelity::Fidelity;
use crate::propose::Proposal;

/// The settings that were measured at one fidelity.
pub(super) struct Rung<C> {
    pub(super) fidelity: Fidelity,
    measured: Vec<Measured<C>>,
}

struct Measured<C> {
    loss: f64,
    /// Gone once it was promoted.
    proposal: Option<Proposal<C>>,
}

/// The rungs below the study's own fidelity, lowest first.
pub(super) struct Ladder<C> {
    pub(super) rungs: Vec<Rung<C>>,
    /// One in so many goes up.
    pub(super) share: usize,
}

impl<C> Ladder<C> {
    pub(super) fn new(rungs: impl IntoIterator<Item = Fidelity>) -> Self {
        let rungs = rungs.into_iter().map(|fidelity| Rung { fidelity, measured: Vec::new() }).collect();
        Self { rungs, share: 3 }
    }

    pub(super) fn clear(&mut self) {
        self.rungs.iter_mut().for_each(|rung| rung.measured.clear());
    }

    /// A failure is an infinite loss: it counts, and never goes up.
    pub(super) fn record(&mut self, rung: usize, proposal: Proposal<C>, loss: f64) {
        if let Some(rung) = self.rungs.get_mut(rung) {
            rung.measured.push(Measured { loss, proposal: Some(proposal) });
        }
    }

    /// Takes the best that is among the best 1/share of its rung and was not promoted yet, from the highest rung that
    /// has one (Li et al. 2020, algorithm 2).
    pub(super) fn promote(&mut self, rungs: std::ops::Range<usize>) -> Option<(usize, Proposal<C>)> {
        rungs.rev().find_map(|i| {
            let measured = &mut self.rungs.get_mut(i)?.measured;
            let go_up = measured.len() / self.share;
            let mut order: Vec<usize> = (0..measured.len()).collect();
            order.sort_by(|a, b| measured[*a].loss.total_cmp(&measured[*b].loss)); // stable: the older one first
            let best = order.into_iter().take(go_up);
            let next = best
                .into_iter()
                .find(|j| measured[*j].loss.is_finite() && measured[*j].proposal.is_some())?;
            Some((i, measured[next].proposal.take()?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of nine settings the best three go up once, and of these the best one.
    #[test]
    fn one_in_three_goes_up_and_only_once() {
        let mut ladder = Ladder::new([Fidelity::steps(1), Fidelity::steps(3)]);
        assert!(ladder.promote(0..2).is_none());
        let mut second = Vec::new();
        for loss in [5.0, 3.0, 4.0, 9.0, 1.0, 8.0, f64::INFINITY, 2.0, 7.0] {
            ladder.record(0, Proposal::new(loss), loss);
            while let Some((rung, up)) = ladder.promote(0..1) {
                assert_eq!(rung, 0);
                second.push(up.candidate);
            }
        }
        // 3 after three settings; 1 after six, when the best two are 1 and 3; 2 after nine.
        assert_eq!(second, [3.0, 1.0, 2.0]);
        for loss in second {
            ladder.record(1, Proposal::new(loss), loss);
        }
        let top = ladder.promote(0..2).map(|(rung, up)| (rung, up.candidate));
        assert_eq!(top, Some((1, 1.0)));
        assert!(ladder.promote(0..2).is_none());
    }

    #[test]
    fn what_failed_never_goes_up() {
        let mut ladder = Ladder::new([Fidelity::steps(1)]);
        (0..9).for_each(|i| ladder.record(0, Proposal::new(i), f64::INFINITY));
        assert!(ladder.promote(0..1).is_none());
    }
}
