//! Scout and certify through the real state machine: truth, null streams, units, epochs, budgets, both results.

use autoresearch_core::testkit::landscape::{
    Edits, Landscape, Listed, Mixture, Noise, Rules, Simulated, Slots, World, simulate,
};
use autoresearch_core::*;
use serde::{Deserialize, Serialize};
use statrs::distribution::{Binomial, DiscreteCDF};

fn play(world: &impl World, acceptor: Scout, rules: &Rules) -> Simulated {
    simulate(world, acceptor, rules).expect("the landscape plays by the rules")
}

fn mean(played: &[Simulated], of: impl Fn(&Simulated) -> f64) -> f64 {
    played.iter().map(of).sum::<f64>() / played.len() as f64
}

/// Plays a study of listed edits to its end; of what is under way the one in the middle ends first. Gives all events,
/// and how many runs were under way at most.
fn drive(
    study: &mut StudyState<Edits>,
    world: &Listed,
    outcome: impl Fn(&PlannedRun<Edits>) -> Outcome,
) -> (Vec<Event<Edits>>, usize) {
    let (mut events, mut flying, mut most, mut made) = (study.take_events(), Vec::new(), 0, 0);
    loop {
        match study.next_action() {
            Action::Propose { wanted } => {
                let on = study.view().incumbent.clone();
                let proposals: Vec<_> =
                    (made..made + wanted as u32).map(|i| Proposal::new(world.propose(i, &on))).collect();
                made += wanted as u32;
                study.proposed(proposals).expect("asked for");
            }
            Action::Run(run) => {
                flying.push(run);
                most = most.max(flying.len());
            }
            Action::Wait => {
                let run = flying.swap_remove(flying.len() / 2);
                study.finished(run.id, outcome(&run)).expect("under way");
            }
            Action::AskHoldout(query) => {
                let held = |run: &PlannedRun<_>| Measurement::scalar(world.loss(&run.candidate, run.seed, 1));
                let held: Result<Vec<_>, _> =
                    query.runs.iter().map(|run| held(run).map(HeldOut::from)).collect();
                study.held_out(query.id, held.expect("finite")).expect("asked");
            }
            Action::Stop(_) => {
                events.extend(study.take_events());
                return (events, most);
            }
        }
        events.extend(study.take_events());
    }
}

fn measured(world: &Listed) -> impl Fn(&PlannedRun<Edits>) -> Outcome + '_ {
    |run| Ok(Measurement::scalar(world.loss(&run.candidate, run.seed, 0))?)
}

/// An independent simulation of the policy: gain 22.2 ± .8 at 701 runs of the mixed stream, leave-one-out FDR .002.
#[test]
fn it_climbs_and_what_it_certifies_is_real() {
    for seeds in [Seeds::Equal, Seeds::Independent] {
        let played: Vec<Simulated> = (0..24)
            .map(|seed| {
                let world = Landscape::new(Mixture::Mixed, seed).split_noise(0.3);
                play(&world, Scout::new().seeds(seeds), &Rules::stream(700).runs(701).seed(seed))
            })
            .collect();
        let (gain, fdr) = (mean(&played, |s| s.true_gain), mean(&played, |s| s.false_discovery_proportion()));
        println!("mixed, {seeds:?}: gain {gain:.1}, FDR {fdr:.4}");
        assert!(gain > 17.0, "{gain}");
        assert!(fdr < 0.035, "{fdr}");
        for s in &played {
            // Now and then all 700 proposals are used up before the runs are.
            assert!(s.runs <= 701 && matches!(s.stopped, StopReason::Runs | StopReason::Exhausted), "{s:?}");
        }
        // What is reported comes from fresh runs: it is not inflated as the sum of selected effects is.
        let inflation = mean(&played, |s| s.reported_gain - s.true_gain);
        assert!(inflation.abs() < 1.5, "{inflation}");
    }
}

