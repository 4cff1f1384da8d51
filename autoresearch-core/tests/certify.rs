//! Certification: what was kept is tested again on fresh runs.

use autoresearch_core::testkit::landscape::{
    Interactions, Landscape, Mixture, Rules, World, simulate_recorded,
};
use autoresearch_core::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Named settings; each is worth its own value.
type Knobs = BTreeMap<String, f64>;

/// Standard deviation about .07.
fn noise(seed: u64, knobs: &Knobs) -> f64 {
    let own: f64 = knobs.values().sum();
    ((seed.wrapping_mul(2_654_435_761) % 100_003) as f64 * 12.9898 + own).sin() * 0.1
}

fn loss(knobs: &Knobs, seed: u64) -> f64 {
    10.0 - knobs.values().sum::<f64>() + noise(seed, knobs)
}

fn scalar(value: f64) -> Outcome {
    Measurement::scalar(value).map_err(Into::into)
}

/// Keeps whatever it is given: what a careless search leaves behind.
struct KeepAll(Vec<RunId>);

impl Acceptor for KeepAll {
    fn next(&mut self, cohort: &Cohort<'_>) -> Step {
        let Some(proposal) = cohort.live().next() else {
            return if cohort.exhausted() { Step::Finish } else { Step::propose(1) };
        };
        if self.0.is_empty() {
            self.0 = vec![cohort.next_run(0), cohort.next_run(1)];
            let plan = |arm, seed| Plan::new(arm, cohort.fresh_seed(seed), Role::Confirm).about(proposal);
            return Step::Run(vec![plan(Arm::incumbent(), 0), plan(Arm::single(proposal), 0)]);
        }
        let losses: Option<Vec<f64>> =
            self.0.iter().map(|run| cohort.run(*run)?.loss.as_ref().ok().copied()).collect();
        let Some(losses) = losses else { return Step::Wait };
        let claim = Claim::new(vec![self.0[1]], vec![self.0[0]], false, 0.05, Noise::default());
        let effect = Effect::new(losses[0] - losses[1], (f64::NAN, f64::NAN), 0.95, 1, false);
        self.0.clear();
        Step::Decide(vec![Decision::accept(proposal, claim, "all is kept").effect(Some(effect))])
    }
    fn guarantee(&self) -> Guarantee {
        Guarantee::None
    }
    fn describe(&self) -> String {
        "keep all".into()
    }
}

/// A study that kept these settings, one after the other; `a+b` are two at once.
fn kept(edits: &[(&str, f64)], settings: Settings, sign: f64) -> Vec<Event<Knobs>> {
    let mut study = StudyState::new(Knobs::new(), KeepAll(vec![]), settings).expect("settings");
    let (mut events, mut edits) = (Vec::new(), edits.iter());
    loop {
        match study.next_action() {
            Action::Propose { .. } => {
                let Some((key, value)) = edits.next() else {
                    study.proposed(Proposed::Exhausted).expect("asked");
                    continue;
                };
                let mut edited = study.view().incumbent.clone();
                edited.extend(key.split('+').map(|key| (key.to_string(), *value)));
                study.proposed(Proposal::new(edited).title(format!("{key} {value}"))).expect("asked");
            }
            Action::Run(run) => {
                study.finished(run.id, scalar(sign * loss(&run.candidate, run.seed))).expect("under way");
            }
            Action::AskHoldout(_) | Action::Wait => unreachable!("no holdout, one run at a time"),
            Action::Stop(_) => break,
        }
        events.extend(study.take_events());
    }
    events.extend(study.take_events());
    events
}

fn compose() -> Option<Arc<dyn Compose<Knobs>>> {
    Some(Arc::new(FieldMerge::new()))
}

fn certified(
    events: &[Event<Knobs>],
    rules: CertifyRules,
    mut train: impl FnMut(&PlannedRun<Knobs>) -> Outcome,
) -> Certified<Knobs> {
    let mut certification = Certification::of(events, compose(), rules).expect("a study");
    while let Action::Run(run) = certification.next_action() {
        certification.finished(run.id, train(&run)).expect("under way");
    }
    certification.result()
}

