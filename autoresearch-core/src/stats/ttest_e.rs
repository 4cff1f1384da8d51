//! The calibrated t e-process: evidence for a positive mean that may be looked at after every observation.

use super::error::parameter;
use super::{Moments, StatsError, student_ln_cdf};
use serde::{Deserialize, Serialize};
use std::f64::consts::LN_2;

/// Tests whether differences with unknown variance have a positive mean, at any stopping time.
///
/// Sign: a positive difference is evidence *for*. With losses, push `incumbent - candidate`. If the mean is not
/// positive, the probability that `log_e` *ever* reaches `ln(1/a)` is at most `a`, however often one looks and
/// whenever one stops. The differences must be independent and about normal (heavy tails make it more
/// cautious), and the rule that stops may look at `log_e` and at counters only.
///
/// # Formula
/// With `n` differences `d`, `S = Σd`, `A = SS0 + Σd²`, `Q = A - S²/(n+κ)`, `N = n + ν0`:
///
/// `E = 2·T_N(S / sqrt((n+κ)·Q/N)) · sqrt(κ/(n+κ)) · (A/Q)^(N/2)`,
///
/// where `T_N` is the Student-t distribution function. Without the factor `2·T_N(...)` it is the two-sided form:
/// the Gaussian-mixture t of Wang & Ramdas (2023, arXiv 2310.03722) and Lai (1976, *Annals of Statistics*
/// 4:265-280). It is extended here by a calibration sample that estimates the same variance: a sum of squares
/// `SS0` with `ν0` degrees of freedom. The mixture has variance `1/κ`, in units of the variance of `d`.
///
/// Twice the within-arm sum of squares of single runs is an `SS0` for the difference of two runs on unrelated
/// seeds.
///
/// ```
/// use autoresearch_core::stats::{Moments, TTestE};
///
/// let calibration = Moments::of(&[0.3, -0.9, 1.1, 0.2, -0.6, 0.5, -0.4, -0.2]);
/// let mut test = TTestE::new(2.0 * calibration.sum_of_squares(), 7.0)?;
/// for gain in [1.2, 0.8, 1.9] {
///     test.push(gain);
/// }
/// assert!((test.log_e().exp() - 7.08267).abs() < 1e-5);
/// let (low, high) = test.confidence_sequence(0.9);
/// assert!(low < 1.3 && 1.3 < high);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TTestE {
    ss0: f64,
    nu0: f64,
    kappa: f64,
    /// The unit in which the differences are kept, a power of two, so that no square leaves the range of `f64`;
    /// 0 before there is anything to choose it by.
    unit: f64,
    differences: Moments,
    /// A difference was not finite.
    spoiled: bool,
}

impl TTestE {
    /// A test with a calibration sum of squares `ss0` (squared units of the differences, scaled to estimate
    /// their variance as `ss0 / nu0`) and its degrees of freedom `nu0`; `(0, 0)` is a test without calibration.
    /// κ is 1.
    ///
    /// `ss0 = 0` with `nu0 > 0` is allowed and taken at its word: calibration that saw no noise at all.
    ///
    /// # Errors
    /// If either is negative or not finite, or if `nu0` is 0 and `ss0` is not.
    pub fn new(ss0: f64, nu0: f64) -> Result<Self, StatsError> {
        if !(ss0.is_finite() && ss0 >= 0.0) {
            return Err(parameter("ss0", ss0, "finite and at least 0"));
        }
        if !(nu0.is_finite() && nu0 >= 0.0) {
            return Err(parameter("nu0", nu0, "finite and at least 0"));
        }
        if ss0 > 0.0 && nu0 == 0.0 {
            return Err(parameter("ss0", ss0, "0 when there are no degrees of freedom (nu0 = 0)"));
        }
        let unit = power_of_two(ss0.sqrt());
        Ok(Self { ss0, nu0, kappa: 1.0, unit, differences: Moments::new(), spoiled: false })
    }

    /// Sets κ: `1/κ` is the variance of the standardised mean that the test expects if there is an effect. Call
    /// it before the first look: a κ chosen after seeing data voids the guarantee.
    ///
    /// # Errors
    /// If κ is not between 1e-100 and 1e100.
    pub fn kappa(mut self, kappa: f64) -> Result<Self, StatsError> {
        if !(1e-100..=1e100).contains(&kappa) {
            return Err(parameter("kappa", kappa, "between 1e-100 and 1e100"));
        }
        self.kappa = kappa;
        Ok(self)
    }

    /// Adds one difference. One that is not finite says nothing about the mean: from then on `log_e` is minus
    /// infinity, so that no threshold is ever reached, and the confidence sequence is the whole line.
    pub fn push(&mut self, d: f64) {
        if !d.is_finite() {
            self.spoiled = true;
            return;
        }
        let unit = power_of_two(d);
        if self.unit == 0.0 {
            self.unit = unit;
        } else if unit / self.unit > 1e60 {
            self.differences = self.differences.scaled(self.unit / unit);
            self.unit = unit;
        }
        self.differences.push(if self.unit == 0.0 { 0.0 } else { d / self.unit });
    }

