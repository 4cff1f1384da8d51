//! Laws of two-level designs, of least squares on them, and of their e-values.

use autoresearch_core::stats::{
    AdditiveRidge, Design, GroupFit, PHI, Residual, RoundNoise, Setting, StatsError, UnitEvidence,
    coefficient_log_e, coefficient_log_e_two_sided, fold_over, half_normal_log_e, holdout_half_normal_log_e,
    holdout_p_value, normal_ln_cdf, normal_ln_quantile, ridge, two_level_design,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const ORDERS: [usize; 16] = [2, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 56, 64, 128];

fn signs(on: &[Vec<bool>], j: usize) -> Vec<i32> {
    on.iter().map(|run| if run[j] { 1 } else { -1 }).collect()
}

#[test]
fn designs_are_balanced_and_orthogonal() {
    for runs in ORDERS {
        for seed in 0..3 {
            let on = two_level_design(runs - 1, runs, seed).expect("a design");
            assert!(on.len() == runs && on.iter().all(|run| run.len() == runs - 1));
            let columns: Vec<_> = (0..runs - 1).map(|j| signs(&on, j)).collect();
            for (j, a) in columns.iter().enumerate() {
                assert_eq!(a.iter().sum::<i32>(), 0, "{runs} runs, factor {j}");
                for b in &columns[..j] {
                    assert_eq!(
                        a.iter().zip(b).map(|(a, b)| a * b).sum::<i32>(),
                        0,
                        "{runs} runs, factor {j}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_fold_over_clears_main_effects_of_two_factor_interactions() {
    for runs in [8, 12, 16, 20, 28] {
        let mut on = two_level_design(runs - 1, runs, 5).expect("a design");
        on.extend(fold_over(&on));
        let columns: Vec<_> = (0..runs - 1).map(|j| signs(&on, j)).collect();
        for a in 0..columns.len() {
            for b in 0..a {
                for c in 0..columns.len() {
                    let alias: i32 =
                        (0..on.len()).map(|i| columns[a][i] * columns[b][i] * columns[c][i]).sum();
                    assert_eq!(alias, 0, "{runs} runs: {a}·{b} on {c}");
                }
            }
        }
    }
}

#[test]
fn the_seed_decides_and_nothing_else() {
    for runs in ORDERS.into_iter().filter(|&runs| runs >= 8) {
        let design = |seed| two_level_design(runs - 2, runs, seed).expect("a design");
        assert_eq!(design(3), design(3));
        assert_ne!(design(3), design(4));
    }
}

#[test]
fn what_does_not_exist_is_an_error() {
    for (factors, runs) in [(8, 8), (1, 0), (1, 1), (2, 6), (5, 52), (1, 1 << 13), (usize::MAX, 4)] {
        assert!(two_level_design(factors, runs, 0).is_err(), "{factors} factors in {runs} runs");
    }
    assert!(two_level_design(0, 4, 0).is_ok_and(|on| on == vec![Vec::<bool>::new(); 4]));
}

fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let (radius, angle): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
    (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

fn near(got: f64, expected: f64) -> bool {
    (got - expected).abs() <= 1e-9 * expected.abs().max(1.0)
}

/// Solves `A x = b` by elimination with full row search: slow, simple, and unlike what is tested.
fn eliminate(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for k in 0..n {
        let pivot = (k..n).max_by(|&i, &j| a[i][k].abs().total_cmp(&a[j][k].abs())).expect("a row");
        a.swap(k, pivot);
        b.swap(k, pivot);
        for i in (0..n).filter(|&i| i != k) {
            let factor = a[i][k] / a[k][k];
            let row = a[k].clone();
            a[i].iter_mut().zip(row).for_each(|(x, p)| *x -= factor * p);
            b[i] -= factor * b[k];
        }
    }
    (0..n).map(|i| b[i] / a[i][i]).collect()
}

#[test]
fn unbalanced_designs_agree_with_the_normal_equations() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for (factors, runs, blocks) in [(3, 14, 2), (6, 24, 3), (10, 40, 1)] {
        let on: Vec<Vec<bool>> = (0..runs).map(|_| (0..factors).map(|_| rng.random()).collect()).collect();
        let block: Vec<u32> = (0..runs).map(|i| 7 * (i as u32 % blocks)).collect();
        let y: Vec<f64> = (0..runs).map(|_| 1e3 + normal(&mut rng)).collect();
        let row = |i: usize| -> Vec<f64> {
            let dummies = (0..blocks).map(|b| f64::from(block[i] == 7 * b));
            on[i].iter().map(|&x| f64::from(x)).chain(dummies).collect()
        };
        let size = factors + blocks as usize;
        let product = |f: &dyn Fn(usize, &[f64]) -> f64| (0..runs).map(|i| f(i, &row(i))).sum::<f64>();
        let cross: Vec<Vec<f64>> =
            (0..size).map(|a| (0..size).map(|b| product(&|_, x| x[a] * x[b])).collect()).collect();
        let theta = eliminate(cross.clone(), (0..size).map(|a| product(&|i, x| x[a] * y[i])).collect());
        let residual = |i: usize| y[i] - row(i).iter().zip(&theta).map(|(x, t)| x * t).sum::<f64>();
        let design = Design::new(&on, &block).expect("a design");
        let fit = design.fit(&y).expect("a fit");
        assert!(near(fit.rss, (0..runs).map(|i| residual(i).powi(2)).sum()), "{}", fit.rss);
        assert_eq!(fit.df, (runs - size) as f64);
        for (j, expected) in theta.iter().enumerate().take(factors) {
            let unit = (0..size).map(|a| f64::from(a == j)).collect();
            assert!(near(fit.coefficients[j], *expected));
            assert!(near(design.information(j).expect("estimable"), 1.0 / eliminate(cross.clone(), unit)[j]));
        }
    }
}

#[test]
fn what_cannot_be_told_apart_is_not_estimated_and_harms_nothing_else() {
    let mut on = two_level_design(4, 8, 2).expect("a design");
    // Factor 4 is always on, 5 equals 0, 6 is on in the second block only; 1 to 3 stay clean.
    on.iter_mut().enumerate().for_each(|(i, run)| run.extend([true, run[0], i >= 8]));
    let clean =
        Design::new(&on.iter().map(|run| run[..4].to_vec()).collect::<Vec<_>>(), &[0; 8]).expect("a design");
    let y = [2.0, 3.5, -1.0, 0.5, 4.0, 1.0, 0.0, 2.5];
    let design = Design::new(&on, &[0; 8]).expect("a design");
    let (fit, clean_fit) = (design.fit(&y).expect("a fit"), clean.fit(&y).expect("a fit"));
    for j in [0, 4, 5, 6, 7] {
        assert!(design.information(j).is_none() && fit.coefficients.get(j).is_none_or(|beta| beta.is_nan()));
    }
    for j in 1..4 {
        assert!(near(fit.coefficients[j], clean_fit.coefficients[j]));
        assert!(near(design.information(j).expect("estimable"), 2.0));
    }
    assert!(near(fit.rss, clean_fit.rss) && fit.df == 3.0);
    // A saturated block estimates without a word on noise; a lone run says nothing.
    let full = two_level_design(7, 8, 2).expect("a design");
    let fit = Design::new(&full, &[0; 8]).and_then(|design| design.fit(&y)).expect("a fit");
    assert!(fit.df == 0.0 && fit.rss == 0.0 && fit.coefficients.iter().all(|beta| beta.is_finite()));
    let lone = Design::new(&[vec![true, false]], &[3]).expect("a design");
    assert!(lone.information(0).is_none() && lone.fit(&[1.0]).expect("a fit").df == 0.0);
}

#[test]
fn wrong_input_is_an_error_and_not_a_number() {
    assert!(matches!(Design::new(&[], &[]), Err(StatsError::Empty { .. })));
    let on = [vec![true, false], vec![false, true], vec![true, true]];
    assert!(Design::new(&on, &[0, 0]).is_err());
    assert!(Design::new(&[vec![true], vec![true, false]], &[0, 0]).is_err());
    let design = Design::new(&on, &[0; 3]).expect("a design");
    assert!(design.fit(&[1.0, 2.0]).is_err() && design.fit(&[1.0, f64::NAN, 2.0]).is_err());
    assert!(design.fit(&[f64::MAX, -f64::MAX, 0.0]).is_err());
    assert!(GroupFit::new(&[1], &design, &[0.0; 3]).is_err());
    assert!(ridge(&on, &[0.0; 3], 0.0).is_err() && ridge(&on, &[0.0; 2], 1.0).is_err());
    for (s, ss, df) in [(0.0, 1.0, 1.0), (1.0, -1.0, 1.0), (1.0, 1.0, 0.0), (f64::NAN, 1.0, 1.0)] {
        assert!(coefficient_log_e(1.0, s, ss, df, PHI).is_nan());
    }
    assert!(
        holdout_half_normal_log_e(1.0, 0.0, 5.0, 1.0).is_nan() && holdout_p_value(1.0, -1.0, 5.0).is_nan()
    );
    assert!(holdout_half_normal_log_e(1.0, 1.0, 0.0, 1.0).is_nan());
}

#[test]
fn logarithms_do_not_saturate() {
    for z in [-1e5, -500.0, -40.0, -31.7, -31.5, -9.0, -1.0, 0.0] {
        let back = normal_ln_quantile(normal_ln_cdf(z));
        assert!((back - z).abs() <= 1e-12 * z.abs().max(1.0), "{back} instead of {z}");
    }
    assert!(normal_ln_quantile(f64::NEG_INFINITY) == f64::NEG_INFINITY && normal_ln_quantile(0.1).is_nan());
    // With many degrees of freedom the detour by t changes nothing.
    for h in [-4.9, -3.0, 0.0, 2.0, 30.0] {
        let (w, s2) = (0.7, 1.3);
        assert!(near(holdout_half_normal_log_e(h, w, 1e12, s2), half_normal_log_e(h, w, 2.0 * s2)), "{h}");
        assert_eq!(holdout_half_normal_log_e(h, w, f64::INFINITY, s2), half_normal_log_e(h, w, 2.0 * s2));
    }
    assert!(holdout_half_normal_log_e(-6.0, 0.7, 9e9, 1.3) == f64::NEG_INFINITY);
    let mut last = f64::NEG_INFINITY;
    for exponent in -300..=300 {
        let beta = 10.0_f64.powi(exponent);
        let log_e = coefficient_log_e(beta, 8.0, 20.0, 15.0, PHI);
        assert!(
            log_e.is_finite() && log_e >= last && coefficient_log_e(-beta, 8.0, 20.0, 15.0, PHI).is_finite()
        );
        last = log_e;
    }
    // The limit: all of the e-value that 16 powers of (φ+s)/φ allow.
    let limit = coefficient_log_e(1.0, 8.0, 0.0, 15.0, PHI);
    assert!(
        (limit - last).abs() < 1e-6
            && near(coefficient_log_e_two_sided(0.0, 8.0, 0.0, 15.0, PHI), -0.5 * 17_f64.ln())
    );
}

#[test]
fn e_values_of_nothing_average_at_most_one() {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let on = two_level_design(7, 16, 3).expect("a design");
    let design = Design::new(&on, &[0; 16]).expect("a design");
    let (mut sum, mut beyond, mut count) = (0.0, 0.0, 0.0);
    for _ in 0..4000 {
        let calibration: f64 = (0..7).map(|_| normal(&mut rng).powi(2)).sum();
        let y: Vec<f64> = (0..16).map(|_| normal(&mut rng)).collect();
        let fit = design.fit(&y).expect("a fit");
        for &beta in &fit.coefficients {
            let log_e = coefficient_log_e(beta, 4.0, fit.rss + calibration, fit.df + 7.0, PHI);
            sum += log_e.exp().min(1e3);
            beyond += f64::from(log_e >= 20_f64.ln());
            count += 1.0;
        }
    }
    assert!((0.8..1.1).contains(&(sum / count)), "{}", sum / count);
    assert!(beyond / count < 0.05, "{}", beyond / count);
}

#[test]
fn rounds_without_freedom_or_noise_have_an_answer() {
    let calibration = Residual::new(7.0, 7.0);
    let empty = RoundNoise::new(Residual::default(), calibration, None);
    assert_eq!((empty.ratio, empty.pooled), (1.0, calibration));
    let silent = RoundNoise::new(Residual::new(0.0, 8.0), Residual::new(0.0, 7.0), None);
    assert_eq!((silent.ratio, silent.variance()), (1.0, 0.0));
    let mut unit = UnitEvidence::default();
    assert_eq!((unit.log_e(0.1, &empty), unit.holdout()), (0.0, None));
    unit.add_validation(f64::NAN, 0.0, &empty); // not estimable
    unit.add_holdout(f64::NAN, 0.0, &empty);
    assert_eq!(unit, UnitEvidence::default());
    unit.add_validation(1.0, 8.0, &silent);
    unit.add_holdout(1.0, 8.0, &silent);
    assert!(unit.log_e_validation() > 10.0 && unit.log_e_holdout(0.0, &silent) > 10.0);
    assert!(unit.log_e_holdout(0.1, &silent).is_finite());
    let unknown = RoundNoise::new(Residual::default(), Residual::default(), None);
    let mut lost = unit;
    lost.add_holdout(1.0, 8.0, &unknown);
    assert!(lost.log_e(0.1, &unknown).is_nan());
    lost = unit;
    lost.add_validation(f64::NAN, 8.0, &silent);
    assert!(lost.log_e(0.1, &silent).is_nan());
}

/// By hand: two values of an unordered key, weights N(0, 1), runs with variance .25 and no other noise.
#[test]
fn the_additive_model_ranks_what_was_seen() {
    let choice = |name: &str| Setting::Choice(name.into());
    let mut model = AdditiveRidge::new();
    let a = model.value("norm", &choice("b"), &choice("a"));
    assert_eq!(model.value("norm", &choice("b"), &choice("a")), a);
    for (values, score) in [(vec![a], 2.0), (vec![], 1.0), (vec![a], 2.2), (vec![], 0.8)] {
        model.add(&values, 1e6 + score);
    }
    let posterior = model.posterior(1.0, 0.5);
    // Worth of a against b: prior variance 2, data 1.2 with variance .25·(1/2 + 1/2): 1.2·2/2.25, and 2·.25/2.25.
    let (mean, sd) = posterior.difference(Some(a), None);
    assert!((mean - 1.2 * 2.0 / 2.25).abs() < 1e-3 && (sd * sd - 0.5 / 2.25).abs() < 1e-3, "{mean} {sd}");
    let (back, same) = (posterior.difference(None, Some(a)), posterior.difference(Some(a), Some(a)));
    assert_eq!((back.0, same), (-mean, (0.0, 0.0)));
    // Never run: the prior.
    let c = model.value("norm", &choice("b"), &choice("c"));
    let (mean, sd) = model.posterior(1.0, 0.5).difference(Some(c), None);
    assert!(mean > 0.0 && sd > 1.0, "{mean} {sd}"); // the base was found to be poor
}

/// A numeric key with a known optimum: near places lend each other strength.
#[test]
fn the_additive_model_finds_the_top_of_a_bowl() {
    let mut model = AdditiveRidge::new();
    let places: Vec<usize> = (0..13)
        .map(|i| model.value("lr", &Setting::Place(0.0), &Setting::Place(f64::from(i) / 12.0)))
        .collect();
    for round in 0..6_u64 {
        for (i, &place) in places.iter().enumerate() {
            let noise = ((round * 13 + i as u64) * 7919 % 101) as f64 / 101.0 - 0.5;
            model.add(&[place], noise - (i as f64 - 8.0).powi(2) / 10.0);
        }
    }
    let posterior = model.posterior(2.0, 0.5);
    let worth = |i: usize| posterior.difference(Some(places[i]), Some(places[0])).0;
    let best = (0..13).max_by(|&a, &b| worth(a).total_cmp(&worth(b)));
    assert!((7..=9).contains(&best.expect("places")), "{best:?}");
    assert!((worth(8) - 6.4).abs() < 0.5, "{}", worth(8));
}
