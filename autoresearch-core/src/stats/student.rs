//! Student's t distribution, accurate far into its tails and in logarithms.
//!
//! E-values live in the tails, where `1 - cdf` has no digits left and `cdf` underflows. Here the tail is the
//! continued fraction of the regularised incomplete beta function (Abramowitz & Stegun 1964, 26.5.8 and 26.7.1;
//! evaluated by Lentz's method, Thompson & Barnett 1986), in logarithms. For more than 10^5 degrees of freedom
//! the body is Hill's normal transformation (1970, *Communications of the ACM* 13:617-619).
//!
//! Relative accuracy is 1e-12 or better. `df` is any positive real number, infinity included (then it is the
//! normal distribution); other degrees of freedom give NaN.

use super::normal::{normal_ln_cdf, normal_quantile, normal_sf};
use std::f64::consts::PI;

/// Beyond this many degrees of freedom the continued fraction is slow near the centre, and Hill's formula
/// exact.
const MANY: f64 = 1e5;

/// `P(T <= t)` for a Student-t variable with `df` degrees of freedom.
pub fn student_cdf(t: f64, df: f64) -> f64 {
    student_sf(-t, df)
}

/// `P(T > t)`, without the cancellation of `1 - student_cdf(t, df)`.
///
/// ```
/// use autoresearch_core::stats::student_sf;
///
/// // One-sided p-value of t = 3.4995 with 7 degrees of freedom.
/// assert!((student_sf(3.4994832973503937, 7.0) - 0.005).abs() < 1e-12);
/// ```
pub fn student_sf(t: f64, df: f64) -> f64 {
    if t < 0.0 {
        return 1.0 - student_sf(-t, df);
    }
    match Region::of(t, df) {
        Region::Invalid => f64::NAN,
        Region::Normal(z) => normal_sf(z),
        Region::Centre => 0.5 - centre(t, df),
        Region::Tail => ln_tail(t, df).exp(),
    }
}

/// `ln P(T <= t)`: finite for every finite `t`.
pub fn student_ln_cdf(t: f64, df: f64) -> f64 {
    student_ln_sf(-t, df)
}

/// `ln P(T > t)`: finite for every finite `t`.
pub fn student_ln_sf(t: f64, df: f64) -> f64 {
    if t < 0.0 {
        return (-student_sf(-t, df)).ln_1p();
    }
    match Region::of(t, df) {
        Region::Invalid => f64::NAN,
        Region::Normal(z) => normal_ln_cdf(-z),
        Region::Centre => (0.5 - centre(t, df)).ln(),
        Region::Tail => ln_tail(t, df),
    }
}

/// The `t` with `student_cdf(t, df) = p`: negative infinity at 0, infinity at 1, NaN outside of `[0, 1]`.
///
/// For an upper quantile ask for the lower one and change its sign: `p` near 1 has few digits.
///
/// ```
/// use autoresearch_core::stats::student_quantile;
///
/// assert!((student_quantile(0.025, 3.0) + 3.182446305283709).abs() < 1e-11);
/// ```
pub fn student_quantile(p: f64, df: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) || df.is_nan() || df <= 0.0 {
        return f64::NAN;
    }
    if p == 0.5 {
        return 0.0;
    }
    if p > 0.5 {
        return -student_quantile(1.0 - p, df);
    }
    if p == 0.0 {
        return f64::NEG_INFINITY;
    }
    if df.is_infinite() {
        return normal_quantile(p);
    }
    // Solve ln P(T > exp(u)) = ln p for u: the logarithm of a t tail is nearly a straight line in u.
    let target = p.ln();
    let (mut low, mut high) = (-745.0_f64, 709.0_f64);
    let mut u = (-normal_quantile(p)).ln().clamp(low, high);
    for _ in 0..200 {
        let t = u.exp();
        let ln_sf = student_ln_sf(t, df);
        let gap = ln_sf - target;
        if gap > 0.0 {
            low = u
        } else {
            high = u
        }
        let newton = u + gap * (ln_sf - ln_density(t, df) - u).exp();
        let next = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
        if (next - u).abs() <= 1e-15 * u.abs().max(1.0) {
            u = next;
            break;
        }
        u = next;
    }
    -u.exp()
}

