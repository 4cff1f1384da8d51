//! Welch's t-test: two independent samples, each with its own variance.

use super::{Moments, student_cdf, student_quantile, student_sf};

/// The comparison of two independent samples by [`welch`].
///
/// Sign: `difference = mean(a) - mean(b)`, in the units of the values. With losses, where lower is better, `a`
/// the candidate and `b` the incumbent, a small [`p`](Self::p) says that the candidate is better.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Welch {
    /// `difference / standard_error`; see [`welch`] for what it is without noise.
    pub t: f64,
    /// The degrees of freedom of Welch and Satterthwaite; 0 where nothing can be said.
    pub df: f64,
    /// `mean(a) - mean(b)`; NaN if a sample is empty.
    pub difference: f64,
    /// The standard error of the difference; infinite where nothing can be said.
    pub standard_error: f64,
    /// One-sided p-value of "`mean(a)` is lower than `mean(b)`".
    pub p: f64,
}

/// Compares the means of two independent samples (Welch 1947, *Biometrika* 34:28-35; degrees of freedom as in
/// Satterthwaite 1946).
///
/// It always answers:
/// * fewer than two values in a sample, or a value that is not finite: no evidence. `p`, `p_greater()` and
///   `p_two_sided()` are 1, `t` and `df` 0, the standard error and the interval infinite.
/// * no variance in either sample: the limit of vanishing noise. `t` is minus infinity, 0 or infinity, and `p` is 0,
///   0.5 or 1. A deterministic experiment is thus judged by its difference alone; repeated runs that are equal only
///   because they share a seed are not evidence of that kind.
///
/// ```
/// use autoresearch_core::stats::welch;
///
/// let candidate = [0.9951, 0.9962, 0.9940, 0.9948, 0.9957, 0.9944];
/// let incumbent = [0.9979, 0.9958, 0.9971, 0.9969];
/// let test = welch(&candidate, &incumbent);
/// assert!((test.p - 0.0062265).abs() < 1e-6);
/// let (low, high) = test.interval(0.95);
/// assert!(low < test.difference && test.difference < high && high < 0.0);
/// ```
pub fn welch(a: &[f64], b: &[f64]) -> Welch {
    welch_of(&Moments::of(a), &Moments::of(b))
}

/// [`welch`] from the moments of the two samples.
pub fn welch_of(a: &Moments, b: &Moments) -> Welch {
    let difference = a.mean() - b.mean();
    let (Some(var_a), Some(var_b)) = (a.variance(), b.variance()) else {
        return Welch::unknown(difference);
    };
    let (mean_var_a, mean_var_b) = (var_a / a.n() as f64, var_b / b.n() as f64);
    let total = mean_var_a + mean_var_b;
    if !difference.is_finite() || !total.is_finite() {
        return Welch::unknown(difference);
    }
    let (free_a, free_b) = ((a.n() - 1) as f64, (b.n() - 1) as f64);
    let df = if total == 0.0 {
        free_a + free_b
    } else {
        let (share_a, share_b) = (mean_var_a / total, mean_var_b / total);
        1.0 / (share_a * share_a / free_a + share_b * share_b / free_b)
    };
    let standard_error = total.sqrt();
    let t = t_ratio(difference, standard_error);
    Welch { t, df, difference, standard_error, p: student_cdf(t, df) }
}

impl Welch {
    fn unknown(difference: f64) -> Self {
        Self { t: 0.0, df: 0.0, difference, standard_error: f64::INFINITY, p: 1.0 }
    }

    /// One-sided p-value of "`mean(a)` is higher than `mean(b)`".
    pub fn p_greater(&self) -> f64 {
        p_greater(self.t, self.df)
    }

    /// Two-sided p-value of "`mean(a)` and `mean(b)` differ".
    pub fn p_two_sided(&self) -> f64 {
        (2.0 * self.p.min(self.p_greater())).min(1.0)
    }

    /// Two-sided confidence interval for `mean(a) - mean(b)`; `level` is a probability, such as 0.95.
    ///
    /// Valid at one sample size that was fixed beforehand. A level outside of `[0, 1)` gives the whole line.
    pub fn interval(&self, level: f64) -> (f64, f64) {
        interval(self.difference, self.standard_error, self.df, level)
    }
}

/// `difference / standard_error`, and its limit where there is no noise.
pub(super) fn t_ratio(difference: f64, standard_error: f64) -> f64 {
    if difference == 0.0 { 0.0 } else { difference / standard_error }
}

/// Upper-tail p-value; 1 where `df = 0` says that there is no evidence.
pub(super) fn p_greater(t: f64, df: f64) -> f64 {
    if df == 0.0 { 1.0 } else { student_sf(t, df) }
}

/// The two-sided t interval; the whole line where there is no evidence.
pub(super) fn interval(difference: f64, standard_error: f64, df: f64, level: f64) -> (f64, f64) {
    if df == 0.0 || !(0.0..1.0).contains(&level) {
        return (f64::NEG_INFINITY, f64::INFINITY);
    }
    let half = -student_quantile(0.5 * (1.0 - level), df) * standard_error;
    (difference - half, difference + half)
}