fn plain(run: &PlannedRun<Knobs>) -> Outcome {
    scalar(loss(&run.candidate, run.seed))
}

fn verdicts(result: &Certified<Knobs>) -> Vec<PartVerdict> {
    result.parts.iter().map(|part| part.verdict).collect()
}

const EDITS: &[(&str, f64)] = &[("a", 1.0), ("b", 0.0), ("c", 0.8), ("d", -0.5), ("e", 0.6), ("f", 0.9)];

#[test]
fn what_helps_stands_and_what_does_not_is_taken_out() {
    let events = kept(EDITS, Settings::new(), 1.0);
    let result = certified(&events, CertifyRules::new().leave_one_out(), plain);
    assert!(result.complete && result.stopped == StopReason::Exhausted, "{result}");
    for (part, (key, value)) in result.parts.iter().zip(EDITS) {
        assert_eq!(part.verdict == PartVerdict::Earns, *value > 0.0, "{key}: {result}");
        assert!((part.effect.expect("left out").mean - value).abs() < 0.3, "{key}: {result}");
    }
    let keys: Vec<&str> = result.certified.keys().map(String::as_str).collect();
    assert_eq!(keys, ["a", "c", "e", "f"]);
    let claim = result.claim.expect("measured");
    assert_eq!((claim.pairs, result.cost.totals), (8, 32));
    assert!(claim.gain.low.expect("an interval") < 3.3 && claim.gain.high.expect("one") > 3.3, "{result}");
    assert!(result.cost.parts <= 2 * EDITS.len() as u64, "{:?}", result.cost);
    assert!((result.ratio.expect("claimed") - 1.0).abs() < 0.2, "{result}");
    let text = serde_json::to_string(&result).expect("data");
    assert_eq!(serde_json::from_str::<Certified<Knobs>>(&text).expect("the same"), result);
    let shown = result.to_string();
    assert!(shown.contains("<0.001") && !shown.contains(" 0.000 "), "{shown}");
    assert!(result.paragraph().contains("What stands, 4 of 6 parts, is better than the origin"), "{result}");
}

#[test]
fn its_seeds_are_none_of_the_studys() {
    let events = kept(EDITS, Settings::new().seed(3), 1.0);
    let seed = |event: &Event<Knobs>| match event {
        Event::Finished { run, .. } => Some(run.seed),
        _ => None,
    };
    let used: BTreeSet<u64> = events.iter().filter_map(seed).collect();
    let mut fresh = BTreeSet::new();
    certified(&events, CertifyRules::new().leave_one_out(), |run| {
        fresh.insert(run.seed);
        plain(run)
    });
    assert!(!used.is_empty() && fresh.len() > 8 && used.is_disjoint(&fresh));
}

#[test]
fn nothing_kept_is_said_and_costs_nothing() {
    let result = certified(&kept(&[], Settings::new(), 1.0), CertifyRules::new().leave_one_out(), plain);
    assert!(result.complete && result.parts.is_empty() && result.claim.is_none());
    assert_eq!((result.cost, &result.certified), (CertifyCost::default(), &result.origin));
    assert!(result.to_string().contains("kept nothing"), "{result}");
}

#[test]
fn a_single_part_is_the_total() {
    for (value, verdict) in [(1.0, PartVerdict::Earns), (-1.0, PartVerdict::Dropped)] {
        let events = kept(&[("a", value)], Settings::new(), 1.0);
        let result = certified(&events, CertifyRules::new().leave_one_out(), plain);
        assert_eq!(verdicts(&result), [verdict], "{result}");
        assert_eq!(result.cost.parts, 0);
        assert_eq!(result.claim.is_some(), verdict == PartVerdict::Earns);
        assert_eq!(result.certified.len(), usize::from(verdict == PartVerdict::Earns));
    }
}

