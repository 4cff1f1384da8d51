//! The overfitting checks: what they flag, what they leave alone, and what of the holdout they let out.

use autoresearch_core::testkit::Rate;
use autoresearch_core::testkit::attack::{Miner, Mining, Votes, measure, mine};
use autoresearch_core::testkit::landscape::{Landscape, Mixture, Rules, simulate_checked};
use autoresearch_core::*;
use std::sync::{Arc, Mutex};

/// Documents of validation and of the holdout, as that is to be: ten times as many.
const SPLITS: (usize, usize) = (320, 3_200);

fn flags(mining: Mining, studies: u64) -> Rate {
    let flagged = |seed: &u64| {
        let mined =
            mine(Miner::new(mining), Greedy::new(), 199, SPLITS, *seed, Checks::new()).expect("a study");
        mined.concerns.iter().any(|(concern, at)| *concern == Concern::SplitMined && *at < 200)
    };
    Rate::new((0..studies).filter(flagged).count() as u64, studies)
}

#[test]
fn the_boosting_attack_is_flagged_before_200_proposals() {
    // At a rate of .95 fewer than 5 of 8 have a probability below 1/1000 (`cargo xtask bench checks` plays hundreds).
    let rate = flags(Mining::Boosting, 8);
    assert!(rate.count >= 5, "{rate}");
}

#[test]
fn guessing_and_trying_are_not() {
    for mining in [Mining::Guessing, Mining::Trying] {
        let rate = flags(mining, 8);
        // At a rate of .05 more than 3 of 8 have a probability below 1/1000.
        assert!(rate.count <= 3, "{mining:?}: {rate}");
    }
}

#[test]
fn honest_studies_of_the_landscape_are_left_alone() {
    let mut flagged = 0;
    let mut seen = 0;
    for seed in 0..4 {
        for mixture in [Mixture::Mixed, Mixture::AllNull] {
            let world = Landscape::new(mixture, seed).split_noise(0.3);
            let mut checks = Checks::new().split_error(0.3);
            let rules = Rules::stream(150).seed(seed);
            simulate_checked(&world, Guarded::new(), &rules, &mut checks).expect("a study");
            let report = checks.report();
            flagged += usize::from(!report.concerns().is_empty());
            seen += usize::from(report.drift.is_some() && report.variance.is_some());
        }
    }
    // At a rate of .05 more than 3 of 8 have a probability below 1/1000.
    assert!(flagged <= 3, "{flagged}");
    assert!(seen >= 6, "drift and variance were looked at: {seen}");
}

/// Fifty runs of one incumbent by itself: a study that only calibrates.
fn calibrations(loss: impl Fn(u64) -> f64) -> CheckReport {
    let mut checks = Checks::new();
    let acceptor = Guarded::new().calibrate(64);
    let mut study = StudyState::new(0.0, acceptor, Settings::new()).expect("settings");
    let mut runs = 0;
    loop {
        match study.next_action() {
            Action::Propose { .. } => study.proposed(Proposed::Exhausted).expect("asked"),
            Action::Run(run) => {
                runs += 1;
                study.finished(run.id, Measurement::scalar(loss(runs)).map_err(Into::into)).expect("up");
            }
            Action::Stop(_) => break,
            _ => unreachable!("no holdout, one slot"),
        }
        study.take_events().iter().for_each(|event| drop(checks.heard(event)));
    }
    checks.report()
}

#[test]
fn an_incumbent_that_drifts_is_flagged_and_one_that_does_not_is_not() {
    // A fixed pattern of noise, without any trend of its own.
    let noise = |run: u64| ((run * 37) % 64) as f64 / 64.0;
    let still = calibrations(noise).drift.expect("64 runs");
    assert!(!still.flagged && still.runs == 64 && still.low < 0.0 && still.high > 0.0, "{still}");
    let drifting = calibrations(|run| noise(run) + 0.03 * run as f64);
    let found = drifting.drift.expect("64 runs");
    assert!(found.flagged && (found.per_hundred_runs - 3.0).abs() < 1.0, "{found}");
    assert_eq!(drifting.concerns(), [Concern::Drift]);
    assert!(found.to_string().starts_with("Drift: flagged. Over 64 runs"), "{found}");
    assert!(calibrations(|_| 1.0).drift.is_none(), "without noise nothing can be told");
}

