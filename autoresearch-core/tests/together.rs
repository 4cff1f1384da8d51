//! Several things at once: runs that end together with one that stops the study, charges of runs that are ended, small
//! spaces under policies that keep proposals pending.

use autoresearch_core::testkit;
use autoresearch_core::*;
use std::time::Duration;

fn idea() -> impl Proposer<f64> {
    proposer_fn(|cx: ProposeContext<'_, f64>| Ok(Proposal::new(cx.incumbent * 0.9).into()))
}

#[tokio::test]
async fn whatever_stops_it_says_why_however_many_end_together() {
    for slots in [1, 4] {
        let broken =
            executor_fn(|_: f64, _| async move { Err::<f64, _>(RunFailure::candidate("no such file")) });
        let study = Study::new(1.0, idea(), broken, testkit::loss()).in_flight(slots);
        let report = study.acceptor(Guarded::new()).run().await.expect("a report");
        assert!(matches!(report.stopped, StopReason::BaselineFailed(_)), "{slots}: {}", report.stopped);

        let works = || executor_fn(|rate: f64, _| async move { Ok(rate) });
        let held = evaluator_fn(|_: &f64| Err(RunFailure::infrastructure("no such file")));
        let study = Study::new(1.0, idea(), works(), testkit::loss()).in_flight(slots).holdout(held);
        let report = study.acceptor(Guarded::new()).run().await.expect("a report");
        assert!(matches!(report.stopped, StopReason::HeldOutFailed(_)), "{slots}: {}", report.stopped);

        let panics = evaluator_fn(|_: &f64| panic!("a broken holdout"));
        let study = Study::new(1.0, idea(), works(), testkit::loss()).in_flight(slots).holdout(panics);
        let report = study.acceptor(Guarded::new()).run().await.expect("a report");
        assert!(matches!(report.stopped, StopReason::HeldOutFailed(_)), "{slots}: {}", report.stopped);
        assert_eq!(report.failed_runs, 0, "a panic on the holdout is not the run's");
    }
}

async fn stored(store: &MemoryStore<f64>) -> Vec<Event<f64>> {
    store.read(Seq(0), usize::MAX).await.expect("stored").into_iter().map(|(_, event)| event).collect()
}

fn charged(events: &[Event<f64>]) -> f64 {
    events.iter().map(|e| if let Event::Charged(charge) = e { charge.amount } else { 0.0 }).sum()
}

#[tokio::test]
async fn what_runs_charge_when_they_are_ended_is_stored() {
    let store = MemoryStore::new();
    let train = executor_fn(|_: f64, run: RunContext| async move {
        if run.run == RunId(1) {
            return Err(RunFailure::candidate("crash"));
        }
        run.cancel.cancelled().await;
        run.charge(7.0);
        Err::<f64, _>(RunFailure::cancelled())
    });
    let limits = Limits::new().consecutive_failures(1);
    let study = Study::new(1.0, idea(), train, testkit::loss()).in_flight(2).store(store.clone());
    study.acceptor(Guarded::new()).limits(limits).run().await.expect("a report");
    assert_eq!(charged(&stored(&store).await), 7.0);
}

#[tokio::test]
async fn a_charge_that_is_no_amount_costs_no_fact() {
    let store = MemoryStore::new();
    let train = executor_fn(|rate: f64, run: RunContext| async move {
        run.charge(if run.run == RunId(3) { f64::NAN } else { 1.0 });
        Ok(rate)
    });
    let study = Study::new(1.0, idea(), train, testkit::loss()).in_flight(8).store(store.clone());
    let error = study.acceptor(Guarded::new()).run().await.expect_err("no amount");
    assert!(error.to_string().contains("NaN was charged"), "{error}");
    let events = stored(&store).await;
    let ended = events.iter().filter(|e| matches!(e, Event::Finished { .. })).count();
    assert!(ended >= 1 && (charged(&events) - (ended as f64 - 1.0)).abs() <= 7.0, "{ended}: {events:?}");
    assert!(events.iter().any(|e| matches!(e, Event::Finished { run, .. } if run.id == RunId(3))));
}

/// One slow run before all others, and every other run lost once.
#[tokio::test(start_paused = true)]
async fn lost_runs_in_order_do_not_add_up() {
    for order in [DecisionOrder::AsCompleted, DecisionOrder::AsProposed] {
        let train = executor_fn(|rate: f64, run: RunContext| async move {
            tokio::time::sleep(Duration::from_secs(if run.run == RunId(9) { 1000 } else { 1 })).await;
            if run.attempt == 0 && run.run.0.is_multiple_of(2) {
                return Err(RunFailure::infrastructure("node lost"));
            }
            Ok(rate)
        });
        let study = Study::new(1.0, idea(), train, testkit::loss()).in_flight(64).order(order);
        let limits = Limits::new().runs(300);
        let report = study.acceptor(Greedy::new()).limits(limits).run().await.expect("a report");
        assert_eq!(report.stopped, StopReason::Runs, "{order:?}");
    }
}

/// A proposer that pays for each answer and has nothing to say is not asked again because it paid.
#[tokio::test(start_paused = true)]
async fn paying_wakes_nobody() {
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let count = std::sync::Arc::clone(&asked);
    let waits = proposer_fn(move |cx: ProposeContext<'_, f64>| {
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        cx.charge(1.0, "ideas");
        Ok(if cx.under_way { Proposed::Wait } else { Proposal::new(cx.incumbent * 0.9).into() })
    });
    let train = executor_fn(|rate: f64, _| async move {
        tokio::time::sleep(Duration::from_secs(3600)).await;
        Ok(rate)
    });
    let study = Study::new(1.0, waits, train, testkit::loss()).in_flight(2).acceptor(Greedy::new());
    let report = study.limits(Limits::new().runs(6)).run().await.expect("a report");
    let asked = asked.load(std::sync::atomic::Ordering::Relaxed);
    assert!(asked <= 2 * report.runs + 4, "asked {asked} times in {} runs", report.runs);
}

