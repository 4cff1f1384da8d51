//! A mean with its interval.

use autoresearch_core::stats::{Moments, student_quantile};
use serde::{Deserialize, Serialize};

/// A mean, and the ends of its 95 % interval by Student's t.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Estimate {
    pub(crate) mean: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) n: u64,
}

impl Estimate {
    /// `None` of nothing; of one value the interval is as wide as the number line, which JSON cannot hold: it is cut at
    /// plus and minus 1,000.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let moments: Moments = values.into_iter().collect();
        let n = moments.n();
        let half = moments
            .sd()
            .filter(|_| n > 1)
            .map_or(1e3, |sd| -student_quantile(0.025, n as f64 - 1.0) * sd / (n as f64).sqrt());
        let mean = moments.mean();
        (n > 0).then_some(Self { mean, low: mean - half, high: mean + half, n })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: mean 2, sd 1, t of .975 with 2 degrees of freedom 4.302653 (any table), over the root of 3.
    #[test]
    fn a_mean_has_its_interval() {
        let estimate = Estimate::of([1.0, 2.0, 3.0]).expect("three values");
        assert!((estimate.high - 2.0 - 4.302_653 / 3f64.sqrt()).abs() < 1e-5);
        assert_eq!((estimate.mean, estimate.n), (2.0, 3));
        assert_eq!(Estimate::of([]), None);
        assert_eq!(Estimate::of([1.0]).expect("one").high, 1001.0);
    }
}
