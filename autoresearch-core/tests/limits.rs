//! What ends a study besides its runs: compute, money, and a holdout that cannot be measured.

use autoresearch_core::*;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

fn losses(rate: &f64) -> Result<Measurement, RunFailure> {
    Ok(Measurement::scalar((rate.log10() + 2.0).abs())?)
}

fn halve() -> impl Proposer<f64> {
    proposer_fn(|cx: ProposeContext<'_, f64>| {
        cx.charge(0.25, "ideas");
        Ok(Proposal::new(cx.incumbent / 2.0).into())
    })
}

fn study(price: f64) -> Study<f64, f64> {
    let train = executor_fn(move |rate: f64, run| async move {
        run.charge(price);
        Ok(rate)
    });
    Study::new(1.0, halve(), train, evaluator_fn(losses)).acceptor(Greedy::new())
}

async fn charges(store: &MemoryStore<f64>) -> f64 {
    let stored = store.read(Seq(0), usize::MAX).await.expect("stored");
    let charged =
        stored.iter().map(|(_, event)| if let Event::Charged(charge) = event { charge.amount } else { 0.0 });
    charged.sum()
}

#[tokio::test]
async fn money_ends_a_study_and_is_remembered() {
    let store = MemoryStore::new();
    let limits = Limits::new().money(3.0);
    let report = study(0.5).limits(limits).store(store.clone()).run().await.expect("a report");
    assert_eq!(report.stopped, StopReason::Money);
    // .5 a run and .25 an answer: the limit, and at most what was under way when it was reached.
    let spent = charges(&store).await;
    assert!((3.0..=3.75).contains(&spent), "{spent}");

    let report =
        study(0.5).limits(Limits::new().money(5.0)).store(store.clone()).run().await.expect("a report");
    assert_eq!(report.stopped, StopReason::Money);
    let spent = charges(&store).await;
    assert!((5.0..=5.75).contains(&spent), "{spent}");
}

#[tokio::test]
async fn what_is_no_amount_ends_the_study_with_a_message() {
    let error = study(f64::NAN).limits(Limits::new().runs(5)).run().await.expect_err("no amount");
    assert!(error.to_string().contains("NaN was charged for runs"), "{error}");
    let error = study(1.0).limits(Limits::new().money(0.0)).run().await.expect_err("no limit");
    assert!(error.to_string().contains("the limit on money is 0"), "{error}");
}

#[tokio::test]
async fn a_display_is_told_how_far_the_limits_are() {
    let last = Arc::new(std::sync::Mutex::new(None));
    let seen = Arc::clone(&last);
    let limits = Limits::new().money(3.0).proposals(50).runs(60).compute(HOUR).wall_clock(2 * HOUR);
    let study = study(0.5).limits(limits).observer(move |_: &Notice<'_>, status: &Status| {
        *seen.lock().expect("no panic") = Some(status.clone());
    });
    let report = study.run().await.expect("a report");
    let status = last.lock().expect("no panic").clone().expect("it was told");
    assert_eq!((status.money, status.money_limit), (report.money, Some(3.0)));
    assert_eq!((status.proposals, status.proposals_limit), (report.proposals, Some(50)));
    assert_eq!((status.runs, status.runs_limit), (report.runs, Some(60)));
    assert_eq!((status.compute, status.compute_limit), (report.compute_seconds, Some(3600.0)));
    assert_eq!(status.wall_clock, Some(7200.0));
}

