//! How much one run scatters over seeds.

use crate::stats::{Moments, chi_square_quantile};
use serde::{Deserialize, Serialize};

/// Few runs cannot show that the tails of their noise are no heavier than Gaussian ones; a little is always granted.
const LEAST_KURTOSIS: f64 = 0.2;

/// The standard deviation of one run over seeds, in the units of the objective.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Sigma {
    /// The estimate.
    pub sd: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// Runs on different seeds, less one.
    pub df: f64,
}

impl Sigma {
    /// Of the objectives of runs on different seeds; `None` below two.
    ///
    /// The interval is that of the chi-squared distribution, `sd·sqrt(r/χ²(r))`, with `r = 2n/(γ + 2n/(n-1))` degrees
    /// of freedom in place of `n - 1`: a variance is known as much worse as the excess kurtosis γ of the runs says
    /// (Hummel, Banga & Hettmansperger 2005, *Better confidence intervals for the variance in a random sample*), here
    /// never taken as less than .2.
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        let moments = Moments::of(values);
        let (n, sd) = (values.len() as f64, moments.sd()?);
        let gamma = excess_kurtosis(values).unwrap_or(0.0).max(LEAST_KURTOSIS);
        let r = 2.0 * n / (gamma + 2.0 * n / (n - 1.0));
        let end = |p: f64| sd * (r / chi_square_quantile(p, r)).sqrt();
        Some(Self { sd, low: end(0.975), high: end(0.025), df: n - 1.0 })
    }
}

/// The usual corrected excess kurtosis (0 for Gaussian values on average); `None` below four values or without spread.
pub(super) fn excess_kurtosis(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    let moments = Moments::of(values);
    let m2 = moments.sum_of_squares() / n;
    if n < 4.0 || m2 <= 0.0 {
        return None;
    }
    let m4 = values.iter().map(|x| (x - moments.mean()).powi(4)).sum::<f64>() / n;
    let raw = m4 / m2 / m2 - 3.0;
    Some((n - 1.0) / ((n - 2.0) * (n - 3.0)) * ((n + 1.0) * raw + 6.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kurtosis_as_defined() {
        // Joanes & Gill (1998), *The Statistician* 47:183-189: G2; by hand for 1, 2, 3, 4, 10: m2 = 10, m4 = 278.8.
        let g2 = 4.0 / (3.0 * 2.0) * (6.0 * (278.8 / 100.0 - 3.0) + 6.0);
        assert!((excess_kurtosis(&[1.0, 2.0, 3.0, 4.0, 10.0]).expect("five values") - g2).abs() < 1e-12);
        assert_eq!(excess_kurtosis(&[1.0, 2.0, 3.0]), None);
        assert_eq!(excess_kurtosis(&[1.0; 6]), None);
    }

    #[test]
    fn an_interval_around_the_estimate_that_widens_with_the_tails() {
        let even = Sigma::of(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]).expect("eight values");
        let tailed = Sigma::of(&[3.0, 4.0, 4.0, 4.5, 4.5, 5.0, 5.0, 12.0]).expect("eight values");
        assert!(even.low < even.sd && even.sd < even.high);
        assert!(tailed.high / tailed.sd > even.high / even.sd);
        assert_eq!(Sigma::of(&[1.0]), None);
    }
}
