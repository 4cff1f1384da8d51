//! Optimal computing budget allocation: which candidates to run again to find the best one.

use super::{StatsError, check, error::parameter};

/// The shares of the budget that make it likeliest to pick the best (Chen, Lin, Yücesan & Chick 2000, *Discrete Event
/// Dynamic Systems* 10:251-270): `N_i ∝ (s_i/(mean_i - mean_b))²` for all but the best `b`, and
/// `N_b = s_b·sqrt(Σ (N_i/s_i)²)`. They add up to 1.
///
/// `means` and `sds` are in the same units. With `minimize` the lowest mean is best, as for losses. If others tie with
/// the best they share the whole budget with it, which is the limit of small differences. Without any noise all get the
/// same.
///
/// # Errors
/// [`StatsError::Empty`], [`StatsError::LengthMismatch`], [`StatsError::NonFinite`], [`StatsError::Parameter`] for a
/// negative standard deviation.
///
/// ```
/// use autoresearch_core::stats::ocba;
///
/// let shares = ocba(&[1.0, 1.5, 2.2, 1.2], &[0.5, 0.6, 0.4, 0.5], true)?;
/// assert!(shares[3] > shares[1] && shares[1] > shares[2]); // the close rival gets more than the hopeless one
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
pub fn ocba(means: &[f64], sds: &[f64], minimize: bool) -> Result<Vec<f64>, StatsError> {
    if means.is_empty() {
        return Err(StatsError::Empty { what: "means" });
    }
    check::same_length("means", means.len(), "sds", sds.len())?;
    check::all_finite("means", means)?;
    check::all_finite("sds", sds)?;
    if let Some(&negative) = sds.iter().find(|&&sd| sd < 0.0) {
        return Err(parameter("sd", negative, "at least 0"));
    }
    let better = |i: usize, j: usize| if minimize { means[i] < means[j] } else { means[i] > means[j] };
    let best = (1..means.len()).fold(0, |best, i| if better(i, best) { i } else { best });
    let gap = |i: usize| (means[i] - means[best]).abs();
    let others = || (0..means.len()).filter(|&i| i != best);
    let closest = others().map(gap).fold(f64::INFINITY, f64::min);
    let largest_sd = sds.iter().copied().fold(0.0, f64::max);
    // In units of the closest gap and the largest spread, so that nothing overflows.
    let ratio = |i: usize| if gap(i) == closest { 1.0 } else { closest / gap(i) };
    let sd = |i: usize| sds[i] / largest_sd;
    let equal = vec![1.0 / means.len() as f64; means.len()];
    if largest_sd == 0.0 {
        return Ok(equal);
    }
    let mut shares: Vec<f64> = (0..means.len()).map(|i| (sd(i) * ratio(i)).powi(2)).collect();
    // N_i/s_i = s_i·ratio²: no division by a spread of 0.
    shares[best] = sd(best) * others().map(|i| (sd(i) * ratio(i).powi(2)).powi(2)).sum::<f64>().sqrt();
    let total: f64 = shares.iter().sum();
    if total > 0.0 {
        shares.iter_mut().for_each(|share| *share /= total);
        Ok(shares)
    } else {
        // Only the best is noisy (or alone).
        Ok((0..means.len()).map(|i| if i == best { 1.0 } else { 0.0 }).collect())
    }
}