/// A hand-made history in which one edit was claimed to gain `claimed`, and fresh runs of both show `gain`.
fn history(claimed: f64, gain: f64, noise: f64) -> Vec<Event<f64>> {
    let settings = Settings::new();
    let (study, policy, executor) = ("s".to_string(), String::new(), String::new());
    let mut events = vec![Event::Opened { study, baseline: 0.0, settings, policy, executor }];
    let jitter = |i: u64| noise * ([1.0, -1.0, 0.5, -0.5][(i % 4) as usize]);
    let run = |id: u64, version: u32, loss: f64| {
        let text = format!(r#"{{"id":{id},"arm":[],"version":{version},"seed":{id},"role":"calibrate"}}"#);
        let run: RunSpec = serde_json::from_str(&text).expect("a run");
        let outcome = Ok(Measurement::scalar(loss).expect("finite"));
        Event::Finished { run, attempt: 0, outcome, seconds: 0.0, elapsed: 0.0 }
    };
    events.extend((1..=8).map(|i| run(i, 0, 10.0 + jitter(i))));
    let effect = Some(Effect::new(claimed, (claimed - 0.1, claimed + 0.1), 0.95, 8, true));
    let (units, together, strength, reason) = (None, Vec::new(), None, "it gains".to_string());
    let (proposal, fate, version) = (ProposalId(1), Fate::Kept, Version(1));
    events.push(Event::Settled {
        proposal,
        fate,
        units,
        together,
        version,
        effect,
        strength,
        runs: 8,
        reason,
    });
    events.extend((9..=16).map(|i| run(i, 1, 10.0 - gain + jitter(i))));
    events
}

#[test]
fn claims_that_the_whole_does_not_keep_are_flagged() {
    let check = |claimed, gain, noise| {
        let mut checks = Checks::new();
        let said: Vec<Concern> = history(claimed, gain, noise).iter().flat_map(|e| checks.heard(e)).collect();
        (said, checks.report().endpoint.expect("a kept edit"))
    };
    let (said, kept) = check(2.0, 1.9, 0.2);
    assert!(said.is_empty() && !kept.flagged && (kept.ratio - 0.95).abs() < 0.1, "{kept}");
    let (said, inflated) = check(2.0, 0.3, 0.2);
    assert_eq!(said, [Concern::ClaimsInflated], "said once");
    assert!(inflated.flagged && inflated.high < 0.7, "{inflated}");
    let (said, unclear) = check(2.0, 0.3, 5.0);
    assert!(said.is_empty() && unclear.ratio < 0.7 && unclear.high > 0.7, "too noisy to tell: {unclear}");
}

#[test]
fn candidates_of_unequal_noise_are_flagged() {
    let flagged = |spread: f64| {
        let mut checks = Checks::new();
        let mut flagged = false;
        for arm in 1..=64_u64 {
            for i in 0..4_u64 {
                let text = format!(
                    r#"{{"id":{},"arm":[{{"proposal":{arm}}}],"version":0,"seed":1,"role":"confirm"}}"#,
                    4 * arm + i
                );
                let run: RunSpec = serde_json::from_str(&text).expect("a run");
                let scale = if arm % 4 == 0 { spread } else { 1.0 };
                let noise = ((4 * arm + i) * 2_654_435_761 % 1000) as f64 / 1000.0;
                let outcome = Ok(Measurement::scalar(arm as f64 + scale * noise).expect("finite"));
                let event: Event<f64> =
                    Event::Finished { run, attempt: 0, outcome, seconds: 0.0, elapsed: 0.0 };
                flagged |= checks.heard(&event) == [Concern::UnequalVariance];
            }
        }
        let check = checks.report().variance.expect("64 arms");
        assert_eq!((check.flagged, check.arms), (flagged, 64));
        flagged
    };
    assert!(!flagged(1.0) && flagged(6.0));
}

/// Votes in a study with tokio: what the attack's proposer sees, and what observers hear.
fn study(seed: u64, proposals: u64) -> Study<Votes, Votes> {
    let split = |name: u64, documents: usize| {
        evaluator_fn(move |votes: &Votes| Ok(measure(votes, seed ^ name, documents)))
    };
    Study::new(
        Votes::new(),
        Miner::new(Mining::BoostingBothWays),
        executor_fn(|votes: Votes, _| async move { Ok(votes) }),
        split(1, SPLITS.0),
    )
    .holdout(split(2, SPLITS.1))
    .acceptor(Greedy::new())
    .seed(seed)
    .limits(Limits::new().proposals(proposals))
}

#[tokio::test]
async fn a_study_tells_whoever_watches_and_its_report_has_the_numbers() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let watch = Arc::clone(&heard);
    let observer = move |notice: &Notice<'_>, status: &Status| {
        if let Notice::Concern { concern } = notice {
            watch.lock().expect("sound").push((*concern, status.proposals));
        }
    };
    let report = study(3, 150).observer(observer).run().await.expect("a study");
    let heard = heard.lock().expect("sound").clone();
    assert!(heard.len() == 1 && heard[0].0 == Concern::SplitMined && heard[0].1 < 150, "{heard:?}");
    let checks = report.checks().expect("on unless said");
    let gap = checks.gap.expect("a holdout");
    let numbers = gap.numbers.expect("the search is over");
    assert_eq!(gap.flagged_at, Some(heard[0].1));
    assert!(numbers.p_value <= numbers.level && numbers.holdout < 0.8 * numbers.validation, "{gap}");
    assert!(report.to_string().contains("mining the validation split"), "{report}");
    let text = serde_json::to_string(checks).expect("JSON");
    assert_eq!(serde_json::from_str::<CheckReport>(&text).expect("a report"), *checks);

    let off = study(3, 150).checks(Checks::off()).run().await.expect("a study");
    assert!(off.checks().is_none());
    assert_eq!(off.stack(), report.stack(), "they change no decision");
}

