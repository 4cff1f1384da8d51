//! Numbers of every size, infinite and missing ones included: nothing panics, nothing hangs, and what comes out is a
//! p-value, a level or an error.

use autoresearch_core::stats::sequences::{
    GammaExponentialMixture, NormalMixture, PolyStitching, asymptotic_cs, betting_martingale,
    empirical_bernstein_cs,
};
use autoresearch_core::stats::{
    Ladder, Sides, bca_bootstrap, bca_full_enumeration, benjamini_yekutieli, chi_square_quantile,
    chi_square_sf, conditional_mle, correlated_t, deflated_sharpe, expected_max_normal, friedman, holm,
    kendall_tau, leave_one_out, mann_whitney, mean, msprt_log_e, noncentral_t_sf, obrien_fleming_spending,
    ocba, one_sample_t, overfitting, permutation_test, pocock_spending, power_paired_t, power_two_sample_t,
    sample_size_paired_t, sample_size_two_sample_t, shapley, sigma_upper_factor, sign_flip, spearman,
    sprt_bounds, tost_paired, tost_welch, wilcoxon,
};
use proptest::prelude::*;

/// A failure prints its input; nothing is written beside the sources.
fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() }
}

/// Numbers of every size and sign.
fn any() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO,
        4 => -1.0..1.0f64,
        4 => 0.0..1.0f64,
        2 => -50.0..50.0f64,
        1 => Just(0.0),
        1 => Just(1.0),
        1 => Just(f64::MAX),
        1 => Just(-f64::MAX),
        1 => Just(f64::MIN_POSITIVE),
        1 => Just(f64::INFINITY),
        1 => Just(f64::NEG_INFINITY),
        1 => Just(f64::NAN),
    ]
}

fn list(n: impl Into<prop::collection::SizeRange>) -> impl Strategy<Value = Vec<f64>> {
    prop_oneof![
        prop::collection::vec(any().prop_map(|x| if x.is_finite() { x } else { 1.0 }), n.into()),
        prop::collection::vec(any(), 0..6)
    ]
}

/// `[0, 1]`, or NaN where the statistic says so.
fn probability(p: f64) -> bool {
    (0.0..=1.0).contains(&p)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn samples(a in list(0..9usize), b in list(0..9usize), x in any(), y in any()) {
        let n = a.len().min(b.len());
        let (c, d) = (&a[..n], &b[..n]);
        let mut p = Vec::new();
        let flip = sign_flip(c, d, 20, 1).expect("equal lengths");
        let ranks = wilcoxon(c, d).expect("equal lengths");
        let (split, order) = (permutation_test(&a, &b, 20, 1), mann_whitney(&a, &b));
        p.extend([flip.p, flip.p_greater(), flip.p_two_sided(), ranks.p, ranks.p_greater(), ranks.normal_p()]);
        p.extend([split.p, split.p_greater(), split.p_two_sided(), order.p, order.p_greater(), order.normal_p()]);
        p.push(one_sample_t(&a, x).p);
        if let Ok(test) = tost_paired(c, d, x, y) {
            p.extend([test.p, test.p_low, test.p_upp]);
        }
        p.extend(tost_welch(&a, &b, x, y).map(|test| test.p));
        p.extend(kendall_tau(c, d).map(|tau| tau.p_two_sided()));
        p.extend(spearman(c, d).map(|rho| rho.p_two_sided()));
        p.extend(friedman(&[c.to_vec(), d.to_vec()]).map(|test| test.p));
        for p in p {
            prop_assert!(probability(p), "{}", p);
        }
    }

    #[test]
    fn lists(a in list(0..17usize), b in list(0..6usize), x in any(), y in any()) {
        if let Ok(bca) = bca_bootstrap(&a, mean, x, 20, 1) {
            prop_assert!(bca.percentile.0 <= bca.percentile.1);
        }
        let _ = bca_full_enumeration(&b, mean, x);
        let _ = (shapley(&a), leave_one_out(&b), holm(&a), benjamini_yekutieli(&a), correlated_t(&a, x, y));
        let sds: Vec<f64> = a.iter().map(|a| a.abs()).collect();
        if let Ok(shares) = ocba(&a, &sds, x > 0.0) {
            prop_assert!(shares.iter().all(|share| probability(*share)), "{:?}", shares);
            prop_assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{:?}", shares);
        }
        let rows: Vec<Vec<f64>> = a.iter().map(|a| vec![*a, x, y]).collect();
        if let Ok(found) = overfitting(&rows, 4) {
            prop_assert!(probability(found.probability));
        }
        for mut ladder in [Ladder::parameter_free()].into_iter().chain(Ladder::fixed_step(x.abs())) {
            let (_, _) = (ladder.score(&a), ladder.score(&b));
            prop_assert!(!ladder.released().is_nan());
        }
        if let Ok(ends) = empirical_bernstein_cs(&a, x, y) {
            prop_assert!(ends.iter().all(|(low, high)| probability(*low) && probability(*high)));
        }
        if let Ok(log_e) = betting_martingale(&a, x, 0.05, 1.0) {
            prop_assert!(log_e.iter().all(|log_e| !log_e.is_nan()));
        }
    }

    #[test]
    fn numbers(x in any(), y in any(), z in any(), w in any()) {
        for (what, result) in [
            ("paired", power_paired_t(x, y, z, Sides::Two)),
            ("two samples", power_two_sample_t(x, y, w, z, Sides::One)),
            ("O'Brien-Fleming", obrien_fleming_spending(x, y)),
            ("Pocock", pocock_spending(x, y)),
            ("deflated", deflated_sharpe(x, y, z, w, 50.0, 0.1).map(|best| best.dsr)),
        ] {
            prop_assert!(result.clone().map_or(true, probability), "{}: {:?}", what, result);
        }
        let tail = noncentral_t_sf(x, y, z);
        prop_assert!(probability(tail) || x.is_nan() || y.is_nan() || y <= 0.0 || !z.is_finite(), "{}", tail);
        let tail = chi_square_sf(x, y);
        prop_assert!(probability(tail) || x.is_nan() || !(y > 0.0 && y.is_finite()), "{}", tail);
        prop_assert!(chi_square_quantile(x, y.min(1e6)).is_nan() || chi_square_quantile(x, y.min(1e6)) >= 0.0);
        for result in [
            sigma_upper_factor(x.min(1e6), y),
            conditional_mle(x, y),
            expected_max_normal(x),
            msprt_log_e(x, 3, y, z, w),
            asymptotic_cs(x, y, 5, z, w).map(|interval| interval.half_width),
            sprt_bounds(x, y).map(|bounds| bounds.0),
            NormalMixture::new(x, 0.05, Sides::One).and_then(|mixture| mixture.bound(y, z)),
            NormalMixture::new(x, 0.05, Sides::Two).and_then(|mixture| mixture.bound(y, z)),
            PolyStitching::new(x, y).and_then(|stitching| stitching.bound(z, w)),
        ] {
            prop_assert!(!result.clone().is_ok_and(f64::is_nan), "{:?}", result);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..config() })]

    #[test]
    fn searches(x in any(), y in 0.001..0.999f64, z in 0.001..0.999f64, c in any(), v in any()) {
        for result in [
            sample_size_paired_t(x, y, z, Sides::Two),
            sample_size_two_sample_t(x, y, z, Sides::One),
            GammaExponentialMixture::new(x, 0.05, c).and_then(|mixture| mixture.bound(v, y)),
        ] {
            prop_assert!(!result.clone().is_ok_and(f64::is_nan), "{:?}", result);
        }
    }
}
