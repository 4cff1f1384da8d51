//! This crate's own parts pass the suites that it offers to others, and the suites find what they are there to find.

use autoresearch_core::testkit::{self, Faults, conformance};
use autoresearch_core::*;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

fn space() -> ParamSpace {
    ParamSpace::new().log_float("lr", 1e-4..=1.0).int("width", 8..=64).choice("act", ["gelu", "relu"])
}

fn baseline() -> ParamSet {
    ParamSet::new().with("lr", 0.1).with("width", 16).with("act", "gelu")
}

#[tokio::test]
async fn proposers() {
    conformance::proposer(|| LocalSearch::over(space()), baseline()).await;
    conformance::proposer(|| RandomSearch::over(space()), baseline()).await;
    let halve = || proposer_fn(|cx: ProposeContext<'_, f64>| Ok(Proposal::new(cx.incumbent / 2.0).into()));
    conformance::proposer(halve, 1.0).await;
    conformance::proposer(|| Tpe::over(space()), baseline()).await;
    conformance::proposer(|| Evolution::over(space()), baseline()).await;
    conformance::proposer(|| testkit::scripted((1..40).map(|i| Proposal::new(f64::from(i)))), 50.0).await;
}

#[tokio::test]
async fn what_is_put_around_proposers() {
    let dice = |sides| {
        proposer_fn(move |cx: ProposeContext<'_, u64>| Ok(Proposal::new((cx.seed >> 9) % sides).into()))
    };
    conformance::proposer(|| dice(12).dedupe(), 50).await;
    conformance::proposer(|| dice(40).take(20), 50).await;
    conformance::proposer(|| dice(40).take(20).dedupe(), 50).await;
    conformance::proposer(|| dice(40).dedupe().take(20), 50).await;
    conformance::proposer(|| RandomSearch::over(space()).dedupe().take(25), baseline()).await;
    let portfolio = || {
        let random = RandomSearch::over(space());
        Tpe::over(space())
            .portfolio("tpe")
            .with("random", random)
            .with("local", LocalSearch::over(space()).take(5))
    };
    conformance::proposer(portfolio, baseline()).await;
    // A restart begins with empty rungs, so that its answers differ then; it says so.
    let train = || {
        executor_fn(|set: ParamSet, _| async move {
            set.float("lr").map_err(|e| RunFailure::candidate(e.to_string()))
        })
    };
    let halving = || LocalSearch::over(space()).halving(train(), testkit::loss(), [Fidelity::steps(3)]);
    conformance::varying_proposer(halving, baseline()).await;
}

/// As [`what_is_put_around_proposers`] for executors: alone, and one upon the other.
#[tokio::test]
async fn what_is_put_around_executors() {
    let train = || executor_fn(|rate: f64, run: RunContext| async move { Ok(rate + run.seed as f64) });
    let minute = Duration::from_secs(60);
    let loss = testkit::loss();
    conformance::executor(&train().timeout(minute), &loss, 0.5, 0.0).await;
    conformance::executor(&train().retry(3), &loss, 0.5, 0.0).await;
    conformance::executor(&train().limit(1), &loss, 0.5, 0.0).await;
    conformance::executor(&train().cache(8), &loss, 0.5, 0.0).await;
    conformance::executor(&train().timeout(minute).limit(2).retry(3).cache(8), &loss, 0.5, 0.0).await;
    // Without a fault, and with such as a retry makes good.
    conformance::executor(&Faults::seeded(1).executor(train()), &loss, 0.5, 0.0).await;
    let lossy = Faults::seeded(4).lose(0.3).executor(train());
    let quick = |retry: Retry<f64, _>| retry.pauses(Duration::from_millis(1), Duration::from_millis(1));
    conformance::executor(&quick(lossy.retry(20)), &loss, 0.5, 0.0).await;
    conformance::evaluator(&Faults::seeded(1).wrong(0.5).evaluator(testkit::loss()), &1.0, &2.0).await;
}

#[tokio::test]
async fn executors_and_evaluators() {
    let train = executor_fn(|rate: f64, run| async move { Ok(vec![rate, rate + run.seed as f64]) });
    let measure = evaluator_fn(|losses: &Vec<f64>| Ok(Measurement::new(losses.iter().copied())?));
    conformance::executor(&train, &measure, 0.5, 0.0).await;
    conformance::evaluator(&measure, &vec![1.0, 2.0], &vec![2.0, 4.0]).await;
    conformance::evaluator(&testkit::loss(), &1.0, &2.0).await;
}

#[test]
fn acceptors() {
    conformance::acceptor(Greedy::new);
    conformance::acceptor(|| Margin::new(1.0));
    conformance::acceptor(FixedPaired::new);
    conformance::acceptor(Sequential::new);
    conformance::acceptor(Fast::new);
    conformance::acceptor(|| Guarded::new().horizon(10));
    conformance::acceptor(|| Factorial::new().cohort(4));
    conformance::acceptor(Scout::new);
    let rule = || {
        acceptor_fn(|evidence: &Evidence| match stats::welch(evidence.candidate(), evidence.incumbent()).p {
            p if p < 0.01 => Verdict::Accept,
            _ if evidence.pairs() >= 8 => Verdict::Reject,
            _ => Verdict::more(2),
        })
    };
    conformance::acceptor(rule);
}

/// What a suite says of something that is wrong.
fn complaint(check: impl AsyncFnOnce()) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    let panic = catch_unwind(AssertUnwindSafe(|| runtime.block_on(check()))).expect_err("it should be found");
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

#[test]
fn what_is_wrong_is_found() {
    let calls = AtomicU64::new(0);
    let moods = || {
        let calls = &calls;
        proposer_fn(move |cx: ProposeContext<'_, f64>| {
            Ok(Proposal::new(cx.incumbent + calls.fetch_add(1, Ordering::Relaxed) as f64).into())
        })
    };
    // The suite wants nothing that lives for ever, a study does.
    assert!(complaint(async || conformance::proposer(moods, 1.0).await).contains("`ProposeContext::seed`"));
    // A counter of its own, ten at a time: found when it is made anew.
    let counts = || {
        let mut n = 0;
        proposer_fn(move |cx: ProposeContext<'_, f64>| {
            let next = |_| {
                n += 1;
                Proposal::new(cx.incumbent + f64::from(n))
            };
            Ok((0..10).map(next).collect::<Vec<_>>().into())
        })
    };
    assert!(complaint(async || conformance::proposer(counts, 1.0).await).contains("made anew"));
    let sleepy = || proposer_fn(|_: ProposeContext<'_, f64>| Ok(Proposed::Wait));
    assert!(complaint(async || conformance::proposer(sleepy, 1.0).await).contains("waits for ever"));

    let drifting = executor_fn(|rate: f64, _| {
        let noise = calls.fetch_add(1, Ordering::Relaxed) as f64;
        async move { Ok(rate + noise) }
    });
    let found = complaint(async || conformance::executor(&drifting, &testkit::loss(), 0.5, 0.0).await);
    assert!(found.contains("run twice"), "{found}");
    let deaf = executor_fn(|rate: f64, run: RunContext| async move {
        if run.cancel.is_cancelled() { Err(RunFailure::candidate("stopped")) } else { Ok(rate) }
    });
    let found = complaint(async || conformance::executor(&deaf, &testkit::loss(), 0.5, 0.0).await);
    assert!(found.contains("says that it failed"), "{found}");

    let slow = executor_fn(|rate: f64, _| async move {
        tokio::time::sleep(Duration::from_secs(90)).await;
        Ok(rate)
    });
    let found = complaint(async || conformance::executor(&slow, &testkit::loss(), 0.5, 0.0).await);
    assert!(found.contains("nothing within 60s"), "{found}");

    let as_it_comes = evaluator_fn(|losses: &Vec<f64>| Ok(Measurement::new(losses.iter().copied())?));
    let found = complaint(async || conformance::evaluator(&as_it_comes, &vec![1.0], &vec![1.0, 2.0]).await);
    assert!(found.contains("different units"), "{found}");

    struct Hasty;
    impl Acceptor for Hasty {
        fn next(&mut self, cohort: &Cohort<'_>) -> Step {
            match cohort.live().next() {
                Some(_) => Step::Wait,
                None if cohort.exhausted() => Step::Finish,
                None => Step::propose(1),
            }
        }
        fn guarantee(&self) -> Guarantee {
            Guarantee::None
        }
        fn describe(&self) -> String {
            "hasty".into()
        }
    }
    assert!(complaint(async || conformance::acceptor(|| Hasty)).contains("breaks its contract"));
}

/// Faults of every kind, and a wall clock that is the runtime's: a night passes in a moment.
#[tokio::test(start_paused = true)]
async fn a_night_full_of_faults() {
    let steps = proposer_fn(|cx: ProposeContext<'_, f64>| {
        let factor = if cx.seed.is_multiple_of(2) { 0.7 } else { 1.3 };
        Ok(Proposal::new(cx.incumbent * factor).into())
    });
    let train = executor_fn(|rate: f64, _| async move {
        tokio::time::sleep(Duration::from_secs(300)).await;
        Ok((rate - 0.1).abs())
    });
    let faults = Faults::seeded(3).lose(0.1).fail(0.05).panic(0.05).delay(0.2, Duration::from_secs(900));
    let report = Study::new(1.0, steps, faults.executor(train), testkit::loss())
        .acceptor(Greedy::new())
        .in_flight(2)
        .limits(Limits::new().wall_clock(Duration::from_secs(8 * 3600)))
        .run()
        .await
        .expect("a report");
    assert_eq!(report.stopped, StopReason::WallClock);
    assert!((report.elapsed - 8.0 * 3600.0).abs() < 1.0, "{}", report.elapsed);
    assert!(report.lost_runs > 0 && report.failed_runs > 0, "{report}");
    // Two slots, five to twenty minutes a run.
    assert!((60..=192).contains(&report.runs), "{report}");
    assert!((*report.stack() - 0.1).abs() < 0.1, "{report}");

    let hangs = Faults::seeded(1).hang(1.0).executor(executor_fn(|rate: f64, _| async move { Ok(rate) }));
    let report = Study::new(1.0, testkit::scripted([Proposal::new(0.5)]), hangs, testkit::loss())
        .acceptor(Greedy::new())
        .limits(Limits::new().wall_clock(Duration::from_secs(60)))
        .run()
        .await
        .expect("a report");
    assert_eq!((report.stopped, report.runs), (StopReason::WallClock, 0));
}

