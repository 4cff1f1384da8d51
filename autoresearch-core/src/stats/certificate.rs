//! A certificate: which of many edits, switched on and off on fresh runs, are worth keeping each on its own.
//!
//! The units are dealt into groups. Each group is one block of runs of a two-level design, with everything else
//! switched on. What is done with the runs, in order:
//!
//! | step | item |
//! |---|---|
//! | coefficients of a group | [`GroupFit::new`], once on validation and once on the holdout |
//! | what is hopeless is switched off in the groups after it | [`GroupFit::weak`] |
//! | the noise of a round, when all of its groups have run | [`RoundNoise::new`] |
//! | evidence of a unit, over the rounds | [`UnitEvidence`] |
//! | what is settled, what is certified | [`e_bh`](super::e_bh) of all units, also those switched off |
//!
//! Sign: responses are scores, where higher is better; a positive coefficient is good.

use super::{Design, PHI, StatsError, coefficient_log_e, holdout_half_normal_log_e};
use serde::{Deserialize, Serialize};

/// From this ratio of variances on, a round is noisier than single runs explain: its units interact.
const INTERACTING: f64 = 1.5;

/// The number of runs for a block of that many units: a power of two that leaves at least 5 degrees of freedom.
pub fn block_runs(units: usize) -> usize {
    units.saturating_add(6).checked_next_power_of_two().unwrap_or(usize::MAX)
}

/// A sum of squares and its degrees of freedom.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Residual {
    /// The sum of squares, in squared units of the response.
    pub ss: f64,
    /// Its degrees of freedom.
    pub df: f64,
}

impl Residual {
    /// A sum of squares with `df` degrees of freedom.
    pub fn new(ss: f64, df: f64) -> Self {
        Self { ss, df }
    }

    /// Both together.
    pub fn pooled(self, other: Self) -> Self {
        Self { ss: self.ss + other.ss, df: self.df + other.df }
    }

    /// `ss / df`; `None` without degrees of freedom.
    pub fn variance(self) -> Option<f64> {
        (self.df > 0.0).then(|| self.ss / self.df)
    }
}

/// The coefficients of one group of units on one split.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct GroupFit {
    /// The units, in the order of the design's factors.
    pub units: Vec<usize>,
    /// The coefficient of each unit; NaN where it is not estimable.
    pub coefficients: Vec<f64>,
    /// `s_j` of each unit (its coefficient has variance `σ²/s_j`); 0 where it is not estimable.
    pub information: Vec<f64>,
    /// The residual sum of squares.
    pub residual: Residual,
}

impl GroupFit {
    /// Fits the scores of a group's runs. Factor `j` of the design is unit `units[j]`.
    ///
    /// # Errors
    /// [`StatsError::LengthMismatch`] if there is not one unit a factor, and those of [`Design::fit`].
    pub fn new(units: &[usize], design: &Design, scores: &[f64]) -> Result<Self, StatsError> {
        if units.len() != design.factors() {
            let (left, right) = (units.len(), design.factors());
            let (left_name, right_name) = ("units", "factors");
            return Err(StatsError::LengthMismatch { left_name, left, right_name, right });
        }
        let fit = design.fit(scores)?;
        let information = (0..units.len()).map(|j| design.information(j).unwrap_or(0.0)).collect();
        let residual = Residual::new(fit.rss, fit.df);
        Ok(Self { units: units.to_vec(), coefficients: fit.coefficients, information, residual })
    }

    /// The units that are switched off for good: those with `b_j ≤ drop·min(sqrt(RSS/df), 1.5·s)`.
    ///
    /// `so_far` is the residual of the round pooled so far, this group included, and `s` the standard deviation of
    /// a single run, by calibration; it stands in for the root while there are no degrees of freedom. What is not
    /// estimable stays.
    pub fn weak(&self, so_far: Residual, s: f64, drop: f64) -> Vec<usize> {
        let noise = so_far.variance().map_or(s, |variance| variance.sqrt().min(1.5 * s));
        let units = self.units.iter().zip(&self.coefficients);
        units.filter(|&(_, &b)| b <= drop * noise).map(|(&unit, _)| unit).collect()
    }
}

/// The noise of single runs as a round shows it, pooled with calibration.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RoundNoise {
    /// The variance of the round's residuals over that of calibration; 1 if either is unknown.
    pub ratio: f64,
    /// `S` with `N` degrees of freedom: the residuals plus calibration, which is scaled up where `ratio` exceeds 1.
    pub pooled: Residual,
    residual: Residual,
}

