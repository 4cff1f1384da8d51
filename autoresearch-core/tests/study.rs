//! The driver: resume, faults, panics, cancellation, limits, the held-out splits.

use autoresearch_core::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// A noisy function of a rate; one value a document, the last 6 of 12 are the holdout.
fn losses(rate: f64, seed: u64) -> Vec<f64> {
    let noise = |i: u64| (((seed + 1) * 97 + i * 31) as f64 * 78.233).sin() * 0.02;
    (0..12).map(|i| (rate.log10() + 2.5).abs() + noise(0) + noise(i + 1)).collect()
}

fn validation() -> impl Evaluator<Vec<f64>> {
    evaluator_fn(|l: &Vec<f64>| Ok(Measurement::new(l[..6].iter().copied())?))
}

fn holdout() -> impl Evaluator<Vec<f64>> {
    evaluator_fn(|l: &Vec<f64>| Ok(Measurement::new(l[6..].iter().copied())?))
}

fn steps() -> impl Proposer<f64> {
    proposer_fn(|cx: ProposeContext<'_, f64>| {
        let factor = if cx.seed.is_multiple_of(2) { 0.6 } else { 1.5 };
        Ok(Proposal::new(cx.incumbent * factor).title(format!("x{factor}")).into())
    })
}

fn study() -> Study<f64, Vec<f64>> {
    let train = executor_fn(|rate: f64, run| async move { Ok(losses(rate, run.seed)) });
    Study::new(0.1, steps(), train, validation())
}

fn facts(store: &MemoryStore<f64>) -> impl Future<Output = Vec<String>> + use<> {
    let store = store.clone();
    async move {
        let events = store.read(Seq(0), usize::MAX).await.expect("readable");
        let text = |(_, e): &(Seq, Event<f64>)| match e {
            Event::Opened { .. } => "opened".to_string(),
            Event::Finished { run, outcome, .. } => format!("{run:?} {outcome:?}"),
            other => format!("{other:?}"),
        };
        events.iter().map(text).collect()
    }
}

#[tokio::test]
async fn a_study_climbs_and_reports() {
    let report = study()
        .holdout(holdout())
        .test_split(holdout())
        .limits(Limits::new().runs(300))
        .run()
        .await
        .expect("a report");
    assert_eq!(report.stopped, StopReason::Runs);
    assert!(!report.kept.is_empty() && report.holdout.1 >= report.kept.len() as u64);
    let result = report.result.expect("the test split was opened");
    assert_eq!(result.pairs, 8);
    assert!(result.kept.expect("something was kept").test.low > 0.0, "{result:?}");
    let text = report.to_string();
    assert!(text.contains("holdout was asked") && text.contains("test"), "{text}");
    assert!((report.certified().log10() + 2.5).abs() < 0.5, "{:?}", report.certified());
}

#[tokio::test]
async fn cut_at_any_event_it_resumes_to_the_same_history() {
    let make = |store: &MemoryStore<f64>| {
        study().holdout(holdout()).test_split(holdout()).limits(Limits::new().runs(60)).store(store.clone())
    };
    let whole = MemoryStore::new();
    make(&whole).run().await.expect("a report");
    let expected = facts(&whole).await;
    let events = whole.read(Seq(0), usize::MAX).await.expect("readable");
    for cut in (1..events.len()).step_by(3) {
        let store = MemoryStore::new();
        let prefix: Vec<Event<f64>> = events[..cut].iter().map(|(_, e)| e.clone()).collect();
        store.append(Seq(0), &prefix).await.expect("an append");
        make(&store).run().await.expect("a report");
        assert_eq!(facts(&store).await, expected, "cut after {cut} events");
    }
    // And a finished study opened again only reports.
    let again = make(&whole).run().await.expect("a report");
    assert_eq!(facts(&whole).await, expected);
    assert_eq!(again.stopped, StopReason::Runs);
}

