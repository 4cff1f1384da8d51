//! Combinators of executors and proposers.

use autoresearch_core::*;
use proptest::prelude::*;
use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn cx(seed: u64) -> RunContext {
    RunContext::for_test(seed)
}

/// A runtime whose clock jumps to the next timer when nothing else is to be done.
fn simulated<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(future)
}

/// Takes so long, then gives its candidate; keeps the flags that it was given.
fn slow(takes: Duration, flags: &Arc<Mutex<Vec<Cancellation>>>) -> impl Executor<u32, Output = u32> + use<> {
    let flags = Arc::clone(flags);
    executor_fn(move |c: u32, run: RunContext| {
        flags.lock().expect("no panic under the lock").push(run.cancel.clone());
        async move {
            tokio::time::sleep(takes).await;
            Ok(c)
        }
    })
}

/// Lost this often, then gives how often it was attempted; each attempt takes 600 ms.
fn flaky(lost: u32) -> impl Executor<u32, Output = Vec<(u32, u64)>> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    executor_fn(move |_: u32, run: RunContext| {
        let seen = Arc::clone(&seen);
        async move {
            tokio::time::sleep(ms(600)).await;
            let mut seen = seen.lock().expect("no panic under the lock");
            seen.push((run.attempt, run.seed));
            if seen.len() as u32 <= lost {
                return Err(RunFailure::infrastructure("node lost"));
            }
            Ok(seen.clone())
        }
    })
}

#[test]
fn a_timeout_is_the_candidates_fault_and_tells_the_attempt_alone() {
    simulated(async {
        let flags = Arc::default();
        let train = slow(ms(5000), &flags).timeout(ms(1000));
        let (run, begun) = (cx(1), Instant::now());
        let failure = train.execute(7, run.clone()).await.expect_err("too slow");
        assert_eq!((failure.fault(), failure.what()), (Fault::Candidate, FailureKind::Timeout));
        assert!(failure.to_string().contains("1s"), "{failure}");
        assert_eq!(begun.elapsed(), ms(1000));
        assert!(flags.lock().expect("no panic")[0].is_cancelled() && !run.cancel.is_cancelled());
    });
}

#[test]
fn in_time_nobody_is_told_and_a_drop_tells() {
    simulated(async {
        let flags = Arc::default();
        let train = slow(ms(999), &flags).timeout(ms(1000));
        assert_eq!(train.execute(7, cx(1)).await, Ok(7));
        assert!(tokio::time::timeout(ms(10), train.execute(8, cx(1))).await.is_err());
        let told: Vec<bool> =
            flags.lock().expect("no panic").iter().map(Cancellation::is_cancelled).collect();
        assert_eq!(told, [false, true]);
    });
}

#[test]
fn the_order_of_retry_and_timeout_matters() {
    simulated(async {
        // Each attempt takes 600 ms of its own second.
        let seen = flaky(2).timeout(ms(1000)).retry(3).execute(0, cx(5)).await.expect("the third attempt");
        assert_eq!(seen, [(0, 5), (1, 5), (2, 5)], "numbered, and on one seed");
        // All three share it.
        let failure = flaky(2).retry(3).timeout(ms(1000)).execute(0, cx(5)).await.expect_err("too slow");
        assert_eq!((failure.fault(), failure.what()), (Fault::Candidate, FailureKind::Timeout));
    });
}

#[test]
fn only_the_infrastructures_faults_are_tried_again() {
    simulated(async {
        let failure = flaky(9).retry(3).execute(0, cx(1)).await.expect_err("lost three times");
        assert_eq!(failure.fault(), Fault::Infrastructure);
        assert!(failure.to_string().contains("lost 3 times: node lost"), "{failure}");
        for fault in [RunFailure::candidate("bad"), RunFailure::cancelled()] {
            let tried = Arc::new(AtomicU32::new(0));
            let (t, f) = (Arc::clone(&tried), fault.clone());
            let train = executor_fn(move |_: u32, _| {
                t.fetch_add(1, Ordering::Relaxed);
                let f = f.clone();
                async move { Err::<u32, _>(f) }
            });
            assert_eq!(train.retry(3).execute(0, cx(1)).await, Err(fault));
            assert_eq!(tried.load(Ordering::Relaxed), 1);
        }
        // None at all is one.
        assert_eq!(flaky(0).retry(0).execute(0, cx(1)).await, Ok(vec![(0, 1)]));
        // The study's attempts and these are counted together.
        let mut third = cx(1);
        third.attempt = 2;
        assert_eq!(flaky(1).retry(4).execute(0, third).await, Ok(vec![(8, 1), (9, 1)]));
    });
}