#[tokio::test]
async fn the_gap_s_numbers_stay_sealed_until_the_end_and_out_of_the_store() {
    let store = Arc::new(MemoryStore::new());
    let cancel = Cancellation::new();
    let stop = cancel.clone();
    let at_100 = move |_: &Notice<'_>, status: &Status| {
        if status.proposals >= 100 {
            stop.cancel();
        }
    };
    let stopped = study(3, 150).store(Arc::clone(&store)).cancelled_by(&cancel).observer(at_100);
    let stopped = stopped.run().await.expect("a study");
    assert_eq!(stopped.stopped, StopReason::Cancelled);
    let gap = stopped.checks().expect("on").gap.expect("a holdout");
    assert!(gap.flagged_at.is_some() && gap.numbers.is_none() && gap.trend.is_none(), "{gap}");

    let stored = Checks::of(&store).await.expect("a store").gap.expect("a holdout");
    assert!(stored.questions > 0 && stored.unseen == stored.questions && stored.flagged_at.is_none());

    assert!(stored.to_string().contains("not known: held-out numbers are not stored"), "{stored}");

    let resumed = study(3, 150).store(Arc::clone(&store)).run().await.expect("a study");
    let gap = resumed.checks().expect("on").gap.expect("a holdout");
    assert!(gap.unseen >= stored.questions && gap.questions > gap.unseen, "{gap}");
    assert!(!gap.seen_before, "nothing came out when it was cancelled: {gap}");

    // It came to its end, where the numbers came out; then the limit was raised.
    let raised = study(3, 170).store(Arc::clone(&store)).run().await.expect("a study");
    let again = raised.checks().expect("on").gap.expect("a holdout");
    assert!(again.seen_before && again.unseen >= gap.questions, "{again}");
    assert!(again.to_string().contains("were seen before"), "{again}");
    let levels = (gap.numbers.map(|n| n.level), again.numbers.map(|n| n.level));
    assert!(levels.1.is_none_or(|after| levels.0.is_none_or(|before| after < before)), "{levels:?}");
}

#[test]
fn a_check_shows_nothing_of_the_holdout_while_the_search_goes_on() {
    let mut checks = Checks::new();
    let settings = Settings::new().holdout(Holdout::new()).limits(Limits::new().proposals(40));
    let mut study = StudyState::new(Votes::new(), Greedy::new(), settings).expect("settings");
    let mut miner = Miner::new(Mining::Trying);
    let mut asked = 0;
    loop {
        match study.next_action() {
            Action::Propose { .. } => {
                let seed = study.view().seed;
                study.proposed(Proposal::new(miner.next(seed))).expect("asked");
            }
            Action::Run(run) => study.finished(run.id, Ok(measure(&run.candidate, 1, 500))).expect("up"),
            Action::AskHoldout(query) => {
                let held = query.runs.iter().map(|run| measure(&run.candidate, 2, 500).into());
                let held: Vec<HeldOut> = held.collect();
                checks.held_out(&query, &held);
                study.held_out(query.id, held).expect("asked");
                let gap = checks.report().gap.expect("a holdout");
                assert!(gap.numbers.is_none() && gap.trend.is_none());
                let shown = format!("{checks:?}");
                assert!(shown.contains("numbers: None"), "{shown}");
                asked += 1;
            }
            Action::Wait => unreachable!("one slot"),
            Action::Stop(_) => break,
        }
        study.take_events().iter().for_each(|event| drop(checks.heard(event)));
    }
    assert!(asked > 3);
}

#[test]
fn without_documents_or_stated_errors_nothing_is_said_of_the_gap() {
    let world = Landscape::new(Mixture::Mixed, 1).split_noise(0.3);
    let mut checks = Checks::new();
    let rules = Rules::stream(250).seed(1);
    simulate_checked(&world, Guarded::new(), &rules, &mut checks).expect("a study");
    let gap = checks.report().gap.expect("a holdout");
    assert!(!gap.tested && gap.flagged_at.is_none() && gap.questions > 0);
    assert!(gap.to_string().contains("noise well enough known"), "{gap}");
}
