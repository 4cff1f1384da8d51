//! Asynchronous successive halving: what it costs, what it proposes, what becomes of its runs.

use autoresearch_core::*;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Numbers between 0 and 1, scattered.
fn dice() -> impl Proposer<f64> {
    proposer_fn(|cx: ProposeContext<'_, f64>| {
        Ok(Proposal::new((cx.seed >> 11) as f64 / (1u64 << 53) as f64).into())
    })
}

/// The loss is the candidate itself, blurred at the lowest fidelity.
fn blurred() -> impl Executor<f64, Output = f64> {
    executor_fn(|x: f64, run: RunContext| async move {
        let blur = if run.fidelity == Some(Fidelity::steps(1)) { 0.1 * (x * 1e4).sin() } else { 0.0 };
        Ok(x + blur)
    })
}

fn rungs() -> [Fidelity; 2] {
    [Fidelity::steps(1), Fidelity::steps(3)]
}

async fn ask(proposer: &mut impl Proposer<f64>, seed: u64) -> Result<Proposed<f64>, ProposeError> {
    proposer.propose(ProposeContext::for_test(&0.5, seed)).await
}

fn one(answer: Result<Proposed<f64>, ProposeError>) -> f64 {
    match answer {
        Ok(Proposed::Proposals(list)) if list.len() == 1 => list[0].candidate,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_third_goes_up_and_every_run_is_counted() {
    let runs = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&runs);
    let train = blurred();
    let train = Arc::new(train);
    let counting = executor_fn(move |x: f64, run: RunContext| {
        counted.fetch_add(1, Ordering::Relaxed);
        let train = Arc::clone(&train);
        async move { train.execute(x, run).await }
    });
    let mut proposer = dice().halving(counting, testkit::loss(), rungs());
    let screens = proposer.screens();
    let mut proposed = Vec::new();
    for seed in 0..12 {
        proposed.push(one(ask(&mut proposer, seed).await));
        let by: Vec<u64> = screens.by_rung().into_iter().map(|(_, n)| n).collect();
        let n = proposed.len() as u64;
        // Some more than a third go up: one that is among the best third now need not be later.
        assert!(by[1] > 2 * n && by[0] > 2 * by[1], "{n} proposals, runs {by:?}");
        assert!(by[0] <= 9 * n + 12, "{n} proposals, runs {by:?}");
    }
    assert_eq!((screens.runs(), screens.proposed(), screens.lost()), (runs.load(Ordering::Relaxed), 12, 0));
    // Candidates are even on 0..1: the best ninth of them has a mean of 1/18. Blur and a small number of them cost some.
    let mean = proposed.iter().sum::<f64>() / 12.0;
    assert!(mean < 0.2, "{proposed:?}");
}

#[tokio::test]
async fn a_higher_objective_can_be_better() {
    let mut proposer = dice().halving(blurred(), testkit::loss(), rungs()).maximize();
    let mut sum = 0.0;
    for seed in 0..12 {
        sum += one(ask(&mut proposer, seed).await);
    }
    assert!(sum / 12.0 > 0.8, "{}", sum / 12.0);
}

#[tokio::test]
async fn its_own_limit_exhausts_it() {
    let mut proposer = dice().halving(blurred(), testkit::loss(), rungs()).runs(20);
    let screens = proposer.screens();
    let mut made = 0;
    while ask(&mut proposer, made).await.expect("an answer") != Proposed::Exhausted {
        made += 1;
        assert!(made < 10);
    }
    assert!(made >= 1);
    assert_eq!(screens.runs(), 20);
}

#[tokio::test]
async fn without_a_fidelity_it_says_what_is_missing() {
    let error = ask(&mut dice().halving(blurred(), testkit::loss(), []), 1).await.expect_err("no rungs");
    assert!(error.to_string().contains("no fidelity to screen at"), "{error}");
}

#[tokio::test]
async fn a_lost_run_is_repeated_and_failures_and_panics_rank_last() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&seen);
    let train = executor_fn(move |x: f64, run: RunContext| {
        let n = {
            let mut notes = notes.lock().expect("no panic under the lock");
            notes.push((x, run.seed, run.fidelity));
            notes.len()
        };
        async move {
            assert!(n % 5 != 0, "a panic");
            match n {
                3 => Err(RunFailure::infrastructure("node lost")),
                n if n % 7 == 0 => Err(RunFailure::candidate("out of memory")),
                _ => Ok(x),
            }
        }
    });
    let mut proposer = dice().halving(train, testkit::loss(), rungs());
    let screens = proposer.screens();
    let error = ask(&mut proposer, 1).await.expect_err("a lost run");
    assert!(error.to_string().contains("node lost"), "{error}");
    one(ask(&mut proposer, 1).await);
    assert_eq!(screens.lost(), 1);
    let seen = seen.lock().expect("no panic under the lock");
    assert_eq!(seen[2], seen[3], "the same candidate, seed and fidelity");
    let seeds = |fidelity| {
        let mut seeds: Vec<u64> = seen.iter().filter(|s| s.2 == Some(fidelity)).map(|s| s.1).collect();
        seeds.dedup();
        seeds
    };
    assert_eq!((seeds(Fidelity::steps(1)).len(), seeds(Fidelity::steps(3)).len()), (1, 1), "one seed a rung");
    assert!(seen.iter().all(|s| s.1 < 1 << 32));
}