type Propose = fn(ParamSpace) -> Box<dyn Proposer<ParamSet>>;
type Judge = fn() -> Box<dyn Acceptor>;

/// Six settings, whatever proposes and whatever judges: it comes to an end.
#[tokio::test(start_paused = true)]
async fn a_small_space_comes_to_an_end() {
    let space = || ParamSpace::new().choice("a", ["x", "y", "z"]).choice("b", ["x", "y"]);
    let start = || ParamSet::new().with("a", "x").with("b", "x");
    let proposers: [Propose; 6] = [
        |space| Box::new(RandomSearch::over(space)),
        |space| Box::new(LocalSearch::over(space)),
        |space| Box::new(Tpe::over(space)),
        |space| Box::new(Evolution::over(space)),
        |space| Box::new(ProposerExt::<ParamSet>::dedupe(RandomSearch::over(space))),
        |space| {
            Box::new(
                ProposerExt::<ParamSet>::portfolio(LocalSearch::over(space.clone()), "near")
                    .with("far", RandomSearch::over(space)),
            )
        },
    ];
    let policies: [Judge; 4] = [
        || Box::new(Scout::new()),
        || Box::new(Factorial::new()),
        || Box::new(Guarded::new()),
        || Box::new(Greedy::new()),
    ];
    for (p, proposer) in proposers.iter().enumerate() {
        for (a, policy) in policies.iter().enumerate() {
            for (slots, order) in [(1, DecisionOrder::AsCompleted), (4, DecisionOrder::AsProposed)] {
                let train = executor_fn(|set: ParamSet, run: RunContext| async move {
                    let good = if set.text("a").unwrap_or("x") == "y" { 3.0 } else { 0.0 };
                    Ok((run.seed.wrapping_mul(2_654_435_761) % 1000) as f64 * 1e-3 - good)
                });
                let study = Study::new(start(), proposer(space()), train, testkit::loss())
                    .acceptor(policy())
                    .in_flight(slots)
                    .order(order)
                    .limits(Limits::new().runs(400))
                    .run();
                let ended = tokio::time::timeout(Duration::from_secs(3600), study).await;
                let report =
                    ended.unwrap_or_else(|_| panic!("proposer {p}, policy {a}, {slots} slots: it hangs"));
                report.expect("a report");
            }
        }
    }
}
