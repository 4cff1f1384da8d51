//! Adjusted p-values for a batch of tests: reject those at most alpha.
//!
//! | adjustment | keeps at alpha | needs |
//! |---|---|---|
//! | [`bonferroni`], [`holm`] | the probability of any false rejection | nothing; `holm` is never worse |
//! | [`benjamini_hochberg`] | the expected share of false ones among the rejections | independence or positive dependence |
//! | [`benjamini_yekutieli`] | the same | nothing |
//!
//! Each returns the adjusted values in the order of the input. For tests that come one by one see
//! [`online`](super::online) and [`ELond`](super::ELond).

use super::StatsError;
use super::error::parameter;

/// Bonferroni's adjustment (Dunn 1961, *Journal of the American Statistical Association* 56:52-64): `m·p`, at most 1.
///
/// # Errors
/// [`StatsError::Parameter`] for a p-value outside of `[0, 1]`, NaN included.
pub fn bonferroni(p: &[f64]) -> Result<Vec<f64>, StatsError> {
    check(p)?;
    let m = p.len() as f64;
    Ok(p.iter().map(|p| (m * p).min(1.0)).collect())
}

/// Holm's step-down adjustment (1979, *Scandinavian Journal of Statistics* 6:65-70): the running maximum of
/// `(m - i + 1)·p_(i)` over the sorted p-values, at most 1.
///
/// # Errors
/// [`StatsError::Parameter`] for a p-value outside of `[0, 1]`, NaN included.
///
/// ```
/// use autoresearch_core::stats::holm;
///
/// assert_eq!(holm(&[0.25, 0.0625, 0.5])?, [0.5, 0.1875, 0.5]);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
pub fn holm(p: &[f64]) -> Result<Vec<f64>, StatsError> {
    check(p)?;
    let mut adjusted = vec![0.0; p.len()];
    let mut largest = 0.0_f64;
    for (i, at) in ascending(p).into_iter().enumerate() {
        largest = largest.max((p.len() - i) as f64 * p[at]).min(1.0);
        adjusted[at] = largest;
    }
    Ok(adjusted)
}

/// Benjamini & Hochberg's step-up adjustment (1995, *Journal of the Royal Statistical Society B* 57:289-300): the
/// running minimum of `m/i·p_(i)`, from the largest p-value down, at most 1.
///
/// # Errors
/// [`StatsError::Parameter`] for a p-value outside of `[0, 1]`, NaN included.
///
/// ```
/// use autoresearch_core::stats::benjamini_hochberg;
///
/// assert_eq!(benjamini_hochberg(&[0.5, 0.125, 0.25, 0.75])?, [2.0 / 3.0, 0.5, 0.5, 0.75]);
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
pub fn benjamini_hochberg(p: &[f64]) -> Result<Vec<f64>, StatsError> {
    step_up(p, 1.0)
}

/// Benjamini & Yekutieli's adjustment (2001, *Annals of Statistics* 29:1165-1188): that of Benjamini & Hochberg times
/// `1 + 1/2 + ... + 1/m`, valid under any dependence.
///
/// # Errors
/// [`StatsError::Parameter`] for a p-value outside of `[0, 1]`, NaN included.
pub fn benjamini_yekutieli(p: &[f64]) -> Result<Vec<f64>, StatsError> {
    step_up(p, (1..=p.len()).map(|i| 1.0 / i as f64).sum())
}

fn step_up(p: &[f64], factor: f64) -> Result<Vec<f64>, StatsError> {
    check(p)?;
    let m = p.len() as f64;
    let mut adjusted = vec![0.0; p.len()];
    let mut smallest = 1.0_f64;
    for (i, at) in ascending(p).into_iter().enumerate().rev() {
        smallest = smallest.min(factor * (m / (i + 1) as f64) * p[at]);
        adjusted[at] = smallest;
    }
    Ok(adjusted)
}

/// The indices of `p` in ascending order of their values.
fn ascending(p: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&i, &j| p[i].total_cmp(&p[j]));
    order
}

fn check(p: &[f64]) -> Result<(), StatsError> {
    match p.iter().find(|p| !(0.0..=1.0).contains(*p)) {
        Some(&outside) => Err(parameter("p", outside, "between 0 and 1")),
        None => Ok(()),
    }
}
