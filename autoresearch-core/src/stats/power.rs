//! Power and sample size of t-tests.

use super::error::parameter;
use super::{StatsError, check, noncentral_t_cdf, noncentral_t_sf, student_quantile};

/// Whether a test looks for a difference in one direction or in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sides {
    /// The direction is fixed beforehand; a positive effect is one in that direction.
    One,
    /// Either direction counts.
    Two,
}

/// The probability that a paired (or one-sample) t-test at level `alpha` finds an `effect`, with `n` pairs (Student's
/// noncentral t with noncentrality `effect·sqrt(n)` and `n - 1` degrees of freedom).
///
/// `effect` is the mean difference over the standard deviation **of a pair's difference** (for unpaired noise of one
/// run sigma that is sigma·sqrt(2)). `n` may be a fraction, above 1.
///
/// # Errors
/// [`StatsError::Parameter`] unless `alpha` is inside `(0, 1)` and `n > 1`; [`StatsError::NonFinite`].
///
/// ```
/// use autoresearch_core::stats::{Sides, power_paired_t};
///
/// assert!((power_paired_t(1.0, 8.0, 0.01, Sides::One)? - 0.48433).abs() < 1e-5);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
pub fn power_paired_t(effect: f64, n: f64, alpha: f64, sides: Sides) -> Result<f64, StatsError> {
    if n.is_nan() || n <= 1.0 {
        return Err(parameter("n", n, "above 1"));
    }
    power(effect * n.sqrt(), n - 1.0, alpha, sides)
}

/// The probability that a two-sample t-test with pooled variance at level `alpha` finds an `effect`, with `n_a` and
/// `n_b` values: noncentrality `effect·sqrt(n_a·n_b/(n_a + n_b))`, `n_a + n_b - 2` degrees of freedom.
///
/// `effect` is the difference of the means over the standard deviation of one value. The numbers may be fractions.
/// For [`welch`](super::welch()) with equal spreads it is a close upper bound.
///
/// # Errors
/// [`StatsError::Parameter`] unless `alpha` is inside `(0, 1)`, both numbers are positive and their sum above 2;
/// [`StatsError::NonFinite`].
///
/// ```
/// use autoresearch_core::stats::{Sides, power_two_sample_t};
///
/// assert!((power_two_sample_t(1.0, 13.1, 13.1, 0.05, Sides::One)? - 0.80).abs() < 1e-3);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
pub fn power_two_sample_t(
    effect: f64,
    n_a: f64,
    n_b: f64,
    alpha: f64,
    sides: Sides,
) -> Result<f64, StatsError> {
    check::positive("n_a", n_a)?;
    check::positive("n_b", n_b)?;
    if n_a + n_b <= 2.0 {
        return Err(parameter("n_a + n_b", n_a + n_b, "above 2"));
    }
    power(effect * (n_a / (n_a + n_b) * n_b).sqrt(), n_a + n_b - 2.0, alpha, sides)
}

/// The number of pairs with which [`power_paired_t`] reaches `power`, as a fraction: round it up. At least 1.2.
///
/// # Errors
/// [`StatsError::Parameter`] unless `0 < alpha < power < 1` and `effect` is positive (or, two-sided, not 0), or if more
/// than 10^12 pairs were needed.
///
/// ```
/// use autoresearch_core::stats::{Sides, sample_size_paired_t};
///
/// let pairs = sample_size_paired_t(1.0, 0.05, 0.80, Sides::One)?;
/// assert!((pairs - 7.7276179).abs() < 1e-6);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
pub fn sample_size_paired_t(effect: f64, alpha: f64, power: f64, sides: Sides) -> Result<f64, StatsError> {
    solve(effect, alpha, power, sides, |n| power_paired_t(effect, n, alpha, sides))
}

/// The number of values **in each sample** with which [`power_two_sample_t`] reaches `power`, as a fraction: round it
/// up. At least 1.2.
///
/// # Errors
/// As [`sample_size_paired_t`].
///
/// ```
/// use autoresearch_core::stats::{Sides, sample_size_two_sample_t};
///
/// let runs = sample_size_two_sample_t(1.0, 0.05, 0.80, Sides::One)?;
/// assert!((runs - 13.0977617).abs() < 1e-6);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
pub fn sample_size_two_sample_t(
    effect: f64,
    alpha: f64,
    power: f64,
    sides: Sides,
) -> Result<f64, StatsError> {
    solve(effect, alpha, power, sides, |n| power_two_sample_t(effect, n, n, alpha, sides))
}

fn power(delta: f64, df: f64, alpha: f64, sides: Sides) -> Result<f64, StatsError> {
    check::open_unit("alpha", alpha)?;
    check::finite("noncentrality", delta)?;
    Ok(match sides {
        Sides::One => noncentral_t_sf(-student_quantile(alpha, df), df, delta),
        Sides::Two => {
            let critical = -student_quantile(0.5 * alpha, df);
            let both = noncentral_t_sf(critical, df, delta) + noncentral_t_cdf(-critical, df, delta);
            both.min(1.0)
        }
    })
}

/// The `n` at which `power_at` reaches `power`: it grows with `n`.
fn solve(
    effect: f64,
    alpha: f64,
    power: f64,
    sides: Sides,
    power_at: impl Fn(f64) -> Result<f64, StatsError>,
) -> Result<f64, StatsError> {
    check::open_unit("alpha", alpha)?;
    check::open_unit("power", power)?;
    if power <= alpha {
        return Err(parameter("power", power, "above alpha"));
    }
    if !(effect > 0.0 || sides == Sides::Two && effect < 0.0) {
        return Err(parameter("effect", effect, "positive (or, two-sided, not 0)"));
    }
    let (mut low, mut high) = (1.2, 2.0);
    let (mut below, mut above) = (power_at(low)? - power, power_at(high)? - power);
    if below >= 0.0 {
        return Ok(low);
    }
    while above < 0.0 {
        if high > 1e12 {
            return Err(parameter("effect", effect, "large enough to be found with 1e12 pairs"));
        }
        (low, below) = (high, above);
        high *= 2.0;
        above = power_at(high)? - power;
    }
    // Regula falsi that halves the weight of an end which stays (Dowell & Jarratt 1971, the Illinois method).
    let mut kept = 0;
    for _ in 0..100 {
        let middle = (low * above - high * below) / (above - below);
        let gap = power_at(middle)? - power;
        if gap == 0.0 || (high - low) <= 1e-13 * high {
            return Ok(middle);
        }
        if gap < 0.0 {
            if (middle - low).abs() <= 1e-14 * high {
                return Ok(middle);
            }
            (low, below) = (middle, gap);
            if kept == 1 {
                above *= 0.5
            }
            kept = 1;
        } else {
            if (high - middle).abs() <= 1e-14 * high {
                return Ok(middle);
            }
            (high, above) = (middle, gap);
            if kept == -1 {
                below *= 0.5
            }
            kept = -1;
        }
    }
    Ok(0.5 * (low + high))
}