/// The second value of `a` was set upon the first: without the first it has nothing to change.
#[test]
fn what_builds_on_another_is_left_out_with_it() {
    let edits = [("a", 0.5), ("b", 0.7), ("a", 1.2)];
    let result = certified(&kept(&edits, Settings::new(), 1.0), CertifyRules::new().leave_one_out(), plain);
    let edits: Vec<Vec<u64>> =
        result.parts.iter().map(|part| part.edits.iter().map(|id| id.0).collect()).collect();
    assert_eq!(edits, [vec![1, 3], vec![2]], "{result}");
    assert!((result.parts[0].effect.expect("left out").mean - 1.2).abs() < 0.3, "{result}");
}

#[test]
fn parts_come_oldest_first_with_their_own_values() {
    let rules = || CertifyRules::new().leave_one_out();
    let result = certified(&kept(&[("z", 1.0), ("a", 0.8)], Settings::new(), 1.0), rules(), plain);
    let titles: Vec<&str> = result.parts.iter().map(|part| part.title.as_str()).collect();
    assert_eq!(titles, ["z: set to 1.0", "a: set to 0.8"]);
    assert!((result.parts[0].effect.expect("left out").mean - 1.0).abs() < 0.3, "{result}");
    assert!((result.parts[0].claimed.expect("one edit") - 1.0).abs() < 0.3, "{result}");
}

#[test]
fn no_part_of_a_sum_is_called_the_sum() {
    let rules = || CertifyRules::new().leave_one_out();
    // The second edit changed both parts: its effect is of neither alone.
    let mut events = kept(&[("a", 0.5), ("a+b", 0.7), ("c", 0.6)], Settings::new(), 1.0);
    let result = certified(&events, rules(), plain);
    let known: Vec<bool> = result.parts.iter().map(|part| part.claimed.is_some()).collect();
    assert_eq!((known, result.unclaimed), (vec![false, false, true], 0), "{result}");
    assert!((result.ratio.expect("every edit has an effect") - 1.0).abs() < 0.3, "{result}");
    // Without the effect of one edit the whole is not compared with what is left.
    for event in &mut events {
        if let Event::Settled { proposal: ProposalId(3), effect, .. } = event {
            *effect = None;
        }
    }
    let result = certified(&events, rules(), plain);
    assert_eq!((result.ratio, result.unclaimed), (None, 1));
    assert!(result.paragraph().contains("1 of them have no recorded effect"), "{result}");
}

#[test]
fn what_cannot_be_fitted_does_not_stand() {
    let events = kept(EDITS, Settings::new(), 1.0);
    let result = certified(&events, CertifyRules::new().leave_one_out(), |run| {
        scalar(if run.seed.is_multiple_of(2) { 1e300 } else { -1e300 })
    });
    assert_eq!(verdicts(&result), [PartVerdict::NotShown; 6], "{result}");
    assert_eq!(result.certified, result.origin);
}

#[test]
fn what_nothing_runs_without_is_claimed_in_the_total_alone() {
    let result = certified(&kept(EDITS, Settings::new(), 1.0), CertifyRules::new().leave_one_out(), |run| {
        let partial = !run.candidate.is_empty() && !run.candidate.contains_key("c");
        if partial { Err(RunFailure::candidate("it needs c")) } else { plain(run) }
    });
    let c = &result.parts[2];
    assert_eq!((c.verdict, c.effect), (PartVerdict::Inseparable, None), "{result}");
    assert!(result.certified.contains_key("c") && result.claim.is_some(), "{result}");
    assert!(result.cost.parts <= 12, "{:?}", result.cost);
}

#[test]
fn the_infrastructure_changes_nothing() {
    let events = kept(EDITS, Settings::new(), 1.0);
    let rules = || CertifyRules::new().leave_one_out().transfer_to(Fidelity::steps(7));
    let undisturbed = certified(&events, rules(), plain);
    let disturbed = certified(&events, rules(), |run| {
        let lost = run.attempt == 0 && run.id.0.is_multiple_of(3);
        if lost { Err(RunFailure::infrastructure("node lost")) } else { plain(run) }
    });
    assert_eq!(undisturbed, disturbed);
}