#[test]
fn pauses_grow_differ_between_runs_and_end_when_told() {
    simulated(async {
        let took = async |run: RunContext| {
            let begun = Instant::now();
            flaky(3).retry(4).execute(0, run).await.expect("the fourth attempt");
            begun.elapsed() - ms(4 * 600)
        };
        let (a, again) = (took(cx(1)).await, took(cx(1)).await);
        let mut other = cx(1);
        other.run = RunId(2);
        let b = took(other).await;
        // .1 + .2 + .4 s, of each from a half to all.
        assert!(a >= ms(350) && a <= ms(703) && b >= ms(350) && b <= ms(703), "{a:?} {b:?}");
        assert!(a == again && a != b, "{a:?} {again:?} {b:?}");
        let run = cx(1);
        let cancel = run.cancel.clone();
        let train = flaky(3).retry(4).pauses(Duration::from_secs(60), Duration::from_secs(60));
        let begun = Instant::now();
        let (failure, ()) = tokio::join!(train.execute(0, run), async {
            tokio::time::sleep(ms(1000)).await;
            cancel.cancel();
        });
        assert_eq!((failure, begun.elapsed()), (Err(RunFailure::cancelled()), ms(1000)));
    });
}

#[test]
fn one_that_waits_for_its_turn_can_be_told_to_stop() {
    simulated(async {
        let train = slow(ms(5000), &Arc::default()).limit(1);
        let run = cx(2);
        let cancel = run.cancel.clone();
        let (first, second, ()) = tokio::join!(train.execute(1, cx(1)), train.execute(2, run), async {
            tokio::time::sleep(ms(1000)).await;
            cancel.cancel();
        });
        assert_eq!((first, second), (Ok(1), Err(RunFailure::cancelled())));
    });
}

