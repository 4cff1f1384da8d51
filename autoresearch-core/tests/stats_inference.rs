//! Equivalence, power, sequences, selection, attribution and allocation: what they must do for any input, and at the
//! edges.

use autoresearch_core::stats::sequences::{
    GammaExponentialMixture, NormalMixture, PolyStitching, asymptotic_cs, asymptotic_rho, betting_martingale,
    empirical_bernstein_cs, predictable_bets,
};
use autoresearch_core::stats::{
    Sides, StatsError, chi_square_quantile, chi_square_sf, conditional_mle, correlated_t, deflated_sharpe,
    expected_max_normal, expected_max_normal_approx, half_normal_log_e, leave_one_out, msprt_log_e,
    non_inferior_paired, non_inferior_welch, noncentral_t_cdf, noncentral_t_sf, normal_cdf,
    obrien_fleming_spending, ocba, one_sample_t, overfitting, paired_t, pocock_spending, power_paired_t,
    power_two_sample_t, sample_size_paired_t, sample_size_two_sample_t, shapley, sigma_upper_factor,
    sprt_bounds, student_quantile, student_sf, tost_paired, tost_welch, welch,
};
use proptest::prelude::*;

/// A failure prints its input; nothing is written beside the sources.
fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, cases: 48, ..ProptestConfig::default() }
}

/// Equal up to a relative error.
fn close(got: f64, expected: f64, tolerance: f64) -> bool {
    got == expected || (got - expected).abs() <= tolerance * expected.abs().max(1e-300)
}

fn values(n: impl Into<prop::collection::SizeRange>) -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(-3.0..3.0f64, n)
}

