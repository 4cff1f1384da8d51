//! The winner's curse: what an effect is worth that was reported because it was large.

use super::error::parameter;
use super::{StatsError, check, normal_ln_cdf};
use std::f64::consts::PI;

/// The conditional maximum-likelihood estimate of an effect, given that its estimate `z` was seen only because it was
/// above `cut` (Zhong & Prentice 2008, *Biostatistics* 9:621-634; Ghosh, Zou & Wright 2008): the `theta` with
/// `theta + φ(cut - theta)/(1 - Φ(cut - theta)) = z`.
///
/// All in units of the standard error of `z`. Just above the cut it goes to minus infinity: such a result says next to
/// nothing. Report effects from fresh runs where you can.
///
/// # Errors
/// [`StatsError::Parameter`] unless `z > cut`; [`StatsError::NonFinite`].
///
/// ```
/// use autoresearch_core::stats::conditional_mle;
///
/// assert!((conditional_mle(3.5, 1.645)? - 3.413073722).abs() < 1e-8);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
pub fn conditional_mle(z: f64, cut: f64) -> Result<f64, StatsError> {
    check::finite("z", z)?;
    check::finite("cut", cut)?;
    let excess = z - cut;
    if excess <= 0.0 {
        return Err(parameter("z", z, "above cut"));
    }
    // With x = cut - theta: the mean excess over the cut, hazard(x) - x, falls from infinity to 0 as x grows.
    let (mut low, mut high) = (-excess - 1.0, (1.0 / excess).max(1.0));
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if mean_excess(middle) > excess { low = middle } else { high = middle }
    }
    Ok(cut - 0.5 * (low + high))
}

/// `E[X - x | X > x]` for a standard normal `X`.
fn mean_excess(x: f64) -> f64 {
    if x < 2.0 {
        return (-0.5 * x * x - 0.5 * (2.0 * PI).ln() - normal_ln_cdf(-x)).exp() - x;
    }
    // The hazard is x + 1/(x + 2/(x + 3/(...))), here without its first x.
    1.0 / (2..=100).rev().fold(x, |inner, k| x + f64::from(k) / inner)
}
