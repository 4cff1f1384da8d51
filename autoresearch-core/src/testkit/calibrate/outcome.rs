//! What was found of a rule.

use super::rate::Rate;
use crate::accept::Guarantee;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a rule does to proposals without merit, and to such with: found by [`calibrate`](super::calibrate()).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Calibrated {
    /// The rule with its settings.
    pub rule: String,
    /// What it promises.
    pub guarantee: Guarantee,
    /// The effect at which the power was measured, in the standard deviation of one run.
    pub effect: f64,
    /// Under Gaussian noise.
    pub gaussian: UnderNoise,
    /// Under Student-t noise with 4 degrees of freedom, of the same standard deviation.
    pub t4: UnderNoise,
}

/// What a rule does under one kind of noise.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct UnderNoise {
    /// How often a proposal without merit was kept.
    pub false_acceptances: Rate,
    /// How often a proposal with the effect was kept.
    pub power: Rate,
    /// How many runs a proposal without merit took on average, from its first on; measuring the incumbent anew after an
    /// acceptance included.
    pub runs: f64,
}

impl fmt::Display for Calibrated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.rule, self.guarantee)?;
        writeln!(
            f,
            "{:8}  {:>24}  {:>24}  {:>13}",
            "noise",
            "kept without merit",
            format!("kept at {} sigma", self.effect),
            "runs/proposal"
        )?;
        for (noise, found) in [("Gaussian", &self.gaussian), ("t4", &self.t4)] {
            let (errors, power) = (found.false_acceptances.to_string(), found.power.to_string());
            writeln!(f, "{noise:8}  {errors:>24}  {power:>24}  {:>13.1}", found.runs)?;
        }
        write!(f, "{} proposals of each kind; in brackets 95 % intervals", self.gaussian.power.of)
    }
}