/// A run of the schedule: when it comes, how long it takes, and when it is dropped, if it is.
type Scheduled = (u64, u64, Option<u64>);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn never_more_than_the_limit_at_once(
        n in 1usize..4,
        schedule in prop::collection::vec((0u64..50, 0u64..30, prop::option::of(0u64..40)), 1..20),
    ) {
        let (now, most, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
        struct Present(Arc<AtomicUsize>);
        impl Drop for Present {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::SeqCst);
            }
        }
        let (c, m) = (Arc::clone(&now), Arc::clone(&most));
        let train = Arc::new(executor_fn(move |takes: u64, _: RunContext| {
            let (c, m) = (Arc::clone(&c), Arc::clone(&m));
            async move {
                m.fetch_max(c.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                let _present = Present(c);
                tokio::time::sleep(ms(takes)).await;
                Ok::<u64, RunFailure>(takes)
            }
        })).limit(n);
        simulated(async {
            let ended = &ended;
            let one = |(at, takes, dropped): Scheduled| {
                let train = train.clone();
                async move {
                    tokio::time::sleep(ms(at)).await;
                    let run = train.execute(takes, cx(1));
                    match dropped {
                        Some(after) => { let _ = tokio::time::timeout(ms(after), run).await; }
                        None => assert_eq!(run.await, Ok(takes)),
                    }
                    ended.fetch_add(1, Ordering::SeqCst);
                }
            };
            let mut all: Vec<_> = schedule.iter().map(|s| Box::pin(one(*s))).collect();
            std::future::poll_fn(|context| {
                all.retain_mut(|f| f.as_mut().poll(context).is_pending());
                if all.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
            })
            .await;
        });
        prop_assert!(most.load(Ordering::SeqCst) <= n);
        prop_assert_eq!((ended.load(Ordering::SeqCst), now.load(Ordering::SeqCst)), (schedule.len(), 0));
    }

    /// Whatever was asked before, the answer is that of the executor itself; with room for all, each is run once.
    #[test]
    fn a_cache_answers_what_the_executor_would(
        capacity in 1usize..40,
        asked in prop::collection::vec((0u32..3, 0u64..3, 0u64..3, prop::bool::weighted(0.2)), 1..60),
    ) {
        let outcome = |c: u32, seed: u64, steps: Option<Fidelity>| format!("{c} on {seed} at {steps:?}");
        let runs = Arc::new(AtomicU64::new(0));
        let fails = Arc::new(Mutex::new(false));
        let (r, f) = (Arc::clone(&runs), Arc::clone(&fails));
        let train = executor_fn(move |c: u32, run: RunContext| {
            r.fetch_add(1, Ordering::Relaxed);
            let fails = *f.lock().expect("no panic under the lock");
            async move {
                if fails { Err(RunFailure::candidate("now")) } else { Ok(outcome(c, run.seed, run.fidelity)) }
            }
        })
        .cache(capacity);
        let (mut had, mut expected_runs) = (HashSet::new(), 0);
        for (c, seed, steps, fail) in asked {
            *fails.lock().expect("no panic under the lock") = fail;
            let mut run = cx(seed);
            run.fidelity = (steps > 0).then(|| Fidelity::steps(steps));
            let fidelity = run.fidelity;
            let answer = simulated(train.execute(c, run));
            let known = had.contains(&(c, seed, steps));
            expected_runs += u64::from(!known);
            match answer {
                Ok(answer) => {
                    prop_assert_eq!(answer, outcome(c, seed, fidelity));
                    had.insert((c, seed, steps));
                }
                Err(_) => prop_assert!(fail),
            }
            if capacity >= 27 {
                prop_assert_eq!(runs.load(Ordering::Relaxed), expected_runs);
            }
        }
    }

    #[test]
    fn take_never_exceeds_its_number_also_after_a_restart(
        most in 0u64..30,
        before in 0u64..40,
        asks in prop::collection::vec((0usize..9, 0usize..9), 1..12),
    ) {
        // Answers with so many, however many are wanted.
        let sizes: Vec<usize> = asks.iter().map(|a| a.1).collect();
        let mut sizes = sizes.into_iter();
        let mut proposer = proposer_fn(move |_: ProposeContext<'_, u64>| {
            let list: Vec<_> = (0..sizes.next().unwrap_or(1)).map(|_| Proposal::new(0)).collect();
            Ok(list.into())
        })
        .take(most);
        let mut made = before;
        for (wanted, _) in asks {
            let mut cx = ProposeContext::for_test(&0, 1);
            (cx.wanted, cx.proposals) = (wanted, made);
            match simulated(proposer.propose(cx)).expect("an answer") {
                Proposed::Proposals(list) => made += list.len() as u64,
                Proposed::Exhausted => prop_assert!(made >= most),
                Proposed::Wait => prop_assert!(false),
            }
            prop_assert!(made <= most.max(before));
        }
    }

    #[test]
    fn dedupe_never_repeats_itself_nor_what_was_settled_or_waits(
        sides in 2u64..12,
        seeds in prop::collection::vec(any::<u64>(), 1..30),
    ) {
        let dice = move || proposer_fn(move |cx: ProposeContext<'_, u64>| {
            let side = |i: u64| (cx.seed >> 7).wrapping_add(i * i) % sides;
            let list: Vec<_> = (0..cx.wanted as u64).map(|i| Proposal::new(side(i))).collect();
            Ok(list.into())
        });
        // Settled in an earlier session.
        let earlier = testkit::play(dice().dedupe(), 0, 2, |_, _| 1.0);
        let mut proposer = dice().dedupe();
        let mut seen: BTreeSet<u64> = BTreeSet::from([0]);
        for trial in earlier.history().iter() {
            proposer.observe(trial);
            seen.insert(trial.proposal.candidate);
        }
        let waiting = Proposal::new(1);
        seen.insert(1);
        for seed in seeds {
            let mut cx = ProposeContext::for_test(&0, seed);
            cx.wanted = 1 + (seed % 3) as usize;
            cx.pending = vec![Arc::new(waiting.clone())];
            cx.under_way = true;
            match simulated(proposer.propose(cx)).expect("an answer") {
                Proposed::Proposals(list) => {
                    prop_assert!(!list.is_empty());
                    for proposal in list {
                        prop_assert!(seen.insert(proposal.candidate), "{} twice", proposal.candidate);
                    }
                }
                Proposed::Wait => {}
                Proposed::Exhausted => prop_assert!(false, "something is being judged"),
            }
        }
    }
}