    /// The number of differences (those that were finite).
    pub fn n(&self) -> u64 {
        self.differences.n()
    }

    /// The mean difference; NaN before the first.
    pub fn mean(&self) -> f64 {
        self.differences.mean() * self.scale()
    }

    /// The sum of the differences; 0 before the first.
    pub fn sum(&self) -> f64 {
        if self.n() == 0 { 0.0 } else { self.mean() * self.n() as f64 }
    }

    /// The pooled estimate of the variance of one difference, `(SS0 + Σ(d - mean)²)/(ν0 + n - 1)`, in squared
    /// units; `ss0 / nu0` before the first difference; `None` without degrees of freedom.
    pub fn variance(&self) -> Option<f64> {
        let df = self.nu0 + self.n().saturating_sub(1) as f64;
        (df > 0.0 && !self.spoiled).then(|| self.within() / df * self.scale() * self.scale())
    }

    /// The logarithm of the one-sided e-value: evidence that the mean is positive. 0 before the first
    /// difference.
    ///
    /// Differences that are all zero, without calibration, give the limit of symmetric noise, `ln(κ/(n+κ))/2`.
    pub fn log_e(&self) -> f64 {
        if self.n() == 0 || self.spoiled {
            return self.log_e_two_sided();
        }
        let (n, mean) = (self.n() as f64, self.differences.mean());
        let (a, q, big_n) = self.a_q_n();
        let t = if mean == 0.0 || a == 0.0 { 0.0 } else { n * mean / ((n + self.kappa) * q / big_n).sqrt() };
        LN_2 + student_ln_cdf(t, big_n) + self.log_e_two_sided()
    }

    /// The logarithm of the two-sided e-value: evidence that the mean is not zero.
    pub fn log_e_two_sided(&self) -> f64 {
        if self.spoiled {
            return f64::NEG_INFINITY;
        }
        if self.n() == 0 {
            return 0.0;
        }
        let n = self.n() as f64;
        let (a, q, big_n) = self.a_q_n();
        let growth = if a == 0.0 { 0.0 } else { ((a - q) / q).ln_1p() };
        0.5 * (big_n * growth - (n / self.kappa).ln_1p())
    }

    /// An interval that contains the mean at *all* times at once with probability `level`: all shifts `δ` at
    /// which the two-sided test of the differences `d - δ` has not reached `1/(1 - level)`.
    ///
    /// The whole line while nothing can be said: without data, with too little of it for this level, or for a
    /// level outside of `[0, 1)`.
    pub fn confidence_sequence(&self, level: f64) -> (f64, f64) {
        let line = (f64::NEG_INFINITY, f64::INFINITY);
        if self.n() == 0 || self.spoiled || !(0.0..1.0).contains(&level) {
            return line;
        }
        // With B = SS0 + Σ(d - mean)², x = mean - δ and c = κ/(n+κ): A = B + n·x², Q = B + c·n·x², and E <
        // 1/(1-level) says A < r·Q, that is n·x²·(1 - r·c) < (r - 1)·B.
        let n = self.n() as f64;
        let ln_inverse_c = (n / self.kappa).ln_1p();
        let ln_r = (ln_inverse_c - 2.0 * (-level).ln_1p()) / (n + self.nu0);
        if ln_r >= ln_inverse_c {
            return line;
        }
        let room = -(ln_r - ln_inverse_c).exp_m1();
        let half = (ln_r.exp_m1() * self.within() / (n * room)).sqrt() * self.scale();
        (self.mean() - half, self.mean() + half)
    }

    /// `A`, `Q` and `N` in the internal unit; both sums have positive terms only, so nothing cancels.
    fn a_q_n(&self) -> (f64, f64, f64) {
        let (n, mean) = (self.n() as f64, self.differences.mean());
        let (within, between) = (self.within(), n * mean * mean);
        (within + between, within + between * self.kappa / (n + self.kappa), n + self.nu0)
    }

    /// `SS0 + Σ(d - mean)²` in the internal unit.
    fn within(&self) -> f64 {
        self.ss0 / self.scale() / self.scale() + self.differences.sum_of_squares()
    }

    fn scale(&self) -> f64 {
        if self.unit == 0.0 { 1.0 } else { self.unit }
    }
}

/// The largest power of two up to `|x|`, but not a subnormal one; 0 for 0.
fn power_of_two(x: f64) -> f64 {
    const EXPONENT: u64 = 0x7FF0_0000_0000_0000;
    if x == 0.0 { 0.0 } else { f64::from_bits(x.to_bits() & EXPONENT).max(f64::MIN_POSITIVE) }
}
