//! E-values and p-values of one regression coefficient: on validation, and once more on the holdout.

use super::normal::normal_ln_cdf_scaled;
use super::{half_normal_log_e, normal_ln_cdf, normal_quantile, student_ln_cdf, student_ln_sf, student_sf};
use std::f64::consts::{LN_2, PI};

/// The φ of [`coefficient_log_e`] that this crate uses: effects of about 1.4 noise standard deviations.
pub const PHI: f64 = 0.5;
/// The normal deviate below which a holdout coefficient is taken for harm.
const HARM: f64 = -6.0;

/// Logarithm of the one-sided e-value of a regression coefficient with unknown noise: evidence that `beta`,
/// the effect on a score, is positive.
///
/// `s` is the coefficient's [information](super::Design::information) (its variance is `σ²/s`); `ss` with `df`
/// degrees of freedom estimates `σ²`: the residual sum of squares plus that of a calibration sample. `phi` is
/// the prior precision of the effect, in units of `1/σ²`: [`PHI`].
///
/// # Formula
/// With `u² = s·β²`, `A = S + u²`, `Q = S + u²·φ/(φ+s)` and `N` for `df`:
///
/// `E = sqrt(φ/(φ+s)) · (A/Q)^((N+1)/2) · 2·T_{N+1}( s·β / sqrt((s+φ)·Q/(N+1)) )`,
///
/// the Bayes factor of a half-normal `β/σ` against 0 with the right-Haar prior on the rest. The two-sided part is
/// that of Lindon, Ham, Tingley & Bojinov (2022, arXiv 2210.08589). It is an e-process over looks after complete
/// blocks of runs: at each look `beta`, `s`, `ss` and `df` are those of all runs so far.
///
/// `ss = 0` with `df > 0` is taken at its word, as the limit of vanishing noise. NaN if a value is negative or not
/// finite, `s` or `phi` is 0, or `ss` is positive without degrees of freedom.
///
/// ```
/// use autoresearch_core::stats::{PHI, coefficient_log_e};
///
/// // Twenty-four balanced runs, so s = 6, and a gain of 6.0 standard errors.
/// let log_e = coefficient_log_e(2.0858333333, 6.0, 9.6810458333 + 6.3, 15.0 + 7.0, PHI);
/// assert!((log_e - 9.1849).abs() < 1e-4);
/// ```
pub fn coefficient_log_e(beta: f64, s: f64, ss: f64, df: f64, phi: f64) -> f64 {
    let two_sided = coefficient_log_e_two_sided(beta, s, ss, df, phi);
    if two_sided.is_nan() {
        return two_sided;
    }
    let x = standardised(beta, s, ss);
    // s·β/sqrt((s+φ)·Q/(N+1)) with everything divided by sqrt(S), and by x where its square would overflow.
    let shrunk = phi / (phi + s);
    let spread = if x.abs() > 1.0 {
        (1.0 / x).hypot(shrunk.sqrt()) // sqrt(Q/S)/x
    } else {
        (1.0 + x * x * shrunk).sqrt()
    };
    let t = if x.abs() > 1.0 { x.signum() } else { x } * (s / (s + phi) * (df + 1.0)).sqrt() / spread;
    LN_2 + student_ln_cdf(t, df + 1.0) + two_sided
}

/// Logarithm of the two-sided form of [`coefficient_log_e`]: evidence that the coefficient is not zero.
pub fn coefficient_log_e_two_sided(beta: f64, s: f64, ss: f64, df: f64, phi: f64) -> f64 {
    let valid = beta.is_finite() && positive(s) && positive(phi) && ss.is_finite() && ss >= 0.0;
    if !(valid && df.is_finite() && df >= 0.0 && (ss == 0.0 || df > 0.0)) {
        return f64::NAN;
    }
    // (A - Q)/Q = x²·s/(φ+s) / (1 + x²·φ/(φ+s)) with x² = u²/S.
    let x = standardised(beta, s, ss);
    let growth = if x == 0.0 { 0.0 } else { s / (phi + s) / ((1.0 / x).powi(2) + phi / (phi + s)) };
    0.5 * ((df + 1.0) * growth.ln_1p() - (s / phi).ln_1p())
}

