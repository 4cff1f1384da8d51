//! What the statistics must do for any input, and what they do at the edges.

use autoresearch_core::stats::{
    ELond, Moments, StatsError, TTestE, clustered_se, half_normal_log_e, log_likelihood_ratio, mean,
    normal_cdf, normal_quantile, paired_t, student_cdf, student_quantile, student_sf, welch,
};
use proptest::prelude::*;

const LINE: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);

/// A failure prints its input; nothing is written beside the sources.
fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

fn close(got: f64, expected: f64, tolerance: f64) -> bool {
    (got - expected).abs() <= tolerance * expected.abs().max(1.0)
}

fn test_of(ss0: f64, nu0: f64, differences: &[f64]) -> TTestE {
    let mut test = TTestE::new(ss0, nu0).expect("valid parameters");
    differences.iter().for_each(|&d| test.push(d));
    test
}

fn shifted(values: &[f64], by: f64) -> Vec<f64> {
    values.iter().map(|value| value + by).collect()
}

fn sample() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(-10.0..10.0f64, 2..30)
}

/// Finite numbers of every size and sign.
fn extreme() -> impl Strategy<Value = f64> {
    prop_oneof![
        prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO,
        -1.0..1.0f64,
        Just(0.0),
        Just(1.0),
        Just(f64::MAX),
        Just(-f64::MAX),
        Just(f64::MIN_POSITIVE),
    ]
}

// Moments

#[test]
fn moments_of_nothing_and_of_one() {
    assert!(mean(&[]).is_nan());
    assert_eq!((Moments::new().n(), Moments::new().variance()), (0, None));
    let one = Moments::of(&[3.0]);
    assert_eq!((one.n(), one.mean(), one.sum_of_squares(), one.sd()), (1, 3.0, 0.0, None));
}

#[test]
fn moments_keep_a_small_spread_around_a_large_mean() {
    let moments = Moments::of(&[1e9 + 4.0, 1e9 + 7.0, 1e9 + 13.0, 1e9 + 16.0]);
    assert_eq!(moments.variance(), Some(30.0));
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn moments_are_the_two_pass_ones_and_merge(a in sample(), b in sample()) {
        let all: Vec<f64> = a.iter().chain(&b).copied().collect();
        let centre = all.iter().sum::<f64>() / all.len() as f64;
        let squares: f64 = all.iter().map(|x| (x - centre).powi(2)).sum();
        let mut merged = Moments::of(&a);
        merged.merge(&Moments::of(&b));
        for moments in [Moments::of(&all), merged] {
            prop_assert_eq!(moments.n(), all.len() as u64);
            prop_assert!(close(moments.mean(), centre, 1e-12));
            prop_assert!(close(moments.sum_of_squares(), squares, 1e-11));
        }
        let json = serde_json::to_string(&merged).expect("serialises");
        prop_assert_eq!(serde_json::from_str::<Moments>(&json).expect("deserialises"), merged);
    }
}

// Distributions

proptest! {
    #![proptest_config(config())]

    #[test]
    fn cdfs_rise_and_their_quantiles_invert_them(
        t in -50.0..50.0f64, step in 1e-3..10.0f64, ln_df in -1.0..16.0f64, p in 1e-12..0.5f64,
    ) {
        let df = ln_df.exp();
        prop_assert!(student_cdf(t, df) <= student_cdf(t + step, df));
        prop_assert!(normal_cdf(t) <= normal_cdf(t + step));
        prop_assert!(close(student_cdf(t, df) + student_sf(t, df), 1.0, 1e-14));
        let back = student_cdf(student_quantile(p, df), df);
        prop_assert!((back / p - 1.0).abs() < 1e-10, "p = {}, df = {}: {}", p, df, back);
        prop_assert!((normal_cdf(normal_quantile(p)) / p - 1.0).abs() < 1e-12);
        prop_assert_eq!(student_quantile(1.0 - p, df), -student_quantile(1.0 - (1.0 - p), df));
    }

    #[test]
    fn cdfs_have_no_steps_where_formulas_meet(ln_df in 9.0..14.0f64, x in 0.05..0.5f64) {
        // Around 1e5 degrees of freedom and t² = 0.1·df.
        let df = ln_df.exp();
        let t = (x * df).sqrt();
        let ln = |t: f64, df: f64| autoresearch_core::stats::student_ln_sf(t, df);
        let (low, mid, high) = (ln(t * (1.0 - 1e-6), df), ln(t, df), ln(t * (1.0 + 1e-6), df));
        prop_assert!(low > mid && mid > high);
        prop_assert!(((low - mid) / (mid - high) - 1.0).abs() < 1e-3);
    }
}

