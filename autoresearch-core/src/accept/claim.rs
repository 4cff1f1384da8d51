//! What the holdout is asked about: the runs behind an acceptance, and the test that they are to pass there as well.

use crate::arm::{Arm, RunId};
use serde::{Deserialize, Serialize};

/// Prior knowledge of the variance of one difference between two runs: a sum of squares and its degrees of freedom.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Noise {
    /// Sum of squares, scaled so that `ss / df` estimates the variance of a difference.
    pub ss: f64,
    /// Degrees of freedom; 0 where nothing is known.
    pub df: f64,
}

impl Noise {
    /// `ss / df` estimates the variance of a difference between two runs.
    pub fn new(ss: f64, df: f64) -> Self {
        Self { ss, df }
    }
}

/// The runs behind an acceptance, for the holdout to look at again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Claim {
    /// Runs of the candidate.
    pub candidate: Vec<RunId>,
    /// Runs of the incumbent.
    pub incumbent: Vec<RunId>,
    /// Whether the i-th runs of both lists belong together.
    pub paired: bool,
    /// The level that the holdout tests at.
    pub level: f64,
    /// What is known of the noise already.
    pub noise: Noise,
}

impl Claim {
    /// A claim that rests on these runs.
    pub fn new(candidate: Vec<RunId>, incumbent: Vec<RunId>, paired: bool, level: f64, noise: Noise) -> Self {
        Self { candidate, incumbent, paired, level, noise }
    }
}

/// Runs of a designed experiment in which factors were switched on and off together, for the holdout to look at again.
///
/// The effect of a factor is its coefficient by least squares, with an intercept a block, in each group of runs; over
/// groups, coefficients are averaged with the precision that each has. A factor is on in a run whose arm contains all
/// of its parts; in a group in which it was never switched it says nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EffectsClaim {
    /// What was switched.
    pub factors: Vec<Arm>,
    /// Groups of runs, in time. Each is a regression of its own.
    pub groups: Vec<EffectsGroup>,
    /// What the factors are to pass.
    pub test: EffectsTest,
}

/// Runs of one design.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EffectsGroup {
    /// Blocks of runs, each with a mean of its own.
    pub blocks: Vec<Vec<RunId>>,
    /// Residual sum of squares and degrees of freedom of single runs on validation, calibration included, as they
    /// were known when these runs were judged.
    pub noise: Noise,
}

impl EffectsGroup {
    /// Blocks of runs, judged with this noise.
    pub fn new(blocks: Vec<Vec<RunId>>, noise: Noise) -> Self {
        Self { blocks, noise }
    }
}

/// The test that factors are to pass on the holdout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EffectsTest {
    /// Each at a level of its own: `1 − T_N(γ/SE) <= level`. Where the documents' part of SE is estimated as well, with
    /// the smaller degrees of freedom of that sum (Satterthwaite 1946).
    Levels(Vec<f64>),
    /// All together by e-BH on the smaller of two e-values, that of validation, given here, and that of the holdout.
    Certificate {
        /// The e-values of validation, as natural logarithms, one a factor.
        log_e: Vec<f64>,
        /// The false discovery rate of this certificate.
        alpha: f64,
        /// How many factors are tested in all, those included that were dropped on the way.
        of: usize,
        /// How many were certified before, in earlier certificates of the same stream.
        before: usize,
    },
}

impl EffectsClaim {
    /// A claim on these factors from these groups of runs.
    pub fn new(factors: Vec<Arm>, groups: Vec<EffectsGroup>, test: EffectsTest) -> Self {
        Self { factors, groups, test }
    }
}
