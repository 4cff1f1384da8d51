//! The noncentral t distribution: what a t statistic does when there is an effect.
//!
//! `T = (Z + δ)/U` with `Z` standard normal and `U²` an independent chi-squared variable over its degrees of freedom
//! `df`, so `P(T > t) = E Φ(δ - t·U)`. With `U = exp(w)` the integrand is smooth, has one hump and dies out fast on
//! both sides: there the trapezoidal rule converges exponentially (Trefethen & Weideman 2014, *SIAM Review*
//! 56:385-458). It is evaluated relative to its largest value, so that small tails keep their digits. Relative
//! accuracy is 1e-11 or better.

use super::gamma::stirling_error;
use super::{normal_ln_cdf, normal_sf};
use std::f64::consts::{LN_2, PI};

/// The integrand is cut off where it is `exp(-DROP)` of its largest value.
const DROP: f64 = 42.0;

/// `P(T > t)` for a noncentral t variable with `df` degrees of freedom and noncentrality `delta`: the power of a
/// one-sided t-test with critical value `t`.
///
/// `df` is any positive number, infinity included (then it is the normal distribution around `delta`). NaN for other
/// degrees of freedom or an infinite `delta`.
///
/// ```
/// use autoresearch_core::stats::{noncentral_t_sf, student_quantile};
///
/// // The power of a paired t-test at level .01 with 8 pairs and an effect of one standard deviation.
/// let critical = -student_quantile(0.01, 7.0);
/// assert!((noncentral_t_sf(critical, 7.0, 8f64.sqrt()) - 0.4843304576).abs() < 1e-9);
/// ```
pub fn noncentral_t_sf(t: f64, df: f64, delta: f64) -> f64 {
    if t.is_nan() || df.is_nan() || df <= 0.0 || !delta.is_finite() {
        return f64::NAN;
    }
    if t.is_infinite() {
        return if t > 0.0 { 0.0 } else { 1.0 };
    }
    if df.is_infinite() {
        return normal_sf(t - delta);
    }
    // ln of the density of w = ln U, without its constant, times the conditional tail.
    let height = |w: f64| df * (w - 0.5 * (2.0 * w).exp_m1()) + normal_ln_cdf(delta - t * w.exp());
    let peak = peak(&height, t / df.sqrt(), delta / df.sqrt());
    let top = height(peak);
    if top == f64::NEG_INFINITY {
        return 0.0;
    }
    let (low, high) = (edge(&height, peak, top - DROP, -1.0), edge(&height, peak, top - DROP, 1.0));
    let a = 0.5 * df;
    let ln_constant = LN_2 + 0.5 * a.ln() - 0.5 * (2.0 * PI).ln() - stirling_error(a);
    ((top + ln_constant).exp() * trapezoid(|w| (height(w) - top).exp(), low, high)).min(1.0)
}

/// `P(T <= t)`, without the cancellation of `1 - noncentral_t_sf(t, df, delta)`.
pub fn noncentral_t_cdf(t: f64, df: f64, delta: f64) -> f64 {
    noncentral_t_sf(-t, df, -delta)
}

/// Where the integrand is largest. `t` and `delta` are in units of `sqrt(df)`.
fn peak(height: &impl Fn(f64) -> f64, t: f64, delta: f64) -> f64 {
    let (t, delta) = (t.abs().min(1e150), delta.abs().min(1e150));
    // The largest value lies about where (1 + t²)·u² ± t·delta·u = 1.
    let (mut low, mut high) = (-(1.0 + t * t + t * delta).ln() - 4.0, (1.0 + delta).ln() + 4.0);
    const GOLDEN: f64 = 0.618_033_988_749_894_8;
    let (mut left, mut right) = (high - GOLDEN * (high - low), low + GOLDEN * (high - low));
    let (mut at_left, mut at_right) = (height(left), height(right));
    // A rough peak will do: it only sets the scale.
    for _ in 0..60 {
        if at_left < at_right {
            (low, left, at_left) = (left, right, at_right);
            right = low + GOLDEN * (high - low);
            at_right = height(right);
        } else {
            (high, right, at_right) = (right, left, at_left);
            left = high - GOLDEN * (high - low);
            at_left = height(left);
        }
    }
    0.5 * (low + high)
}

/// Where the integrand falls to `level`, starting from its peak.
fn edge(height: &impl Fn(f64) -> f64, peak: f64, level: f64, direction: f64) -> f64 {
    let mut step = 1e-3;
    while height(peak + direction * step) > level && step < 1e6 {
        step *= 2.0;
    }
    let (mut near, mut far) = (0.5 * step, step);
    for _ in 0..8 {
        let middle = 0.5 * (near + far);
        if height(peak + direction * middle) > level { near = middle } else { far = middle }
    }
    peak + direction * far
}

/// The integral of a function that vanishes at both ends: halves the step until nothing changes.
fn trapezoid(f: impl Fn(f64) -> f64, low: f64, high: f64) -> f64 {
    let mut points = 32_u32;
    let mut step = (high - low) / f64::from(points);
    let mut sum: f64 = (1..points).map(|i| f(low + f64::from(i) * step)).sum();
    while points < 1 << 17 {
        let between: f64 = (0..points).map(|i| f(low + (f64::from(i) + 0.5) * step)).sum();
        let (before, after) = (sum * step, 0.5 * (sum + between) * step);
        sum += between;
        step *= 0.5;
        points *= 2;
        // The error is squared with each halving.
        if (after - before).abs() <= 1e-8 * after {
            break;
        }
    }
    sum * step
}