// Welch and paired t

#[test]
fn too_little_data_is_no_evidence() {
    for (a, b) in
        [(&[][..], &[][..]), (&[1.0], &[2.0, 3.0]), (&[1.0, 2.0], &[9.0]), (&[f64::NAN, 1.0], &[2.0, 3.0])]
    {
        let test = welch(a, b);
        assert_eq!((test.p, test.p_greater(), test.p_two_sided()), (1.0, 1.0, 1.0));
        assert_eq!(test.interval(0.95), LINE);
    }
    let test = welch(&[1.0, f64::INFINITY], &[2.0, 3.0]);
    assert_eq!((test.p, test.interval(0.95)), (1.0, LINE));
    for pairs in [&[][..], &[1.0]] {
        let test = paired_t(pairs, pairs).expect("equal lengths");
        assert_eq!((test.p, test.p_greater(), test.p_two_sided()), (1.0, 1.0, 1.0));
        assert_eq!(test.interval(0.95), LINE);
    }
}

#[test]
fn without_noise_the_difference_decides() {
    for (a, b, p, p_greater, two_sided) in
        [(1.0, 2.0, 0.0, 1.0, 0.0), (2.0, 1.0, 1.0, 0.0, 0.0), (1.0, 1.0, 0.5, 0.5, 1.0)]
    {
        let test = welch(&[a; 3], &[b; 2]);
        assert_eq!((test.p, test.p_greater(), test.p_two_sided(), test.df), (p, p_greater, two_sided, 3.0));
        assert_eq!(test.interval(0.95), (a - b, a - b));
        let test = paired_t(&[a; 3], &[b; 3]).expect("equal lengths");
        assert_eq!((test.p, test.p_greater(), test.p_two_sided(), test.df), (p, p_greater, two_sided, 2.0));
    }
}

#[test]
fn an_impossible_level_gives_the_whole_line() {
    let test = welch(&[1.0, 2.0], &[3.0, 4.0]);
    for level in [1.0, 1.5, -0.1, f64::NAN] {
        assert_eq!(test.interval(level), LINE);
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn welch_answers_for_any_input(
        a in prop::collection::vec(prop::num::f64::ANY, 0..6), b in prop::collection::vec(prop::num::f64::ANY, 0..6),
    ) {
        let test = welch(&a, &b);
        for p in [test.p, test.p_greater(), test.p_two_sided()] {
            prop_assert!((0.0..=1.0).contains(&p));
        }
        let pairs = a.len().min(b.len());
        let test = paired_t(&a[..pairs], &b[..pairs]).expect("equal lengths");
        for p in [test.p, test.p_greater(), test.p_two_sided()] {
            prop_assert!((0.0..=1.0).contains(&p));
        }
    }

    #[test]
    fn t_tests_are_monotone_and_mirror(a in sample(), b in sample(), by in 0.1..5.0f64) {
        let test = welch(&a, &b);
        prop_assert!(close(welch(&b, &a).p, test.p_greater(), 1e-12));
        prop_assert!(welch(&shifted(&a, by), &b).p >= test.p);
        let (low, high) = test.interval(0.9);
        let (wider_low, wider_high) = test.interval(0.99);
        prop_assert!(wider_low <= low && low <= test.difference && test.difference <= high && high <= wider_high);
        prop_assert!(a.len().min(b.len()) as f64 - 1.0 <= test.df + 1e-9 && test.df <= (a.len() + b.len() - 2) as f64 + 1e-9);

        let pairs = a.len().min(b.len());
        let (a, b) = (&a[..pairs], &b[..pairs]);
        let test = paired_t(a, b).expect("equal lengths");
        prop_assert!(close(paired_t(b, a).expect("equal lengths").p, test.p_greater(), 1e-12));
        prop_assert!(paired_t(&shifted(a, by), b).expect("equal lengths").p >= test.p);
    }
}

// The t e-process

#[test]
fn the_t_e_process_validates_its_parameters() {
    for (ss0, nu0) in
        [(-1.0, 1.0), (f64::NAN, 1.0), (f64::INFINITY, 1.0), (1.0, -1.0), (1.0, f64::NAN), (1.0, 0.0)]
    {
        assert!(matches!(TTestE::new(ss0, nu0), Err(StatsError::Parameter { .. })), "{ss0}, {nu0}");
    }
    for kappa in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(TTestE::new(0.0, 0.0).and_then(|test| test.kappa(kappa)).is_err(), "{kappa}");
    }
    assert_eq!(
        TTestE::new(1.0, 0.0).expect_err("no degrees of freedom").to_string(),
        "ss0 = 1, but it must be 0 when there are no degrees of freedom (nu0 = 0)"
    );
}

