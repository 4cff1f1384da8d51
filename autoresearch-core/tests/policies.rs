//! The policies' settings and error rates, through the state machine; error rates are held against computed bounds.

use autoresearch_core::testkit::landscape::{Listed, Noise, Rules, Simulated, World, simulate};
use autoresearch_core::*;
use statrs::distribution::{Binomial, DiscreteCDF};

/// Whether `count` of `n` is compatible with a rate of at most `rate`: P(Bin(n, rate) >= count) >= .001.
fn compatible(count: u64, n: u64, rate: f64) -> bool {
    count == 0 || Binomial::new(rate, n).expect("a rate").sf(count - 1) >= 0.001
}

fn play(world: &Listed, acceptor: impl Acceptor + 'static) -> Simulated {
    simulate(world, acceptor, &Rules::stream(world.len() as u32)).expect("the landscape plays by the rules")
}

/// Useless proposals kept, of how many judged, in studies of `each` such proposals.
fn fooled<A: Acceptor + 'static>(
    acceptor: impl Fn() -> A,
    studies: u64,
    each: usize,
    noise: Noise,
    rho: f64,
) -> (u64, u64) {
    let played = (0..studies).map(|seed| {
        let world = Listed::new(vec![0.0; each], 7000 + seed).noise(noise).seed_correlation(rho);
        let played = play(&world, acceptor());
        (played.merit.edits as u64, played.proposals)
    });
    played.fold((0, 0), |(a, b), (kept, judged)| (a + kept, b + judged))
}

#[test]
fn fixed_pairs_err_at_alpha() {
    for (noise, rho) in [(Noise::Gaussian, 0.0), (Noise::Gaussian, 0.7), (Noise::T4, 0.0)] {
        for flip in [false, true] {
            let acceptor = || {
                let acceptor = FixedPaired::new().alpha(0.05);
                if flip { acceptor.sign_flip() } else { acceptor }
            };
            let (kept, judged) = fooled(acceptor, 8, 100, noise, rho);
            println!("fixed pairs, flip {flip}, {noise:?}, rho {rho}: {kept} of {judged}");
            assert!(compatible(kept, judged, 0.05), "{kept} of {judged}");
            // Nor does it keep nothing: both tests have about the size that they state.
            assert!(compatible(judged - kept, judged, 1.0 - 0.03), "{kept} of {judged}");
        }
    }
}

#[test]
fn fast_errs_at_its_level_even_without_screening() {
    for (noise, rho, seeds) in [
        (Noise::Gaussian, 0.0, Seeds::Equal),
        (Noise::T4, 0.6, Seeds::Equal),
        (Noise::Gaussian, 0.0, Seeds::Independent),
    ] {
        let (kept, judged) = fooled(|| Fast::new().seeds(seeds), 6, 150, noise, rho);
        println!("fast, {noise:?}, rho {rho}, {seeds:?}: {kept} of {judged}");
        assert!(compatible(kept, judged, 0.05), "{kept} of {judged}");
        // Screening chooses on other runs than those that test; with nearly everything let through, it must hold too.
        let (kept, judged) = fooled(|| Fast::new().screen(0.0).seeds(seeds), 6, 100, noise, rho);
        println!("fast, screen 0: {kept} of {judged}");
        assert!(compatible(kept, judged, 0.05), "{kept} of {judged}");
    }
}

/// One proposal a study, because those of one study share their calibration: then errors come in heaps, and no
/// binomial bound holds.
#[test]
fn a_margin_errs_as_its_documentation_says() {
    let (kept, judged) = fooled(|| Margin::new(2.0), 6000, 1, Noise::Gaussian, 0.0);
    let stated = Margin::new(2.0).error();
    println!("margin 2: {kept} of {judged}, stated {stated:.4}");
    assert!(compatible(kept, judged, stated) && compatible(judged - kept, judged, 1.0 - stated));
    // A sigma that is taken for known would have promised less.
    let known = stats::normal_sf(2.0 / (1.0f64 + 1.0 / 8.0).sqrt());
    assert!(!compatible(kept, judged, known), "{kept} of {judged} against {known:.4}");
    assert_eq!(Margin::new(2.0).guarantee(), Guarantee::None);
}

#[test]
fn what_is_clearly_better_is_found() {
    let world = Listed::new([3.0, 0.0, -1.0, 4.0, 0.0].repeat(4), 5);
    let found = |acceptor: Box<dyn Acceptor>| play(&world, acceptor).true_gain;
    let gains = [
        found(Box::new(FixedPaired::new())),
        found(Box::new(FixedPaired::new().sign_flip())),
        found(Box::new(Fast::new())),
        found(Box::new(Margin::new(2.5))),
    ];
    println!("of 28: {gains:?}");
    assert!(gains.iter().all(|gain| *gain >= 18.0), "{gains:?}");
}