#[test]
fn equal_runs_at_one_time_share_one_execution() {
    simulated(async {
        let flags: Arc<Mutex<Vec<Cancellation>>> = Arc::default();
        let started = || flags.lock().expect("no panic").len();
        let train = Arc::new(slow(ms(1000), &flags)).cache(10);
        let clone = train.clone();
        let (a, b, other) =
            tokio::join!(train.execute(1, cx(1)), clone.execute(1, cx(1)), train.execute(1, cx(2)));
        assert_eq!((a, b, other, started()), (Ok(1), Ok(1), Ok(1), 2));
        // The one that runs is dropped: the one that waits runs.
        let first = tokio::time::timeout(ms(500), train.execute(2, cx(1)));
        let begun = Instant::now();
        let (first, second) = tokio::join!(first, train.execute(2, cx(1)));
        assert!(first.is_err());
        assert_eq!((second, begun.elapsed(), started()), (Ok(2), ms(1500), 4));
        // The one that waits is told to stop: the one that runs does not notice.
        let run = cx(1);
        let cancel = run.cancel.clone();
        let (first, second, ()) = tokio::join!(train.execute(3, cx(1)), train.execute(3, run), async {
            tokio::time::sleep(ms(10)).await;
            cancel.cancel();
        });
        assert_eq!((first, second, started()), (Ok(3), Err(RunFailure::cancelled()), 5));
    });
}

#[test]
fn the_latest_used_outputs_stay() {
    simulated(async {
        let runs = Arc::new(AtomicU64::new(0));
        let r = Arc::clone(&runs);
        let train = executor_fn(move |c: f64, _| {
            r.fetch_add(1, Ordering::Relaxed);
            async move { Ok::<f64, RunFailure>(c) }
        })
        .cache(2);
        for (c, expected) in
            [(1.0, 1), (2.0, 2), (1.0, 2), (3.0, 3), (1.0, 3), (2.0, 4), (f64::NAN, 5), (f64::NAN, 6)]
        {
            train.execute(c, cx(1)).await.expect("an output");
            assert_eq!(runs.load(Ordering::Relaxed), expected, "after {c}");
        }
    });
}

/// An executor that says who it is and finds everything again.
struct Known;

#[async_trait]
impl Executor<u32> for Known {
    type Output = u32;
    async fn execute(&self, candidate: u32, _cx: RunContext) -> Result<u32, RunFailure> {
        Ok(candidate)
    }
    async fn reopen(&self, candidate: &u32, _cx: &RunContext) -> Option<u32> {
        Some(candidate + 100)
    }
    fn identity(&self) -> String {
        "known".into()
    }
}

#[test]
fn all_wrappers_pass_on_what_they_do_not_change() {
    simulated(async {
        let train = Known.timeout(ms(1)).limit(1).retry(2).cache(5);
        let train = Arc::new(Box::new(train));
        assert_eq!(train.identity(), "known");
        assert_eq!(train.reopen(&1, &cx(1)).await, Some(101));
        train.execute(1, cx(1)).await.expect("an output");
        assert_eq!(train.reopen(&1, &cx(1)).await, Some(1), "it is in memory");
    });
}

