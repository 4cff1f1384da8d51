//! Permutation and rank tests, correlations and adjusted p-values: what they must do for any input, and at the edges.

use autoresearch_core::stats::{
    StatsError, bca_bootstrap, bca_full_enumeration, benjamini_hochberg, benjamini_yekutieli, bonferroni,
    friedman, holm, kendall_tau, mann_whitney, mean, normal_sf, paired_t, permutation_test, sign_flip,
    spearman, welch, wilcoxon,
};
use proptest::prelude::*;

/// A failure prints its input; nothing is written beside the sources.
fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() }
}

fn close(got: f64, expected: f64, tolerance: f64) -> bool {
    (got - expected).abs() <= tolerance * expected.abs().max(1.0)
}

/// Few different values, so that there are ties.
fn coarse(n: impl Into<prop::collection::SizeRange>) -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec((-4..=4i8).prop_map(|value| f64::from(value) / 4.0), n)
}

fn pairs(most: usize) -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
    (1..=most).prop_flat_map(|n| (coarse(n), coarse(n)))
}

fn p_value(p: f64) -> bool {
    (0.0..=1.0).contains(&p)
}

/// Noise without randomness: the quantiles of a spread-out sequence.
fn noise(n: u32, start: f64) -> Vec<f64> {
    (0..n).map(|i| (start + 0.618_033_988_749_895 * f64::from(i)).fract() - 0.5).collect()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn sign_flip_and_wilcoxon_are_symmetric((a, b) in pairs(10)) {
        let (flip, back) = (sign_flip(&a, &b, 0, 0).expect("valid input"), sign_flip(&b, &a, 0, 0).expect("valid input"));
        prop_assert_eq!((flip.p, flip.p_greater()), (back.p_greater(), back.p));
        prop_assert_eq!(flip.p_two_sided(), back.p_two_sided());
        let (ranks, back) = (wilcoxon(&a, &b).expect("valid input"), wilcoxon(&b, &a).expect("valid input"));
        prop_assert!(close(ranks.p, back.p_greater(), 1e-12) && close(ranks.p_greater(), back.p, 1e-12));
        prop_assert!(close(ranks.w_plus + ranks.w_minus, (ranks.n * (ranks.n + 1)) as f64 / 2.0, 1e-12));
        for p in [flip.p, flip.p_greater(), flip.p_two_sided(), ranks.p, ranks.p_greater(), ranks.normal_p()] {
            prop_assert!(p_value(p));
        }
        // One flip of all is never less extreme: the smallest p-value is 2^-n, and the two tails overlap.
        prop_assert!(flip.p >= 0.5f64.powi(a.len() as i32) && flip.p + flip.p_greater() >= 1.0);
        prop_assert!(ranks.p + ranks.p_greater() >= 1.0);
    }

    #[test]
    fn the_order_of_pairs_does_not_matter((a, b) in pairs(12), turn in 0..12usize) {
        let (mut c, mut d) = (a.clone(), b.clone());
        c.rotate_left(turn % a.len());
        d.rotate_left(turn % a.len());
        prop_assert_eq!(sign_flip(&a, &b, 0, 0).expect("valid input").p, sign_flip(&c, &d, 0, 0).expect("valid input").p);
        prop_assert!(close(wilcoxon(&a, &b).expect("valid input").p, wilcoxon(&c, &d).expect("valid input").p, 1e-12));
        let (tau, turned) = (kendall_tau(&a, &b).expect("valid input"), kendall_tau(&c, &d).expect("valid input"));
        prop_assert!(tau.tau.is_nan() || close(tau.tau, turned.tau, 1e-12));
        prop_assert!(close(tau.p_two_sided(), turned.p_two_sided(), 1e-12));
    }

    #[test]
    fn a_lower_candidate_is_never_less_convincing((a, b) in pairs(10), at in 0..10usize, by in 0.0..2.0f64) {
        let mut lower = a.clone();
        lower[at % a.len()] -= by;
        let (before, after) = (sign_flip(&a, &b, 0, 0).expect("valid input"), sign_flip(&lower, &b, 0, 0).expect("valid input"));
        prop_assert!(after.p <= before.p);
    }

    #[test]
    fn a_lower_sample_is_never_less_convincing(
        a in prop::collection::vec(-1.0..1.0f64, 1..8), b in prop::collection::vec(-1.0..1.0f64, 1..8),
        at in 0..8usize, by in 0.0..2.0f64,
    ) {
        let mut lower = a.clone();
        lower[at % a.len()] -= by;
        prop_assert!(mann_whitney(&lower, &b).p <= mann_whitney(&a, &b).p + 1e-12);
    }

    #[test]
    fn two_samples_are_symmetric(a in coarse(1..7), b in coarse(1..7)) {
        let (test, back) = (permutation_test(&a, &b, 0, 0), permutation_test(&b, &a, 0, 0));
        prop_assert!(close(test.p, back.p_greater(), 1e-12) && close(test.p_greater(), back.p, 1e-12));
        let (ranks, rank_back) = (mann_whitney(&a, &b), mann_whitney(&b, &a));
        prop_assert!(close(ranks.p, rank_back.p_greater(), 1e-12));
        prop_assert!(close(ranks.u + rank_back.u, (a.len() * b.len()) as f64, 1e-12));
        for p in [test.p, test.p_two_sided(), ranks.p, ranks.p_two_sided(), ranks.normal_p()] {
            prop_assert!(p_value(p));
        }
        prop_assert!(test.p + test.p_greater() >= 1.0 && ranks.p + ranks.p_greater() >= 1.0 - 1e-12);
        // The exact distribution by ranks is a permutation test of the ranks.
        let all: Vec<f64> = a.iter().chain(&b).copied().collect();
        let rank = |x: &f64| {
            let (below, upto) = (all.iter().filter(|y| *y < x).count(), all.iter().filter(|y| *y <= x).count());
            (below + upto + 1) as f64 / 2.0
        };
        let (rank_a, rank_b): (Vec<f64>, Vec<f64>) = (a.iter().map(rank).collect(), b.iter().map(rank).collect());
        prop_assert!(close(ranks.p, permutation_test(&rank_a, &rank_b, 0, 0).p, 1e-9));
    }

    #[test]
    fn permutation_tests_ignore_shift_and_scale(a in coarse(2..6), b in coarse(2..6), by in -1e3..1e3f64) {
        let shift = |values: &[f64]| -> Vec<f64> { values.iter().map(|value| 2.0 * value + by).collect() };
        let (test, moved) = (permutation_test(&a, &b, 0, 0), permutation_test(&shift(&a), &shift(&b), 0, 0));
        prop_assert_eq!((test.p, test.p_greater()), (moved.p, moved.p_greater()));
    }

    #[test]
    fn correlations_are_bounded_and_odd((x, y) in pairs(15)) {
        let negative: Vec<f64> = y.iter().map(|y| -y).collect();
        let (tau, opposite) = (kendall_tau(&x, &y).expect("valid input"), kendall_tau(&x, &negative).expect("valid input"));
        let (rho, against) = (spearman(&x, &y).expect("valid input"), spearman(&x, &negative).expect("valid input"));
        prop_assert_eq!(tau.tau.is_nan(), rho.rho.is_nan());
        for p in [tau.p_positive, tau.p_negative, tau.p_two_sided(), rho.p_positive, rho.p_two_sided()] {
            prop_assert!(p_value(p));
        }
        if !tau.tau.is_nan() {
            prop_assert!(tau.tau.abs() <= 1.0 && rho.rho.abs() <= 1.0);
            prop_assert!(close(tau.tau, -opposite.tau, 1e-12) && close(rho.rho, -against.rho, 1e-12));
            prop_assert!(close(tau.p_positive, opposite.p_negative, 1e-12));
            prop_assert!(close(rho.p_positive, against.p_negative, 1e-12));
        }
    }

    #[test]
    fn adjusted_p_values_are_ordered(p in prop::collection::vec(0.0..=1.0f64, 0..30)) {
        let all = [bonferroni(&p), holm(&p), benjamini_hochberg(&p), benjamini_yekutieli(&p)];
        let [bonferroni, holm, bh, by] = all.map(|adjusted| adjusted.expect("valid input"));
        for i in 0..p.len() {
            prop_assert!(p[i] <= bh[i] && bh[i] <= holm[i] + 1e-12 && holm[i] <= bonferroni[i]);
            prop_assert!(bh[i] <= by[i] && by[i] <= 1.0);
            for j in 0..p.len() {
                prop_assert!(p[i] > p[j] || (holm[i] <= holm[j] && bh[i] <= bh[j] && by[i] <= by[j]));
            }
        }
    }

    #[test]
    fn friedman_knows_rows_by_their_order_in_each_block(rows in prop::collection::vec(coarse(5), 2..6)) {
        let test = friedman(&rows).expect("valid input");
        prop_assert!(test.chi2 >= 0.0 && p_value(test.p));
        let mut turned = rows.clone();
        turned.reverse();
        turned.iter_mut().for_each(|row| row.reverse());
        prop_assert!(close(test.chi2, friedman(&turned).expect("valid input").chi2, 1e-9));
        // A block may have its own location and scale.
        let mut warped = rows.clone();
        warped.iter_mut().for_each(|row| row[0] = 5.0 + 3.0 * row[0]);
        prop_assert!(close(test.chi2, friedman(&warped).expect("valid input").chi2, 1e-9));
    }

    #[test]
    fn bootstrap_intervals_move_with_the_values(x in prop::collection::vec(-5.0..5.0f64, 10..25), by in -9.0..9.0f64) {
        let bca = bca_bootstrap(&x, mean, 0.9, 200, 7).expect("valid input");
        prop_assert!(bca.interval.0 <= bca.interval.1 && bca.percentile.0 <= bca.percentile.1);
        prop_assert!(bca.levels.0 < bca.levels.1 && bca.z0.is_finite());
        let moved: Vec<f64> = x.iter().map(|x| x + by).collect();
        let moved = bca_bootstrap(&moved, mean, 0.9, 200, 7).expect("valid input");
        prop_assert!(close(moved.estimate, bca.estimate + by, 1e-9));
        prop_assert!(close(moved.percentile.0, bca.percentile.0 + by, 1e-9));
        let mirrored: Vec<f64> = x.iter().map(|x| -x).collect();
        let mirrored = bca_bootstrap(&mirrored, mean, 0.9, 200, 7).expect("valid input");
        prop_assert!(close(mirrored.interval.0, -bca.interval.1, 1e-9));
    }
}