fn sides() -> impl Strategy<Value = Sides> {
    prop_oneof![Just(Sides::One), Just(Sides::Two)]
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn equivalence_is_two_ordinary_tests(a in values(6), b in values(6), low in -2.0..0.0f64, upp in 0.0..2.0f64) {
        let (paired, independent) = (tost_paired(&a, &b, low, upp).expect("valid input"), tost_welch(&a, &b, low, upp).expect("valid input"));
        let shift = |by: f64| -> Vec<f64> { b.iter().map(|b| b + by).collect() };
        prop_assert!(close(paired.p_low, paired_t(&a, &shift(low)).expect("valid input").p_greater(), 1e-8));
        prop_assert!(close(paired.p_upp, paired_t(&a, &shift(upp)).expect("valid input").p, 1e-8));
        prop_assert!(close(independent.p_low, welch(&a, &shift(low)).p_greater(), 1e-8));
        prop_assert!(close(independent.p_upp, welch(&a, &shift(upp)).p, 1e-8));
        prop_assert_eq!(paired.p, paired.p_low.max(paired.p_upp));
        prop_assert_eq!(non_inferior_paired(&a, &b, upp), Ok(paired.p_upp));
        prop_assert_eq!(non_inferior_welch(&a, &b, upp), Ok(independent.p_upp));
        // The mirror image, and wider margins.
        let mirrored = tost_paired(&b, &a, -upp, -low).expect("valid input");
        prop_assert!(close(mirrored.p_low, paired.p_upp, 1e-9) && close(mirrored.p, paired.p, 1e-9));
        prop_assert!(tost_paired(&a, &b, low - 0.5, upp + 0.5).expect("valid input").p <= paired.p);
        let one = one_sample_t(&a, low);
        prop_assert!(close(one.p, paired_t(&a, &[low; 6]).expect("valid input").p, 1e-12));
    }

    #[test]
    fn noncentral_t_is_a_distribution(t in -8.0..8.0f64, df in 0.5..200.0f64, delta in -6.0..6.0f64) {
        let (sf, cdf) = (noncentral_t_sf(t, df, delta), noncentral_t_cdf(t, df, delta));
        prop_assert!((0.0..=1.0).contains(&sf) && (sf + cdf - 1.0).abs() < 1e-11);
        prop_assert!(noncentral_t_sf(t + 0.1, df, delta) <= sf * (1.0 + 1e-11));
        prop_assert!(noncentral_t_sf(t, df, delta + 0.1) >= sf * (1.0 - 1e-11));
        prop_assert!(close(noncentral_t_sf(t, df, 0.0), student_sf(t, df), 1e-10));
        prop_assert!(close(noncentral_t_sf(0.0, df, delta), normal_cdf(delta), 1e-11));
        prop_assert!((noncentral_t_sf(t, 1e9, delta) - normal_cdf(delta - t)).abs() < 1e-7);
    }

    #[test]
    fn sample_sizes_have_the_power(
        effect in 0.1..3.0f64, alpha in 0.001..0.2f64, power in 0.3..0.99f64, sides in sides(),
    ) {
        let paired = sample_size_paired_t(effect, alpha, power, sides).expect("valid input");
        let each = sample_size_two_sample_t(effect, alpha, power, sides).expect("valid input");
        if paired > 1.2 {
            prop_assert!(close(power_paired_t(effect, paired, alpha, sides).expect("valid input"), power, 1e-10));
            prop_assert!(power_paired_t(1.1 * effect, paired, alpha, sides).expect("valid input") > power);
            prop_assert!(sample_size_paired_t(effect, alpha, 0.99 * power, sides).is_ok_and(|n| n <= paired));
        }
        if each > 1.2 {
            prop_assert!(close(power_two_sample_t(effect, each, each, alpha, sides).expect("valid input"), power, 1e-10));
            // Uneven samples have less power.
            let uneven = power_two_sample_t(effect, 0.8 * each, 1.2 * each, alpha, sides).expect("valid input");
            prop_assert!(uneven < power);
        }
        if sides == Sides::Two {
            prop_assert_eq!(sample_size_paired_t(-effect, alpha, power, sides).map(f64::to_bits),
                sample_size_paired_t(effect, alpha, power, sides).map(f64::to_bits));
        }
    }

    #[test]
    fn chi_square_quantiles_invert(p in 1e-12..1.0f64, df in 0.1..500.0f64) {
        let x = chi_square_quantile(p, df);
        prop_assert!((chi_square_sf(x, df) - (1.0 - p)).abs() < 1e-11);
        prop_assert!(chi_square_sf(x + 1.0, df) < chi_square_sf(x, df) + 1e-15);
        prop_assert!(close(chi_square_sf(x, 2.0), (-0.5 * x).exp(), 1e-11));
        prop_assert!(sigma_upper_factor(df, 0.95).expect("valid input") > 1.0 || df < 0.3);
    }

    #[test]
    fn bounds_are_where_the_e_value_gets_there(
        v_opt in 0.1..100.0f64, v in 0.01..1000.0f64, alpha in 0.0001..0.4f64, c in 0.01..5.0f64,
    ) {
        for sides in [Sides::One, Sides::Two] {
            let mixture = NormalMixture::new(v_opt, 0.05, sides).expect("valid input");
            let bound = mixture.bound(v, alpha).expect("valid input");
            prop_assert!(close(mixture.log_e(bound, v), -alpha.ln(), 1e-9));
            prop_assert!(mixture.bound(v, 0.5 * alpha).expect("valid input") > bound);
            prop_assert!(mixture.bound(2.0 * v, alpha).expect("valid input") > bound);
        }
        let one = NormalMixture::new(v_opt, 0.05, Sides::One).expect("valid input");
        let gamma = GammaExponentialMixture::new(v_opt, 0.05, c).expect("valid input");
        let bound = gamma.bound(v, alpha).expect("valid input");
        prop_assert!(close(gamma.log_e(bound, v), -alpha.ln(), 1e-8));
        // A heavier tail needs a wider bound; without one it is the normal mixture.
        prop_assert!(bound > one.bound(v, alpha).expect("valid input"));
        let light = GammaExponentialMixture::new(v_opt, 0.05, 1e-3 * v.min(v_opt).sqrt()).expect("valid input");
        prop_assert!(close(light.bound(v, alpha).expect("valid input"), one.bound(v, alpha).expect("valid input"), 0.01));
        let stitched = PolyStitching::new(v_opt, c).expect("valid input");
        prop_assert!(stitched.bound(2.0 * v, alpha).expect("valid input") >= stitched.bound(v, alpha).expect("valid input"));
        prop_assert!(stitched.bound(v, alpha).expect("valid input") > PolyStitching::new(v_opt, 0.0).expect("valid input").bound(v, alpha).expect("valid input"));
    }

    #[test]
    fn mixtures_are_one_and_the_same(sum in -5.0..5.0f64, n in 1..50u64, tau in 0.1..3.0f64, sigma in 0.5..3.0f64) {
        // The mixture SPRT is the average of the one-sided e-values in both directions.
        let two_sided = msprt_log_e(sum, n, sigma, tau, 0.0).expect("valid input");
        let (mean, variance) = (sum / n as f64, sigma * sigma / n as f64);
        let e = |mean: f64| half_normal_log_e(mean, variance, tau * tau).exp();
        prop_assert!(close(two_sided.exp(), 0.5 * (e(mean) + e(-mean)), 1e-9));
        let shifted = msprt_log_e(sum + 3.0 * n as f64, n, sigma, tau, 3.0).expect("valid input");
        prop_assert!((shifted - two_sided).abs() < 1e-8 * two_sided.abs().max(1.0));
    }

    #[test]
    fn bounded_means_stay_in_bounds(x in prop::collection::vec(0.0..=1.0f64, 1..60), m in 0.05..0.95f64) {
        let ends = empirical_bernstein_cs(&x, 0.05, 0.5).expect("valid input");
        let mirrored: Vec<f64> = x.iter().map(|x| 1.0 - x).collect();
        let against = empirical_bernstein_cs(&mirrored, 0.05, 0.5).expect("valid input");
        for ((low, high), (other_low, other_high)) in ends.iter().zip(against) {
            prop_assert!(0.0 <= *low && low <= high && *high <= 1.0);
            prop_assert!((low - (1.0 - other_high)).abs() < 1e-9 && (high - (1.0 - other_low)).abs() < 1e-9);
        }
        // Bets are made before the value is seen.
        let bets = predictable_bets(&x, 0.05).expect("valid input");
        prop_assert_eq!(&predictable_bets(&x[..x.len() / 2], 0.05).expect("valid input")[..], &bets[..x.len() / 2]);
        let log_e = betting_martingale(&x, m, 0.05, 0.5).expect("valid input");
        prop_assert!(log_e.iter().all(|log_e| log_e.is_finite()));
        let fair = betting_martingale(&vec![m; x.len()], m, 0.05, 0.5).expect("valid input");
        prop_assert!(fair.iter().all(|log_e| log_e.abs() < 1e-9));
    }

    #[test]
    fn selection_shrinks(z in 0.0..6.0f64, excess in 0.01..5.0f64) {
        let cut = z - excess;
        let theta = conditional_mle(z, cut).expect("valid input");
        prop_assert!(theta < z);
        prop_assert!(conditional_mle(z + 0.1, cut).expect("valid input") > theta);
        prop_assert!((conditional_mle(z + 5.0, cut + 5.0).expect("valid input") - theta - 5.0).abs() < 1e-8);
        prop_assert!(conditional_mle(z, cut - 40.0).expect("valid input") > z - 1e-9);
    }

    #[test]
    fn shapley_values_share_everything(values in values(16), other in values(16)) {
        let shares = shapley(&values).expect("valid input");
        prop_assert!((shares.iter().sum::<f64>() - (values[15] - values[0])).abs() < 1e-9);
        let sum: Vec<f64> = values.iter().zip(&other).map(|(a, b)| a + b).collect();
        for (i, share) in shapley(&sum).expect("valid input").into_iter().enumerate() {
            prop_assert!((share - shares[i] - shapley(&other).expect("valid input")[i]).abs() < 1e-9);
        }
        // Where gains add up, everybody earns its own, and leaving one out shows it.
        let gains = [0.3, -0.2, 1.5, 0.0];
        let additive: Vec<f64> =
            (0..16).map(|mask| (0..4).filter(|i| mask >> i & 1 == 1).map(|i| gains[i]).sum()).collect();
        for (share, gain) in shapley(&additive).expect("valid input").iter().zip(gains) {
            prop_assert!((share - gain).abs() < 1e-12);
        }
        for (share, gain) in leave_one_out(&additive).expect("valid input").iter().zip(gains) {
            prop_assert!((share - gain).abs() < 1e-12);
        }
    }

    #[test]
    fn budgets_add_up(means in values(1..8), by in -5.0..5.0f64) {
        let sds: Vec<f64> = means.iter().map(|mean| 0.1 + mean.abs()).collect();
        let shares = ocba(&means, &sds, true).expect("valid input");
        prop_assert!(shares.iter().all(|share| *share >= 0.0) && close(shares.iter().sum(), 1.0, 1e-12));
        let negative: Vec<f64> = means.iter().map(|mean| by - mean).collect();
        for (share, mirrored) in shares.iter().zip(ocba(&negative, &sds, false).expect("valid input")) {
            prop_assert!((share - mirrored).abs() < 1e-6);
        }
    }

    #[test]
    fn spending_ends_at_alpha(t in 0.0..1.0f64, alpha in 0.001..0.5f64) {
        for spend in [obrien_fleming_spending, pocock_spending] {
            let spent = spend(t, alpha).expect("valid input");
            prop_assert!((0.0..=alpha).contains(&spent));
            prop_assert!(spend(0.5 * (1.0 + t), alpha).expect("valid input") >= spent);
            prop_assert!(close(spend(1.0, alpha).expect("valid input"), alpha, 1e-12) && spend(0.0, alpha) == Ok(0.0));
        }
    }

    #[test]
    fn beliefs_add_up(d in values(2..10), rho in 0.0..0.9f64, rope in 0.0..1.0f64) {
        let belief = correlated_t(&d, rho, rope).expect("valid input");
        prop_assert!((belief.above + belief.inside + belief.below - 1.0).abs() < 1e-10);
        let alone = correlated_t(&d, 0.0, rope).expect("valid input");
        prop_assert!((alone.above_zero - paired_t(&d, &vec![0.0; d.len()]).expect("valid input").p).abs() < 1e-10);
    }
}