#[test]
fn the_same_faults_each_time_and_as_often_as_said() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let wrong = Faults::seeded(5).wrong(0.25).evaluator(testkit::loss());
    let measure = |seed| {
        let measured = runtime.block_on(wrong.evaluate(&1.0, EvalContext::for_test(seed)));
        measured.expect("finite").objective() < 0.0
    };
    let once: Vec<bool> = (0..2000).map(measure).collect();
    assert_eq!(once, (0..2000).map(measure).collect::<Vec<_>>());
    // Binomial(2000, .25): within six standard deviations (19.4) of 500.
    let count = once.iter().filter(|wrong| **wrong).count();
    assert!((384..=616).contains(&count), "{count}");
}

/// What passes although it is unusual.
#[tokio::test(start_paused = true)]
async fn what_is_right_is_not_complained_about() {
    // Slow runs, for those who know it.
    let slow = executor_fn(|rate: f64, _| async move {
        tokio::time::sleep(Duration::from_secs(90)).await;
        Ok(rate)
    });
    conformance::executor_within(Duration::from_secs(100), &slow, &testkit::loss(), 0.5, 0.0).await;
    // Outputs that are kept by study and run.
    struct Kept(Mutex<BTreeMap<(Arc<str>, RunId), f64>>);
    #[async_trait]
    impl Executor<f64> for Kept {
        type Output = f64;
        async fn execute(&self, rate: f64, cx: RunContext) -> Result<f64, RunFailure> {
            let loss = rate + cx.seed as f64;
            self.0.lock().expect("no panic").insert((cx.study, cx.run), loss);
            Ok(loss)
        }
        async fn reopen(&self, _: &f64, cx: &RunContext) -> Option<f64> {
            self.0.lock().expect("no panic").get(&(Arc::clone(&cx.study), cx.run)).copied()
        }
    }
    conformance::executor(&Kept(Mutex::default()), &testkit::loss(), 0.5, 0.0).await;
    // A job in the background, which is waited for.
    let background = || {
        let mut since = Instant::now();
        proposer_fn(move |cx: ProposeContext<'_, f64>| {
            if since.elapsed() < Duration::from_secs(20) {
                return Ok(Proposed::Wait);
            }
            since = Instant::now();
            Ok(Proposal::new(cx.incumbent * 0.9).into())
        })
    };
    conformance::varying_proposer(background, 1.0).await;
    // Whoever answers at the first look has answered, and may have taken note of it.
    struct Asked(u64, bool);
    #[async_trait]
    impl Proposer<f64> for Asked {
        async fn propose(&mut self, cx: ProposeContext<'_, f64>) -> Result<Proposed<f64>, ProposeError> {
            if self.1 {
                tokio::task::yield_now().await;
            }
            self.0 = self.0.max(cx.proposals) + 1;
            Ok(Proposal::new(self.0 as f64).into())
        }
    }
    conformance::proposer(|| Asked(0, false), 100.0).await;
    conformance::proposer(|| Asked(0, true), 100.0).await;
}
