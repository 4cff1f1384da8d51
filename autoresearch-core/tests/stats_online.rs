//! Online rules and the Ladder: what they must do for any stream.

use autoresearch_core::stats::online::{
    Addis, AlphaInvesting, AlphaSpending, ELord, Lond, Lord, LordDependent, LordDiscard, OnlineFallback,
    OnlineRule, Saffron,
};
use autoresearch_core::stats::{Ladder, StatsError};
use proptest::prelude::*;

/// A failure prints its input; nothing is written beside the sources.
fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() }
}

fn close(got: f64, expected: f64) -> bool {
    (got - expected).abs() <= 1e-12 * expected.abs().max(1.0)
}

type Named = (&'static str, Box<dyn OnlineRule>);

/// Every rule at level `alpha`, with its name.
fn rules(alpha: f64) -> Result<Vec<Named>, StatsError> {
    Ok(vec![
        ("spending", Box::new(AlphaSpending::new(alpha)?)),
        ("fallback", Box::new(OnlineFallback::new(alpha)?)),
        ("lond", Box::new(Lond::new(alpha)?)),
        ("lond, at least one", Box::new(Lond::new(alpha)?.at_least_one())),
        ("lond, dependent", Box::new(Lond::new(alpha)?.dependent())),
        ("lord", Box::new(Lord::new(alpha)?)),
        ("lord, discarding", Box::new(LordDiscard::new(alpha)?)),
        ("lord, dependent", Box::new(LordDependent::new(alpha)?)),
        ("investing", Box::new(AlphaInvesting::new(alpha)?)),
        ("saffron", Box::new(Saffron::new(alpha)?)),
        ("addis", Box::new(Addis::new(alpha)?)),
    ])
}

/// Streams with small, middling and large p-values.
fn stream() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(prop_oneof![0.0..1e-4f64, 0.0..=1.0f64, Just(0.0), Just(1.0)], 0..80)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn levels_are_levels(p in stream(), alpha in 0.01..0.3f64) {
        for (name, mut rule) in rules(alpha).expect("valid input") {
            for (i, &p) in p.iter().enumerate() {
                let level = rule.level();
                prop_assert!(level > 0.0 && level < 1.0, "{} at {}: {}", name, i, level);
                prop_assert_eq!(rule.push(p), p <= level, "{}", name);
            }
        }
    }

    #[test]
    fn smaller_p_values_never_lower_a_later_level(p in stream(), at in 0..80usize, alpha in 0.01..0.3f64) {
        prop_assume!(!p.is_empty());
        let at = at % p.len();
        let mut smaller = p.clone();
        smaller[at] = 0.0;
        for ((name, mut rule), (_, mut other)) in rules(alpha).expect("valid input").into_iter().zip(rules(alpha).expect("valid input")) {
            // A p-value that was discarded costs nothing, one that becomes a rejection may take a step: these are
            // not monotone.
            if name == "addis" || name == "lord, discarding" || name == "lord, dependent" {
                continue;
            }
            let (before, after) = (rule.run(&p), other.run(&smaller));
            for (before, after) in before.iter().zip(&after) {
                prop_assert!(after.0 >= before.0 - 1e-15 && (after.1 || !before.1), "{}", name);
            }
        }
    }

    #[test]
    fn nan_is_no_evidence(p in stream(), at in 0..80usize) {
        prop_assume!(!p.is_empty());
        let (mut one, mut nan) = (p.clone(), p.clone());
        one[at % p.len()] = 1.0;
        nan[at % p.len()] = f64::NAN;
        for ((name, mut rule), (_, mut other)) in rules(0.1).expect("valid input").into_iter().zip(rules(0.1).expect("valid input")) {
            prop_assert_eq!(rule.run(&one), other.run(&nan), "{}", name);
        }
    }

    #[test]
    fn family_wise_rules_spend_alpha(p in stream(), alpha in 0.01..0.3f64) {
        let spent: f64 = AlphaSpending::new(alpha).expect("valid input").run(&p).iter().map(|(level, _)| level).sum();
        prop_assert!(spent < alpha);
        // The fallback passes levels on, and never beyond alpha in total.
        let fallback = OnlineFallback::new(alpha).expect("valid input").run(&p);
        prop_assert!(fallback.iter().all(|(level, _)| *level < alpha));
        let kept: f64 = fallback.iter().filter(|(_, rejected)| !rejected).map(|(level, _)| level).sum();
        prop_assert!(kept < alpha);
    }

    #[test]
    fn wealth_covers_what_is_spent(p in stream(), alpha in 0.01..0.3f64) {
        // The estimate of the false discovery proportion that LORD++ keeps at alpha: levels over rejections.
        let (mut spent, mut rejections) = (0.0, 0.0);
        for (level, rejected) in Lord::new(alpha).expect("valid input").run(&p) {
            spent += level;
            rejections += f64::from(u8::from(rejected));
            prop_assert!(spent <= alpha * f64::max(rejections, 1.0) + 1e-12);
        }
        // SAFFRON: only p-values above lambda count.
        let (mut spent, mut rejections) = (0.0, 0.0);
        for ((level, rejected), p) in Saffron::new(alpha).expect("valid input").run(&p).into_iter().zip(&p) {
            rejections += f64::from(u8::from(rejected));
            spent += if *p > 0.5 { level / 0.5 } else { 0.0 };
            prop_assert!(spent <= alpha * f64::max(rejections, 1.0) + 1e-12);
        }
        // e-LORD: levels over the rejections before them plus one.
        let mut rule = ELord::new(alpha, 0.1).expect("valid input");
        let (mut spent, mut rejections) = (0.0, 0.0);
        for p in &p {
            let level = rule.level();
            spent += level / (rejections + 1.0);
            prop_assert!(level > 0.0 && spent <= alpha + 1e-12);
            rejections += f64::from(u8::from(rule.push(-p.ln())));
        }
    }

    #[test]
    fn the_ladder_only_climbs(losses in prop::collection::vec(prop::collection::vec(0.0..1.0f64, 6), 1..15), step in 0.001..0.3f64) {
        for mut ladder in [Ladder::parameter_free(), Ladder::fixed_step(step).expect("valid input")] {
            let mut last = f64::INFINITY;
            for losses in &losses {
                prop_assert_eq!(ladder.released(), last);
                let released = ladder.score(losses).expect("valid input");
                prop_assert!(released <= last);
                let mean = losses.iter().sum::<f64>() / 6.0;
                // A new score is (up to the step's rounding) that of the submission, and it was better.
                prop_assert!(released == last || (released - mean).abs() <= 0.5 * step + 1e-12);
                // Nothing is learned from the same submission twice.
                prop_assert_eq!(ladder.score(losses).expect("valid input"), released);
                last = released;
            }
        }
    }
}

