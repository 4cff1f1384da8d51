//! The polynomial stitched bound.

use super::super::error::parameter;
use super::super::{StatsError, check};

/// The stitched bound for sums that are sub-gamma with scale `c` (Howard et al. 2021, theorem 1): epochs of intrinsic
/// time that grow by the factor `eta`, the `k`-th with the share `1/(ζ(s)·k^s)` of alpha:
/// `sqrt(k1²·v·l + (k2·c·l)²) + k2·c·l` with `l = s·ln(ln(eta·v/v_min)) + ln(ζ(s)/ln(eta)^s) + ln(1/alpha)`,
/// `k1 = (eta^(1/4) + eta^(-1/4))/sqrt(2)` and `k2 = (sqrt(eta) + 1)/2`.
///
/// ```
/// use autoresearch_core::stats::sequences::PolyStitching;
///
/// let bound = PolyStitching::new(1.0, 1.0)?.bound(100.0, 0.01)?;
/// assert!((bound - 53.684428).abs() < 1e-6);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PolyStitching {
    v_min: f64,
    c: f64,
    s: f64,
    eta: f64,
    /// `ln(ζ(s)/ln(eta)^s)`.
    a: f64,
}

impl PolyStitching {
    /// The bound from intrinsic time `v_min` on (before, it is that of `v_min`), for the scale `c` (0 for sub-Gaussian
    /// sums), with `s = 1.4` and `eta = 2`.
    ///
    /// # Errors
    /// [`StatsError::Parameter`] unless `v_min` is positive and `c` at least 0, both finite.
    pub fn new(v_min: f64, c: f64) -> Result<Self, StatsError> {
        Self::with_shape(v_min, c, 1.4, 2.0)
    }

    /// The same with another exponent `s` and growth `eta`.
    ///
    /// # Errors
    /// [`StatsError::Parameter`] unless also `s` and `eta` are above 1 and finite.
    pub fn with_shape(v_min: f64, c: f64, s: f64, eta: f64) -> Result<Self, StatsError> {
        check::positive("v_min", v_min)?;
        check::finite("c", c)?;
        if c < 0.0 {
            return Err(parameter("c", c, "at least 0"));
        }
        for (name, value) in [("s", s), ("eta", eta)] {
            if !(value > 1.0 && value.is_finite()) {
                return Err(parameter(name, value, "above 1 and finite"));
            }
        }
        Ok(Self { v_min, c, s, eta, a: zeta(s).ln() - s * eta.ln().ln() })
    }

    /// The bound that the sum ever reaches with probability at most `alpha` without an effect, when its intrinsic time
    /// is `v`.
    ///
    /// # Errors
    /// [`StatsError::Parameter`] unless `v` is at least 0 and finite and `alpha` inside `(0, 1)`.
    pub fn bound(&self, v: f64, alpha: f64) -> Result<f64, StatsError> {
        check::finite("v", v)?;
        if v < 0.0 {
            return Err(parameter("v", v, "at least 0"));
        }
        check::open_unit("alpha", alpha)?;
        let v = v.max(self.v_min);
        let l = self.s * (self.eta.ln() + v.ln() - self.v_min.ln()).ln() + self.a - alpha.ln();
        let root = self.eta.sqrt();
        let k1_squared = 0.5 * (root + 2.0 + 1.0 / root);
        let shift = 0.5 * (root + 1.0) * self.c * l;
        Ok((k1_squared * v * l + shift * shift).sqrt() + shift)
    }
}

/// Riemann's zeta function for `s > 1`: ten terms and the Euler-Maclaurin formula for the rest.
fn zeta(s: f64) -> f64 {
    const N: f64 = 10.0;
    // B_2k/(2k)!
    const COEFFICIENTS: [f64; 6] = [
        1.0 / 12.0,
        -1.0 / 720.0,
        1.0 / 30240.0,
        -1.0 / 1_209_600.0,
        1.0 / 47_900_160.0,
        -691.0 / 1_307_674_368_000.0,
    ];
    let head: f64 = (1..10).map(|k| f64::from(k).powf(-s)).sum();
    let tail = N.powf(1.0 - s) / (s - 1.0) + 0.5 * N.powf(-s);
    let mut term = s * N.powf(-s - 1.0);
    let mut correction = 0.0;
    for (i, coefficient) in (0..).zip(COEFFICIENTS) {
        correction += coefficient * term;
        let k = s + f64::from(2 * i);
        term *= (k + 1.0) * (k + 2.0) / (N * N);
    }
    head + tail + correction
}