#[tokio::test]
async fn raised_limits_let_a_finished_study_go_on_without_opening_the_test_split_twice() {
    let store = MemoryStore::new();
    let make = |runs| {
        let study = study().holdout(holdout()).test_split(holdout());
        study.limits(Limits::new().runs(runs)).store(store.clone())
    };
    let first = make(80).run().await.expect("a report");
    let more = make(200).run().await.expect("a report");
    assert!(more.proposals > first.proposals);
    assert_eq!(first.result, more.result);
    let events = store.read(Seq(0), usize::MAX).await.expect("readable");
    assert_eq!(events.iter().filter(|(_, e)| matches!(e, Event::Tested { .. })).count(), 1);
}

#[tokio::test]
async fn another_study_is_refused() {
    let store = MemoryStore::new();
    study().limits(Limits::new().runs(25)).store(store.clone()).run().await.expect("a report");
    let refused = |s: Study<f64, Vec<f64>>| async { s.run().await.expect_err("refused").to_string() };
    let train = executor_fn(|rate: f64, run| async move { Ok(losses(rate, run.seed)) });
    let other = Study::new(0.2, steps(), train, validation()).store(store.clone());
    let message = refused(other).await;
    assert!(message.contains("baseline is 0.1") && message.contains("0.2"), "{message}");
    let message = refused(study().acceptor(Greedy::new()).store(store.clone())).await;
    assert!(message.contains("policy"), "{message}");
    let message = refused(study().maximize().store(store.clone())).await;
    assert!(message.contains("direction"), "{message}");
}

#[tokio::test]
async fn a_panic_fails_one_run_and_not_the_study() {
    let n = AtomicU64::new(0);
    let train = executor_fn(move |rate: f64, run: RunContext| {
        let n = n.fetch_add(1, Ordering::Relaxed);
        async move {
            assert!(n != 9, "the tenth run panics");
            Ok(losses(rate, run.seed))
        }
    });
    let report = Study::new(0.1, steps(), train, validation())
        .limits(Limits::new().runs(40))
        .run()
        .await
        .expect("a report");
    assert_eq!((report.failed_runs, report.stopped), (1, StopReason::Runs));
}

#[tokio::test]
async fn a_baseline_that_fails_ends_the_study_with_the_reason() {
    let train =
        executor_fn(|_: f64, _| async { Err::<Vec<f64>, _>(RunFailure::candidate("no such file train.py")) });
    let report = Study::new(0.1, steps(), train, validation()).run().await.expect("a report");
    assert!(matches!(&report.stopped, StopReason::BaselineFailed(why) if why.contains("train.py")));
}

#[tokio::test]
async fn a_nan_metric_counts_against_its_proposal() {
    let train = executor_fn(|rate: f64, run: RunContext| async move {
        Ok(if rate == 0.1 { losses(rate, run.seed) } else { vec![f64::NAN; 12] })
    });
    let report = Study::new(0.1, steps(), train, validation())
        .limits(Limits::new().proposals(3))
        .run()
        .await
        .expect("a report");
    assert_eq!((report.failed_runs, report.kept.len(), report.stopped), (3, 0, StopReason::Proposals));
}

#[tokio::test]
async fn lost_runs_are_repeated_with_their_seed_and_change_nothing() {
    let calm = MemoryStore::new();
    study().limits(Limits::new().runs(60)).store(calm.clone()).run().await.expect("a report");
    let rough = MemoryStore::new();
    let train = executor_fn(|rate: f64, run: RunContext| async move {
        if run.attempt == 0 && run.run.0.is_multiple_of(17) {
            return Err(RunFailure::infrastructure("node lost"));
        }
        Ok(losses(rate, run.seed))
    });
    let report = Study::new(0.1, steps(), train, validation())
        .limits(Limits::new().runs(60))
        .store(rough.clone())
        .run()
        .await
        .expect("a report");
    assert!(report.lost_runs >= 3);
    let decisions = async |store: &MemoryStore<f64>| {
        let all = facts(store).await;
        all.into_iter().filter(|f| f.starts_with("Settled")).collect::<Vec<_>>()
    };
    assert_eq!(decisions(&calm).await, decisions(&rough).await);
}

