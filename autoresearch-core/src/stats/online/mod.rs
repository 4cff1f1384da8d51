//! Rules for tests that come one by one, in p-values: what e-LOND is compared with.
//!
//! Each rule sets the level of the next test from the outcomes so far, so that over the whole stream false
//! rejections stay rare: at most a share `alpha` of all rejections in expectation (false discovery rate), or at most
//! a probability `alpha` of any at all (family-wise). Defaults, weights included, are those of the R package onlineFDR.
//!
//! | rule | keeps | needs p-values that are | idea |
//! |---|---|---|---|
//! | [`AlphaSpending`] | family-wise error | anything | Bonferroni over an endless list of weights |
//! | [`OnlineFallback`] | family-wise error | anything | a rejection passes its level on to the next test |
//! | [`Lond`] | false discovery rate | positively dependent; anything with [`Lond::dependent`] | levels grow with the number of rejections |
//! | [`Lord`] | false discovery rate | independent | every rejection earns wealth that later tests spend |
//! | [`LordDiscard`] | false discovery rate | independent, conservative | `Lord` that skips hopeless p-values |
//! | [`LordDependent`] | false discovery rate | anything | `Lord` with small, falling weights |
//! | [`AlphaInvesting`] | false discovery rate | independent | wealth, paid only for tests that fail |
//! | [`Saffron`] | false discovery rate | independent | pays only for p-values above `lambda` |
//! | [`Addis`] | false discovery rate | independent, conservative | `Saffron` that skips hopeless p-values |
//! | [`ELord`] | false discovery rate | e-values, given the past | e-LOND's relative with wealth |
//!
//! A p-value that is NaN counts as 1. Work per test grows with the number of rejections.

mod addis;
mod e_lord;
mod investing;
mod lond;
mod lord;
mod saffron;
mod spending;
mod wealth;

pub use addis::Addis;
pub use e_lord::ELord;
pub use investing::AlphaInvesting;
pub use lond::Lond;
pub use lord::{Lord, LordDependent, LordDiscard};
pub use saffron::Saffron;
pub use spending::{AlphaSpending, OnlineFallback};

/// A rule that sets the levels of a stream of tests.
pub trait OnlineRule {
    /// The level of the next test: it is known before the test's data are.
    fn level(&self) -> f64;

    /// Takes the p-value of the next test and says whether it is rejected: whether `p <= level`.
    fn push(&mut self, p: f64) -> bool;

    /// Pushes all of `p`; returns the level of each test and whether it was rejected.
    ///
    /// ```
    /// use autoresearch_core::stats::online::{Lord, OnlineRule};
    ///
    /// let outcomes = Lord::new(0.05)?.run(&[2.9e-8, 0.067, 0.015]);
    /// assert!(outcomes[0].1 && !outcomes[1].1);
    /// assert!(outcomes[1].0 > outcomes[0].0); // the rejection earned wealth
    /// # Ok::<(), autoresearch_core::stats::StatsError>(())
    /// ```
    fn run(&mut self, p: &[f64]) -> Vec<(f64, bool)> {
        p.iter().map(|&p| (self.level(), self.push(p))).collect()
    }
}

/// Weights `0.0772·ln(max(k, 2))/(k·exp(sqrt(ln k)))` of test `k = 1, 2, ...`: they sum to 1 (Javanmard & Montanari
/// 2018, *Annals of Statistics* 46:526-554).
fn slow_weight(k: u64) -> f64 {
    let k = k as f64;
    0.07720838 * k.max(2.0).ln() / (k * k.ln().sqrt().exp())
}

/// Weights `0.4375/k^1.6`: they sum to 1 (Ramdas et al. 2018, SAFFRON).
fn fast_weight(k: u64) -> f64 {
    0.4374901658 / (k as f64).powf(1.6)
}