/// Noncentral t by quadrature in 30 digits (mpmath 1.4.1): t, degrees of freedom, noncentrality, upper tail.
#[test]
fn noncentral_t_as_in_the_reference() {
    let reference = [
        (1.2, 0.5, 2.8, 0.9235119497929417),
        (2.5, 1.0, 6.0, 0.9741424195862733),
        (0.0, 2.0, -2.0, 0.02275013194817921),
        (-3.0, 3.0, -2.0, 0.6800271740555225),
        (6.0, 3.0, -2.0, 3.345823881252485e-05),
        (2.5, 7.0, 0.7, 0.07477264030269926),
        (6.0, 7.0, 2.8, 0.04871438533384778),
        (-0.5, 15.3, -2.0, 0.06654218102325628),
        (2.5, 60.0, 2.8, 0.6189782200426663),
        (6.0, 60.0, -2.0, 7.101757398770617e-13),
        (-3.0, 500.0, -2.0, 0.8398981554812188),
        (6.0, 500.0, 6.0, 0.5011891895614897),
    ];
    for (t, df, delta, expected) in reference {
        let got = noncentral_t_sf(t, df, delta);
        assert!(close(got, expected, 1e-11), "{t} {df} {delta}: {got} {expected}");
    }
    // The limits.
    assert_eq!(noncentral_t_sf(f64::INFINITY, 3.0, 1.0), 0.0);
    assert_eq!(noncentral_t_sf(f64::NEG_INFINITY, 3.0, 1.0), 1.0);
    assert_eq!(noncentral_t_sf(1.0, f64::INFINITY, 1.0), 0.5);
    assert!(noncentral_t_sf(1.0, 0.0, 1.0).is_nan() && noncentral_t_sf(1.0, 3.0, f64::INFINITY).is_nan());
    for (t, df, delta) in
        [(1e4, 1e8, 1e4), (1e-8, 0.01, 5.0), (1e10, 0.5, -3.0), (-1e100, 2.0, 30.0), (40.0, 5.0, -40.0)]
    {
        assert!((0.0..=1.0).contains(&noncentral_t_sf(t, df, delta)), "{t} {df} {delta}");
    }
}

