//! The Mann-Whitney test of two independent samples, by ranks.

use super::normal_sf;
use super::ranks::{midranks, over_ties};

/// The exact distribution is a table of about `2·(n·k)²` steps; beyond this many the normal approximation serves.
const EXACT_STEPS: f64 = 2e7;

/// The comparison of two independent samples by [`mann_whitney`].
///
/// With losses, where lower is better, `a` the candidate and `b` the incumbent, a small [`p`](Self::p) says that the
/// candidate is better.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct MannWhitney {
    /// The number of pairs (one value of each sample) in which `a` is higher; equal values count one half.
    pub u: f64,
    /// One-sided p-value of "`a` is lower than `b`".
    pub p: f64,
    /// Whether [`p`](Self::p) is exact; else it is the normal approximation.
    pub exact: bool,
    p_greater: f64,
    centre: f64,
    deviation: f64,
}

/// Compares two independent samples by the ranks of their values (Mann & Whitney 1947, *Annals of Mathematical
/// Statistics* 18:50-60): is a value of `a` more often lower than one of `b`?
///
/// P-values are exact, given the ties, for up to 39 values in each sample (more if one sample is small);
/// beyond, and in [`normal_p`](MannWhitney::normal_p), the normal approximation with continuity and tie correction.
/// An empty sample, or a NaN, is no evidence: all p-values are 1.
///
/// ```
/// use autoresearch_core::stats::mann_whitney;
///
/// let candidate = [0.9951, 0.9962, 0.9940, 0.9948, 0.9957, 0.9944];
/// let incumbent = [0.9979, 0.9958, 0.9971, 0.9969];
/// let test = mann_whitney(&candidate, &incumbent);
/// assert_eq!(test.u, 1.0);
/// assert!((test.p - 2.0 / 210.0).abs() < 1e-12);
/// ```
pub fn mann_whitney(a: &[f64], b: &[f64]) -> MannWhitney {
    let (n_a, n_b) = (a.len() as f64, b.len() as f64);
    let values: Vec<f64> = a.iter().chain(b).copied().collect();
    let mut test = MannWhitney {
        u: 0.5 * n_a * n_b,
        p: 1.0,
        exact: false,
        p_greater: 1.0,
        centre: 0.5 * n_a * n_b,
        deviation: 0.0,
    };
    if a.is_empty() || b.is_empty() || values.iter().any(|value| value.is_nan()) {
        return test;
    }
    let ranks = midranks(&values);
    let rank_sum: f64 = ranks[..a.len()].iter().sum();
    test.u = rank_sum - 0.5 * n_a * (n_a + 1.0);
    let n = n_a + n_b;
    let ties = over_ties(&values, |t| t * (t * t - 1.0));
    test.deviation = (n_a * n_b / 12.0 * ((n + 1.0) - ties / (n * (n - 1.0)))).max(0.0).sqrt();
    let small = n_a.min(n_b);
    test.exact = 2.0 * (n * small).powi(2) <= EXACT_STEPS;
    if !test.exact {
        (test.p, test.p_greater) = (test.normal_p(), test.normal_p_greater());
    } else if n_a <= n_b {
        (test.p, test.p_greater) = exact(&ranks, a.len(), rank_sum);
    } else {
        (test.p_greater, test.p) = exact(&ranks, b.len(), ranks[a.len()..].iter().sum());
    }
    test
}

impl MannWhitney {
    /// One-sided p-value of "`a` is higher than `b`".
    pub fn p_greater(&self) -> f64 {
        self.p_greater
    }

    /// Two-sided p-value of "`a` and `b` differ": twice the smaller one-sided one, at most 1.
    pub fn p_two_sided(&self) -> f64 {
        (2.0 * self.p.min(self.p_greater)).min(1.0)
    }

    /// [`p`](Self::p) by the normal approximation with continuity correction.
    pub fn normal_p(&self) -> f64 {
        self.tail(self.centre - self.u)
    }

    /// [`p_greater`](Self::p_greater) by the normal approximation with continuity correction.
    pub fn normal_p_greater(&self) -> f64 {
        self.tail(self.u - self.centre)
    }

    fn tail(&self, excess: f64) -> f64 {
        if self.deviation > 0.0 { normal_sf((excess - 0.5) / self.deviation) } else { 1.0 }
    }
}

/// `P(S <= sum)` and `P(S >= sum)` for the sum of `k` of the ranks, all choices equally likely.
fn exact(ranks: &[f64], k: usize, sum: f64) -> (f64, f64) {
    let twice = |rank: f64| (2.0 * rank).round() as usize;
    let mut largest: Vec<usize> = ranks.iter().map(|&rank| twice(rank)).collect();
    largest.sort_unstable_by(|a, b| b.cmp(a));
    let width = largest[..k].iter().sum::<usize>() + 1;
    // ways[j][s]: how many choices of j of the ranks seen so far have the (doubled) sum s.
    let mut ways = vec![vec![0.0; width]; k + 1];
    ways[0][0] = 1.0;
    for rank in ranks.iter().map(|&rank| twice(rank)) {
        for j in (1..=k).rev() {
            let (fewer, more) = ways.split_at_mut(j);
            let (fewer, more) = (&fewer[j - 1], &mut more[0]);
            more[rank.min(width)..].iter_mut().zip(fewer).for_each(|(more, fewer)| *more += fewer);
        }
    }
    let sum = twice(sum).min(width - 1);
    let all: f64 = ways[k].iter().sum();
    (ways[k][..=sum].iter().sum::<f64>() / all, ways[k][sum..].iter().sum::<f64>() / all)
}
