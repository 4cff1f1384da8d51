//! Tests keep their levels in simulation: a part of the suite that `cargo xtask bench calibration` plays in full.
//!
//! The verdicts are computed bounds: a test fails if so many errors would have a probability below 1/1000 at its level.
//! The noise is seeded, so that a run is either always right or always wrong.

use autoresearch_core::testkit::calibrate::suite::{self, Check};
use autoresearch_core::{Guarded, Sequential, testkit};

/// Repetitions of a check of cost 1; of dearer ones fewer.
const REPETITIONS: u32 = 4000;
const FEWEST: u32 = 10;

/// Plays the checks whose test begins with one of these.
fn keep_their_levels(families: &[&str]) {
    // Streams with a holdout take twice the time; they are left to the suite in full.
    let is_meant = |check: &Check| {
        families.iter().any(|family| check.test().starts_with(family))
            && !check.test().ends_with("proposals, holdout")
    };
    let checks: Vec<Check> = suite::checks().into_iter().filter(is_meant).collect();
    assert!(!checks.is_empty(), "{families:?}");
    for check in checks {
        let n = (REPETITIONS / check.relative_cost()).max(FEWEST);
        let errors = check.play(0..n).expect("it plays");
        for tally in check.tally(&errors, n) {
            assert!(tally.is_ok(), "{check:?}: {tally:?}, chance {:.1e}", tally.chance());
        }
    }
}

#[test]
fn tests_of_a_fixed_number_of_runs() {
    keep_their_levels(&["Welch", "paired t", "sign flip", "Wilcoxon"]);
}

#[test]
fn the_t_e_process_at_24_looks() {
    keep_their_levels(&["t e-process"]);
}

#[test]
fn the_regression_e_value_after_every_block() {
    keep_their_levels(&["regression"]);
}

#[test]
fn certificates() {
    keep_their_levels(&["certificate", "e-BH"]);
}

#[test]
fn policies_that_promise_a_level_for_each_proposal() {
    keep_their_levels(&["Sequential", "FixedPaired", "Fast", "Margin", "Greedy"]);
}

#[test]
fn policies_that_promise_a_false_discovery_rate() {
    keep_their_levels(&["Guarded", "Factorial", "Scout"]);
}

#[test]
fn a_bound_is_no_tolerance() {
    // What is known to break its level is seen to: a paired t-test after each of 24 pairs errs at about .22, not .05.
    let peeking = suite::checks().into_iter().find(|check| check.test().contains("peeking"));
    let peeking = peeking.expect("it is in the suite");
    let errors = peeking.play(0..300).expect("it plays");
    let tally = peeking.tally(&errors, 300)[0];
    assert!(!tally.is_kept() && (0.15..0.30).contains(&tally.rate()), "{tally:?}");
}

#[test]
fn a_policy_is_calibrated_as_a_rule_of_one_s_own_is() {
    let found = testkit::calibrate(|| Guarded::new().horizon(1)).repetitions(60).run().expect("it plays");
    assert!(found.gaussian.false_acceptances.low < 0.10 && found.gaussian.power.value() > 0.1, "{found}");
    assert!(found.to_string().starts_with("guarded alpha=0.1"), "{found}");
}

#[test]
fn a_real_gain_is_found() {
    // The promise is not kept by never answering.
    for (gain, correlation) in [(2.0, 0.0), (1.0, 0.8)] {
        let found = testkit::calibrate(|| Sequential::new().alpha(0.01));
        let found =
            found.effect(gain).seed_correlation(correlation).repetitions(200).run().expect("it plays");
        assert!(found.gaussian.power.low > 0.8 && found.t4.power.low > 0.8, "{found}");
        assert!(found.gaussian.runs < 15.0, "a proposal without merit is soon given up: {found}");
    }
}
