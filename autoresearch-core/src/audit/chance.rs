//! How often luck does as well, one row at a time and when all the tries are counted.

use crate::stats::{chi_square_sf, normal_quantile, normal_sf, student_sf};
use statrs::function::gamma::ln_gamma;

/// Simpson intervals.
const STEPS: u32 = 80;

/// An upper bound on the probability that the luckiest of `tries` null comparisons reaches `t` standard errors, where
/// the standard error is estimated with `df` degrees of freedom, the same for all.
///
/// With the true standard error known it is Bonferroni's `m·(1 - Φ(t))`. Given the estimate (S times the truth, with
/// S² distributed as chi-squared over df), the same bound holds at `t·S`, whatever the dependence between the
/// comparisons; so `E[min(1, m·(1 - Φ(t·S)))]` bounds the whole. It is never above Bonferroni's `m·P(T > t)`, and far
/// below it for few degrees of freedom, where one unlucky estimate of the noise makes all comparisons look good at
/// once. It is the union bound of the studentised maximum (Dunnett 1955, *Journal of the American Statistical
/// Association* 50:1096-1121).
pub(super) fn luckiest(t: f64, df: f64, tries: usize) -> f64 {
    let m = tries.max(1) as f64;
    if t.is_nan() || t <= 0.0 || df.is_nan() || df <= 0.0 {
        return 1.0;
    }
    let bonferroni = (m * student_sf(t, df)).min(1.0);
    if tries <= 1 || df > 1e6 || !t.is_finite() {
        return bonferroni;
    }
    // Below this estimate of the noise, the bound is 1 whatever happens.
    let sure = -normal_quantile(1.0 / m) / t;
    let spread = 10.0 / (2.0 * df).sqrt();
    if sure.ln() >= spread {
        return bonferroni; // the estimate is never so much too large
    }
    let below = 1.0 - chi_square_sf(df * sure * sure, df);
    let from = sure.max(1e-300).ln().max(-40.0 / df - spread);
    // Beyond 12 standard errors there is nothing left to integrate.
    let to = spread.min((12.0 / t).ln()).max(from);
    let half = 0.5 * df;
    let ln_constant = 2.0_f64.ln() + half * half.ln() - ln_gamma(half);
    let at = |x: f64| {
        let s = x.exp();
        (ln_constant + df * x - half * s * s).exp() * (m * normal_sf(t * s)).min(1.0)
    };
    let width = (to - from) / f64::from(STEPS);
    let weight = |i: u32| if i == 0 || i == STEPS { 1.0 } else { 2.0 * f64::from(1 + i % 2) };
    let above: f64 =
        (0..=STEPS).map(|i| weight(i) * at(from + f64::from(i) * width)).sum::<f64>() * width / 3.0;
    (below + above).min(bonferroni).clamp(0.0, 1.0)
}

/// How many standard errors a gain needs for [`luckiest`] to be at most `alpha`.
pub(super) fn hurdle(df: f64, tries: usize, alpha: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while luckiest(high, df, tries) > alpha && high < 1e9 {
        (low, high) = (high, 2.0 * high);
    }
    for _ in 0..24 {
        let middle = 0.5 * (low + high);
        if luckiest(middle, df, tries) > alpha { low = middle } else { high = middle }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_noise_is_bonferroni() {
        assert!((luckiest(4.0, f64::INFINITY, 100) - 100.0 * normal_sf(4.0)).abs() < 1e-15);
        assert!((luckiest(4.0, 1e5, 100) / (100.0 * normal_sf(4.0)) - 1.0).abs() < 2e-3);
        assert!((luckiest(2.0, 7.0, 1) - student_sf(2.0, 7.0)).abs() < 1e-15);
    }

    /// The same expectation by a plain midpoint rule over the estimate S = |Z| of one degree of freedom.
    #[test]
    fn one_degree_of_freedom() {
        for (t, tries) in [(17.06, 125), (40.6, 125), (3.0, 5), (300.0, 1000)] {
            let n = 40_000;
            let density = |z: f64| 2.0 * (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt();
            let direct: f64 = (0..n)
                .map(|i| (f64::from(i) + 0.5) * 8.0 / f64::from(n))
                .map(|s| density(s) * (f64::from(tries) * normal_sf(t * s)).min(1.0) * 8.0 / f64::from(n))
                .sum();
            let bound = luckiest(t, 1.0, tries as usize);
            assert!((bound / direct - 1.0).abs() < 1e-3, "{t} {tries}: {bound} {direct}");
        }
    }

    #[test]
    fn it_grows_with_the_tries_and_falls_with_the_gain() {
        for df in [1.0, 2.0, 5.0, 30.0, 400.0, 1e4] {
            let mut last = 0.0;
            for tries in [1, 2, 10, 100, 10_000] {
                let p = luckiest(5.0, df, tries);
                assert!(p >= last && p <= 1.0 && luckiest(6.0, df, tries) <= p, "{df} {tries}");
                last = p;
            }
        }
        assert_eq!(luckiest(0.0, 3.0, 5), 1.0);
        assert_eq!(luckiest(f64::NAN, 3.0, 5), 1.0);
    }
}