#[test]
fn where_higher_is_better() {
    let events = kept(EDITS, Settings::new().maximize(), -1.0);
    let result = certified(&events, CertifyRules::new().leave_one_out(), |run| {
        scalar(-loss(&run.candidate, run.seed))
    });
    assert_eq!(verdicts(&result)[0], PartVerdict::Earns, "{result}");
    let claim = result.claim.expect("measured");
    assert!(claim.gain.mean > 3.0 && claim.now > claim.origin, "{result}");
}

#[test]
fn the_parts_rank_at_another_fidelity() {
    let events = kept(EDITS, Settings::new(), 1.0);
    let rules = CertifyRules::new().leave_one_out().transfer_to(Fidelity::steps(7));
    let result = certified(&events, rules, |run| {
        // Half of every effect there.
        let there = run.role == Role::Transfer;
        let short = if there { 0.5 * run.candidate.values().sum::<f64>() } else { 0.0 };
        scalar(loss(&run.candidate, run.seed) + short)
    });
    let transfer = result.transfer.expect("asked for");
    assert!(transfer.tau.expect("6 parts") > 0.7 && transfer.p < 0.05 && transfer.exact, "{result}");
    assert!((transfer.total.expect("measured").gain.mean - 1.65).abs() < 0.2, "{result}");
    assert!(result.cost.transfer <= 2 * 8 + 2 * 6, "{:?}", result.cost);
    assert!(result.paragraph().contains("little to go by below 10 parts"), "{result}");
}

/// Two to four parts are left out one at a time: with a part dropped, only the whole stack beside them tells their effects.
#[test]
fn few_parts_rank_although_one_was_dropped() {
    let events = kept(&[("a", 1.0), ("b", -0.5), ("c", 0.8)], Settings::new(), 1.0);
    let rules = CertifyRules::new().leave_one_out().transfer_to(Fidelity::steps(7));
    let result = certified(&events, rules, plain);
    assert_eq!(verdicts(&result)[1], PartVerdict::Dropped, "{result}");
    let transfer = result.transfer.expect("asked for");
    assert_eq!((transfer.parts, transfer.tau), (3, Some(1.0)), "{result}");
    for (part, value) in result.parts.iter().zip([1.0, -0.5, 0.8]) {
        assert!((part.elsewhere.expect("measured").mean - value).abs() < 0.3, "{result}");
    }
    // The pairs, each part left out twice, and the whole stack as often.
    assert_eq!(result.cost.transfer, 2 * 8 + 2 * 3 + 2 * 3);
    let events = kept(&[("a", 1.0)], Settings::new(), 1.0);
    let rules = CertifyRules::new().leave_one_out().transfer_to(Fidelity::steps(7));
    assert!(certified(&events, rules, plain).paragraph().contains("a single part has no ranking"));
}

/// A run of 20,000 tokens whose training loss is 1 + 4 exp(-speed tokens / 5,000), read at 100 points.
fn curve(speed: f64) -> Vec<CurvePoint> {
    let point = |step: u64| {
        let tokens = 200 * step;
        let loss = 1.0 + 4.0 * (-speed * tokens as f64 / 5_000.0).exp();
        CurvePoint { step, tokens, flops: 6.0 * tokens as f64, seconds: step as f64, loss }
    };
    (1..=100).map(point).collect()
}

/// Twice as fast with everything that was kept.
fn with_curve(run: &PlannedRun<Knobs>) -> Outcome {
    let value = Measurement::scalar(loss(&run.candidate, run.seed))?;
    let pace = 1.0 + 0.01 * (run.seed % 7) as f64;
    Ok(value.curve(curve(if run.candidate.is_empty() { 1.0 } else { 2.0 * pace }))?)
}

