//! Errors held against a level.

use super::super::rate::{at_least, solve};
use serde::Serialize;

/// So many errors had a probability of less than this at the level itself: the test does not keep it.
const CHANCE: f64 = 1e-3;

/// How often a test erred, held against its level.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Tally {
    /// The level.
    pub level: f64,
    /// The errors, or the sum of the shares of false discoveries.
    pub errors: f64,
    /// In how many repetitions.
    pub repetitions: u32,
    /// Whether the test promises to keep the level.
    pub promised: bool,
    pub(super) shares: bool,
}

impl Tally {
    /// Errors a repetition.
    pub fn rate(&self) -> f64 {
        self.errors / f64::from(self.repetitions)
    }

    /// The probability, at most, of so many errors if the test errs at its level exactly: the binomial tail, and of
    /// shares the bound of Hoeffding (1963, *Journal of the American Statistical Association* 58:13-30, theorem 1).
    pub fn chance(&self) -> f64 {
        let n = f64::from(self.repetitions);
        if self.shares {
            hoeffding(self.rate(), n, self.level)
        } else {
            at_least(self.errors as u64, u64::from(self.repetitions), self.level)
        }
    }

    /// The highest rate that can still be put down to chance: one of less than 1/1000 cannot.
    pub fn bound(&self) -> f64 {
        let n = f64::from(self.repetitions);
        if self.shares {
            return solve(|rate| hoeffding(rate, n, self.level) >= CHANCE);
        }
        let (mut low, mut high) = (0, u64::from(self.repetitions) + 1);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if at_least(middle, u64::from(self.repetitions), self.level) >= CHANCE {
                low = middle;
            } else {
                high = middle;
            }
        }
        low as f64 / n
    }

    /// Whether the level was kept, as far as can be told.
    pub fn is_kept(&self) -> bool {
        self.chance() >= CHANCE
    }

    /// Whether the level was kept, or never promised.
    pub fn is_ok(&self) -> bool {
        self.is_kept() || !self.promised
    }
}

/// A bound on the probability that the mean of `n` numbers between 0 and 1 reaches `rate` if their expectation is `p`:
/// `exp(-n·KL(rate, p))`.
fn hoeffding(rate: f64, n: f64, p: f64) -> f64 {
    if rate <= p {
        return 1.0;
    }
    let part = |a: f64, b: f64| if a == 0.0 { 0.0 } else { a * (a / b).ln() };
    (-n * (part(rate, p) + part(1.0 - rate, 1.0 - p))).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_the_last_rate_that_passes() {
        for shares in [false, true] {
            let tally = |errors| Tally { level: 0.05, errors, repetitions: 1000, promised: true, shares };
            let most = (tally(0.0).bound() * 1000.0).floor();
            assert!(tally(most).is_ok() && !tally(most + 1.0).is_ok(), "{most}");
            assert!(most > 65.0 && most < 85.0, "{most}");
        }
    }

    #[test]
    fn what_was_not_promised_is_not_held_against_it() {
        let tally = Tally { level: 0.05, errors: 900.0, repetitions: 1000, promised: false, shares: false };
        assert!(tally.is_ok() && !tally.is_kept());
    }
}
