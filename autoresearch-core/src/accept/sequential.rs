//! The t e-process, pair by pair.

use super::decision::{Step, Verdict};
use super::engine::{Design, Engine, Judge, check};
use super::evidence::Evidence;
use super::{Acceptor, Cohort, Guarantee, Seeds, Setup};
use crate::arm::ProposalId;
use crate::stats::{half_normal_log_e, log_likelihood_ratio};
use std::fmt;

/// Likelihood ratio of a gain of one sigma against none below which more pairs are futile.
const FUTILE_RATIO: f64 = 0.2;

/// The sequential test that `Sequential` and `Guarded` share: accept when the e-value reaches 1/level, give up at
/// `max` pairs or when it cannot get there any more.
#[derive(Debug, Clone, Copy)]
pub(super) struct PairTest {
    pub(super) min: u32,
    pub(super) max: u32,
}

impl PairTest {
    pub(super) fn judge(self, evidence: &Evidence, level: f64) -> Verdict {
        let n = evidence.pairs() as u32;
        if n < self.min {
            return Verdict::more(self.min - n);
        }
        let Some(e) = evidence.e_process() else { return Verdict::Reject };
        if e.log_e() >= -level.ln() {
            return Verdict::Accept;
        }
        if n >= self.max || self.futile(evidence, &e, level) {
            return Verdict::Reject;
        }
        Verdict::more(1)
    }

    /// Whether one sigma is five times less likely than nothing, or an optimistic projection cannot cross by `max`.
    fn futile(self, evidence: &Evidence, e: &crate::stats::TTestE, level: f64) -> bool {
        let Some(variance) = e.variance() else { return false };
        if variance <= 0.0 {
            return e.mean() <= 0.0; // no noise at all: what is not better now never will be
        }
        if let Some(sigma) = evidence.sigma()
            && log_likelihood_ratio(e.sum(), e.n(), sigma, variance) <= FUTILE_RATIO.ln()
        {
            return true;
        }
        if e.n() < 3 {
            return false;
        }
        let (n, max) = (e.n() as f64, f64::from(self.max));
        let hoped = (e.mean() + 1.5 * (variance * (1.0 / n - 1.0 / max).max(0.0)).sqrt()).max(0.0);
        half_normal_log_e(hoped, variance / max, variance) < -level.ln()
    }
}

/// Judges each proposal by a calibrated t e-process over fresh pairs, with a futility stop.
///
/// **Guarantee**: each proposal without merit is kept with probability at most `alpha`, whenever the test stops
/// (Wang & Ramdas 2023, arXiv 2310.03722, with calibration degrees of freedom). **Assumes** fresh runs and roughly
/// Gaussian run noise; measured to hold under t4 noise as well. It screens nothing: every proposal gets at least two
/// pairs. For a stream of many proposals prefer [`Guarded`](crate::Guarded).
#[derive(Debug)]
pub struct Sequential {
    engine: Engine<Constant>,
}

/// The sequential test at one and the same level for every proposal.
#[derive(Debug)]
pub(super) struct Constant {
    pub(super) alpha: f64,
    pub(super) test: PairTest,
}

impl Judge for Constant {
    fn begin(&mut self) -> Option<f64> {
        Some(self.alpha)
    }
    fn judge(&mut self, evidence: &Evidence) -> Verdict {
        self.test.judge(evidence, self.alpha)
    }
}

impl Engine<Constant> {
    /// What `Sequential` and `Fast` have to check.
    pub(super) fn check_constant(&self, policy: &str, setup: &Setup) -> Result<(), String> {
        let Constant { alpha, test } = self.judge;
        check::probability(policy, "alpha", alpha)?;
        self.check(policy, setup, alpha, test.min, test.max)
    }
}

impl<J> fmt::Debug for Engine<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("design", &self.design).finish_non_exhaustive()
    }
}

impl Default for Sequential {
    fn default() -> Self {
        Self::new()
    }
}

impl Sequential {
    /// `alpha` .01, 2 to 24 pairs, 8 calibration runs, equal seeds.
    pub fn new() -> Self {
        let design = Design { calibrate: 8, refresh: 4, screen: None, seeds: Seeds::Equal };
        let judge = Constant { alpha: 0.01, test: PairTest { min: 2, max: 24 } };
        Self { engine: Engine::new(design, judge) }
    }

    /// The probability of keeping a proposal without merit.
    #[must_use]
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.engine.judge.alpha = alpha;
        self
    }

    /// At most this many pairs a proposal.
    #[must_use]
    pub fn max_pairs(mut self, pairs: u32) -> Self {
        self.engine.judge.test.max = pairs;
        self
    }

    /// Equal or independent seeds in the two arms.
    #[must_use]
    pub fn seeds(mut self, seeds: Seeds) -> Self {
        self.engine.design.seeds = seeds;
        self
    }

    /// Calibration runs of the baseline.
    #[must_use]
    pub fn calibrate(mut self, runs: u32) -> Self {
        self.engine.design.calibrate = runs;
        self
    }
}

impl Acceptor for Sequential {
    fn next(&mut self, cohort: &Cohort<'_>) -> Step {
        self.engine.next(cohort)
    }
    fn settled(&mut self, proposal: ProposalId, kept: bool) {
        self.engine.settled(proposal, kept);
    }
    fn check(&self, setup: &Setup) -> Result<(), String> {
        self.engine.check_constant("sequential", setup)
    }
    fn seed_correlation(&self) -> Option<f64> {
        self.engine.seed_correlation()
    }
    fn guarantee(&self) -> Guarantee {
        Guarantee::PerProposal(self.engine.judge.alpha)
    }
    fn describe(&self) -> String {
        format!(
            "sequential alpha={} pairs<={} {:?}",
            self.engine.judge.alpha, self.engine.judge.test.max, self.engine.design
        )
    }
}