#[test]
fn no_evidence_is_p_1() {
    for (a, b) in [(vec![], vec![]), (vec![f64::NAN, 1.0], vec![0.0, 1.0]), (vec![f64::INFINITY], vec![0.0])]
    {
        let flip = sign_flip(&a, &b, 100, 0).expect("valid input");
        assert_eq!((flip.p, flip.p_greater(), flip.p_two_sided(), flip.flips), (1.0, 1.0, 1.0, 0));
        let split = permutation_test(&a, &b, 100, 0);
        assert_eq!((split.p, split.p_greater(), split.splits), (1.0, 1.0, 0));
        let ranks = wilcoxon(&a, &b).expect("valid input");
        assert_eq!((ranks.p, ranks.p_greater(), ranks.p_two_sided()), (1.0, 1.0, 1.0));
    }
    assert_eq!(wilcoxon(&[1.0, 2.0], &[1.0, 2.0]).expect("valid input").p, 1.0);
    assert_eq!(mann_whitney(&[], &[1.0]).p, 1.0);
    assert_eq!(mann_whitney(&[1.0, 1.0], &[1.0]).p_two_sided(), 1.0);
    // A single pair: the sign says nothing below one half.
    assert_eq!(sign_flip(&[1.0], &[2.0], 0, 0).expect("valid input").p, 0.5);
    assert_eq!(wilcoxon(&[1.0], &[2.0]).expect("valid input").p, 0.5);
    assert_eq!(permutation_test(&[1.0], &[2.0], 0, 0).p, 0.5);
    assert_eq!(mann_whitney(&[1.0], &[2.0]).p, 0.5);
    let equal = kendall_tau(&[1.0, 1.0, 1.0], &[1.0, 2.0, 3.0]).expect("valid input");
    assert!(equal.tau.is_nan() && equal.p_two_sided() == 1.0);
    assert!(kendall_tau(&[], &[]).expect("valid input").tau.is_nan());
    let two = spearman(&[1.0, 2.0], &[1.0, 2.0]).expect("valid input");
    assert_eq!((two.rho, two.p_two_sided()), (1.0, 1.0));
    assert_eq!(friedman(&[vec![1.0], vec![1.0]]).expect("valid input").p, 1.0);
}