#[test]
fn impossible_settings_are_refused_with_what_to_do() {
    let limited = |runs| Settings::new().limits(Limits::new().runs(runs));
    let refused = |acceptor: Box<dyn Acceptor>, settings: Settings, says: &[&str]| {
        let error = StudyState::new(1.0, acceptor, settings).expect_err("refused").to_string();
        assert!(says.iter().all(|part| error.contains(part)), "{error} lacks one of {says:?}");
    };
    let free = Settings::new;
    refused(Box::new(Greedy::new().runs(0)), free(), &["greedy", "runs is 0", "give 1"]);
    refused(Box::new(Greedy::new().runs(3)), limited(5), &["greedy", "limit on runs is 5", "6"]);
    refused(Box::new(Margin::new(-1.0)), free(), &["margin", "c is -1", "0 or more"]);
    refused(Box::new(Margin::new(f64::NAN)), free(), &["margin", "NaN"]);
    refused(Box::new(Margin::new(2.0).calibrate(1)), free(), &["margin", "calibrate is 1", "give 2"]);
    refused(Box::new(Margin::new(2.0)), limited(8), &["margin", "limit on runs is 8", "9"]);
    refused(
        Box::new(FixedPaired::new().alpha(0.0)),
        free(),
        &["fixed-paired", "alpha is 0", "between 0 and 1"],
    );
    refused(Box::new(FixedPaired::new().pairs(1)), free(), &["fixed-paired", "pairs is 1", "give 2"]);
    refused(
        Box::new(FixedPaired::new().pairs(6).sign_flip()),
        free(),
        &["pairs is 6", "0.015625", "7 pairs"],
    );
    refused(Box::new(FixedPaired::new().pairs(17).sign_flip()), free(), &["pairs is 17", "16 or fewer"]);
    refused(Box::new(FixedPaired::new()), limited(15), &["fixed-paired", "limit on runs is 15", "16"]);
    for alpha in [0.0, 1.0, -0.1, f64::NAN, f64::INFINITY] {
        refused(
            Box::new(Sequential::new().alpha(alpha)),
            free(),
            &["sequential", "alpha is", "between 0 and 1"],
        );
        refused(Box::new(Guarded::new().alpha(alpha)), free(), &["guarded", "alpha is"]);
        refused(Box::new(Fast::new().alpha(alpha)), free(), &["fast", "alpha is"]);
    }
    refused(Box::new(Sequential::new().max_pairs(1)), free(), &["sequential", "max_pairs is 1", "give 2"]);
    refused(Box::new(Guarded::new().calibrate(1)), free(), &["guarded", "calibrate is 1"]);
    refused(Box::new(Guarded::new().horizon(0)), free(), &["guarded", "horizon is 0", "give 1"]);
    refused(Box::new(Guarded::new().screen(f64::NAN)), free(), &["guarded", "screen is NaN"]);
    refused(Box::new(Fast::new().screen(-0.5)), free(), &["fast", "screen is -0.5"]);
    // The e-value of few pairs is bounded, whatever they gain.
    refused(
        Box::new(Guarded::new().max_pairs(4)),
        free(),
        &["guarded", "max_pairs is 4", "allow more pairs"],
    );
    refused(
        Box::new(Guarded::new()),
        limited(22),
        &["guarded", "limit on runs is 22", "8 calibrate", "7 pairs"],
    );
    refused(Box::new(Fast::new()), limited(14), &["fast", "15"]);
    for acceptor in [
        Box::new(Guarded::new()) as Box<dyn Acceptor>,
        Box::new(Sequential::new()),
        Box::new(Fast::new()),
        Box::new(FixedPaired::new().pairs(7).sign_flip()),
        Box::new(Margin::new(0.0)),
    ] {
        StudyState::new(1.0, acceptor, limited(23)).expect("settings that work");
    }
}

