//! Mean and variance in one pass.

use serde::{Deserialize, Serialize};

/// Count, mean and sum of squares about the mean of the values pushed so far, in the units of the values.
///
/// The update is Welford's (1962, *Technometrics* 4:419-420), so that a small spread around a large mean is not
/// lost to cancellation; [`merge`](Self::merge) is the pairwise form of Chan, Golub & LeVeque (1983, *The
/// American Statistician* 37:242-247).
///
/// ```
/// use autoresearch_core::stats::Moments;
///
/// let losses: Moments = [0.9951, 0.9962, 0.9940].into_iter().collect();
/// assert_eq!(losses.n(), 3);
/// assert!((losses.mean() - 0.9951).abs() < 1e-12);
/// assert!((losses.sd().unwrap() - 0.0011).abs() < 1e-12);
/// assert_eq!(Moments::of(&[0.9951]).variance(), None); // one run says nothing about noise
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    n: u64,
    mean: f64,
    sum_of_squares: f64,
}

impl Moments {
    /// No values yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The moments of a list.
    pub fn of(values: &[f64]) -> Self {
        values.iter().copied().collect()
    }

    /// Adds one value. A value that is not finite makes the mean and the variance not finite, for good.
    pub fn push(&mut self, value: f64) {
        self.n += 1;
        let delta = value - self.mean;
        self.mean += delta / self.n as f64;
        self.sum_of_squares += delta * (value - self.mean);
    }

    /// The number of values.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// The mean; NaN if there are no values.
    pub fn mean(&self) -> f64 {
        if self.n == 0 { f64::NAN } else { self.mean }
    }

    /// Sum of squared deviations from the mean (0 for fewer than two values).
    pub fn sum_of_squares(&self) -> f64 {
        self.sum_of_squares
    }

    /// The unbiased variance, `sum_of_squares / (n - 1)`; `None` below two values.
    pub fn variance(&self) -> Option<f64> {
        (self.n >= 2).then(|| self.sum_of_squares / (self.n - 1) as f64)
    }

    /// The standard deviation, the root of [`variance`](Self::variance); `None` below two values.
    pub fn sd(&self) -> Option<f64> {
        self.variance().map(f64::sqrt)
    }

    /// Adds all values of `other`, as if they had been pushed here (up to rounding).
    pub fn merge(&mut self, other: &Self) {
        if other.n == 0 {
            return;
        }
        if self.n == 0 {
            *self = *other;
            return;
        }
        let (a, b) = (self.n as f64, other.n as f64);
        let delta = other.mean - self.mean;
        self.n += other.n;
        self.mean += delta * (b / (a + b));
        self.sum_of_squares += other.sum_of_squares + delta * delta * (a * b / (a + b));
    }

    /// The moments of the same values in other units: each value multiplied by `factor`.
    pub(crate) fn scaled(&self, factor: f64) -> Self {
        // Factor by factor: the square of a large or small factor may leave the range of f64 where the product
        // does not.
        let sum_of_squares = self.sum_of_squares * factor * factor;
        Self { n: self.n, mean: self.mean * factor, sum_of_squares }
    }
}

impl FromIterator<f64> for Moments {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut moments = Self::new();
        moments.extend(values);
        moments
    }
}

impl Extend<f64> for Moments {
    fn extend<I: IntoIterator<Item = f64>>(&mut self, values: I) {
        values.into_iter().for_each(|value| self.push(value));
    }
}

/// The arithmetic mean, in the units of the values; NaN for an empty list.
pub fn mean(values: &[f64]) -> f64 {
    Moments::of(values).mean()
}