#[test]
fn compute_ends_a_study_and_runs_under_way_are_judged() {
    let settings = Settings::new().in_flight(2).limits(Limits::new().compute(Duration::from_secs(100)));
    let mut study = StudyState::new(1.0, Greedy::new(), settings).expect("settings");
    let (mut spent, mut flying) = (0.0, Vec::new());
    let reason = loop {
        match study.next_action() {
            Action::Propose { .. } => {
                study.proposed(Proposal::new(study.incumbent() * 1.1)).expect("asked for")
            }
            Action::Run(run) => flying.push(run),
            Action::Wait => {
                let run = flying.remove(0);
                spent += 30.0;
                study.finished_after(run.id, losses(&run.candidate), 30.0, spent / 2.0).expect("under way");
            }
            Action::Stop(reason) => break reason,
            Action::AskHoldout(_) => unreachable!("there is none"),
        }
    };
    assert_eq!(reason, StopReason::Compute);
    assert!((100.0..=150.0).contains(&spent), "{spent}");
    assert!(flying.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_holdout_that_cannot_be_measured_is_found_with_the_first_run() {
    let limits = Limits::new().runs(50);
    let broken = evaluator_fn(|_: &f64| Err(RunFailure::infrastructure("no such file: holdout.txt")));
    let report = study(0.0).holdout(broken).limits(limits.clone()).run().await.expect("a report");
    let StopReason::HeldOutFailed(why) = &report.stopped else { panic!("{:?}", report.stopped) };
    assert!(why.contains("no such file"), "{why}");

    // Shards of single numbers.
    let rules = Holdout::new().shards(4);
    let report = study(0.0)
        .holdout(evaluator_fn(losses))
        .holdout_rules(rules)
        .limits(limits)
        .run()
        .await
        .expect("a report");
    let StopReason::HeldOutFailed(why) = &report.stopped else { panic!("{:?}", report.stopped) };
    assert!(why.contains("no per-unit values"), "{why}");
}

const HOUR: Duration = Duration::from_secs(3600);

async fn stored(store: &MemoryStore<f64>) -> Vec<Event<f64>> {
    store.read(Seq(0), usize::MAX).await.expect("stored").into_iter().map(|(_, event)| event).collect()
}

#[tokio::test(start_paused = true)]
async fn runs_that_panic_cost_what_they_took() {
    let train = executor_fn(|rate: f64, _| async move {
        tokio::time::sleep(HOUR).await;
        assert!(rate == 1.0, "out of memory");
        Ok(rate)
    });
    let report = Study::new(1.0, halve(), train, evaluator_fn(losses))
        .acceptor(Greedy::new())
        .limits(Limits::new().compute(4 * HOUR))
        .run()
        .await
        .expect("a report");
    assert_eq!(
        (report.stopped, report.failed_runs, report.compute_seconds),
        (StopReason::Compute, 3, 4.0 * 3600.0)
    );
}

/// A study of one edit whose runs take an hour and end as `end` says when they are told to stop, cancelled after `after`.
async fn cancelled<F, Fut>(store: &MemoryStore<f64>, after: Duration, limits: Limits, train: F) -> Report<f64>
where
    F: Fn(f64, RunContext) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<f64, RunFailure>> + Send + 'static,
{
    let cancel = Cancellation::new();
    let idea = proposer_fn(|cx: ProposeContext<'_, f64>| Ok(Proposal::new(cx.incumbent / 2.0).into()));
    let study = Study::new(1.0, idea, executor_fn(train), evaluator_fn(losses))
        .acceptor(Greedy::new())
        .limits(limits)
        .store(store.clone())
        .cancelled_by(&cancel);
    let (report, ()) = tokio::join!(study.run(), async {
        tokio::time::sleep(after).await;
        cancel.cancel();
    });
    report.expect("a report")
}

#[tokio::test(start_paused = true)]
async fn a_run_that_ends_within_the_grace_is_a_fact() {
    let store = MemoryStore::new();
    let train = |rate, _| async move {
        tokio::time::sleep(HOUR).await;
        Ok(rate)
    };
    let limits = || Limits::new().proposals(1);
    let report = cancelled(&store, HOUR - Duration::from_secs(5), limits(), train).await;
    assert_eq!((report.stopped, report.runs, report.compute_seconds), (StopReason::Cancelled, 1, 3600.0));
    let place =
        |events: &[Event<f64>], kind| events.iter().position(|e| e.kind() == kind).expect("it is there");
    let events = stored(&store).await;
    assert!(place(&events, "finished") < place(&events, "stopping"), "{events:?}");
    // It is not made again, and what follows is what follows without a stop.
    let report = cancelled(&store, 9 * HOUR, limits(), train).await;
    assert_eq!((report.stopped, report.runs, report.compute_seconds), (StopReason::Proposals, 2, 7200.0));
    let whole = MemoryStore::new();
    cancelled(&whole, 9 * HOUR, limits(), train).await;
    let decisions = |events: Vec<Event<f64>>| {
        events.into_iter().filter(|e| matches!(e.kind(), "settled" | "proposed")).collect::<Vec<_>>()
    };
    assert_eq!(decisions(stored(&store).await), decisions(stored(&whole).await));
}

#[tokio::test(start_paused = true)]
async fn what_a_run_took_that_was_told_to_stop_or_dropped_is_spent() {
    type Train =
        fn(f64, RunContext) -> std::pin::Pin<Box<dyn Future<Output = Result<f64, RunFailure>> + Send>>;
    let polite: Train = |_, run| {
        Box::pin(async move {
            run.cancel.cancelled().await;
            Err(RunFailure::cancelled())
        })
    };
    let deaf: Train = |_, _| Box::pin(pending());
    let frightened: Train = |_, run| {
        Box::pin(async move {
            run.cancel.cancelled().await;
            panic!("whatever it says when it is told to stop is not its candidate's fault")
        })
    };
    for (train, grace) in [(polite, 0.0), (deaf, 10.0), (frightened, 0.0)] {
        let store = MemoryStore::new();
        let mut report = cancelled(&store, HOUR, Limits::new().compute(5 * HOUR / 2), train).await;
        assert_eq!((report.runs, report.failed_runs, report.lost_runs), (0, 0, 0));
        assert!((report.compute_seconds - 3600.0 - grace).abs() < 0.1, "{report}");
        assert_eq!(report.stopped, StopReason::Cancelled);
        // The limit holds over sessions, and the third is not begun beyond it.
        report = cancelled(&store, HOUR, Limits::new().compute(5 * HOUR / 2), train).await;
        assert!((report.compute_seconds - 7200.0 - 2.0 * grace).abs() < 0.2, "{report}");
        let ended = |events: Vec<Event<f64>>| events.iter().filter(|e| e.kind() == "interrupted").count();
        assert_eq!(ended(stored(&store).await), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_charged_is_stored_at_once_and_a_dropped_session_leaves_it_behind() {
    let store = MemoryStore::new();
    let limits = || Limits::new().money(12.0);
    let make = || {
        let train = executor_fn(|rate: f64, run: RunContext| async move {
            run.charge(5.0);
            tokio::time::sleep(HOUR).await;
            Ok(rate)
        });
        let idea = proposer_fn(|cx: ProposeContext<'_, f64>| Ok(Proposal::new(cx.incumbent / 2.0).into()));
        let study = Study::new(1.0, idea, train, evaluator_fn(losses)).acceptor(Greedy::new());
        study.limits(limits()).store(store.clone())
    };
    for session in 1..=2 {
        assert!(
            tokio::time::timeout(HOUR / 2, make().run()).await.is_err(),
            "it is dropped in the first run"
        );
        assert_eq!(charges(&store).await, 5.0 * f64::from(session));
    }
    let report = make().run().await.expect("a report");
    assert_eq!((report.stopped, report.money, report.runs), (StopReason::Money, 15.0, 1));
}

#[tokio::test]
async fn limits_are_checked_when_a_study_goes_on() {
    let store = MemoryStore::new();
    let go_on = |limits| study(1.0).limits(limits).store(store.clone()).run();
    go_on(Limits::new().money(3.0)).await.expect("a report");
    let before = stored(&store).await.len();
    let error = go_on(Limits::new().money(f64::NAN)).await.expect_err("no limit").to_string();
    assert!(error.contains("the limit on money is NaN"), "{error}");
    let error = go_on(Limits::new().runs(0)).await.expect_err("no limit").to_string();
    assert!(error.contains("the limit on runs is 0"), "{error}");
    assert_eq!(stored(&store).await.len(), before);
}

/// One edit to a tenth, whose output the holdout is asked about; `held` measures an output, told how often it was called.
async fn confirmed(
    held: impl Fn(f64, u64) -> Result<Measurement, RunFailure> + Send + Sync + 'static,
) -> Report<f64> {
    let calls = AtomicU64::new(0);
    let holdout = evaluator_fn(move |rate: &f64| held(*rate, calls.fetch_add(1, Ordering::SeqCst)));
    let train = executor_fn(|rate: f64, _| async move { Ok(rate) });
    Study::new(1.0, testkit::scripted([Proposal::new(0.1)]), train, evaluator_fn(losses))
        .acceptor(Greedy::new())
        .holdout(holdout)
        .run()
        .await
        .expect("a report")
}

#[tokio::test(start_paused = true)]
async fn a_panic_on_the_incumbents_output_does_not_count_against_the_proposal() {
    // The first call is the rehearsal, on the baseline's output.
    let report = confirmed(|rate, call| {
        assert!(rate != 1.0 || call == 0, "the disk is gone");
        losses(&rate)
    })
    .await;
    let StopReason::HeldOutFailed(why) = &report.stopped else { panic!("{report}") };
    assert!(why.contains("of the incumbent") && why.contains("the disk is gone"), "{why}");
    assert_eq!(report.holdout, (0, 0), "nothing was answered");
    // A panic on the proposal's own is its own.
    let report = confirmed(|rate, _| {
        assert!(rate == 1.0, "not this one");
        losses(&rate)
    })
    .await;
    assert_eq!((report.stopped, report.kept.len(), report.holdout), (StopReason::Exhausted, 0, (1, 0)));
}

#[tokio::test(start_paused = true)]
async fn one_hiccup_in_the_first_measuring_of_the_holdout_ends_nothing() {
    let hiccup = |hiccups| {
        move |rate, call| if call < hiccups { Err(RunFailure::infrastructure("503")) } else { losses(&rate) }
    };
    let report = confirmed(hiccup(5)).await;
    assert_eq!((report.stopped, report.kept.len(), report.holdout), (StopReason::Exhausted, 1, (1, 1)));
    let report = confirmed(hiccup(u64::MAX)).await;
    assert!(matches!(&report.stopped, StopReason::HeldOutFailed(why) if why.contains("503")), "{report}");
    let calls = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&calls);
    let report = confirmed(move |_, _| {
        count.fetch_add(1, Ordering::SeqCst);
        Err(RunFailure::candidate("no such column"))
    })
    .await;
    assert!(matches!(&report.stopped, StopReason::HeldOutFailed(why) if why.contains("no such column")));
    assert_eq!(calls.load(Ordering::SeqCst), 1, "asking again would not help");
}

/// A study of 100 edits on 32 slots, whose runs are lost as often as `lost` says for a run.
async fn outage(lost: impl Fn(u64) -> u32 + Copy + Send + Sync + 'static) -> Report<f64> {
    let train = executor_fn(move |rate: f64, run: RunContext| async move {
        tokio::time::sleep(Duration::from_secs(10)).await;
        match run.attempt < lost(run.run.0) {
            true => Err(RunFailure::infrastructure("node lost")),
            false => Ok(rate),
        }
    });
    let ideas = proposer_fn(|cx: ProposeContext<'_, f64>| {
        Ok((0..cx.wanted).map(|_| Proposal::new(cx.incumbent * 1.1)).collect::<Vec<_>>().into())
    });
    let study = Study::new(1.0, ideas, train, evaluator_fn(losses)).acceptor(Greedy::new());
    study.in_flight(32).limits(Limits::new().proposals(100)).run().await.expect("a report")
}

#[tokio::test(start_paused = true)]
async fn an_outage_counts_by_attempts_not_by_the_runs_that_it_takes() {
    let report = outage(|run| u32::from(run > 1)).await;
    assert_eq!((report.stopped, report.lost_runs), (StopReason::Proposals, 100));
    let report = outage(|run| if run > 1 { 19 } else { 0 }).await;
    assert_eq!(report.stopped, StopReason::Proposals, "the last attempt that the limit leaves");
    let report = outage(|run| if run > 1 { 20 } else { 0 }).await;
    assert!(matches!(report.stopped, StopReason::ConsecutiveFailures(_)), "{report}");
    // The run that is tried first 20 times ends it; the others were tried once less at most.
    assert!((19 * 32..=20 * 32).contains(&report.lost_runs), "{report}");
}

#[test]
fn failures_of_candidates_count_one_by_one_among_lost_runs_too() {
    let settings = Settings::new().in_flight(4).limits(Limits::new().consecutive_failures(4));
    let mut study = StudyState::new(1.0, Greedy::new(), settings).expect("settings");
    let start = |study: &mut StudyState<f64>, n: usize| {
        let mut flying = Vec::new();
        while flying.len() < n {
            match study.next_action() {
                Action::Propose { wanted } => {
                    let ideas: Vec<_> = (0..wanted).map(|_| Proposal::new(0.5)).collect();
                    study.proposed(ideas).expect("asked for");
                }
                Action::Run(run) => flying.push(run.id),
                other => panic!("{other:?}"),
            }
        }
        flying
    };
    let lost = || Err(RunFailure::infrastructure("node lost"));
    let crashed = || Err(RunFailure::candidate("crash"));
    let baseline = start(&mut study, 1);
    study.finished(baseline[0], losses(&1.0)).expect("under way");
    let flying = start(&mut study, 4);
    study.finished(flying[0], lost()).expect("under way"); // 1
    study.finished(flying[1], lost()).expect("under way"); // with it
    study.finished(flying[2], crashed()).expect("under way"); // 2
    study.finished(flying[3], crashed()).expect("under way"); // 3
    assert_eq!(study.stopped(), None);
    let again = start(&mut study, 2);
    assert_eq!(again.len(), 2);
    study.finished(again[0], lost()).expect("under way"); // 4: lost again
    assert!(matches!(study.stopped(), Some(StopReason::ConsecutiveFailures(_))), "{:?}", study.stopped());
}

/// Asks for `price` before it answers, as for a question to a model, and pays half of it.
fn paying(price: f64) -> impl Proposer<f64> {
    proposer_fn(move |cx: ProposeContext<'_, f64>| {
        let committed = cx.commit(price, "a model")?;
        committed.settle(Charge::new(price / 2.0, "a model").used("calls", 1));
        Ok(Proposal::new(cx.incumbent * 0.9).title("a tenth less").into())
    })
}

#[tokio::test]
async fn money_that_is_set_aside_beforehand_is_never_overspent() {
    let store = MemoryStore::new();
    let study = |limit: f64| {
        let train = executor_fn(|rate: f64, _| async move { Ok(rate) });
        Study::new(1.0, paying(0.4), train, evaluator_fn(losses))
            .acceptor(Greedy::new())
            .limits(Limits::new().money(limit).runs(50))
            .store(store.clone())
    };
    let report = study(1.0).run().await.expect("a report");
    // .2 an answer, and .4 have to be left for the next: at .8 nobody is asked any more, and all of it was judged.
    assert_eq!(report.stopped, StopReason::Money);
    assert_eq!((report.proposals, report.runs), (4, 5), "{report}");
    assert!((report.money - 0.8).abs() < 1e-12 && report.charges[0].used["calls"] == 4, "{report}");
    assert!(report.to_string().contains("Used of a model: 4 calls; 0.8000 charged."), "{report}");
    let stored = store.read(Seq(0), usize::MAX).await.expect("stored");
    let remark =
        stored.iter().find_map(|(_, e)| if let Event::Remarked { text } = e { Some(text) } else { None });
    assert!(remark.is_some_and(|text| text.contains("a model may cost 0.4000")), "{remark:?}");

    // What was spent is remembered, and a higher limit lets it go on.
    let report = study(1.0).run().await.expect("a report");
    assert_eq!((report.stopped, report.proposals), (StopReason::Money, 4));
    let report = study(1.5).run().await.expect("a report");
    assert_eq!((report.stopped, report.proposals), (StopReason::Money, 6));
}

#[tokio::test]
async fn what_the_limit_on_proposals_leaves_out_is_remarked_and_the_baseline_can_be_seen() {
    let three = proposer_fn(|cx: ProposeContext<'_, f64>| {
        assert_eq!(*cx.baseline, 1.0);
        let halved =
            |n: i32| Proposal::new(cx.incumbent / 2f64.powi(n)).changing(format!("halved {n} times"));
        Ok(vec![halved(1), halved(2), halved(3)].into())
    });
    let store = MemoryStore::new();
    let train = executor_fn(|rate: f64, _| async move { Ok(rate) });
    let report = Study::new(1.0, three, train, evaluator_fn(losses))
        .acceptor(Greedy::new())
        .limits(Limits::new().proposals(4))
        .store(store.clone())
        .run()
        .await
        .expect("a report");
    assert_eq!((report.proposals, report.remarks), (4, 1), "{report}");
    assert_ne!(report.stack(), report.baseline(), "the incumbent has moved on");
    let stored = store.read(Seq(0), usize::MAX).await.expect("stored");
    let said = |(_, e): &(Seq, Event<f64>)| match e {
        Event::Remarked { text } => Some(text.clone()),
        _ => None,
    };
    assert_eq!(
        stored.iter().find_map(said).as_deref(),
        Some("2 more proposals than the limit allows were left out")
    );
}

/// The first answer comes at once, the others after `minutes`; each sets .3 aside before.
fn slow(minutes: u64) -> impl Proposer<f64> {
    struct Slow(u64);
    #[async_trait]
    impl Proposer<f64> for Slow {
        async fn propose(&mut self, cx: ProposeContext<'_, f64>) -> Result<Proposed<f64>, ProposeError> {
            let set_aside = cx.commit(0.3, "a model")?;
            if cx.proposals > 0 {
                tokio::time::sleep(Duration::from_secs(60 * self.0)).await;
            }
            set_aside.settle(Charge::new(0.1, "a model").used("calls", 1));
            Ok(Proposal::new(cx.incumbent * 0.5).title("half").into())
        }
    }
    Slow(minutes)
}

fn takes_a_minute() -> impl Executor<f64, Output = f64> {
    executor_fn(|rate: f64, _| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok(rate)
    })
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_ended_with_the_study_is_charged_in_full() {
    let store = MemoryStore::new();
    let limits = Limits::new().wall_clock(Duration::from_secs(3600));
    let report = Study::new(1.0, slow(600), takes_a_minute(), evaluator_fn(losses))
        .acceptor(Greedy::new())
        .limits(limits)
        .store(store.clone())
        .run()
        .await
        .expect("a report");
    assert_eq!(report.stopped, StopReason::WallClock);
    assert!((report.money - 0.4).abs() < 1e-12, "{report}");
    assert!((charges(&store).await - 0.4).abs() < 1e-12, "stored as well");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_away_is_left_alone_as_long_as_its_proposer_says() {
    let begun = tokio::time::Instant::now();
    let away = proposer_fn(|_: ProposeContext<'_, f64>| {
        Err(ProposeError::new("away").ask_again_after(Duration::from_secs(600)))
    });
    let report =
        Study::new(1.0, away, executor_fn(|rate: f64, _| async move { Ok(rate) }), evaluator_fn(losses))
            .acceptor(Greedy::new())
            .run()
            .await
            .expect("a report");
    assert!(matches!(report.stopped, StopReason::ProposerFailed(_)), "{report}");
    assert!(begun.elapsed() >= Duration::from_secs(4 * 600), "{:?}", begun.elapsed());
}

/// Greedy, and what it is told of the runs that can still be paid for.
struct Told(Greedy, Arc<std::sync::Mutex<Vec<Option<u64>>>>);

impl Acceptor for Told {
    fn next(&mut self, cohort: &Cohort<'_>) -> Step {
        self.1.lock().expect("unharmed").push(cohort.runs_affordable());
        self.0.next(cohort)
    }
    fn settled(&mut self, proposal: ProposalId, kept: bool) {
        self.0.settled(proposal, kept);
    }
    fn guarantee(&self) -> Guarantee {
        self.0.guarantee()
    }
    fn describe(&self) -> String {
        self.0.describe()
    }
}

#[tokio::test(start_paused = true)]
async fn what_ideas_take_is_not_counted_as_the_price_of_runs() {
    // Ten minutes of thought for each run of a minute, and all of the money goes to thought.
    let told = Arc::default();
    let limits = Limits::new().wall_clock(Duration::from_secs(3600)).money(0.85);
    let report = Study::new(1.0, slow(10), takes_a_minute(), evaluator_fn(losses))
        .acceptor(Told(Greedy::new(), Arc::clone(&told)))
        .limits(limits)
        .run()
        .await
        .expect("a report");
    assert!(report.proposals >= 4, "{report}");
    let told = told.lock().expect("unharmed");
    // Until the last ten minutes of the hour there is time for some runs, at a minute each.
    let least = told.iter().take(told.len() / 2).flatten().min().copied();
    assert!(least.is_some_and(|runs| (20..=60).contains(&runs)), "{told:?}");
}

/// What every run needs is missing: nobody waits for what does not come. Once it is there the study goes on.
#[tokio::test(start_paused = true)]
async fn a_study_without_what_every_run_needs_stops_at_once_and_goes_on_later() {
    let store = MemoryStore::new();
    let calls = Arc::new(AtomicU64::new(0));
    let study = |is_there: bool| {
        let calls = Arc::clone(&calls);
        let train = executor_fn(move |rate: f64, _| {
            let call = calls.fetch_add(1, Ordering::SeqCst);
            async move {
                // Once runs have worked, such a failure is one like others.
                if is_there && call != 2 { Ok(rate) } else { Err(RunFailure::setup("no bwrap on PATH")) }
            }
        });
        Study::new(1.0, testkit::scripted([Proposal::new(0.1)]), train, evaluator_fn(losses))
            .acceptor(Greedy::new())
            .store(store.clone())
            .run()
    };
    let begun = tokio::time::Instant::now();
    let report = study(false).await.expect("a report");
    assert_eq!(report.stopped, StopReason::SetupFailed("no bwrap on PATH".into()));
    assert_eq!((calls.load(Ordering::SeqCst), begun.elapsed()), (1, Duration::ZERO));
    assert!(report.stopped.to_string().contains("no bwrap on PATH") && !report.stopped.is_final());
    let report = study(true).await.expect("a report");
    assert_eq!((&report.stopped, report.kept.len()), (&StopReason::Exhausted, 1), "{report}");
    assert_eq!(
        calls.load(Ordering::SeqCst),
        4,
        "one in vain, the baseline, the lost run and its second attempt"
    );
}
