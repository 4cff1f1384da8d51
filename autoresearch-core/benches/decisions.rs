//! What a decision of the sequential policies costs: the policy alone, and with the state machine around it.
//!
//! A decision is one answer of a policy to "what next?". Throughput is in decisions on one core.

use autoresearch_core::{
    Acceptor, Action, Cohort, Fast, FixedPaired, Guarantee, Guarded, Limits, Measurement, Proposal,
    ProposalId, Proposed, Sequential, Settings, Setup, Step, StudyState,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

const PROPOSALS: u64 = 1000;

type Make = fn() -> Box<dyn Acceptor>;

const POLICIES: &[(&str, Make)] = &[
    ("sequential", || Box::new(Sequential::new())),
    ("guarded", || Box::new(Guarded::new())),
    ("fast", || Box::new(Fast::new())),
    ("fixed-paired", || Box::new(FixedPaired::new())),
];

/// How often a policy was asked, and how long it took over its answers.
#[derive(Default)]
struct Clock {
    decisions: AtomicU64,
    nanoseconds: AtomicU64,
}

/// A policy on the clock.
struct Timed(Box<dyn Acceptor>, Arc<Clock>);

impl Acceptor for Timed {
    fn next(&mut self, cohort: &Cohort<'_>) -> Step {
        let start = Instant::now();
        let step = self.0.next(cohort);
        self.1.nanoseconds.fetch_add(start.elapsed().as_nanos() as u64, Relaxed);
        self.1.decisions.fetch_add(1, Relaxed);
        step
    }
    fn settled(&mut self, proposal: ProposalId, kept: bool) {
        self.0.settled(proposal, kept);
    }
    fn check(&self, setup: &Setup) -> Result<(), String> {
        self.0.check(setup)
    }
    fn guarantee(&self) -> Guarantee {
        self.0.guarantee()
    }
    fn describe(&self) -> String {
        self.0.describe()
    }
}

/// About normal, and next to free: a sum of four uniform numbers.
fn loss(candidate: f64, seed: u64) -> f64 {
    let mut hash = candidate.to_bits() ^ seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    hash ^= hash >> 31;
    (0..4).map(|i| ((hash >> (16 * i)) & 0xFFFF) as f64 / 65536.0).sum()
}

/// A study of proposals without merit.
fn play(acceptor: impl Acceptor + 'static) -> u64 {
    let settings = Settings::new().limits(Limits::new().proposals(PROPOSALS)).seed(7);
    let mut study = StudyState::new(0.0, acceptor, settings).expect("valid settings");
    let mut made = 0.0;
    loop {
        match study.next_action() {
            Action::Propose { wanted } => {
                let proposals = (0..wanted).map(|_| {
                    made += 1.0;
                    Proposal::new(made)
                });
                study.proposed(Proposed::Proposals(proposals.collect())).expect("it was asked");
            }
            Action::Run(run) => {
                let measured = Measurement::scalar(loss(*run.candidate, run.seed)).expect("a number");
                study.finished(run.id, Ok(measured)).expect("it was planned");
            }
            Action::AskHoldout(_) | Action::Wait => unreachable!("one run at a time, and no holdout"),
            Action::Stop(_) => return study.runs(),
        }
        study.take_events();
    }
}

fn decisions(criterion: &mut Criterion) {
    for &(name, make) in POLICIES {
        let clock = Arc::new(Clock::default());
        let runs = play(Timed(make(), Arc::clone(&clock)));
        let decisions = clock.decisions.load(Relaxed);
        println!("{name}: {decisions} decisions on {runs} runs of {PROPOSALS} proposals");

        let mut group = criterion.benchmark_group(name);
        group.sample_size(20).throughput(Throughput::Elements(decisions));
        group.bench_function("policy alone", |bencher| {
            bencher.iter_custom(|times| {
                let clock = Arc::new(Clock::default());
                (0..times).for_each(|_| _ = play(Timed(make(), Arc::clone(&clock))));
                Duration::from_nanos(clock.nanoseconds.load(Relaxed))
            });
        });
        group.bench_function("with the state machine", |bencher| bencher.iter(|| play(make())));
        group.finish();
    }
}

criterion_group!(benches, decisions);
criterion_main!(benches);
