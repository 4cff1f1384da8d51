//! Guarded without its memory: one constant level, few pairs.

use super::decision::Step;
use super::engine::{Design, Engine};
use super::guarded::{SCREEN_EQUAL, SCREEN_INDEPENDENT};
use super::sequential::{Constant, PairTest};
use super::{Acceptor, Cohort, Guarantee, Seeds, Setup};
use crate::arm::ProposalId;

/// [`Guarded`](crate::Guarded) with a constant level of .05 and at most 8 pairs: quick, and for few proposals.
///
/// Calibrates with 8 runs, screens with one, then judges fresh pairs by the t e-process and asks the holdout, where
/// there is one.
///
/// **Guarantee**: each proposal without merit is kept with probability at most `alpha` (.05), whenever the test stops
/// (Wang & Ramdas 2023, arXiv 2310.03722). Nothing is promised of the whole stream: of 400 useless proposals that reach
/// the pairs, up to 20 may be kept. **Assumes** what [`Sequential`](crate::Sequential) assumes of the noise; the
/// validation split's own noise is the holdout's business.
#[derive(Debug)]
pub struct Fast {
    engine: Engine<Constant>,
    screen: Option<f64>,
}

impl Default for Fast {
    fn default() -> Self {
        Self::new()
    }
}

impl Fast {
    /// `alpha` .05, 2 to 8 pairs, 8 calibration runs, equal seeds.
    pub fn new() -> Self {
        let design = Design { calibrate: 8, refresh: 4, screen: Some(SCREEN_EQUAL), seeds: Seeds::Equal };
        let judge = Constant { alpha: 0.05, test: PairTest { min: 2, max: 8 } };
        Self { engine: Engine::new(design, judge), screen: None }
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

    /// How many sigma a proposal must gain in its screening run (default .7 with equal seeds, 1 otherwise).
    #[must_use]
    pub fn screen(mut self, sigmas: f64) -> Self {
        self.screen = Some(sigmas);
        self.engine.design.screen = self.screen;
        self
    }

    /// Equal or independent seeds in the two arms; the screening threshold follows unless it was set.
    #[must_use]
    pub fn seeds(mut self, seeds: Seeds) -> Self {
        self.engine.design.seeds = seeds;
        let default = match seeds {
            Seeds::Equal => SCREEN_EQUAL,
            Seeds::Independent => SCREEN_INDEPENDENT,
        };
        self.engine.design.screen = Some(self.screen.unwrap_or(default));
        self
    }

    /// Calibration runs of the baseline.
    #[must_use]
    pub fn calibrate(mut self, runs: u32) -> Self {
        self.engine.design.calibrate = runs;
        self
    }
}

impl Acceptor for Fast {
    fn next(&mut self, cohort: &Cohort<'_>) -> Step {
        self.engine.next(cohort)
    }
    fn settled(&mut self, proposal: ProposalId, kept: bool) {
        self.engine.settled(proposal, kept);
    }
    fn check(&self, setup: &Setup) -> Result<(), String> {
        self.engine.check_constant("fast", setup)
    }
    fn seed_correlation(&self) -> Option<f64> {
        self.engine.seed_correlation()
    }
    fn guarantee(&self) -> Guarantee {
        Guarantee::PerProposal(self.engine.judge.alpha)
    }
    fn describe(&self) -> String {
        let Constant { alpha, test } = &self.engine.judge;
        format!("fast alpha={alpha} pairs<={} {:?}", test.max, self.engine.design)
    }
}
