//! The paired t-test: two measurements of each pair, such as two arms run on equal seeds.

use super::welch::{interval, p_greater, t_ratio};
use super::{Moments, StatsError, student_cdf};

/// The comparison of pairs by [`paired_t`], or of one sample with a reference by [`one_sample_t`].
///
/// Sign: `difference = mean(a - b)`, in the units of the values. With losses, where lower is better, `a` the
/// candidate and `b` the incumbent, a small [`p`](Self::p) says that the candidate is better.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct PairedT {
    /// `difference / standard_error`; see [`paired_t`] for what it is without noise.
    pub t: f64,
    /// The degrees of freedom, pairs - 1; 0 where nothing can be said.
    pub df: f64,
    /// The mean of `a - b`; NaN if there are no pairs.
    pub difference: f64,
    /// The standard error of the mean difference; infinite where nothing can be said.
    pub standard_error: f64,
    /// One-sided p-value of "`a` is lower than `b` on average".
    pub p: f64,
}

/// Compares `a[i]` with `b[i]`, pair by pair (Student 1908, *Biometrika* 6:1-25).
///
/// Fewer than two pairs, or a difference that is not finite, are no evidence: `p`, `p_greater()` and
/// `p_two_sided()` are 1, the standard error and the interval infinite. Equal differences in all pairs are the
/// limit of vanishing noise: `t` is minus infinity, 0 or infinity, and `p` is 0, 0.5 or 1.
///
/// # Errors
/// [`StatsError::LengthMismatch`] if the lists differ in length.
///
/// ```
/// use autoresearch_core::stats::paired_t;
///
/// let candidate = [0.99512, 0.9963, 0.99471, 0.99588];
/// let incumbent = [0.99601, 0.99655, 0.9956, 0.99611];
/// let test = paired_t(&candidate, &incumbent)?;
/// assert!((test.p - 0.0285970).abs() < 1e-6);
/// assert_eq!(
///     paired_t(&candidate, &incumbent[..3]).unwrap_err().to_string(),
///     "a has 4 values but b has 3: they must match one to one",
/// );
/// # Ok::<(), autoresearch_core::stats::StatsError>(())
/// ```
pub fn paired_t(a: &[f64], b: &[f64]) -> Result<PairedT, StatsError> {
    if a.len() != b.len() {
        let (left, right) = (a.len(), b.len());
        return Err(StatsError::LengthMismatch { left_name: "a", left, right_name: "b", right });
    }
    Ok(of_differences(a.iter().zip(b).map(|(a, b)| a - b).collect()))
}

/// Compares the mean of `values` with a `reference`, such as a margin or a record: [`paired_t`] against a list that is
/// `reference` throughout.
///
/// ```
/// use autoresearch_core::stats::one_sample_t;
///
/// let gains = [0.31, 0.12, 0.25, 0.18];
/// let test = one_sample_t(&gains, 0.05); // is the gain above .05?
/// assert!(test.p_greater() < 0.03);
/// assert!((test.difference - 0.165).abs() < 1e-12);
/// ```
pub fn one_sample_t(values: &[f64], reference: f64) -> PairedT {
    of_differences(values.iter().map(|value| value - reference).collect())
}

fn of_differences(moments: Moments) -> PairedT {
    let difference = moments.mean();
    match moments.variance() {
        Some(variance) if difference.is_finite() && variance.is_finite() => {
            let df = (moments.n() - 1) as f64;
            let standard_error = (variance / moments.n() as f64).sqrt();
            let t = t_ratio(difference, standard_error);
            PairedT { t, df, difference, standard_error, p: student_cdf(t, df) }
        }
        _ => PairedT { t: 0.0, df: 0.0, difference, standard_error: f64::INFINITY, p: 1.0 },
    }
}

impl PairedT {
    /// One-sided p-value of "`a` is higher than `b` on average".
    pub fn p_greater(&self) -> f64 {
        p_greater(self.t, self.df)
    }

    /// Two-sided p-value of "`a` and `b` differ on average".
    pub fn p_two_sided(&self) -> f64 {
        (2.0 * self.p.min(self.p_greater())).min(1.0)
    }

    /// Two-sided confidence interval for the mean of `a - b`; `level` is a probability, such as 0.95.
    ///
    /// Valid at one number of pairs that was fixed beforehand; [`TTestE::confidence_sequence`] is valid at all.
    /// A level outside of `[0, 1)` gives the whole line.
    ///
    /// [`TTestE::confidence_sequence`]: super::TTestE::confidence_sequence
    pub fn interval(&self, level: f64) -> (f64, f64) {
        interval(self.difference, self.standard_error, self.df, level)
    }
}
