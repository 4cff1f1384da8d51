//! The tokio driver with the memory store.

use crate::figure::{Bound, Figure, Scale, median, processor_seconds};
use crate::machine::WORSE;
use autoresearch_core::{
    Greedy, Limits, Measurement, MemoryStore, Proposal, ProposeContext, Proposed, Store, Study, evaluator_fn,
    executor_fn, proposer_fn,
};
use std::time::Instant;
use tokio::runtime::{Builder, Runtime};

/// A study whose parts do nothing, and whose baseline is never beaten.
pub(crate) fn study(store: impl Store<f64> + 'static, proposals: u64, in_flight: usize) -> Study<f64, f64> {
    let same = proposer_fn(|cx: ProposeContext<'_, f64>| {
        Ok(Proposed::Proposals((0..cx.wanted).map(|_| Proposal::new(WORSE)).collect()))
    });
    Study::new(
        0.0,
        same,
        executor_fn(|candidate: f64, _| async move { Ok(candidate) }),
        evaluator_fn(|loss: &f64| Ok(Measurement::scalar(*loss)?)),
    )
    .acceptor(Greedy::new())
    .store(store)
    .in_flight(in_flight)
    .limits(Limits::new().proposals(proposals))
}

/// One thread for everything.
pub(crate) fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Where a study runs: on the only thread, in `main` beside the worker threads, or as a task on one of these.
#[derive(Clone, Copy)]
enum Threads {
    One,
    Many,
    Spawned,
}

fn trials_per_second(runtime: &Runtime, threads: Threads, trials: u64, in_flight: usize) -> f64 {
    let study = study(MemoryStore::new(), trials, in_flight);
    let (start, clock) = (processor_seconds(), Instant::now());
    let report = match threads {
        Threads::Spawned => runtime.block_on(async { tokio::spawn(study.run()).await.expect("no panic") }),
        Threads::One | Threads::Many => runtime.block_on(study.run()),
    };
    // Of several threads none knows what the others had of the processors.
    let seconds = match threads {
        Threads::One => processor_seconds() - start,
        Threads::Many | Threads::Spawned => clock.elapsed().as_secs_f64(),
    };
    report.expect("a report");
    trials as f64 / seconds
}

pub(crate) fn rate(scale: &Scale) -> Vec<Figure> {
    let trials = scale.of(50_000, 100);
    let threads = || Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let repeated = |runtime: &Runtime, threads, in_flight| {
        median((0..scale.of(5, 1)).map(|_| trials_per_second(runtime, threads, trials, in_flight)).collect())
    };
    let (one, many) = (one_thread(), threads());
    let figure = |name, rate, bound| Figure::new(name, rate, "trials/s", bound);
    vec![
        figure("driver, memory store, one thread", repeated(&one, Threads::One, 1), Bound::AtLeast(50_000.0)),
        figure("driver, memory store, one thread, 8 in flight", repeated(&one, Threads::One, 8), Bound::None),
        figure(
            "driver, memory store, many threads, spawned",
            repeated(&many, Threads::Spawned, 1),
            Bound::None,
        ),
        figure("driver, memory store, many threads, in main", repeated(&many, Threads::Many, 1), Bound::None),
    ]
}
