//! Alpha-wealth, which most rules share: a stake at the start, earnings at each rejection, spent as they age.

use super::super::{StatsError, check, error::parameter};

/// `w0·γ(age since the start) + (alpha - w0)·γ(age since the first rejection) + alpha·Σ γ(age since each later one)`.
///
/// Rules differ in which tests age it: LORD all of them, SAFFRON only those that are no candidates, and so on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wealth {
    alpha: f64,
    w0: f64,
    age: u64,
    /// The age at which each rejection was.
    rejections: Vec<u64>,
}

impl Wealth {
    pub(super) fn new(alpha: f64, w0: f64) -> Self {
        Self { alpha, w0, age: 0, rejections: Vec::new() }
    }

    /// What is spent on the next test.
    pub(super) fn spend(&self, weight: fn(u64) -> f64) -> f64 {
        let since = |then: u64| weight(self.age - then + 1);
        let mut earned = self.rejections.iter().map(|&then| since(then));
        let first = earned.next().map_or(0.0, |first| (self.alpha - self.w0) * first);
        self.w0 * since(0) + first + self.alpha * earned.sum::<f64>()
    }

    /// Ends a test: it ages the wealth or not, and earns new wealth if it was rejected.
    pub(super) fn settle(&mut self, ages: bool, rejected: bool) {
        self.age += u64::from(ages);
        if rejected {
            self.rejections.push(self.age);
        }
    }
}

/// The false discovery rate, as all rules check it.
pub(super) fn check_alpha(alpha: f64) -> Result<(), StatsError> {
    check::open_unit("alpha", alpha)
}

/// The stake at the start: not more than `most`.
pub(super) fn check_w0(w0: f64, most: f64) -> Result<(), StatsError> {
    if (0.0..=most).contains(&w0) { Ok(()) } else { Err(parameter("w0", w0, "at least 0 and at most alpha")) }
}