#[tokio::test(start_paused = true)]
async fn a_new_incumbent_and_a_drop_end_what_is_under_way() {
    let flags = Arc::new(Mutex::new(Vec::<Cancellation>::new()));
    let notes = Arc::clone(&flags);
    let train = executor_fn(move |_: f64, run: RunContext| {
        notes.lock().expect("no panic under the lock").push(run.cancel.clone());
        std::future::pending::<Result<f64, RunFailure>>()
    });
    let mut proposer = dice().halving(train, testkit::loss(), rungs()).in_flight(2);
    let up = || -> Vec<bool> {
        flags.lock().expect("no panic under the lock").iter().map(Cancellation::is_cancelled).collect()
    };
    let moment = Duration::from_secs(1);
    assert!(tokio::time::timeout(moment, ask(&mut proposer, 1)).await.is_err());
    assert_eq!(up(), [false, false], "they go on when the future is dropped");
    assert!(tokio::time::timeout(moment, ask(&mut proposer, 2)).await.is_err());
    assert_eq!(up(), [false, false], "no third one");
    let other = proposer.propose(ProposeContext::for_test(&0.6, 3));
    assert!(tokio::time::timeout(moment, other).await.is_err());
    assert_eq!(up(), [true, true, false, false]);
    drop(proposer);
    assert_eq!(up(), [true; 4]);
}

struct Present(Arc<AtomicUsize>);

impl Drop for Present {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn it_shares_a_device_with_the_study() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (n, m) = (Arc::clone(&now), Arc::clone(&most));
    let train = executor_fn(move |x: f64, _: RunContext| {
        let (n, m) = (Arc::clone(&n), Arc::clone(&m));
        async move {
            m.fetch_max(n.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let _present = Present(n); // also when it is dropped, since the incumbent has changed
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok::<f64, RunFailure>(x)
        }
    });
    let train = Arc::new(train).limit(2);
    let proposer = dice().halving(train.clone(), testkit::loss(), rungs()).in_flight(3);
    let screens = proposer.screens();
    let report = Study::new(0.9, proposer, train, testkit::loss())
        .acceptor(Greedy::new())
        .in_flight(2)
        .limits(Limits::new().proposals(5))
        .run()
        .await
        .expect("a report");
    assert_eq!((report.proposals, most.load(Ordering::SeqCst)), (5, 2));
    assert!(screens.runs() >= 12 && *report.stack() < 0.9);
}

#[tokio::test]
async fn folders_go_with_their_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let train = executor_fn(|x: f64, run: RunContext| async move {
        std::fs::write(run.directory()?.join("weights"), "1")?;
        Ok(x)
    });
    let mut proposer = dice().halving(train, testkit::loss(), rungs()).scratch(folder.path());
    one(ask(&mut proposer, 1).await);
    assert_eq!(std::fs::read_dir(folder.path()).expect("readable").count(), 0);
}
