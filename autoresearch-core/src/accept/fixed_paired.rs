//! A fixed number of fresh pairs, then one classical test: no peeking.

use super::decision::{Step, Strength, Verdict};
use super::engine::{Design, Engine, Judge, check};
use super::evidence::Evidence;
use super::{Acceptor, Cohort, Guarantee, Seeds, Setup};
use crate::arm::ProposalId;
use crate::propose::Effect;
use crate::stats::{PairedT, paired_t, sign_flip};

/// Enumerating all signs of more pairs than this takes too long.
const MOST_FLIPPED: u32 = 16;

/// Runs every proposal on the same number of fresh pairs and tests it once, at the end.
///
/// What a careful experimenter would do by hand: 8 pairs at .01, judged by a paired t-test
/// ([`paired_t`](Self::paired_t), the default; Student 1908, *Biometrika* 6:1-25) or by the exact sign-flip test
/// ([`sign_flip`](Self::sign_flip); Fisher 1935, *The Design of Experiments*, section 21). The result is not looked at
/// before all pairs are in: looking after each pair would turn .05 into .225.
///
/// **Guarantee**: each proposal without merit is kept with probability at most `alpha`. **Assumes** for the t-test
/// differences that are about Gaussian, for the sign-flip only that they are symmetric about their mean. It calibrates
/// and screens nothing, so a bad proposal costs as many runs as a good one; [`Sequential`](crate::Sequential) stops
/// earlier, and [`Guarded`](crate::Guarded) bounds the share of junk over a whole stream.
///
/// ```
/// use autoresearch_core::FixedPaired;
/// let by_permutation = FixedPaired::new().pairs(10).alpha(0.005).sign_flip();
/// # let _ = by_permutation;
/// ```
#[derive(Debug)]
pub struct FixedPaired {
    engine: Engine<Once>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Test {
    PairedT,
    SignFlip,
}

#[derive(Debug)]
struct Once {
    alpha: f64,
    pairs: u32,
    test: Test,
    /// Pairs in at the last look, so that pairs which are lost again and again do not go on for ever.
    seen: Option<usize>,
}

impl Once {
    fn paired_t(evidence: &Evidence) -> Option<PairedT> {
        paired_t(evidence.candidate(), evidence.incumbent()).ok()
    }

    fn p(&self, evidence: &Evidence) -> f64 {
        match self.test {
            Test::PairedT => Self::paired_t(evidence).map_or(1.0, |test| test.p),
            Test::SignFlip => {
                // Exact up to 16 pairs, so that draws and seed do not matter.
                let (candidate, incumbent) = (evidence.candidate(), evidence.incumbent());
                sign_flip(candidate, incumbent, 0, 0).map_or(1.0, |test| test.p)
            }
        }
    }
}

impl Judge for Once {
    fn begin(&mut self) -> Option<f64> {
        self.seen = None;
        Some(self.alpha)
    }

    fn judge(&mut self, evidence: &Evidence) -> Verdict {
        let (n, wanted) = (evidence.pairs(), self.pairs as usize);
        if n < wanted {
            return match self.seen.replace(n) {
                Some(before) if before == n => Verdict::Reject,
                _ => Verdict::more((wanted - n) as u32),
            };
        }
        if self.p(evidence) <= self.alpha { Verdict::Accept } else { Verdict::Reject }
    }

    /// With the paired t interval: the number of pairs was fixed beforehand, so it is valid, and it is the narrower.
    fn effect(&self, evidence: &Evidence) -> Option<Effect> {
        if evidence.pairs() < self.pairs as usize {
            return evidence.effect(); // stopped by a failure
        }
        let test = Self::paired_t(evidence)?;
        let (low, high) = test.interval(0.95);
        Some(Effect::new(-test.difference, (-high, -low), 0.95, evidence.pairs() as u32, true))
    }

    /// Not a test by e-values.
    fn strength(&self, _evidence: &Evidence) -> Option<Strength> {
        None
    }
}

impl Default for FixedPaired {
    fn default() -> Self {
        Self::new()
    }
}

impl FixedPaired {
    /// 8 pairs on equal seeds, `alpha` .01, paired t-test.
    pub fn new() -> Self {
        let design = Design { calibrate: 0, refresh: 0, screen: None, seeds: Seeds::Equal };
        let judge = Once { alpha: 0.01, pairs: 8, test: Test::PairedT, seen: None };
        Self { engine: Engine::new(design, judge) }
    }

    /// The probability of keeping a proposal without merit.
    #[must_use]
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.engine.judge.alpha = alpha;
        self
    }

    /// How many pairs each proposal gets.
    #[must_use]
    pub fn pairs(mut self, pairs: u32) -> Self {
        self.engine.judge.pairs = pairs;
        self
    }

    /// Judge by the paired t-test.
    #[must_use]
    pub fn paired_t(mut self) -> Self {
        self.engine.judge.test = Test::PairedT;
        self
    }

    /// Judge by the exact sign-flip test. With n pairs its p-value is never below 2^-n.
    #[must_use]
    pub fn sign_flip(mut self) -> Self {
        self.engine.judge.test = Test::SignFlip;
        self
    }

    /// Equal or independent seeds in the two arms.
    #[must_use]
    pub fn seeds(mut self, seeds: Seeds) -> Self {
        self.engine.design.seeds = seeds;
        self
    }
}

impl Acceptor for FixedPaired {
    fn next(&mut self, cohort: &Cohort<'_>) -> Step {
        self.engine.next(cohort)
    }

    fn settled(&mut self, proposal: ProposalId, kept: bool) {
        self.engine.settled(proposal, kept);
    }

    fn check(&self, setup: &Setup) -> Result<(), String> {
        let Once { alpha, pairs, test, .. } = self.engine.judge;
        check::probability("fixed-paired", "alpha", alpha)?;
        check::at_least("fixed-paired", "pairs", pairs.into(), 2, "one pair alone shows no noise")?;
        if test == Test::SignFlip {
            if pairs > MOST_FLIPPED {
                return Err(format!(
                    "fixed-paired: pairs is {pairs}, and the exact sign-flip test enumerates at most {MOST_FLIPPED}; \
                     give {MOST_FLIPPED} or fewer, or use `.paired_t()`"
                ));
            }
            let least = 0.5f64.powi(pairs as i32);
            if least > alpha {
                let enough = (-alpha.log2()).ceil();
                return Err(format!(
                    "fixed-paired: pairs is {pairs} and alpha is {alpha}, and the p-value of a sign-flip test of \
                     {pairs} pairs is never below {least}; give {enough} pairs or more, or use `.paired_t()`"
                ));
            }
        }
        let least = 2 * u64::from(pairs);
        check::runs("fixed-paired", setup, least, &format!("{pairs} pairs of one proposal"))
    }

    fn seed_correlation(&self) -> Option<f64> {
        self.engine.seed_correlation()
    }

    fn guarantee(&self) -> Guarantee {
        Guarantee::PerProposal(self.engine.judge.alpha)
    }

    fn describe(&self) -> String {
        let Once { alpha, pairs, test, .. } = &self.engine.judge;
        format!("fixed-paired {test:?} alpha={alpha} pairs={pairs} {:?}", self.engine.design.seeds)
    }
}