/// Which formula serves `t >= 0`.
enum Region {
    Invalid,
    /// The distribution is normal in this transformed `t`.
    Normal(f64),
    Centre,
    Tail,
}

impl Region {
    fn of(t: f64, df: f64) -> Self {
        if t.is_nan() || df.is_nan() || df <= 0.0 {
            Self::Invalid
        } else if df.is_infinite() {
            Self::Normal(t)
        } else if df > MANY && t * t < 0.1 * df {
            Self::Normal(hill(t, df))
        } else if t * t * (df + 2.0) < 3.0 * df {
            Self::Centre
        } else {
            Self::Tail
        }
    }
}

/// `P(0 < T < t)` as `I_y(1/2, df/2) / 2` with `y = t²/(df + t²)`: for small `t`.
fn centre(t: f64, df: f64) -> f64 {
    let (a, y) = (0.5 * df, t * t / (df + t * t));
    let ln_front = -a * ln_1p_ratio(t, df) + ln_gamma_ratio(a) - 0.5 * PI.ln();
    ln_front.exp() * y.sqrt() * beta_fraction(0.5, a, y)
}

/// `ln P(T > t)` as `ln(I_x(df/2, 1/2) / 2)` with `x = df/(df + t²)`: for `t` beyond the centre.
fn ln_tail(t: f64, df: f64) -> f64 {
    if t.is_infinite() {
        return f64::NEG_INFINITY;
    }
    let (a, ratio) = (0.5 * df, t / df.sqrt());
    let x = 1.0 / (1.0 + ratio * ratio);
    let ln_y = -2.0 * (1.0 / ratio).hypot(1.0).ln(); // y = 1 - x
    let ln_front = -a * ln_1p_ratio(t, df) + 0.5 * ln_y + ln_gamma_ratio(a) - 0.5 * PI.ln() - df.ln();
    ln_front + beta_fraction(a, 0.5, x).ln()
}

/// `ln` of the density.
fn ln_density(t: f64, df: f64) -> f64 {
    ln_gamma_ratio(0.5 * df) - 0.5 * (PI * df).ln() - 0.5 * (df + 1.0) * ln_1p_ratio(t, df)
}

/// `ln(1 + t²/df)`, also where the square would overflow.
fn ln_1p_ratio(t: f64, df: f64) -> f64 {
    let ratio = t / df.sqrt();
    if ratio.abs() < 1e100 { (ratio * ratio).ln_1p() } else { 2.0 * t.abs().ln() - df.ln() }
}

/// `ln(Γ(a + 1/2)/Γ(a))` without the cancellation of two log-gammas: the asymptotic series above 30,
/// recurrence below.
fn ln_gamma_ratio(a: f64) -> f64 {
    let (mut a, mut product) = (a, 1.0);
    while a < 30.0 {
        product *= a / (a + 0.5);
        a += 1.0;
    }
    let i = 1.0 / (a * a);
    let series = (-1.0 / 8.0 + i * (1.0 / 192.0 + i * (-1.0 / 640.0 + i * (17.0 / 14336.0)))) / a;
    0.5 * a.ln() + series + product.ln()
}

/// The continued fraction of the incomplete beta function: `I_x(a, b) = x^a (1-x)^b / (a B(a, b)) * fraction`.
fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let nonzero = |v: f64| if v.abs() < TINY { TINY } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / nonzero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for m in 1..=2000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / nonzero(1.0 + even * d);
        c = nonzero(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / nonzero(1.0 + odd * d);
        c = nonzero(1.0 + odd / c);
        fraction *= d * c;
        if (d * c - 1.0).abs() < 1e-16 {
            break;
        }
    }
    fraction
}

/// Hill's normal deviate with the same tail probability as `t`.
fn hill(t: f64, df: f64) -> f64 {
    let a = df - 0.5;
    let b = 48.0 * a * a;
    let w2 = a * ln_1p_ratio(t, df);
    let w = w2.sqrt();
    let first = w * (w2 + 3.0) / b;
    let second =
        w * (((4.0 * w2 + 33.0) * w2 + 240.0) * w2 + 855.0) / (10.0 * b * (b + 0.8 * w2 * w2 + 100.0));
    w + first - second
}
