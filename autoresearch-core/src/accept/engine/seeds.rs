//! How much runs on equal seeds have in common.

use crate::accept::Evidence;
use crate::stats::Moments;

/// Sums of squares about their means over all finished tests, each test with means of its own.
#[derive(Debug, Default)]
pub(super) struct Correlation {
    candidates: f64,
    incumbents: f64,
    differences: f64,
}

impl Correlation {
    pub(super) fn take(&mut self, evidence: &Evidence) {
        let squares = |moments: Moments| moments.sum_of_squares();
        // Of fewer than two pairs all three are 0.
        self.candidates += squares(Moments::of(evidence.candidate()));
        self.incumbents += squares(Moments::of(evidence.incumbent()));
        self.differences += squares(evidence.differences().collect());
    }

    /// `1 − SS_d / (SS_c + SS_b)`: with one variance in both arms, `Var(c − b) = 2·σ²·(1 − ρ)`. Pooled over the
    /// proposals tested, because a few pairs of one say next to nothing. Between −1 and 1.
    pub(super) fn estimate(&self) -> Option<f64> {
        let within = self.candidates + self.incumbents;
        (within > 0.0 && within.is_finite()).then(|| 1.0 - self.differences / within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_one_for_a_shift_and_minus_one_for_a_mirror() {
        let of = |candidate: &[f64], incumbent: &[f64]| {
            let mut c = Correlation::default();
            c.take(&Evidence::for_test(candidate, incumbent));
            c.estimate()
        };
        assert_eq!(of(&[1.0, 2.0, 4.0], &[2.0, 3.0, 5.0]), Some(1.0));
        assert_eq!(of(&[1.0, 2.0], &[2.0, 1.0]), Some(-1.0));
        assert_eq!(of(&[1.0, 2.0, 1.0, 2.0], &[1.0, 1.0, 2.0, 2.0]), Some(0.0));
        assert_eq!(of(&[1.0], &[2.0]), None, "one pair says nothing");
    }
}