#[test]
fn wrong_input_is_an_error() {
    assert!(matches!(sign_flip(&[1.0], &[], 0, 0), Err(StatsError::LengthMismatch { .. })));
    assert!(matches!(wilcoxon(&[1.0], &[]), Err(StatsError::LengthMismatch { .. })));
    assert!(matches!(kendall_tau(&[1.0], &[]), Err(StatsError::LengthMismatch { .. })));
    assert!(matches!(spearman(&[f64::NAN], &[1.0]), Err(StatsError::NonFinite { .. })));
    assert!(matches!(friedman(&[vec![1.0]]), Err(StatsError::Empty { .. })));
    assert!(matches!(friedman(&[vec![], vec![]]), Err(StatsError::Empty { .. })));
    assert!(matches!(friedman(&[vec![1.0], vec![]]), Err(StatsError::LengthMismatch { .. })));
    for adjust in [bonferroni, holm, benjamini_hochberg, benjamini_yekutieli] {
        assert!(matches!(adjust(&[0.5, f64::NAN]), Err(StatsError::Parameter { .. })));
        assert_eq!(adjust(&[]), Ok(vec![]));
    }
    let few = bca_bootstrap(&[1.0; 9], mean, 0.95, 100, 0).expect_err("too few");
    assert_eq!(few.to_string(), "number of values = 9, but it must be at least 10");
    assert!(bca_bootstrap(&[1.0; 10], mean, 1.0, 100, 0).is_err());
    assert!(bca_bootstrap(&[1.0; 10], mean, 0.9, 0, 0).is_err());
    assert!(matches!(bca_bootstrap(&[1.0; 10], |_| f64::NAN, 0.9, 10, 0), Err(StatsError::NonFinite { .. })));
    assert!(bca_full_enumeration(&[1.0; 8], mean, 0.9).is_err());
}