#[test]
fn the_t_e_process_at_its_edges() {
    let none = test_of(0.0, 0.0, &[]);
    assert_eq!((none.n(), none.log_e(), none.log_e_two_sided(), none.sum()), (0, 0.0, 0.0, 0.0));
    assert!(none.mean().is_nan());
    assert_eq!((none.variance(), none.confidence_sequence(0.9)), (None, LINE));
    assert_eq!(test_of(14.0, 7.0, &[]).variance(), Some(2.0));

    // One difference without calibration: a bet on its sign alone.
    assert!(close(test_of(0.0, 0.0, &[0.7]).log_e(), 1.5f64.ln(), 1e-14));
    assert!(close(test_of(0.0, 0.0, &[-0.7]).log_e(), 0.5f64.ln(), 1e-14));
    assert_eq!(test_of(0.0, 0.0, &[0.7]).variance(), None);

    // All zero, all equal, and calibration that saw no noise.
    assert!(close(test_of(0.0, 0.0, &[0.0; 3]).log_e(), 0.5 * 0.25f64.ln(), 1e-14));
    let equal = test_of(0.0, 0.0, &[0.1; 5]);
    assert!(equal.log_e().is_finite() && equal.log_e() > 0.0);
    assert_eq!(equal.variance(), Some(0.0));
    let noiseless = test_of(0.0, 7.0, &[0.1]);
    assert!(noiseless.log_e().is_finite() && noiseless.log_e() > 0.0);

    // A value that is not finite ends all claims.
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let spoiled = test_of(2.0, 7.0, &[5.0, bad, 5.0, 5.0]);
        assert_eq!((spoiled.n(), spoiled.variance()), (3, None));
        assert_eq!((spoiled.log_e(), spoiled.log_e_two_sided()), (f64::NEG_INFINITY, f64::NEG_INFINITY));
        assert_eq!(spoiled.confidence_sequence(0.9), LINE);
    }
}