#[test]
fn it_says_how_much_sooner_the_origins_loss_is_reached() {
    let events = kept(&[("a", 1.0), ("b", 2.0)], Settings::new(), 1.0);
    let rules = || CertifyRules::new().leave_one_out();
    let result = certified(&events, rules(), with_curve);
    let time = result.claim.and_then(|claim| claim.time).expect("curves");
    assert!(time.pairs >= 8 && time.reached == time.pairs, "{time:?}");
    // Half of the tokens, a little less for the pace, a little more for the smoothing over a twentieth.
    assert!((0.46..0.53).contains(&time.tokens), "{time:?}");
    assert!(
        time.interval.is_some_and(|(low, high)| low < time.tokens && time.tokens < high && high - low < 0.05)
    );
    assert!(time.flops.is_some_and(|flops| (flops - time.tokens).abs() < 1e-9));
    let said = result.paragraph();
    assert!(said.contains("With it the origin's final training loss is reached after"), "{said}");
    let copy: Certified<Knobs> =
        serde_json::from_str(&serde_json::to_string(&result).expect("JSON")).expect("back");
    assert_eq!(copy.claim.and_then(|claim| claim.time), Some(time));

    // At the other fidelity as well; and without curves nothing is said.
    let there = certified(&events, rules().transfer_to(Fidelity::steps(1_000)), with_curve);
    let total = there.transfer.and_then(|transfer| transfer.total).expect("a total there");
    assert!(
        total.time.is_some_and(|time| time.tokens < 0.6)
            && there.paragraph().contains("; with it the origin's")
    );
    assert!(!certified(&events, rules(), plain).paragraph().contains("training loss"));
}

#[test]
fn a_curve_that_goes_back_or_has_no_number_is_refused() {
    let measured = || Measurement::scalar(1.0).expect("finite");
    let error = measured().curve(curve(1.0).into_iter().rev()).expect_err("it goes back");
    assert_eq!(
        error.to_string(),
        "the curve's steps and tokens must rise; point 1 does not come after the one before"
    );
    let mut broken = curve(1.0);
    broken[7].loss = f64::NAN;
    let error = measured().curve(broken).expect_err("no number");
    assert!(error.to_string().contains("the loss of the curve's point 7"), "{error}");
    let text = serde_json::to_string(&measured().curve(curve(1.0)).expect("a curve")).expect("JSON");
    assert_eq!(serde_json::from_str::<Measurement>(&text).expect("back").training_curve(), curve(1.0));
    assert!(serde_json::from_str::<Measurement>(&text.replace("\"step\":2,", "\"step\":1,")).is_err());
}

#[test]
fn rates_that_cannot_work_are_refused() {
    let events = kept(EDITS, Settings::new(), 1.0);
    let refused = Certification::of(&events, compose(), CertifyRules::new().rate(0.0));
    assert!(refused.expect_err("no rate").to_string().contains("between 0 and 1"));
    let nothing: [Event<Knobs>; 0] = [];
    assert!(Certification::of(&nothing, None, CertifyRules::new()).is_err());
}

/// A search over the same settings with a runtime; the executor counts what it was asked.
fn study(store: &MemoryStore<Knobs>, runs: &Arc<AtomicU64>) -> Study<Knobs, f64> {
    let runs = Arc::clone(runs);
    let proposer = proposer_fn(|cx: ProposeContext<'_, Knobs>| {
        let Some((key, value)) = EDITS.get(cx.proposals as usize) else { return Ok(Proposed::Exhausted) };
        let mut edited = cx.incumbent.clone();
        edited.insert(key.to_string(), *value);
        Ok(Proposal::new(edited).title(*key).into())
    });
    let train = executor_fn(move |knobs: Knobs, run: RunContext| {
        let runs = Arc::clone(&runs);
        async move {
            runs.fetch_add(1, Ordering::Relaxed);
            let short = if run.fidelity == Some(Fidelity::steps(7)) { 2.0 } else { 0.0 };
            Ok(loss(&knobs, run.seed) + short)
        }
    });
    let measure = evaluator_fn(|loss: &f64| Ok(Measurement::scalar(*loss)?.curve(curve(1.0))?));
    Study::new(Knobs::new(), proposer, train, measure)
        .acceptor(KeepAll(vec![]))
        .compose(FieldMerge::new())
        .store(store.clone())
}