#[test]
fn equal_values_have_a_point_for_an_interval() {
    let bca = bca_bootstrap(&[0.3; 12], mean, 0.95, 50, 0).expect("valid input");
    assert!(close(bca.interval.0, 0.3, 1e-12) && close(bca.interval.1, 0.3, 1e-12));
    assert_eq!((bca.z0, bca.acceleration), (0.0, 0.0));
}

#[test]
fn exact_agrees_with_the_approximations() {
    let (a, b) = (noise(16, 0.3), noise(16, 0.9));
    let shifted: Vec<f64> = a.iter().map(|a| a - 0.12).collect();
    let exact = sign_flip(&shifted, &b, 0, 0).expect("valid input");
    assert!(exact.exact && exact.flips == 65536);
    let t = paired_t(&shifted, &b).expect("valid input");
    assert!(close(exact.p, t.p, 0.02), "{} {}", exact.p, t.p);
    // 17 pairs are drawn, and a pair that is equal hardly changes anything.
    let (mut c, mut d) = (shifted.clone(), b.clone());
    c.push(0.0);
    d.push(0.0);
    let drawn = sign_flip(&c, &d, 20_000, 3).expect("valid input");
    assert!(!drawn.exact && drawn.flips == 20_000);
    let error = (exact.p * (1.0 - exact.p) / 20_000.0).sqrt();
    assert!((drawn.p - exact.p).abs() < 4.0 * error + 1e-4, "{} {}", drawn.p, exact.p);
    assert_eq!(drawn, sign_flip(&c, &d, 20_000, 3).expect("valid input")); // the seed decides
    assert_eq!(sign_flip(&c, &d, 0, 3).expect("valid input").p, 1.0); // no draws, no evidence

    let ranks = wilcoxon(&shifted, &b).expect("valid input");
    assert!(
        close(ranks.p, ranks.normal_p(), 0.01) && close(ranks.p_greater(), ranks.normal_p_greater(), 0.01)
    );

    let (few, drawn) =
        (permutation_test(&shifted[..9], &b[..9], 0, 0), permutation_test(&shifted, &b, 20_000, 3));
    assert!(few.exact && few.splits == 48_620);
    assert!(close(few.p, welch(&shifted[..9], &b[..9]).p, 0.02));
    assert!(!drawn.exact && close(drawn.p, welch(&shifted, &b).p, 0.02));
    let ranks = mann_whitney(&shifted, &b);
    assert!(ranks.exact && close(ranks.p, ranks.normal_p(), 0.005));

    let tau = kendall_tau(&noise(33, 0.1), &noise(33, 0.7)).expect("valid input");
    let z = 3.0 * tau.tau * (33.0f64 * 32.0 / (2.0 * 71.0)).sqrt();
    assert!(tau.exact && close(tau.p_positive, normal_sf(z), 0.01));
}

/// Made with scipy 1.17.1, values with ties: `kendalltau`, `wilcoxon(method="approx", correction=True)` and
/// `mannwhitneyu(method="asymptotic")`, both for "less".
#[test]
fn ties_as_in_the_reference() {
    let x = [1.0, 2.0, 2.0, 3.0, 3.0, 3.0, 5.0, 6.0];
    let y = [2.0, 1.0, 2.0, 4.0, 3.0, 4.0, 4.0, 7.0];
    let tau = kendall_tau(&x, &y).expect("valid input");
    assert!(
        close(tau.tau, 0.7916666666666667, 1e-12) && close(tau.p_two_sided(), 0.011541534700533576, 1e-10)
    );
    assert!(close(wilcoxon(&x, &y).expect("valid input").normal_p(), 0.24200917735239097, 1e-10));
    assert!(close(mann_whitney(&x, &y).normal_p(), 0.39453589422898294, 1e-10));
}