#[test]
fn the_confidence_sequence_needs_data_and_shrinks() {
    assert_eq!(test_of(0.0, 0.0, &[1.0, 1.2]).confidence_sequence(0.999), LINE);
    let width = |n: usize| {
        let data: Vec<f64> = (0..n).map(|i| if i % 2 == 0 { 1.0 } else { -0.4 }).collect();
        let (low, high) = test_of(4.0, 4.0, &data).confidence_sequence(0.95);
        assert!(low < 0.3 && 0.3 < high);
        high - low
    };
    assert!(width(4) > width(16) && width(16) > width(64) && width(64) > width(1024));
    assert!(width(1024) < 0.2);
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_t_e_process_is_finite(
        d in prop::collection::vec(extreme(), 0..12), ss0 in extreme(), nu0 in 0.0..40.0f64, ln_kappa in -9.0..9.0f64,
    ) {
        let (ss0, nu0) = if nu0 < 4.0 { (0.0, nu0.floor()) } else { (ss0.abs(), nu0) };
        let mut test = TTestE::new(ss0, nu0).and_then(|test| test.kappa(ln_kappa.exp())).expect("valid parameters");
        for d in d {
            test.push(d);
            prop_assert!(test.log_e().is_finite() && test.log_e_two_sided().is_finite());
            prop_assert!(test.log_e() <= test.log_e_two_sided() + 2f64.ln());
            prop_assert!(test.mean().is_finite());
            prop_assert!(!test.variance().is_some_and(f64::is_nan));
            let (low, high) = test.confidence_sequence(0.9);
            prop_assert!(low <= test.mean() && test.mean() <= high);
        }
        let json = serde_json::to_string(&test).expect("serialises");
        prop_assert_eq!(serde_json::from_str::<TTestE>(&json).expect("deserialises"), test);
    }

    #[test]
    fn the_t_e_process_has_no_unit(d in sample(), variance in 0.1..10.0f64, log_scale in -140.0..140.0f64) {
        let scale = 10f64.powf(log_scale);
        let scaled: Vec<f64> = d.iter().map(|d| d * scale).collect();
        let (test, same) = (test_of(7.0 * variance, 7.0, &d), test_of(7.0 * variance * scale * scale, 7.0, &scaled));
        prop_assert!(close(same.log_e(), test.log_e(), 1e-9));
        prop_assert!(close(same.log_e_two_sided(), test.log_e_two_sided(), 1e-9));
        prop_assert!(close(same.mean() / scale, test.mean(), 1e-12));
        prop_assert!(close(same.sum() / scale, test.sum(), 1e-12));
        let uncalibrated = (test_of(0.0, 0.0, &scaled).log_e(), test_of(0.0, 0.0, &d).log_e());
        prop_assert!(close(uncalibrated.0, uncalibrated.1, 1e-9));
    }

    #[test]
    fn the_t_e_process_is_the_formula_as_printed(d in sample(), variance in 0.1..10.0f64, kappa in 0.1..10.0f64) {
        let (n, nu0, ss0) = (d.len() as f64, 7.0, 7.0 * variance);
        let s: f64 = d.iter().sum();
        let a = ss0 + d.iter().map(|d| d * d).sum::<f64>();
        let q = a - s * s / (n + kappa);
        let cdf = student_cdf(s / ((n + kappa) * q / (n + nu0)).sqrt(), n + nu0);
        let e = 2.0 * cdf * (kappa / (n + kappa)).sqrt() * (a / q).powf(0.5 * (n + nu0));
        let mut test = TTestE::new(ss0, nu0).and_then(|test| test.kappa(kappa)).expect("valid parameters");
        d.iter().for_each(|&d| test.push(d));
        prop_assert!(close(test.log_e(), e.ln(), 1e-9), "{} instead of {}", test.log_e(), e.ln());
        let expected = (ss0 + Moments::of(&d).sum_of_squares()) / (nu0 + n - 1.0);
        prop_assert!(close(test.variance().expect("degrees of freedom"), expected, 1e-11));
    }

    #[test]
    fn more_gain_is_more_evidence_and_more_noise_less(d in sample(), by in 0.01..5.0f64, variance in 0.1..10.0f64) {
        let test = test_of(7.0 * variance, 7.0, &d);
        prop_assert!(test_of(7.0 * variance, 7.0, &shifted(&d, by)).log_e() > test.log_e());
        let mirrored: Vec<f64> = d.iter().map(|d| -d).collect();
        let mirrored = test_of(7.0 * variance, 7.0, &mirrored);
        prop_assert!(close(mirrored.log_e_two_sided(), test.log_e_two_sided(), 1e-12));
        prop_assert_eq!(mirrored.log_e() < test.log_e(), test.mean() > 0.0);
        prop_assert!(test_of(14.0 * variance, 7.0, &d).log_e_two_sided() <= test.log_e_two_sided());
    }

    #[test]
    fn the_confidence_sequence_inverts_the_two_sided_test(d in sample(), variance in 0.1..10.0f64, level in 0.01..0.99f64) {
        let test = test_of(7.0 * variance, 7.0, &d);
        let (low, high) = test.confidence_sequence(level);
        prop_assert!(low <= test.mean() && test.mean() <= high);
        let (wider_low, wider_high) = test.confidence_sequence(0.5 * (1.0 + level));
        prop_assert!(wider_low <= low && high <= wider_high);
        for end in [low, high].into_iter().filter(|end| end.is_finite()) {
            let log_e = test_of(7.0 * variance, 7.0, &shifted(&d, -end)).log_e_two_sided();
            prop_assert!(close(log_e, -(1.0 - level).ln(), 1e-8), "{} at the end of level {}", log_e, level);
        }
    }
}