/// The certificate promises .10 for anything kept on a null stream; the simulation saw none in 500.
#[test]
fn nothing_comes_of_nothing() {
    for (noise, seeds) in [(Noise::Gaussian, Seeds::Independent), (Noise::T4, Seeds::Equal)] {
        let fooled = (0..30)
            .filter(|seed| {
                let world = Landscape::new(Mixture::AllNull, 900 + seed).split_noise(0.3).noise(noise);
                let rules = Rules::stream(400).runs(401).seed(*seed);
                play(&world, Scout::new().seeds(seeds), &rules).merit.edits > 0
            })
            .count() as u64;
        let tail = Binomial::new(0.10, 30).expect("a rate");
        assert!(fooled == 0 || tail.sf(fooled - 1) >= 0.001, "{noise:?}: {fooled} of 30");
    }
}

/// Keys of a parameter set are units: .91 of the optimum in the simulation, and next to no key that does nothing.
#[test]
fn keys_are_certified_one_by_one() {
    let played: Vec<Simulated> = (0..12)
        .map(|seed| {
            let world = Slots::new(15, seed).split_noise(0.3);
            play(&world, Scout::new(), &Rules::stream(700).runs(701).seed(seed))
        })
        .collect();
    let share = mean(&played, |s| s.true_gain / s.ideal_gain);
    let fdr = mean(&played, |s| s.false_discovery_proportion_of_units());
    println!("slots15: {share:.2} of the optimum, unit FDR {fdr:.4}");
    assert!(share > 0.8 && fdr <= 0.02, "{share}, {fdr}");
}

/// On a plain baseline gains are tens of sigma and keys depend on each other. There keep-if-better climbs well; Scout is to
/// be near it with what it certifies, and clean.
#[test]
fn on_a_plain_baseline_it_keeps_up_and_stays_clean() {
    let world = |seed| Slots::new(35, seed).split_noise(0.3).steep();
    let rules = |seed| Rules::stream(701).runs(701).seed(seed);
    let scouted: Vec<Simulated> =
        (0..12).map(|seed| play(&world(seed), Scout::new(), &rules(seed))).collect();
    let greedy: Vec<Simulated> = (0..12)
        .map(|seed| {
            simulate(&world(seed), Greedy::new(), &rules(seed)).expect("the landscape plays by the rules")
        })
        .collect();
    let share = mean(&scouted, |s| s.true_gain) / mean(&greedy, |s| s.true_gain);
    let junk = [&scouted, &greedy].map(|played| mean(played, |s| s.false_discovery_proportion_of_units()));
    println!("steep35: {share:.3} of keep-if-better's gain, junk {junk:?}");
    assert!(share > 0.93, "{share}");
    assert!(junk[0] < 0.03 && junk[0] < junk[1] / 3.0, "{junk:?}");
}

/// Overlapping edits are one unit, which as a whole is worth its place.
#[test]
fn overlapping_edits_are_one_unit() {
    let played: Vec<Simulated> = (0..6)
        .map(|seed| {
            let world = Landscape::new(Mixture::Mixed, seed).split_noise(0.3).file(300);
            play(&world, Scout::new(), &Rules::budget(900).seed(seed))
        })
        .collect();
    let (units, edits) = (mean(&played, |s| s.merit.units as f64), mean(&played, |s| s.merit.edits as f64));
    let junk = mean(&played, |s| s.false_discovery_proportion_of_units());
    println!("file300: {edits:.1} edits in {units:.1} units, of these {junk:.3} junk");
    assert!(units < edits && junk < 0.05 && mean(&played, |s| s.true_gain) > 10.0);
}

/// Without a limit on runs it certifies as it goes, and again when the stream ends.
#[test]
fn without_a_budget_it_certifies_in_epochs() {
    let world = Listed::new((0..1000).map(|e| if e % 40 == 0 { 3.0 } else { -1.0 }).collect(), 3);
    let settings = Settings::new().limits(Limits::new().proposals(1000));
    let mut study =
        StudyState::composing(world.baseline(), Scout::new().bundle(1), world.composer(), settings)
            .expect("it can");
    let (events, _) = drive(&mut study, &world, measured(&world));
    assert_eq!(study.stopped(), Some(&StopReason::Proposals));
    let kept = |event: Event<Edits>| match event {
        Event::Settled { fate: Fate::Kept, version, .. } => Some(version),
        _ => None,
    };
    let mut examined: Vec<Version> = events.into_iter().filter_map(kept).collect();
    examined.dedup();
    assert!(examined.len() > 1, "one certificate only: {examined:?}");
    assert!(world.gain(study.incumbent()) > 50.0, "{}", world.gain(study.incumbent()));
    assert!(study.gain().is_some_and(|gain| gain.mean > 50.0));
}