#[tokio::test]
async fn resumed_in_the_middle_it_says_the_same() {
    let (store, runs) = (MemoryStore::new(), Arc::new(AtomicU64::new(0)));
    study(&store, &runs).run().await.expect("a report");
    let certification =
        || certify(study(&store, &runs).in_flight(3)).leave_one_out().transfer_to(Fidelity::steps(7));
    let whole = certification().run().await.expect("a result");
    assert!(whole.complete && whole.claim.is_some(), "{whole}");
    let elsewhere = whole.transfer.expect("asked for").total.expect("measured");
    assert!(elsewhere.time.is_some_and(|time| time.reached == time.pairs && time.tokens == 1.0), "{whole}");
    assert!((elsewhere.origin - 12.0).abs() < 0.2, "{whole}");

    let own = MemoryStore::new();
    for limit in [16, 24, 40] {
        let part = certification().store(own.clone()).limits(Limits::new().runs(limit));
        let part = part.run().await.expect("as far as it went");
        assert!(!part.complete && part.stopped == StopReason::Runs, "{part}");
        assert_eq!(part.certified, part.bolder);
        let said = part.paragraph().contains("Nothing can be said yet of single parts");
        assert_eq!(said, verdicts(&part).iter().all(|verdict| *verdict == PartVerdict::Untested), "{part}");
        assert!(limit != 16 || (said && !part.paragraph().contains("taken out")), "{part}");
    }
    let before = runs.load(Ordering::Relaxed);
    let resumed = certification().store(own.clone()).run().await.expect("a result");
    assert_eq!(resumed, whole);
    let after = runs.load(Ordering::Relaxed);
    let all = whole.cost.totals + whole.cost.parts + whole.cost.transfer;
    assert!(after - before < all, "some were stored");
    // Opened once more it says the same, without a run.
    assert_eq!(certification().store(own.clone()).run().await.expect("a result"), whole);
    assert_eq!(runs.load(Ordering::Relaxed), after);
    // And it does not go on with other rules.
    let other = certify(study(&store, &runs)).store(own).run().await;
    assert!(matches!(other, Err(StudyError::State(StateError::OtherStudy { .. }))));
}

/// The values that key `a` is given, one after the other.
fn one_key(store: &MemoryStore<Knobs>, values: &'static [f64]) -> Study<Knobs, f64> {
    let proposer = proposer_fn(move |cx: ProposeContext<'_, Knobs>| {
        let Some(value) = values.get(cx.proposals as usize) else { return Ok(Proposed::Exhausted) };
        Ok(Proposal::new(Knobs::from([("a".to_string(), *value)])).into())
    });
    let train = executor_fn(|knobs: Knobs, run: RunContext| async move { Ok(loss(&knobs, run.seed)) });
    Study::new(Knobs::from([("a".to_string(), 0.0)]), proposer, train, testkit::loss())
        .acceptor(KeepAll(vec![]))
        .compose(FieldMerge::new())
        .limits(Limits::new().proposals(values.len() as u64))
        .store(store.clone())
}

#[tokio::test]
async fn a_study_that_kept_more_is_another_certification() {
    let (store, own) = (MemoryStore::new(), MemoryStore::new());
    one_key(&store, &[0.5]).run().await.expect("a report");
    let first = certify(one_key(&store, &[0.5])).store(own.clone()).run().await.expect("a result");
    assert!(first.complete && first.parts.len() == 1, "{first}");
    // One more step of the same key: still one part.
    one_key(&store, &[0.5, 2.0]).run().await.expect("a report");
    let stale = certify(one_key(&store, &[0.5, 2.0])).store(own).run().await.expect_err("another stack");
    assert!(matches!(&stale, StudyError::State(StateError::OtherStudy { .. })), "{stale}");
    let text = stale.to_string();
    assert!(text.contains("2 kept proposals up to p2") && text.contains("or a new one"), "{text}");
    let anew = certify(one_key(&store, &[0.5, 2.0])).store(MemoryStore::new()).run().await.expect("a result");
    assert_eq!(anew.parts[0].title, "a: 0.0 -> 2.0 (2 steps)");
    assert!(anew.parts.len() == 1 && anew.kept.expect("measured").gain.mean > 1.5, "{anew}");
}

