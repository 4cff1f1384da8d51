//! When to stop a test that is going nowhere, and the e-value of an estimate with known variance.
//!
//! Stopping early costs power, never validity: an e-process may be stopped for any reason that looks only at
//! itself and at counters, and stopping without acceptance is always allowed.

use super::normal::normal_ln_cdf_scaled;
use std::f64::consts::LN_2;

/// Log-likelihood ratio of "the mean is `effect`" against "the mean is 0" for normal data (Wald 1945, *Annals
/// of Mathematical Statistics* 16:117-186): `(effect·sum - n·effect²/2) / variance`.
///
/// `sum` is the sum of `n` observations and `variance` that of one of them. Positive favours the effect. A
/// test that was to find an effect of that size is futile when the ratio falls to, say, `ln 0.2`. `variance`
/// must be positive.
///
/// ```
/// use autoresearch_core::stats::log_likelihood_ratio;
///
/// // Four pairs that gained nothing: an effect of one standard deviation is now e² times less likely than none.
/// assert_eq!(log_likelihood_ratio(0.0, 4, 1.0, 1.0), -2.0);
/// ```
pub fn log_likelihood_ratio(sum: f64, n: u64, effect: f64, variance: f64) -> f64 {
    effect * (sum - 0.5 * n as f64 * effect) / variance
}

/// Logarithm of the one-sided e-value of one estimate `d` with known variance `w`: the Bayes factor of a
/// half-normal effect with squared scale `tau2` against none (Robbins 1970, *Annals of Mathematical Statistics*
/// 41:1397-1409, made one-sided).
///
/// `ln(2·Φ(z)) + ln(w/(w+tau2))/2 + z²/2` with `z = d·sqrt(tau2/(w·(w+tau2)))`. Positive `d` is evidence
/// for a positive effect. `w` and `tau2` are in squared units of `d`; the answer is NaN unless `w > 0` and `tau2 >= 0`.
///
/// ```
/// use autoresearch_core::stats::half_normal_log_e;
///
/// // A gain of 1.5, measured by 4 pairs of variance 2 and on documents that add .09.
/// let log_e = half_normal_log_e(1.5, 2.0 / 4.0 + 0.09, 2.25);
/// assert!((log_e - 1.376125).abs() < 1e-6);
/// ```
pub fn half_normal_log_e(d: f64, w: f64, tau2: f64) -> f64 {
    if !(w > 0.0 && tau2 >= 0.0) {
        return f64::NAN;
    }
    let z = d * (tau2 / w / (w + tau2)).sqrt();
    LN_2 + normal_ln_cdf_scaled(z) - 0.5 * (tau2 / w).ln_1p()
}
