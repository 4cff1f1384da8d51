//! Calibrate, screen, confirm sequentially at e-LOND levels, ask the holdout.

use super::decision::{Step, Verdict};
use super::engine::{Design, Engine, Judge, check};
use super::evidence::Evidence;
use super::sequential::PairTest;
use super::{Acceptor, Cohort, Guarantee, Seeds, Setup};
use crate::arm::ProposalId;
use crate::stats::ELond;

/// A proposal must gain this much in its screening run, in sigma.
pub(super) const SCREEN_EQUAL: f64 = 0.7;
pub(super) const SCREEN_INDEPENDENT: f64 = 1.0;

/// The careful policy for a long stream of proposals of which few have merit.
///
/// 8 calibration runs; a screening run each, dropped unless clearly above the incumbent's cached runs; then 2 to 24
/// fresh interleaved pairs, judged by the t e-process at the level that e-LOND grants before the first of them
/// (Xu & Ramdas 2024), with a futility stop; then the holdout, where there is one; 4 fresh incumbent runs after each
/// acceptance.
///
/// **Guarantee**: false discovery rate at most `alpha` (.10) over the whole stream, however the proposals depend on
/// one another. **Assumes** what [`Sequential`](crate::Sequential) assumes of the noise. The validation split's own
/// noise is the holdout's business: without a holdout it is not covered.
#[derive(Debug)]
pub struct Guarded {
    engine: Engine<Online>,
    screen: Option<f64>,
}

#[derive(Debug)]
struct Online {
    alpha: f64,
    horizon: u64,
    tests: u64,
    kept: u64,
    level: f64,
    test: PairTest,
}

impl Online {
    /// The level of test `t`; 0, at which nothing is accepted, where the settings are impossible.
    fn level(&self, t: u64, kept: u64) -> f64 {
        ELond::new(self.alpha, self.horizon as f64).map_or(0.0, |levels| levels.level(t, kept))
    }
}

impl Judge for Online {
    fn begin(&mut self) -> Option<f64> {
        self.tests += 1;
        self.level = self.level(self.tests, self.kept);
        Some(self.level)
    }
    fn judge(&mut self, evidence: &Evidence) -> Verdict {
        self.test.judge(evidence, self.level)
    }
    fn kept(&mut self) {
        self.kept += 1;
    }
}

impl Default for Guarded {
    fn default() -> Self {
        Self::new()
    }
}

impl Guarded {
    /// `alpha` .10 over a horizon of 200 tests, 2 to 24 pairs, 8 calibration runs, equal seeds.
    pub fn new() -> Self {
        let design = Design { calibrate: 8, refresh: 4, screen: Some(SCREEN_EQUAL), seeds: Seeds::Equal };
        let judge = Online {
            alpha: 0.10,
            horizon: 200,
            tests: 0,
            kept: 0,
            level: 0.0,
            test: PairTest { min: 2, max: 24 },
        };
        Self { engine: Engine::new(design, judge), screen: None }
    }

    /// The false discovery rate.
    #[must_use]
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.engine.judge.alpha = alpha;
        self
    }

    /// Over about how many confirmations the error budget is spread (default 200): the first that many tests get
    /// nearly equal levels. A short study that will confirm 20 proposals has ten times the level for each with 20.
    #[must_use]
    pub fn horizon(mut self, tests: u64) -> Self {
        self.engine.judge.horizon = tests;
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

    /// How many sigma a proposal must gain in its screening run (default .7 with equal seeds, 1 otherwise).
    #[must_use]
    pub fn screen(mut self, sigmas: f64) -> Self {
        self.screen = Some(sigmas);
        self.engine.design.screen = self.screen;
        self
    }

    /// At most this many pairs a proposal.
    #[must_use]
    pub fn max_pairs(mut self, pairs: u32) -> Self {
        self.engine.judge.test.max = pairs;
        self
    }

    /// Calibration runs of the baseline.
    #[must_use]
    pub fn calibrate(mut self, runs: u32) -> Self {
        self.engine.design.calibrate = runs;
        self
    }
}

impl Acceptor for Guarded {
    fn next(&mut self, cohort: &Cohort<'_>) -> Step {
        self.engine.next(cohort)
    }
    fn settled(&mut self, proposal: ProposalId, kept: bool) {
        self.engine.settled(proposal, kept);
    }
    fn check(&self, setup: &Setup) -> Result<(), String> {
        let Online { alpha, horizon, test, .. } = &self.engine.judge;
        check::probability("guarded", "alpha", *alpha)?;
        check::at_least(
            "guarded",
            "horizon",
            *horizon,
            1,
            "the error budget is spread over that many tests",
        )?;
        self.engine.check("guarded", setup, self.engine.judge.level(1, 0), test.min, test.max)
    }
    fn seed_correlation(&self) -> Option<f64> {
        self.engine.seed_correlation()
    }
    fn guarantee(&self) -> Guarantee {
        Guarantee::FalseDiscoveryRate(self.engine.judge.alpha)
    }
    fn describe(&self) -> String {
        let judge = &self.engine.judge;
        format!(
            "guarded alpha={} horizon={} pairs<={} {:?}",
            judge.alpha, judge.horizon, judge.test.max, self.engine.design
        )
    }
}
