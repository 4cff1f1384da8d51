//! Which part of a stack earned how much: Shapley values and leave-one-out.

use super::error::parameter;
use super::{StatsError, check};

/// The most players; more than that is a million coalitions.
const MOST: usize = 20;

/// The Shapley value of each of `n` players, from the value of every coalition (Shapley 1953): the mean over all orders
/// of what the player adds when it comes, `Σ_S |S|!·(n-|S|-1)!/n!·(v(S ∪ i) - v(S))`.
///
/// `values[mask]` is the value of the coalition of all players whose bit is set in `mask`; there are `2^n` of them, the
/// empty one first. The Shapley values add up to `values[2^n - 1] - values[0]`.
///
/// # Errors
/// [`StatsError::Parameter`] unless the number of values is a power of two, at most 2^20; [`StatsError::NonFinite`].
///
/// ```
/// use autoresearch_core::stats::shapley;
///
/// // {}, a, b, ab: alone they gain 1 and 2, together 5.
/// assert_eq!(shapley(&[0.0, 1.0, 2.0, 5.0])?, [2.0, 3.0]);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
pub fn shapley(values: &[f64]) -> Result<Vec<f64>, StatsError> {
    let n = players(values)?;
    // weight[s] = s!·(n-s-1)!/n! = 1/(n·C(n-1, s)), step by step.
    let mut weight = vec![1.0 / n as f64; n];
    for s in 1..n {
        weight[s] = weight[s - 1] * s as f64 / (n - s) as f64;
    }
    let mut shares = vec![0.0; n];
    for (mask, &value) in values.iter().enumerate() {
        let size = mask.count_ones() as usize;
        for (i, share) in shares.iter_mut().enumerate().filter(|(i, _)| mask >> i & 1 == 0) {
            *share += weight[size] * (values[mask | 1 << i] - value);
        }
    }
    Ok(shares)
}

/// What each player adds to all others: `v(all) - v(all but i)`. Order and errors as in [`shapley`].
///
/// ```
/// use autoresearch_core::stats::leave_one_out;
///
/// assert_eq!(leave_one_out(&[0.0, 1.0, 2.0, 5.0])?, [3.0, 4.0]);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
///
/// # Errors
/// As [`shapley`].
pub fn leave_one_out(values: &[f64]) -> Result<Vec<f64>, StatsError> {
    let n = players(values)?;
    let all = values.len() - 1;
    Ok((0..n).map(|i| values[all] - values[all ^ 1 << i]).collect())
}

fn players(values: &[f64]) -> Result<usize, StatsError> {
    if !values.len().is_power_of_two() || values.len() > 1 << MOST {
        return Err(parameter("number of coalitions", values.len() as f64, "a power of two, at most 2^20"));
    }
    check::all_finite("values", values)?;
    Ok(values.len().trailing_zeros() as usize)
}