/// `β·sqrt(s/S)`: infinite for an effect without noise, 0 for none.
fn standardised(beta: f64, s: f64, ss: f64) -> f64 {
    if beta == 0.0 { 0.0 } else { beta * s.sqrt() / ss.sqrt() }
}

/// Logarithm of the holdout e-value of a coefficient `h` with estimated variance `w`: evidence that it is
/// positive.
///
/// `w` consists of the error over documents (squared) and the noise of runs, `s2/s_j`; `df` are the degrees of
/// freedom of `s2`. The t statistic `h/√w` becomes the normal deviate with the same tail,
/// `z = Φ⁻¹(T_N(h/√w))`, and that the half-normal e-value of an estimate `z·√w` with variance `w` and
/// `tau2 = 2·s2` ([`half_normal_log_e`]). All in logarithms: `z` does not saturate.
///
/// Below `z = -6` it is minus infinity. The half-normal e-value falls only like `1/|z|` there; cut to 0 it is still
/// an e-value, and no hurdle, however low, lets a coefficient pass that is so surely negative.
///
/// NaN unless `w` and `df` are positive and `s2` is at least 0.
///
/// ```
/// use autoresearch_core::stats::{half_normal_log_e, holdout_half_normal_log_e};
///
/// let few = holdout_half_normal_log_e(1.5, 0.6, 7.0, 1.0);
/// assert!(few < half_normal_log_e(1.5, 0.6, 2.0)); // less than if the variance were known
/// assert!(holdout_half_normal_log_e(1e6, 0.6, 7.0, 1.0).is_finite());
/// ```
pub fn holdout_half_normal_log_e(h: f64, w: f64, df: f64, s2: f64) -> f64 {
    let t = h / w.sqrt();
    let z = if df.is_infinite() {
        t
    } else if t > 0.0 {
        -normal_ln_quantile(student_ln_sf(t, df))
    } else {
        normal_ln_quantile(student_ln_cdf(t, df))
    };
    let log_e = half_normal_log_e(z * w.sqrt(), w, 2.0 * s2);
    if z < HARM && !log_e.is_nan() { f64::NEG_INFINITY } else { log_e }
}

/// One-sided p-value of "the holdout coefficient is positive": `1 - T_N(gamma/se)`, without cancellation. `se` is
/// `sqrt(SE_doc² + s2/s_j)`, with the error over documents and the noise of runs.
///
/// NaN unless `df` is positive and `se` at least 0.
///
/// ```
/// use autoresearch_core::stats::holdout_p_value;
///
/// let p = holdout_p_value(2.1458333333, (0.1_f64.powi(2) + 0.7264111742 / 6.0).sqrt(), 22.0);
/// assert!((p - 2.888e-6).abs() < 1e-9);
/// ```
pub fn holdout_p_value(gamma: f64, se: f64, df: f64) -> f64 {
    if se.is_nan() || se < 0.0 {
        return f64::NAN;
    }
    student_sf(if gamma == 0.0 { 0.0 } else { gamma / se }, df)
}

/// The `z` with `ln P(Z <= z) = ln_p`, also where `exp(ln_p)` underflows; NaN if `ln_p` is positive.
///
/// Newton's method on the logarithm, which is concave and nearly a parabola. For `ln_p` near 0 ask for the other
/// tail and change the sign.
///
/// ```
/// use autoresearch_core::stats::{normal_ln_cdf, normal_ln_quantile};
///
/// assert!((normal_ln_quantile(normal_ln_cdf(-50.0)) + 50.0).abs() < 1e-12);
/// ```
pub fn normal_ln_quantile(ln_p: f64) -> f64 {
    if ln_p > -500.0 || ln_p == f64::NEG_INFINITY {
        return normal_quantile(ln_p.exp());
    }
    let mut z = -(-2.0 * ln_p - (-4.0 * PI * ln_p).ln()).sqrt();
    for _ in 0..4 {
        let ln_cdf = normal_ln_cdf(z);
        let inverse_slope = (normal_ln_cdf_scaled(z) + 0.5 * (2.0 * PI).ln()).exp(); // Φ(z)/φ(z)
        z -= (ln_cdf - ln_p) * inverse_slope;
    }
    z
}

fn positive(x: f64) -> bool {
    x.is_finite() && x > 0.0
}
