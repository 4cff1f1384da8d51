//! Tests keep their level in simulation.
//!
//! The verdicts are computed binomial bounds: a run fails if so many false rejections would have a probability below
//! 1/1000 at the stated rate. The seeds are fixed, so that a run is either always right or always wrong.

use autoresearch_core::stats::online::{
    Addis, AlphaInvesting, AlphaSpending, Lond, Lord, LordDependent, LordDiscard, OnlineFallback, OnlineRule,
    Saffron,
};
use autoresearch_core::stats::sequences::{NormalMixture, betting_martingale};
use autoresearch_core::stats::{
    Sides, mann_whitney, msprt_log_e, non_inferior_paired, permutation_test, sign_flip, tost_paired,
    tost_welch, wilcoxon,
};
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;

const ALPHA: f64 = 0.05;

fn gaussian(rng: &mut ChaCha8Rng) -> f64 {
    // Box & Muller; 1 - u is never 0.
    let (u, v): (f64, f64) = (rng.random(), rng.random());
    (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

fn sample(rng: &mut ChaCha8Rng, n: usize) -> Vec<f64> {
    (0..n).map(|_| gaussian(rng)).collect()
}

/// P(X <= count) for X binomial with `n` trials and success probability `p`.
fn binomial_cdf(count: u32, n: u32, p: f64) -> f64 {
    let mut ln_term = f64::from(n) * (-p).ln_1p();
    let mut sum = ln_term.exp();
    for k in 1..=count {
        ln_term += (f64::from(n - k + 1) / f64::from(k)).ln() + p.ln() - (-p).ln_1p();
        sum += ln_term.exp();
    }
    sum
}

/// How many of `trials` experiments reject.
fn rejections(seed: u64, trials: u32, mut rejects: impl FnMut(&mut ChaCha8Rng) -> bool) -> u32 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..trials).map(|_| u32::from(rejects(&mut rng))).sum()
}

/// No more rejections than `rate` explains.
fn at_most(what: &str, count: u32, trials: u32, rate: f64) {
    let chance = if count == 0 { 1.0 } else { 1.0 - binomial_cdf(count - 1, trials, rate) };
    assert!(chance >= 1e-3, "{what}: {count} of {trials} reject, which is more than {rate}");
}

/// No fewer either: a test that never rejects would be valid too.
fn about(what: &str, count: u32, trials: u32, rate: f64) {
    at_most(what, count, trials, rate);
    let chance = binomial_cdf(count, trials, rate);
    assert!(chance >= 1e-3, "{what}: {count} of {trials} reject, which is less than {rate}");
}

#[test]
fn sign_flip_keeps_its_level() {
    // Of 2^8 flips 12 are at most 5 %.
    let count = rejections(1, 4000, |rng| {
        sign_flip(&sample(rng, 8), &sample(rng, 8), 0, 0).expect("equal lengths").p <= ALPHA
    });
    about("8 pairs", count, 4000, 12.0 / 256.0);
    // Noise that differs from pair to pair, with tails as heavy as they get.
    let count = rejections(2, 4000, |rng| {
        let heavy: Vec<f64> = (0..8).map(|i| f64::from(i + 1) * gaussian(rng) / gaussian(rng)).collect();
        sign_flip(&heavy, &[0.0; 8], 0, 0).expect("equal lengths").p_two_sided() <= ALPHA
    });
    about("8 pairs of Cauchy noise, two-sided", count, 4000, 12.0 / 256.0);
    // 99 random flips: p is one of 1/100, 2/100, ..., all equally likely.
    let count = rejections(3, 2000, |rng| {
        let seed = rng.random();
        sign_flip(&sample(rng, 20), &sample(rng, 20), 99, seed).expect("equal lengths").p <= ALPHA
    });
    about("20 pairs, random flips", count, 2000, ALPHA);
}

#[test]
fn equivalence_keeps_its_level() {
    // At the edge of the margin, the other one far away: the level is met exactly.
    let at_margin =
        |rng: &mut ChaCha8Rng| (sample(rng, 8).iter().map(|a| a + 1.0).collect::<Vec<_>>(), sample(rng, 8));
    let count = rejections(4, 4000, |rng| {
        let (a, b) = at_margin(rng);
        tost_paired(&a, &b, -50.0, 1.0).expect("valid margins").p <= ALPHA
    });
    about("paired, at the margin", count, 4000, ALPHA);
    let count = rejections(5, 4000, |rng| {
        let (a, b) = at_margin(rng);
        non_inferior_paired(&a, &b, 1.0).expect("a margin") <= ALPHA
    });
    about("non-inferiority, at the margin", count, 4000, ALPHA);
    // Welch's test is exact only nearly, and with margins on both sides the level is not used up.
    let count = rejections(6, 4000, |rng| {
        let (a, b) = at_margin(rng);
        tost_welch(&a, &b, -1.0, 1.0).expect("valid margins").p <= ALPHA
    });
    at_most("independent, at the margin", count, 4000, ALPHA);
    let found = rejections(7, 500, |rng| {
        tost_paired(&sample(rng, 40), &sample(rng, 40), -1.0, 1.0).expect("valid margins").p <= ALPHA
    });
    assert!(found > 400, "equivalence is found in {found} of 500");
}