#[tokio::test]
async fn cancelling_stops_runs_and_the_study_can_be_resumed() {
    let store = MemoryStore::new();
    let cancel = Cancellation::new();
    let ended = Arc::new(AtomicBool::new(false));
    let saw = Arc::clone(&ended);
    let hang = Arc::new(AtomicBool::new(true));
    let hangs = Arc::clone(&hang);
    let train = executor_fn(move |rate: f64, run: RunContext| {
        let (saw, hangs) = (Arc::clone(&saw), Arc::clone(&hangs));
        async move {
            if run.run.0 == 12 && hangs.load(Ordering::Relaxed) {
                run.cancel.cancelled().await;
                saw.store(true, Ordering::Relaxed);
                return Err(RunFailure::cancelled());
            }
            Ok(losses(rate, run.seed))
        }
    });
    let train = Arc::new(train);
    let make = |train: Arc<_>| {
        Study::new(0.1, steps(), train, validation()).limits(Limits::new().runs(40)).store(store.clone())
    };
    let stop = cancel.clone();
    let (report, ()) = tokio::join!(make(Arc::clone(&train)).cancelled_by(&cancel).run(), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        stop.cancel();
    });
    assert_eq!(report.expect("a report").stopped, StopReason::Cancelled);
    assert!(ended.load(Ordering::Relaxed), "the run was told");
    hang.store(false, Ordering::Relaxed);
    let report = make(train).run().await.expect("a report");
    assert_eq!(report.stopped, StopReason::Runs);
    let numbers: Vec<u64> = store
        .read(Seq(0), usize::MAX)
        .await
        .expect("readable")
        .iter()
        .filter_map(|(_, e)| if let Event::Finished { run, .. } = e { Some(run.id.0) } else { None })
        .collect();
    let mut once = numbers.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), numbers.len(), "no run counts twice: {numbers:?}");
}

#[tokio::test]
async fn dropping_the_future_tells_the_runs() {
    let told = Cancellation::new();
    let tell = told.clone();
    let train = executor_fn(move |_: f64, run: RunContext| {
        let tell = tell.clone();
        async move {
            let cancel = run.cancel.clone();
            std::thread::spawn(move || {
                while !cancel.is_cancelled() {
                    std::thread::sleep(Duration::from_millis(1));
                }
                tell.cancel();
            });
            std::future::pending::<Result<Vec<f64>, RunFailure>>().await
        }
    });
    let run = Study::new(0.1, steps(), train, validation()).run();
    assert!(tokio::time::timeout(Duration::from_millis(50), run).await.is_err());
    tokio::time::timeout(Duration::from_secs(5), told.cancelled()).await.expect("the thread was told");
}