/// Mixtures and truncated means by mpmath 1.4.1 in 30 digits.
#[test]
fn mixtures_and_selection_as_in_the_reference() {
    for (s, v, v_opt, c, expected) in [
        (5.0, 10.0, 10.0, 1.0, 0.21922480938269043),
        (0.0, 10.0, 10.0, 1.0, -1.1571971001182066),
        (-3.0, 10.0, 10.0, 1.0, -1.7185622916257661),
        (50.0, 10.0, 10.0, 0.1, 84.04880871904032),
        (3.0, 200.0, 10.0, 0.3, -2.3091546070754823),
        (100.0, 1000.0, 100.0, 2.0, 2.8222238267119075),
        (5.0, 1.0, 10.0, 5.0, 0.47054844172876387),
        (0.001, 0.1, 1.0, 0.01, -0.24507785522674208),
    ] {
        let mixture = GammaExponentialMixture::new(v_opt, 0.05, c).expect("valid input");
        let got = mixture.log_e(s, v);
        assert!(close(got, expected, 1e-10), "{s} {v} {v_opt} {c}: {got} {expected}");
    }
    for (z, cut, expected) in [
        (1.7, 1.645, -16.427146019838442),
        (5.0, 1.645, 4.99855798687876),
        (2.0, -3.0, 1.9999985132690072),
        (10.0, 9.99, -89.99000199900296),
        (3.0, 2.999999, -999996.999859222),
        (0.5, -40.0, 0.5),
        (50.0, 3.0, 50.0),
    ] {
        assert!(close(conditional_mle(z, cut).expect("valid input"), expected, 1e-12), "{z} {cut}");
    }
    for (n, expected) in [
        (2.0, 0.5641895835477563),
        (3.0, 0.8462843753216345),
        (10.0, 1.538752730835173),
        (10000.0, 3.851615817066675),
        (1000000000.0, 6.087684584445959),
    ] {
        assert!(close(expected_max_normal(n).expect("valid input"), expected, 1e-12), "{n}");
    }
}