#[tokio::test]
async fn held_out_numbers_are_kept_from_a_study_that_goes_on() {
    let heard = Arc::new(AtomicU64::new(0));
    let listen = |to: &Arc<AtomicU64>| {
        let to = Arc::clone(to);
        move |_: &Notice<'_>, _: &Status| {
            to.fetch_add(1, Ordering::Relaxed);
        }
    };
    let (store, runs) = (MemoryStore::new(), Arc::new(AtomicU64::new(0)));
    study(&store, &runs).run().await.expect("a report");
    let held = || study(&store, &runs).holdout(testkit::loss());
    let whole = certify(held().observer(listen(&heard))).run().await.expect("it has stopped");
    assert_eq!((whole.split.as_str(), heard.load(Ordering::Relaxed)), ("holdout", 0));
    assert!(whole.paragraph().contains("needs a fresh holdout"), "{whole}");
    certify(held()).observer(listen(&heard)).run().await.expect("it has stopped");
    assert!(heard.load(Ordering::Relaxed) > 0, "its own observers hear it");

    // The same history without its end.
    let cut: MemoryStore<Knobs> = MemoryStore::new();
    let events: Vec<Event<Knobs>> =
        store.read(Seq(0), 10_000).await.expect("a page").into_iter().map(|(_, event)| event).collect();
    assert!(matches!(events.last(), Some(Event::Stopped { .. })));
    cut.append(Seq(0), &events[..events.len() - 1]).await.expect("stored");
    let running = || study(&cut, &runs).holdout(testkit::loss());
    let refused = certify(running()).run().await.expect_err("it goes on").to_string();
    assert!(refused.contains("has not stopped") && refused.contains("even_if_running"), "{refused}");
    assert!(certify(running()).even_if_running().run().await.is_ok());
    assert!(certify(study(&cut, &runs)).run().await.is_ok(), "validation is no secret");
}

/// The probability of at most `k` of `n`, each with probability `p`.
fn binomial_cdf(k: u32, n: u32, p: f64) -> f64 {
    let mut term = (1.0 - p).powi(n as i32);
    let mut sum = term;
    for i in 0..k {
        term *= f64::from(n - i) / f64::from(i + 1) * p / (1.0 - p);
        sum += term;
    }
    sum
}

/// 100 studies of keep-if-better in a world where twins do the same thing twice: too few intervals that cover the truth,
/// or too much junk left standing, would each have a probability below .001 at a coverage of .95 and a share of .05.
#[test]
fn claims_hold_in_simulation() {
    let (mut covered, mut claims, mut junk, mut stand) = (0, 0, 0, 0);
    for seed in 0..100 {
        let world = Landscape::new(Mixture::Mixed, 900 + seed).interactions(Interactions::Redundant);
        let rules = Rules::budget(120).seed(seed);
        let mut events = Vec::new();
        simulate_recorded(&world, Greedy::new(), &rules, &mut events).expect("played");
        let rules = CertifyRules::new().leave_one_out();
        let mut certification = Certification::of(&events, Some(world.composer()), rules).expect("kept");
        while let Action::Run(run) = certification.next_action() {
            let loss = world.loss(&run.candidate, run.seed, 0);
            certification.finished(run.id, scalar(loss)).expect("under way");
        }
        let result = certification.result();
        let (merit, truth) = (world.judge(&result.certified), world.gain(&result.certified));
        (junk, stand) = (junk + merit.junk as u32, stand + merit.edits as u32);
        if let Some(claim) = &result.claim {
            claims += 1;
            covered += u32::from(claim.gain.low <= Some(truth) && Some(truth) <= claim.gain.high);
        }
        assert!(result.cost.parts <= 2 * result.parts.len() as u64, "{result}");
    }
    assert!(claims >= 50 && stand >= 80, "{claims} claims, {stand} parts");
    assert!(binomial_cdf(covered, claims, 0.95) > 0.001, "{covered} of {claims} covered");
    assert!(binomial_cdf(stand - junk, stand, 0.95) > 0.001, "{junk} of {stand} junk");
}