impl RoundNoise {
    /// The noise of a round whose groups left `residual`, with `rs` and `rn`; `calibration` is `SS0` with `nu0`.
    ///
    /// `S = rs + SS0·max(1, ratio)`, `N = rn + nu0`, `ratio = (rs/rn)/(SS0/nu0)`. If `previous`, the round before,
    /// has a ratio of 1.5 or more, its residuals are pooled into this round's: among few units interactions hide,
    /// and the noise would be taken for smaller than it was.
    ///
    /// ```
    /// use autoresearch_core::stats::{Residual, RoundNoise};
    ///
    /// let round = RoundNoise::new(Residual::new(30.0, 10.0), Residual::new(14.0, 7.0), None);
    /// assert_eq!((round.ratio, round.pooled), (1.5, Residual::new(30.0 + 1.5 * 14.0, 17.0)));
    /// let next = RoundNoise::new(Residual::new(5.0, 5.0), Residual::new(14.0, 7.0), Some(&round));
    /// assert_eq!(next.pooled.df, 10.0 + 5.0 + 7.0);
    /// ```
    pub fn new(residual: Residual, calibration: Residual, previous: Option<&Self>) -> Self {
        let residual = match previous {
            Some(previous) if previous.ratio >= INTERACTING => previous.residual.pooled(residual),
            _ => residual,
        };
        let (ratio, inflated) = match (residual.variance(), calibration.variance()) {
            // SS0·max(1, ratio), also for an SS0 of 0.
            (Some(variance), Some(single)) => {
                let ratio = if variance == single { 1.0 } else { variance / single };
                (ratio, calibration.ss.max(calibration.df * variance))
            }
            _ => (1.0, calibration.ss),
        };
        let pooled = Residual::new(residual.ss + inflated, residual.df + calibration.df);
        Self { ratio, pooled, residual }
    }

    /// `s2 = S/N`, the variance of a single run; NaN without degrees of freedom.
    pub fn variance(&self) -> f64 {
        self.pooled.variance().unwrap_or(f64::NAN)
    }
}

/// What the rounds have said about one unit: an e-value on validation and one on the holdout.
///
/// The default is a unit of which nothing is known: both are 1.
///
/// ```
/// use autoresearch_core::stats::{Residual, RoundNoise, UnitEvidence};
///
/// let noise = RoundNoise::new(Residual::new(6.0, 11.0), Residual::new(7.0, 7.0), None);
/// let mut unit = UnitEvidence::default();
/// unit.add_validation(1.9, 8.0, &noise);
/// unit.add_holdout(1.2, 8.0, &noise);
/// let log_e = unit.log_e(0.1, &noise);
/// assert!(log_e <= unit.log_e_validation() && log_e == unit.log_e_holdout(0.1, &noise));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct UnitEvidence {
    log_e_validation: f64,
    /// `Σ s_j/s2` over the rounds, and the coefficients summed with these weights.
    precision: f64,
    weighted: f64,
}

impl UnitEvidence {
    /// Multiplies the validation e-value by that of a round: coefficient `b` with information `s`. One that is not
    /// estimable (`s` of 0) changes nothing.
    pub fn add_validation(&mut self, b: f64, s: f64, noise: &RoundNoise) {
        if s != 0.0 {
            self.log_e_validation += coefficient_log_e(b, s, noise.pooled.ss, noise.pooled.df, PHI);
        }
    }

    /// Adds a round's holdout coefficient `h`, weighted by its precision `s/s2`. One that is not estimable (`s` of
    /// 0) changes nothing.
    pub fn add_holdout(&mut self, h: f64, s: f64, noise: &RoundNoise) {
        if s != 0.0 {
            let precision = s / single(noise);
            self.precision += precision;
            self.weighted += precision * h;
        }
    }

    /// Logarithm of the validation e-value, the product over the rounds.
    pub fn log_e_validation(&self) -> f64 {
        self.log_e_validation
    }

    /// The holdout coefficient over the rounds; `None` before the first.
    pub fn holdout(&self) -> Option<f64> {
        (self.precision != 0.0).then(|| self.weighted / self.precision)
    }

    /// Logarithm of the holdout e-value, by [`holdout_half_normal_log_e`] with
    /// `w = se_documents² + 1/Σ(s_j/s2)`; 0 before the first round. `se_documents` is the standard error over
    /// documents of the coefficient, `noise` that of the unit's last round.
    pub fn log_e_holdout(&self, se_documents: f64, noise: &RoundNoise) -> f64 {
        let Some(h) = self.holdout() else { return 0.0 };
        let w = se_documents * se_documents + 1.0 / self.precision;
        holdout_half_normal_log_e(h, w, noise.pooled.df, single(noise))
    }

    /// The smaller of both: an e-value if either null hypothesis is true, so that a unit must convince on both
    /// splits. NaN if either is.
    pub fn log_e(&self, se_documents: f64, noise: &RoundNoise) -> f64 {
        let (validation, holdout) = (self.log_e_validation, self.log_e_holdout(se_documents, noise));
        if validation.is_nan() || holdout.is_nan() { f64::NAN } else { validation.min(holdout) }
    }
}

/// `s2`; runs without any noise have a little, so that their limit comes out and not 0/0.
fn single(noise: &RoundNoise) -> f64 {
    let variance = noise.variance();
    if variance == 0.0 { 1e-200 } else { variance }
}