#[tokio::test]
async fn a_measurement_that_was_lost_costs_no_second_training() {
    let (trained, measured) = (Arc::new(AtomicU64::new(0)), AtomicU64::new(0));
    let t = Arc::clone(&trained);
    let train = executor_fn(move |c: f64, run: RunContext| {
        t.fetch_add(1, Ordering::Relaxed);
        async move { Ok::<f64, RunFailure>(c + 1e-3 * (run.seed % 5) as f64) }
    });
    let measure = evaluator_fn(move |loss: &f64| {
        if measured.fetch_add(1, Ordering::Relaxed) % 4 == 1 {
            return Err(RunFailure::infrastructure("the disk is full"));
        }
        Ok(Measurement::scalar(*loss)?)
    });
    let halve = proposer_fn(|cx: ProposeContext<'_, f64>| Ok(Proposal::new(cx.incumbent / 2.0).into()));
    let report = Study::new(1.0, halve, train.cache(8), measure)
        .acceptor(Greedy::new())
        .limits(Limits::new().proposals(3))
        .run()
        .await
        .expect("a report");
    assert!(report.lost_runs > 0);
    assert_eq!(trained.load(Ordering::Relaxed), report.runs);
}

fn constant(c: u64) -> impl Proposer<u64> {
    proposer_fn(move |_: ProposeContext<'_, u64>| Ok(Proposal::new(c).into()))
}

#[test]
fn one_who_only_repeats_himself_waits_or_is_exhausted() {
    let ask = |pending: Vec<Arc<Proposal<u64>>>| {
        let mut proposer = constant(3).dedupe();
        let mut cx = ProposeContext::for_test(&3, 1);
        cx.under_way = !pending.is_empty();
        cx.pending = pending;
        simulated(proposer.propose(cx)).expect("an answer")
    };
    assert_eq!(ask(Vec::new()), Proposed::Exhausted);
    assert_eq!(ask(vec![Arc::new(Proposal::new(9))]), Proposed::Wait);
    let calls = Arc::new(AtomicU32::new(0));
    let c = Arc::clone(&calls);
    let mut counting = proposer_fn(move |_: ProposeContext<'_, u64>| {
        c.fetch_add(1, Ordering::Relaxed);
        Ok(Proposal::new(3).into())
    })
    .dedupe()
    .tries(5);
    let answer = simulated(counting.propose(ProposeContext::for_test(&3, 1)));
    assert_eq!((answer, calls.load(Ordering::Relaxed)), (Ok(Proposed::Exhausted), 5));
}

fn made_by(name: &str, played: &testkit::Played<f64>, from: usize) -> usize {
    let tag = format!("by:{name}");
    played.history().iter().skip(from).filter(|t| t.proposal.hypothesis.tags.contains(&tag)).count()
}

/// One divides the loss by 1.05 each time, the other makes it worse.
fn helper_and_fool() -> Portfolio<f64> {
    let helper = proposer_fn(|cx: ProposeContext<'_, f64>| Ok(Proposal::new(cx.incumbent / 1.05).into()));
    let fool = proposer_fn(|cx: ProposeContext<'_, f64>| Ok(Proposal::new(cx.incumbent * 1.5).into()));
    fool.portfolio("fool").with("helper", helper)
}

#[test]
fn a_portfolio_asks_those_more_whose_proposals_earn_more() {
    let played = testkit::play(helper_and_fool(), 1.0, 100, |loss, _| *loss);
    let (helper, fool) = (made_by("helper", &played, 20), made_by("fool", &played, 20));
    assert_eq!(helper + fool, 80);
    // A coin would be asked 40 times, and 60 times or more with a probability below 1e-5.
    assert!(helper >= 60, "helper {helper}, fool {fool}");
}

#[test]
fn a_portfolio_knows_after_a_restart_who_earned_what() {
    let played = testkit::play(helper_and_fool(), 1.0, 40, |loss, _| *loss);
    let mut again = helper_and_fool();
    played.history().iter().for_each(|t| again.observe(t));
    let asked = |portfolio: &mut Portfolio<f64>| -> usize {
        let by_helper = |seed| {
            let answer = simulated(portfolio.propose(ProposeContext::for_test(&1.0, seed)));
            let Ok(Proposed::Proposals(list)) = answer else { panic!("{answer:?}") };
            list[0].hypothesis.tags == ["by:helper"]
        };
        (0..100).map(by_helper).filter(|by| *by).count()
    };
    let (knows, new) = (asked(&mut again), asked(&mut helper_and_fool()));
    assert!(knows >= 80 && (25..=75).contains(&new), "{knows} {new}");
}

#[test]
fn members_that_cannot_answer_are_passed_over() {
    let fails = || proposer_fn(|_: ProposeContext<'_, u64>| Err(ProposeError::new("no such model")));
    let waits = || proposer_fn(|_: ProposeContext<'_, u64>| Ok(Proposed::Wait));
    let done = || constant(1).take(0);
    let ask = |mut p: Portfolio<u64>| simulated(p.propose(ProposeContext::for_test(&3, 1)));
    let answer = ask(fails().portfolio("f").with("w", waits()).with("d", done()).with("c", constant(4)));
    let Ok(Proposed::Proposals(list)) = answer else { panic!("{answer:?}") };
    assert_eq!((list[0].candidate, &list[0].hypothesis.tags[..]), (4, &["by:c".to_string()][..]));
    assert_eq!(ask(done().portfolio("d").with("d", done())), Ok(Proposed::Exhausted));
    assert_eq!(ask(done().portfolio("d").with("w", waits())), Ok(Proposed::Wait));
    assert!(ask(waits().portfolio("w").with("f", fails())).is_err());
    // As many as are wanted, from members that give one at a time.
    let mut many = constant(4).portfolio("same").with("same", constant(5));
    let mut cx = ProposeContext::for_test(&3, 1);
    cx.wanted = 7;
    let Ok(Proposed::Proposals(list)) = simulated(many.propose(cx)) else { panic!("seven") };
    let tags: BTreeSet<&str> = list.iter().map(|p| p.hypothesis.tags[0].as_str()).collect();
    assert_eq!((list.len(), tags), (7, BTreeSet::from(["by:same", "by:same 2"])));
}

#[test]
fn an_exhausted_member_is_asked_again_when_something_was_kept() {
    // Has something to say about each incumbent once.
    let mut last = f64::NAN;
    let once = proposer_fn(move |cx: ProposeContext<'_, f64>| {
        if *cx.incumbent == last {
            return Ok(Proposed::Exhausted);
        }
        last = *cx.incumbent;
        Ok(Proposal::new(cx.incumbent * 2.0).into())
    });
    let halve = proposer_fn(|cx: ProposeContext<'_, f64>| Ok(Proposal::new(cx.incumbent / 2.0).into()));
    let proposer = once.portfolio("once").with("halve", halve.take(8));
    let played = testkit::play(proposer, 1.0, 1000, |loss, _| *loss);
    assert_eq!(made_by("halve", &played, 0), 8);
    let once = made_by("once", &played, 0);
    assert!((2..=9).contains(&once), "{once}");
}

#[test]
fn composers_are_passed_on() {
    let space = || ParamSpace::new().float("x", 0.0..=1.0);
    let none = proposer_fn(|_: ProposeContext<'_, ParamSet>| Ok(Proposed::Exhausted));
    // The candidate's type comes from the others.
    let proposer = none.portfolio("none").with("local", LocalSearch::over(space()).dedupe().take(3));
    assert!(proposer.composer().is_some());
    let none = proposer_fn(|_: ProposeContext<'_, ParamSet>| Ok(Proposed::Exhausted));
    assert!(none.portfolio("none").composer().is_none());
}

/// One that has nothing to say, and two whose candidates say who made them, by which seed.
fn one_is_exhausted() -> Portfolio<u64> {
    let one =
        |c: u64| proposer_fn(move |cx: ProposeContext<'_, u64>| Ok(Proposal::new(cx.seed % 1000 + c).into()));
    let done = proposer_fn(|_: ProposeContext<'_, u64>| Ok(Proposed::Exhausted));
    done.portfolio("none").with("a", one(10_000)).with("b", one(20_000))
}

#[test]
fn a_portfolio_answers_alike_whether_it_knows_who_is_exhausted_or_not() {
    let ask = |portfolio: &mut Portfolio<u64>, seed, wanted| {
        let mut cx = ProposeContext::for_test(&0, seed);
        cx.wanted = wanted;
        simulated(portfolio.propose(cx)).expect("an answer")
    };
    let mut knows = one_is_exhausted();
    // Asked first with a probability of 1/3 each time: 1e-9 that it never is.
    (0..50).for_each(|seed| _ = ask(&mut knows, 1000 + seed, 1));
    for (seed, wanted) in (0..200).flat_map(|seed| (1..5).map(move |wanted| (seed, wanted))) {
        let expected = ask(&mut knows, seed, wanted);
        assert_eq!(ask(&mut one_is_exhausted(), seed, wanted), expected, "seed {seed}, {wanted} wanted");
    }
}

#[test]
fn a_budget_counts_what_the_study_has_whatever_was_dropped_and_forgotten() {
    let dice = || proposer_fn(|cx: ProposeContext<'_, u64>| Ok(Proposal::new(1 + cx.seed % 40).into()));
    let make = || dice().take(12).dedupe();
    let whole = testkit::play(make(), 0, 1000, |_, _| 1.0);
    assert_eq!(whole.history().len(), 12);
    // Made anew when 8 were made, it has 4 left.
    let part = testkit::play(make(), 0, 8, |_, _| 1.0);
    let mut anew = make();
    part.history().iter().for_each(|t| anew.observe(t));
    let mut made = 8;
    for seed in 0..100u64 {
        let mut cx = ProposeContext::for_test(&0, seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 7);
        cx.proposals = made;
        match simulated(anew.propose(cx)).expect("an answer") {
            Proposed::Proposals(list) => made += list.len() as u64,
            _ => break,
        }
    }
    assert_eq!(made, 12);
}