#[tokio::test]
async fn two_runs_in_flight_and_the_clock() {
    let most = Arc::new(AtomicU64::new(0));
    let now = Arc::new(AtomicU64::new(0));
    let (m, n) = (Arc::clone(&most), Arc::clone(&now));
    let train = executor_fn(move |rate: f64, run: RunContext| {
        let (m, n) = (Arc::clone(&m), Arc::clone(&n));
        async move {
            m.fetch_max(n.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(2)).await;
            n.fetch_sub(1, Ordering::SeqCst);
            Ok(losses(rate, run.seed))
        }
    });
    let report = Study::new(0.1, steps(), train, validation())
        .in_flight(2)
        .limits(Limits::new().wall_clock(Duration::from_millis(300)))
        .run()
        .await
        .expect("a report");
    assert_eq!(report.stopped, StopReason::WallClock);
    assert_eq!(most.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_proposer_that_fails_is_asked_again_and_then_given_up() {
    let mut calls = 0;
    let flaky = proposer_fn(move |cx: ProposeContext<'_, f64>| {
        calls += 1;
        if calls == 1 { Err(ProposeError::new("429")) } else { Ok(Proposal::new(cx.incumbent * 0.6).into()) }
    });
    let train = || executor_fn(|rate: f64, run: RunContext| async move { Ok(losses(rate, run.seed)) });
    let limits = || Limits::new().runs(25);
    let report =
        Study::new(0.1, flaky, train(), validation()).limits(limits()).run().await.expect("a report");
    assert_eq!(report.stopped, StopReason::Runs);
    let broken = proposer_fn(|_: ProposeContext<'_, f64>| Err(ProposeError::new("no such model")));
    let report =
        Study::new(0.1, broken, train(), validation()).limits(limits()).run().await.expect("a report");
    assert!(matches!(&report.stopped, StopReason::ProposerFailed(why) if why.contains("no such model")));
}

#[tokio::test]
async fn rules_without_their_evaluator_and_a_wrong_direction_are_refused() {
    let error = study().holdout_rules(Holdout::new()).run().await.expect_err("refused").to_string();
    assert!(error.contains("holdout"), "{error}");
    let train = executor_fn(|rate: f64, run: RunContext| async move { Ok(losses(rate, run.seed)) });
    let accuracy =
        evaluator_fn(|l: &Vec<f64>| Ok(Measurement::new(l.iter().copied())?.direction(Direction::Maximize)));
    let error = Study::new(0.1, steps(), train, accuracy).run().await.expect_err("refused").to_string();
    assert!(error.contains("maximize"), "{error}");
}

#[tokio::test]
async fn the_holdout_has_a_budget() {
    let report = study()
        .holdout(holdout())
        .holdout_rules(Holdout::new().queries(1))
        .limits(Limits::new().runs(300))
        .run()
        .await
        .expect("a report");
    assert_eq!((report.stopped, report.holdout.0), (StopReason::HoldoutSpent, 1));
}

#[tokio::test]
async fn results_become_a_table() {
    let store = MemoryStore::new();
    let report = study().limits(Limits::new().runs(60)).store(store.clone()).run().await.expect("a report");
    let table = results_tsv(&store, "val_loss").await.expect("readable");
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[0], "id\tval_loss\tmemory_gb\tstatus\tdescription");
    // The mean of all runs of the baseline, each of which is 1.5 and noise of at most 0.04.
    let baseline: f64 = lines[1].split('\t').nth(1).expect("a number").parse().expect("a number");
    assert!(lines[1].starts_with("baseline\t") && (baseline - 1.5).abs() < 0.02, "{}", lines[1]);
    assert_eq!(table.matches("\tkeep\t").count(), report.kept.len() + 1);
    assert!(lines.iter().all(|l| l.split('\t').count() == 5));
}

#[tokio::test]
async fn a_slow_proposer_is_not_awaited_at_the_end_and_a_bad_observer_is_dropped() {
    struct Slow;
    #[async_trait]
    impl Proposer<f64> for Slow {
        async fn propose(&mut self, cx: ProposeContext<'_, f64>) -> Result<Proposed<f64>, ProposeError> {
            // The second answer comes in the middle of the final runs.
            let pause = if cx.proposals == 0 { 0 } else { 60 };
            tokio::time::sleep(Duration::from_millis(pause)).await;
            Ok(Proposal::new(cx.incumbent * 0.6).into())
        }
    }
    let train = executor_fn(|rate: f64, run: RunContext| async move {
        tokio::time::sleep(Duration::from_millis(5)).await;
        Ok(losses(rate, run.seed))
    });
    let report = Study::new(0.1, Slow, train, validation())
        .holdout(holdout())
        .test_split(holdout())
        .in_flight(2)
        .limits(Limits::new().accepted(1))
        .observer(|notice: &Notice<'_>, _: &Status| assert!(!matches!(notice, Notice::Settled { .. }), "bad"))
        .run()
        .await
        .expect("a report");
    assert_eq!((report.stopped, report.kept.len()), (StopReason::Accepted, 1));
    assert!(report.result.is_some());
}

#[tokio::test]
async fn a_run_that_cancels_itself_is_not_repeated_for_ever() {
    let train = executor_fn(|_: f64, _| async { Err::<Vec<f64>, _>(RunFailure::cancelled()) });
    let limits = Limits::new().consecutive_failures(3);
    let report = Study::new(0.1, steps(), train, validation()).limits(limits).run().await.expect("a report");
    assert!(matches!(report.stopped, StopReason::ConsecutiveFailures(_)), "{}", report.stopped);
}

#[tokio::test]
async fn an_old_test_result_is_not_passed_off_as_that_of_the_new_incumbent() {
    let store = MemoryStore::new();
    let make = |n| {
        let idea = proposer_fn(|cx: ProposeContext<'_, f64>| Ok(Proposal::new(cx.incumbent * 0.9).into()));
        let train =
            executor_fn(|rate: f64, run: RunContext| async move { Ok(rate + 1e-9 * run.seed as f64) });
        let study = Study::new(1.0, idea, train, testkit::loss()).acceptor(Margin::new(0.001));
        study.test_split(testkit::loss()).limits(Limits::new().proposals(n)).store(store.clone())
    };
    let first = make(1).run().await.expect("a report");
    assert!(first.version == Version(1) && !first.to_string().contains("version"), "{first}");
    let more = make(3).run().await.expect("a report");
    assert_eq!((more.version, more.result), (Version(3), first.result));
    let text = more.to_string();
    assert!(text.contains("opened at version 1") && text.contains("not of version 3"), "{text}");
}

/// Has no opinion: all stays on the stack.
struct Undecided;

impl Acceptor for Undecided {
    fn next(&mut self, cohort: &Cohort<'_>) -> Step {
        match cohort.live().next() {
            Some(proposal) => Step::Decide(vec![Decision::undecided(proposal, "who knows")]),
            None if cohort.asked() > 0 => Step::Wait,
            None if cohort.exhausted() => Step::Finish,
            None => Step::propose(1),
        }
    }

    fn guarantee(&self) -> Guarantee {
        Guarantee::None
    }

    fn describe(&self) -> String {
        "undecided".into()
    }
}

#[test]
fn final_runs_are_planned_anew_where_the_stack_has_changed_since() {
    let limits = |n| Limits::new().proposals(n);
    let settings = Settings::new().limits(limits(1)).test_split(TestSplit::new().seeds(2));
    let mut study = StudyState::new(8.0, Undecided, settings).expect("settings");
    let mut arms = Vec::new();
    let mut play = |study: &mut StudyState<f64>, mut runs: usize| loop {
        match study.next_action() {
            Action::Propose { .. } => {
                study.proposed(Proposal::new(study.incumbent() - 1.0 - study.proposals() as f64))
            }
            Action::Run(_) if runs == 0 => break arms.split_off(0),
            Action::Run(run) => {
                runs -= 1;
                arms.push(*run.candidate);
                study.finished(run.id, Ok(Measurement::scalar(*run.candidate).expect("finite")))
            }
            Action::AskHoldout(query) => {
                let held =
                    query.runs.iter().map(|run| Measurement::scalar(*run.candidate).expect("finite").into());
                study.held_out(query.id, held.collect())
            }
            Action::Wait => panic!("nothing is under way"),
            Action::Stop(_) => break arms.split_off(0),
        }
        .expect("asked for");
    };
    assert_eq!(play(&mut study, 3), [8.0, 7.0, 8.0]);
    study.stop(StopReason::Cancelled);
    study.resume(limits(1), 1).expect("limits");
    assert_eq!(play(&mut study, 0), [0.0; 0], "the same stack: what is left of the final runs");
    study.stop(StopReason::Cancelled);
    study.resume(limits(2), 1).expect("limits");
    assert_eq!(play(&mut study, 9), [8.0, 6.0, 8.0, 6.0]);
    let result = study.final_result().expect("the test split was opened");
    assert_eq!(result.stack.map(|splits| splits.test.gain), Some(2.0), "{result:?}");
}