#[test]
fn rank_and_permutation_tests_keep_their_level() {
    let count = rejections(8, 4000, |rng| {
        wilcoxon(&sample(rng, 9), &sample(rng, 9)).expect("equal lengths").p <= ALPHA
    });
    at_most("signed ranks", count, 4000, ALPHA);
    let count = rejections(9, 2000, |rng| mann_whitney(&sample(rng, 6), &sample(rng, 5)).p <= ALPHA);
    at_most("ranks of two samples", count, 2000, ALPHA);
    let count =
        rejections(10, 1000, |rng| permutation_test(&sample(rng, 4), &sample(rng, 6), 0, 0).p <= ALPHA);
    about("10 values", count, 1000, 10.0 / 210.0); // of 210 splits 10 are at most 5 %
    let count = rejections(11, 1000, |rng| {
        let seed = rng.random();
        permutation_test(&sample(rng, 12), &sample(rng, 12), 99, seed).p <= ALPHA
    });
    about("24 values, random splits", count, 1000, ALPHA);
}

#[test]
fn sequences_keep_their_level_at_all_times() {
    let mixture = NormalMixture::new(20.0, ALPHA, Sides::One).expect("valid parameters");
    let bounds: Vec<f64> = (1..=100).map(|n| mixture.bound(f64::from(n), ALPHA).expect("a level")).collect();
    let count = rejections(12, 1000, |rng| {
        let mut sum = 0.0;
        sample(rng, 100).iter().zip(&bounds).any(|(x, bound)| {
            sum += x;
            sum >= *bound
        })
    });
    at_most("normal mixture", count, 1000, ALPHA);
    let count = rejections(13, 1000, |rng| {
        let mut sum = 0.0;
        (1..).zip(sample(rng, 100)).any(|(n, x)| {
            sum += x;
            msprt_log_e(sum, n, 1.0, 0.5, 0.0).expect("valid parameters") >= -ALPHA.ln()
        })
    });
    at_most("mixture likelihood ratio", count, 1000, ALPHA);
    let count = rejections(14, 1000, |rng| {
        let x: Vec<f64> = (0..100).map(|_| rng.random()).collect();
        let log_e = betting_martingale(&x, 0.5, ALPHA, 0.5).expect("values in [0, 1]");
        log_e.iter().any(|log_e| *log_e >= -ALPHA.ln())
    });
    at_most("betting", count, 1000, ALPHA);
}

/// Where every hypothesis is true, the false discovery rate is the probability of any rejection.
#[test]
fn online_rules_keep_their_level() {
    type Make = fn() -> Box<dyn OnlineRule>;
    let rules: [(&str, Make); 11] = [
        ("spending", || Box::new(AlphaSpending::new(ALPHA).expect("a level"))),
        ("fallback", || Box::new(OnlineFallback::new(ALPHA).expect("a level"))),
        ("lond", || Box::new(Lond::new(ALPHA).expect("a level"))),
        ("lond, at least one", || Box::new(Lond::new(ALPHA).expect("a level").at_least_one())),
        ("lond, dependent", || Box::new(Lond::new(ALPHA).expect("a level").dependent())),
        ("lord", || Box::new(Lord::new(ALPHA).expect("a level"))),
        ("lord, discarding", || Box::new(LordDiscard::new(ALPHA).expect("a level"))),
        ("lord, dependent", || Box::new(LordDependent::new(ALPHA).expect("a level"))),
        ("investing", || Box::new(AlphaInvesting::new(ALPHA).expect("a level"))),
        ("saffron", || Box::new(Saffron::new(ALPHA).expect("a level"))),
        ("addis", || Box::new(Addis::new(ALPHA).expect("a level"))),
    ];
    for (seed, (name, make)) in (20..).zip(rules) {
        let count = rejections(seed, 1000, |rng| {
            let mut rule = make();
            (0..100).any(|_| rule.push(rng.random()))
        });
        at_most(name, count, 1000, ALPHA);
    }
}