/// Several runs under way at once: nothing gets lost, and it still climbs.
#[test]
fn slots_are_filled() {
    let world = Listed::new((0..200).map(|e| if e % 10 == 0 { 3.0 } else { -1.0 }).collect(), 5);
    let settings = Settings::new().in_flight(4).limits(Limits::new().runs(300).proposals(200));
    let mut study =
        StudyState::composing(world.baseline(), Scout::new(), world.composer(), settings).expect("it can");
    let (_, most) = drive(&mut study, &world, measured(&world));
    assert_eq!(study.stopped(), Some(&StopReason::Proposals));
    assert_eq!(most, 4);
    assert!(world.gain(study.incumbent()) > 30.0, "{}", world.gain(study.incumbent()));
}

#[test]
fn what_cannot_work_is_refused_before_the_first_run() {
    let world = Listed::new(vec![1.0], 1);
    let refused = |scout: Scout, limits: Limits| {
        let settings = Settings::new().limits(limits);
        let study = StudyState::composing(world.baseline(), scout, world.composer(), settings);
        study.err().map(|e| e.to_string()).unwrap_or_default()
    };
    assert!(refused(Scout::new(), Limits::new().runs(80)).contains("cannot certify anything within 80 runs"));
    assert!(refused(Scout::new(), Limits::new().runs(81)).is_empty());
    assert!(refused(Scout::new().alpha(1.0), Limits::new()).contains("alpha is 1"));
    assert!(refused(Scout::new().alpha(f64::NAN), Limits::new()).contains("NaN"));
    assert!(refused(Scout::new().threshold(-0.1), Limits::new()).contains("-0.1"));
    assert!(refused(Scout::new().bundle(0), Limits::new()).contains("bundle"));
    let alone = StudyState::new(world.baseline(), Scout::new(), Settings::new());
    assert!(alone.err().is_some_and(|e| e.to_string().contains("implement `Compose`")));
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Recipe {
    lr: f64,
    width: i64,
    norm: String,
}

fn recipe_space() -> ParamSpace {
    ParamSpace::new()
        .log_float("lr", 1e-4..=1e-1)
        .int("width", 1..=40)
        .choice("norm", ["layer", "rms", "none"])
}

/// What a recipe loses, in sigma of one run; the optimum is lr 1e-2, width 20, rms.
fn lost(r: &Recipe) -> f64 {
    let norm = if r.norm == "rms" { 0.0 } else { 3.0 };
    4.0 * (r.lr.log10() + 2.0).powi(2) + 0.01 * ((r.width - 20) as f64).powi(2) + norm
}

/// The default of a study whose candidates compose: no acceptor is named here.
#[tokio::test]
async fn a_study_of_parameters_scouts_by_itself_and_reports_both_results() {
    let noisy = |r: &Recipe, seed: u64| {
        let hash = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (lost(r) * 1e9) as u64;
        let noise = ((hash ^ (hash >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 11) as f64 / 2f64.powi(53);
        lost(r) + 3.4 * (noise - 0.5)
    };
    let executor = executor_fn(move |r: Recipe, run| async move { Ok(noisy(&r, run.seed)) });
    let baseline = Recipe { lr: 1e-3, width: 4, norm: "layer".into() };
    let report = Study::new(baseline.clone(), LocalSearch::over(recipe_space()), executor, testkit::loss())
        .test_split(testkit::loss())
        .limits(Limits::new().runs(400))
        .seed(3)
        .run()
        .await
        .expect("a report");
    assert_eq!(report.stopped, StopReason::Runs);
    let gained = lost(&baseline) - lost(report.certified());
    assert!(gained > 4.0, "{gained}: {report}");
    assert!(lost(report.stack()) <= lost(&baseline) - 4.0, "{report}");
    let gain = report.gain.expect("measured on fresh runs");
    assert!(gain.fresh && (gain.mean - gained).abs() < 1.5, "{gain} of {gained}");
    let text = report.to_string();
    assert!(text.contains("certified: one of") || text.contains("Kept"), "{text}");
    assert!(report.result.is_some_and(|r| r.kept.is_some_and(|kept| kept.test.low > 0.0)), "{text}");
}

/// The policy of a study that names none depends on its limits; a stored study keeps the one that it began with.
#[tokio::test]
async fn a_study_goes_on_with_the_policy_that_it_began_with() {
    let store = MemoryStore::new();
    let study = |runs| {
        let executor = executor_fn(|r: Recipe, run| async move {
            Ok(lost(&r) + (run.seed.wrapping_mul(2_654_435_761) % 1000) as f64 / 1e3)
        });
        let baseline = Recipe { lr: 1e-3, width: 4, norm: "layer".into() };
        Study::new(baseline, LocalSearch::over(recipe_space()), executor, testkit::loss())
            .limits(Limits::new().runs(runs))
            .store(store.clone())
    };
    let policy = |events: Vec<(Seq, Event<Recipe>)>| match events.first() {
        Some((_, Event::Opened { policy, .. })) => policy.clone(),
        other => panic!("{other:?}"),
    };
    let first = study(60).run().await.expect("a report");
    assert!(policy(store.read(Seq(0), 1).await.expect("readable")).starts_with("factorial"));
    let more = study(300).run().await.expect("it goes on");
    assert!(more.runs > first.runs, "{} and {}", first.runs, more.runs);
}

/// An executor without any noise: what is better is certified, holdout or not.
#[tokio::test]
async fn without_noise_every_difference_counts() {
    for held_out in [false, true] {
        let executor = executor_fn(|r: Recipe, _| async move { Ok(lost(&r)) });
        let baseline = Recipe { lr: 1e-3, width: 4, norm: "layer".into() };
        let study =
            Study::new(baseline.clone(), LocalSearch::over(recipe_space()), executor, testkit::loss());
        let study = if held_out { study.holdout(testkit::loss()) } else { study };
        let report = study.limits(Limits::new().runs(250)).run().await.expect("a report");
        let gained = lost(&baseline) - lost(report.certified());
        assert!(gained > 5.0, "holdout {held_out}: {gained}: {report}");
    }
}

/// The questions run out in the middle of a certificate: what was answered with yes is kept all the same.
#[test]
fn what_the_holdout_confirmed_is_kept_when_its_questions_run_out() {
    let world = Listed::new((0..100).map(|e| if e % 10 == 0 { 4.0 } else { -1.0 }).collect(), 5);
    for questions in [1, 3] {
        let settings = Settings::new()
            .limits(Limits::new().runs(260).proposals(100))
            .holdout(Holdout::new().queries(questions).split_error(0.01));
        let mut study = StudyState::composing(world.baseline(), Scout::new(), world.composer(), settings)
            .expect("it can");
        drive(&mut study, &world, measured(&world));
        assert_eq!(study.kept().len() as u64, questions, "{:?}", study.stopped());
    }
}

/// Some candidates never run: they are found out one by one, and the others are not punished for their company.
#[test]
fn those_that_crash_are_found_out_alone() {
    let world = Listed::new((0..120).map(|e| if e % 8 == 0 { 3.0 } else { 0.0 }).collect(), 6);
    let settings = Settings::new().limits(Limits::new().runs(300).proposals(120));
    let mut study =
        StudyState::composing(world.baseline(), Scout::new(), world.composer(), settings).expect("it can");
    drive(&mut study, &world, |run| match run.candidate.iter().any(|edit| edit % 7 == 3) {
        true => Err(RunFailure::candidate("crash")),
        false => measured(&world)(run),
    });
    let failed = study.history().iter().filter(|r| r.fate == Fate::Failed).count();
    assert!(failed >= 10, "{failed}");
    assert!(study.kept().len() >= 8, "{:?}", study.kept());
}