#[test]
fn no_evidence_is_p_1() {
    for (a, b) in [(vec![], vec![]), (vec![1.0], vec![0.0]), (vec![f64::NAN, 1.0], vec![0.0, 1.0])] {
        let test = tost_paired(&a, &b, -1.0, 1.0).expect("valid input");
        assert_eq!((test.p, test.p_low, test.p_upp), (1.0, 1.0, 1.0));
        assert_eq!(tost_welch(&a, &b, -1.0, 1.0).expect("valid input").p, 1.0);
    }
    assert_eq!(one_sample_t(&[1.0], 0.0).p_greater(), 1.0);
    // Without noise the difference alone decides.
    assert_eq!(tost_paired(&[1.0, 1.0], &[1.0, 1.0], -0.1, 0.1).expect("valid input").p, 0.0);
    assert_eq!(tost_paired(&[1.5, 1.5], &[1.0, 1.0], -0.1, 0.1).expect("valid input").p, 1.0);
}

#[test]
fn wrong_input_is_an_error() {
    let parameter = |result: Result<f64, StatsError>| matches!(result, Err(StatsError::Parameter { .. }));
    assert!(matches!(tost_paired(&[1.0], &[], 0.0, 0.0), Err(StatsError::LengthMismatch { .. })));
    assert!(matches!(tost_welch(&[1.0], &[], 1.0, 0.0), Err(StatsError::Parameter { .. })));
    assert!(matches!(non_inferior_welch(&[1.0], &[], f64::NAN), Err(StatsError::NonFinite { .. })));
    assert!(parameter(power_paired_t(1.0, 1.0, 0.05, Sides::One)));
    assert!(parameter(power_paired_t(1.0, f64::NAN, 0.05, Sides::One)));
    assert!(parameter(power_paired_t(1.0, 5.0, 0.0, Sides::One)));
    assert!(parameter(power_two_sample_t(1.0, 1.0, 1.0, 0.05, Sides::One)));
    assert!(parameter(sample_size_paired_t(0.0, 0.05, 0.8, Sides::Two)));
    assert!(parameter(sample_size_paired_t(-1.0, 0.05, 0.8, Sides::One)));
    assert!(parameter(sample_size_paired_t(1.0, 0.05, 0.05, Sides::One)));
    assert!(parameter(sample_size_two_sample_t(1e-9, 0.05, 0.8, Sides::One)));
    assert!(parameter(sigma_upper_factor(0.0, 0.9)) && parameter(sigma_upper_factor(5.0, 1.0)));
    assert!(parameter(conditional_mle(1.0, 1.0)) && conditional_mle(f64::NAN, 0.0).is_err());
    assert!(parameter(expected_max_normal(0.5)) && parameter(expected_max_normal_approx(1.0)));
    assert_eq!(expected_max_normal(1.0), Ok(0.0));
    assert!(deflated_sharpe(0.1, 1.0, 0.0, 3.0, 10.0, 0.1).is_err());
    assert!(deflated_sharpe(2.0, 10.0, 3.0, 3.0, 10.0, 0.1).is_err());
    assert!(sprt_bounds(0.6, 0.5).is_err() && msprt_log_e(1.0, 1, 0.0, 1.0, 0.0).is_err());
    assert!(parameter(obrien_fleming_spending(1.1, 0.05)) && parameter(pocock_spending(0.5, 0.0)));
    assert!(shapley(&[]).is_err() && shapley(&[0.0; 3]).is_err() && leave_one_out(&[f64::NAN]).is_err());
    assert_eq!(shapley(&[1.0]), Ok(vec![]));
    assert!(
        ocba(&[], &[], true).is_err()
            && ocba(&[1.0], &[], true).is_err()
            && ocba(&[1.0], &[-1.0], true).is_err()
    );
    assert!(overfitting(&[], 2).is_err() && overfitting(&[vec![1.0, 2.0]], 2).is_err());
    assert!(overfitting(&[vec![1.0, 2.0], vec![1.0]], 2).is_err());
    assert!(
        overfitting(&vec![vec![1.0, 2.0]; 9], 3).is_err() && overfitting(&vec![vec![1.0]; 9], 2).is_err()
    );
    assert!(correlated_t(&[1.0], 0.0, 0.0).is_err() && correlated_t(&[1.0, 2.0], 1.0, 0.0).is_err());
    assert!(
        NormalMixture::new(1.0, 0.5, Sides::One).is_err()
            && NormalMixture::new(0.0, 0.05, Sides::Two).is_err()
    );
    assert!(
        GammaExponentialMixture::new(1.0, 0.05, 0.0).is_err()
            && PolyStitching::with_shape(1.0, 1.0, 1.0, 2.0).is_err()
    );
    assert!(asymptotic_cs(0.0, 1.0, 0, 0.05, 1.0).is_err() && asymptotic_rho(0.0, 0.05).is_err());
    assert!(
        betting_martingale(&[1.5], 0.5, 0.05, 0.5).is_err()
            && empirical_bernstein_cs(&[-0.1], 0.05, 0.5).is_err()
    );
    assert!(chi_square_sf(1.0, 0.0).is_nan() && chi_square_quantile(1.5, 2.0).is_nan());
    assert_eq!((chi_square_sf(-1.0, 2.0), chi_square_sf(f64::INFINITY, 2.0)), (1.0, 0.0));
    assert_eq!((chi_square_quantile(0.0, 2.0), chi_square_quantile(1.0, 2.0)), (0.0, f64::INFINITY));
}

#[test]
fn allocation_at_its_edges() {
    assert_eq!(ocba(&[1.0], &[0.5], true), Ok(vec![1.0]));
    assert_eq!(ocba(&[1.0, 2.0], &[0.0, 0.0], true), Ok(vec![0.5, 0.5]));
    // Two that tie share everything.
    assert_eq!(ocba(&[1.0, 1.0, 2.0], &[1.0, 1.0, 1.0], true), Ok(vec![0.5, 0.5, 0.0]));
    assert_eq!(ocba(&[1.0, 2.0], &[1.0, 0.0], true), Ok(vec![1.0, 0.0]));
}

#[test]
fn the_critical_value_has_the_level() {
    for (alpha, df) in [(0.05, 3.0), (1e-6, 12.0), (0.3, 0.7)] {
        assert!(close(noncentral_t_sf(-student_quantile(alpha, df), df, 0.0), alpha, 1e-10));
    }
}