#[test]
fn thresholds_are_checked() {
    for alpha in [0.0, 1.0, -0.1, f64::NAN] {
        assert!(rules(alpha).is_err() && ELord::new(alpha, 0.1).is_err() && Saffron::new(alpha).is_err());
    }
    assert!(Lord::with_w0(0.05, 0.06).is_err() && Lord::with_w0(0.05, -0.01).is_err());
    assert!(
        LordDiscard::with_w0_tau(0.05, 0.03, 0.5).is_err()
            && LordDiscard::with_w0_tau(0.05, 0.0, 0.0).is_err()
    );
    assert!(LordDependent::with_w0(0.05, 0.03).is_err() && AlphaInvesting::with_w0(0.05, f64::NAN).is_err());
    assert!(Saffron::with_w0_lambda(0.05, 0.01, 1.0).is_err());
    assert!(Addis::with_w0_lambda_tau(0.05, 0.01, 0.5, 0.5).is_err());
    assert!(ELord::new(0.05, 1.0).is_err());
}

#[test]
fn addis_without_thresholds_is_saffron() {
    // With tau = 1 nothing is discarded: then it is SAFFRON.
    let p: Vec<f64> = (0..200).map(|i| (0.618_033_988_749_895 * f64::from(i)).fract().powi(4)).collect();
    let addis = Addis::with_w0_lambda_tau(0.05, 0.02, 0.4, 1.0).expect("valid input").run(&p);
    let saffron = Saffron::with_w0_lambda(0.05, 0.02, 0.4).expect("valid input").run(&p);
    assert!(saffron.iter().filter(|(_, rejected)| *rejected).count() > 20);
    for (addis, saffron) in addis.iter().zip(&saffron) {
        assert!(close(addis.0, saffron.0) && addis.1 == saffron.1);
    }
    // And D-LORD with tau = 1 is LORD++.
    let discard = LordDiscard::with_w0_tau(0.05, 0.01, 1.0).expect("valid input").run(&p);
    for (discard, lord) in discard.iter().zip(Lord::with_w0(0.05, 0.01).expect("valid input").run(&p)) {
        assert!(close(discard.0, lord.0) && discard.1 == lord.1);
    }
}

#[test]
fn the_ladder_at_its_edges() {
    let mut ladder = Ladder::parameter_free();
    assert_eq!(ladder.released(), f64::INFINITY);
    assert!(matches!(ladder.score(&[]), Err(StatsError::Empty { .. })));
    assert!(matches!(ladder.score(&[f64::NAN]), Err(StatsError::NonFinite { .. })));
    assert_eq!(ladder.score(&[0.5]), Ok(0.5));
    assert_eq!(ladder.score(&[0.1]), Ok(0.5)); // one point has no spread
    assert!(matches!(ladder.score(&[0.1, 0.1]), Err(StatsError::LengthMismatch { .. })));
    assert!(Ladder::fixed_step(0.0).is_err() && Ladder::fixed_step(f64::INFINITY).is_err());
}