/// At the least number of runs that is let through, something can indeed be kept.
#[test]
fn the_least_number_of_runs_suffices() {
    for (acceptor, least) in [
        (Box::new(Greedy::new()) as Box<dyn Acceptor>, 2),
        (Box::new(Margin::new(3.0)), 9),
        (Box::new(FixedPaired::new()), 16),
        (Box::new(Fast::new()), 15),
        (Box::new(Guarded::new()), 23),
        (Box::new(Sequential::new()), 16),
    ] {
        let name = acceptor.describe();
        let settings = Settings::new().limits(Limits::new().runs(least));
        let mut study = StudyState::new(1.0, acceptor, settings).expect("enough runs");
        loop {
            match study.next_action() {
                Action::Propose { .. } => {
                    study.proposed(Proposal::new(study.view().incumbent - 1.0)).expect("asked")
                }
                Action::Run(run) => {
                    study
                        .finished(run.id, Ok(Measurement::scalar(*run.candidate).expect("finite")))
                        .expect("planned");
                }
                _ => break,
            }
        }
        assert_eq!(
            study.kept().len(),
            1,
            "{name}: {:?}",
            study.history().iter().map(|r| &r.reason).collect::<Vec<_>>()
        );
    }
}

/// A question that the holdout cannot answer any more leaves its proposal pending, and the study ends.
#[test]
fn a_spent_holdout_does_not_make_a_policy_go_in_circles() {
    for acceptor in [Box::new(Greedy::new()) as Box<dyn Acceptor>, Box::new(Margin::new(0.5))] {
        let settings = Settings::new().in_flight(2).holdout(Holdout::new().queries(1));
        let mut study = StudyState::new(5.0, acceptor, settings).expect("settings that work");
        let mut flying = Vec::new();
        let stopped = loop {
            match study.next_action() {
                Action::Propose { .. } => {
                    study.proposed(vec![Proposal::new(1.0), Proposal::new(2.0)]).expect("asked")
                }
                Action::Run(run) => flying.push(run),
                Action::AskHoldout(query) => {
                    let no = |_| HeldOut::from(Measurement::scalar(0.0).expect("finite"));
                    study.held_out(query.id, query.runs.iter().map(no).collect()).expect("asked");
                }
                Action::Wait => {
                    let run: PlannedRun<f64> = flying.remove(0);
                    let loss = *run.candidate + 1e-3 * run.seed as f64;
                    study
                        .finished(run.id, Ok(Measurement::scalar(loss).expect("finite")))
                        .expect("under way");
                }
                Action::Stop(reason) => break reason,
            }
        };
        assert_eq!(stopped, StopReason::HoldoutSpent);
        assert!(study.kept().is_empty());
    }
}

#[test]
fn the_correlation_of_equal_seeds_is_measured() {
    for rho in [0.0, 0.8] {
        let world = Listed::new(vec![0.0; 120], 11).seed_correlation(rho);
        let settings = Settings::new().limits(Limits::new().proposals(120));
        let mut study = StudyState::new(vec![], Sequential::new(), settings.clone()).expect("settings");
        let mut apart =
            StudyState::new(vec![], Sequential::new().seeds(Seeds::Independent), settings).expect("settings");
        for study in [&mut study, &mut apart] {
            assert_eq!(study.seed_correlation(), None);
            let mut next = 0;
            loop {
                match study.next_action() {
                    Action::Propose { .. } => {
                        study.proposed(Proposal::new(vec![next])).expect("asked");
                        next += 1;
                    }
                    Action::Run(run) => {
                        let loss = world.loss(&run.candidate, run.seed, 0);
                        study
                            .finished(run.id, Ok(Measurement::scalar(loss).expect("finite")))
                            .expect("planned");
                    }
                    _ => break,
                }
            }
        }
        let measured = study.seed_correlation().expect("measured");
        println!("rho {rho}: measured {measured:.3}");
        assert!((measured - rho).abs() < 0.15, "{measured} for {rho}");
        assert_eq!(apart.seed_correlation(), None);
    }
}

#[tokio::test]
async fn the_report_says_how_much_equal_seeds_correlate() {
    let report = |seeds| async move {
        // Half of the variance is the seed's, whatever the candidate.
        let loss = |id: f64, seed: u64| {
            let noise = |x: u64| (x.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as f64 / f64::from(1 << 24);
            noise(seed) + noise(seed ^ id.to_bits().rotate_left(17))
        };
        let train = executor_fn(move |id: f64, run: RunContext| async move { Ok(loss(id, run.seed)) });
        let ideas = testkit::scripted((1..60).map(|id| Proposal::new(f64::from(id))));
        let study = Study::new(0.0, ideas, train, testkit::loss());
        study.acceptor(Sequential::new().seeds(seeds)).run().await.expect("a report")
    };
    let equal = report(Seeds::Equal).await;
    let rho = equal.seed_correlation.expect("measured");
    assert!((0.2..0.8).contains(&rho), "{rho}");
    assert!(equal.to_string().contains(&format!("equal seeds correlated by {rho:+.2}")), "{equal}");
    let apart = report(Seeds::Independent).await;
    assert!(apart.seed_correlation.is_none() && !apart.to_string().contains("correlated"), "{apart}");
}