// e-LOND

#[test]
fn e_lond_validates_its_parameters() {
    for (alpha, horizon) in
        [(0.0, 1.0), (1.0, 1.0), (f64::NAN, 1.0), (0.1, 0.0), (0.1, f64::INFINITY), (0.1, f64::NAN)]
    {
        assert!(
            matches!(ELond::new(alpha, horizon), Err(StatsError::Parameter { .. })),
            "{alpha}, {horizon}"
        );
    }
    assert_eq!(ELond::new(0.1, 200.0), Ok(ELond::default()));
    assert!(serde_json::from_str::<ELond>(r#"{"alpha":0.1,"horizon":-5.0}"#).is_err());
    let levels: ELond = serde_json::from_str(r#"{"alpha":0.1,"horizon":5.0}"#).expect("valid");
    assert_eq!((levels.alpha(), levels.horizon()), (0.1, 5.0));
    assert_eq!((levels.weight(0), levels.log_threshold(0, 0)), (0.0, f64::INFINITY));
}

#[test]
fn e_lond_weights_keep_their_digits_late_in_the_stream() {
    let levels = ELond::default();
    for t in [1u64 << 40, 1 << 52, u64::MAX] {
        let asymptote = 0.5 * 200f64.sqrt() * (t as f64).powf(-1.5);
        assert!((levels.weight(t) / asymptote - 1.0).abs() < 1e-9, "{t}");
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn e_lond_weights_fall_and_sum_to_one(ln_horizon in -20.0..12.0f64, tests in 1..3000u64) {
        let horizon = ln_horizon.exp();
        let levels = ELond::new(0.1, horizon).expect("valid parameters");
        let sum: f64 = (1..=tests).map(|t| levels.weight(t)).sum();
        prop_assert!(sum <= 1.0 + 1e-12);
        prop_assert!(close(sum + (horizon / (horizon + tests as f64)).sqrt(), 1.0, 1e-12));
        prop_assert!(levels.weight(tests + 1) < levels.weight(tests));
        prop_assert!(levels.level(tests, 3) > levels.level(tests, 2));
    }
}

// Futility and the half-normal e-value

#[test]
fn the_half_normal_e_value_at_its_edges() {
    assert_eq!(half_normal_log_e(1.0, 1.0, 0.0), 0.0);
    for (w, tau2) in [(0.0, 1.0), (-1.0, 1.0), (f64::NAN, 1.0), (1.0, -1.0), (1.0, f64::NAN)] {
        assert!(half_normal_log_e(1.0, w, tau2).is_nan());
    }
    // Far below zero the e-value is about w^½ / (|d| · sqrt(π/2) · ...): small, but it does not underflow or cancel.
    let far = half_normal_log_e(-1e9, 1.0, 1.0);
    let z = 1e9 * 0.5f64.sqrt();
    let expected = 2f64.ln() - (z * (2.0 * std::f64::consts::PI).sqrt()).ln() + 0.5 * 0.5f64.ln();
    assert!(close(far, expected, 1e-12), "{far} instead of {expected}");
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_half_normal_e_value_rises_and_is_a_mixture(
        d in -2.0..8.0f64, by in 0.01..2.0f64, w in 0.5..5.0f64, tau2 in 0.1..5.0f64,
    ) {
        let log_e = half_normal_log_e(d, w, tau2);
        prop_assert!(half_normal_log_e(d + by, w, tau2) > log_e);
        // The definition, by the midpoint rule: likelihood ratios of effects, weighted by a half-normal.
        let step = 12.0 * tau2.sqrt() / 4000.0;
        let e: f64 = (0..4000).map(|i| {
            let effect = (f64::from(i) + 0.5) * step;
            let weight = (2.0 / (std::f64::consts::PI * tau2)).sqrt() * (-0.5 * effect * effect / tau2).exp();
            weight * log_likelihood_ratio(d, 1, effect, w).exp() * step
        }).sum();
        prop_assert!(close(log_e, e.ln(), 1e-4), "{} instead of {}", log_e, e.ln());
    }
}

// Clustered standard errors

#[test]
fn clustered_se_says_what_is_wrong() {
    let wrong = |values: &[f64], weights: Option<&[f64]>, clusters: Option<&[u64]>| {
        clustered_se(values, weights, clusters).expect_err("invalid input").to_string()
    };
    assert_eq!(wrong(&[], None, None), "values is empty");
    assert_eq!(
        wrong(&[1.0, 2.0], Some(&[1.0]), None),
        "values has 2 values but weights has 1: they must match one to one"
    );
    assert_eq!(
        wrong(&[1.0], None, Some(&[1, 2])),
        "values has 1 values but clusters has 2: they must match one to one"
    );
    assert_eq!(wrong(&[1.0, f64::NAN], None, None), "values[1] is not finite: NaN");
    assert_eq!(wrong(&[1.0], Some(&[f64::INFINITY]), None), "weights[0] is not finite: inf");
    assert_eq!(wrong(&[1.0], Some(&[-1.0]), None), "weight = -1, but it must be at least 0");
    assert_eq!(wrong(&[1.0], Some(&[0.0]), None), "sum of weights = 0, but it must be positive");
    assert_eq!(wrong(&[1.0, 1.0], Some(&[f64::MAX; 2]), None), "the sum of the weights is not finite: inf");
    assert_eq!(wrong(&[f64::MAX, -f64::MAX], None, None), "the standard error is not finite: inf");
}

#[test]
fn one_cluster_has_no_standard_error() {
    let one = clustered_se(&[1.0, 2.0, 3.0], None, Some(&[7, 7, 7])).expect("valid input");
    assert_eq!((one.mean, one.se, one.se_corrected(), one.clusters), (2.0, None, None, 1));
    // Nor do several, if only one has weight.
    let one = clustered_se(&[1.0, 2.0, 3.0], Some(&[1.0, 1.0, 0.0]), Some(&[7, 7, 8])).expect("valid input");
    assert_eq!((one.mean, one.se, one.clusters), (1.5, None, 1));
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn clustered_se_is_the_formula_and_has_no_unit(
        rows in prop::collection::vec((-5.0..5.0f64, 0.1..3.0f64, 0..5u64), 2..40), log_scale in -100.0..100.0f64,
    ) {
        let values: Vec<f64> = rows.iter().map(|row| row.0).collect();
        let weights: Vec<f64> = rows.iter().map(|row| row.1).collect();
        let clusters: Vec<u64> = rows.iter().map(|row| row.2).collect();
        let got = clustered_se(&values, Some(&weights), Some(&clusters)).expect("valid input");
        let total: f64 = weights.iter().sum();
        let centre = rows.iter().map(|(v, w, _)| v * w).sum::<f64>() / total;
        let sum_in = |c: u64| rows.iter().filter(|row| row.2 == c).map(|(v, w, _)| w * (v - centre)).sum::<f64>();
        let se = (0..5).map(|c| sum_in(c).powi(2)).sum::<f64>().sqrt() / total;
        prop_assert!(close(got.mean, centre, 1e-12));
        if let Some(got) = got.se {
            prop_assert!(close(got, se, 1e-12));
        }
        let scale = 10f64.powf(log_scale);
        let scaled: Vec<f64> = values.iter().map(|v| v * scale).collect();
        let heavier: Vec<f64> = weights.iter().map(|w| w * 3.7).collect();
        let same = clustered_se(&scaled, Some(&heavier), Some(&clusters)).expect("valid input");
        prop_assert_eq!(same.clusters, got.clusters);
        prop_assert!(close(same.mean / scale, got.mean, 1e-11));
        if let (Some(same), Some(got)) = (same.se_corrected(), got.se_corrected()) {
            prop_assert!(close(same / scale, got, 1e-11));
        }
    }
}
