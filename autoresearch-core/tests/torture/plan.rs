//! Studies whose every number is decided by candidate and seed.

use crate::gate::{Gate, Watched};
use crate::session::tell;
use autoresearch_core::*;
use std::sync::Arc;
use std::time::Duration;

/// Documents of each split.
pub(crate) const HALF: usize = 6;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// Whether facts come in one order, so that the whole history is decided.
    pub(crate) ordered: bool,
    /// Whether runs, which end in any order, are judged in that of their planning: then all decisions are decided.
    pub(crate) in_turn: bool,
}

impl Plan {
    pub(crate) fn ordered(seed: u64) -> Self {
        Self { seed, ordered: true, in_turn: false }
    }

    pub(crate) fn free(seed: u64) -> Self {
        Self { seed, ordered: false, in_turn: false }
    }

    pub(crate) fn in_turn(seed: u64) -> Self {
        Self { seed, ordered: false, in_turn: true }
    }

    /// As it is told to another process.
    pub(crate) fn code(self) -> String {
        let kind = if self.ordered {
            'o'
        } else if self.in_turn {
            't'
        } else {
            'f'
        };
        format!("{kind}{}", self.seed)
    }

    pub(crate) fn read(code: &str) -> Self {
        let (kind, seed) = code.split_at(1);
        let seed = seed.parse().expect("a seed");
        match kind {
            "o" => Self::ordered(seed),
            "t" => Self::in_turn(seed),
            _ => Self::free(seed),
        }
    }

    fn in_flight(self) -> usize {
        if self.ordered { 1 + (self.seed as usize * 2) % 7 } else { 4 + 4 * (self.seed as usize % 3) }
    }
}

pub(crate) fn baseline() -> ParamSet {
    ParamSet::new().with("rate", 0.1).with("width", 64).with("decay", 0.3)
}

/// A loss a document: best at rate 0.003, width 256 and decay 0.05, with noise of the seed's and the document's.
pub(crate) fn losses(candidate: &ParamSet, seed: u64) -> Vec<f64> {
    let rate = candidate.float("rate").expect("a rate").log10() + 2.5;
    let width = (candidate.int("width").expect("a width") as f64 / 256.0).log2();
    let decay = candidate.float("decay").expect("a decay") - 0.05;
    let noise = |i: u64| (((seed % 100_003 + 1) * 97 + i * 31) as f64 * 78.233).sin() * 0.02;
    let loss = 3.0 + rate.abs() / 4.0 + width.abs() / 20.0 + decay.abs() / 5.0;
    (0..2 * HALF as u64).map(|i| loss + noise(0) + noise(i + 1)).collect()
}

struct Train(Plan, Gate);

#[async_trait]
impl Executor<ParamSet> for Train {
    type Output = Vec<f64>;

    async fn execute(&self, candidate: ParamSet, cx: RunContext) -> Result<Vec<f64>, RunFailure> {
        tell("running", cx.run.0);
        if !self.0.ordered {
            // Any order: some end together, some overtake others.
            tokio::time::sleep(Duration::from_millis(cx.seed.wrapping_mul(0x9E37_79B9) % 4)).await;
        }
        self.1.pass(cx.run, self.0).await;
        Ok(losses(&candidate, cx.seed))
    }

    async fn reopen(&self, candidate: &ParamSet, cx: &RunContext) -> Option<Vec<f64>> {
        Some(losses(candidate, cx.seed))
    }
}

struct Search(LocalSearch, Gate);

#[async_trait]
impl Proposer<ParamSet> for Search {
    async fn propose(
        &mut self,
        cx: ProposeContext<'_, ParamSet>,
    ) -> Result<Proposed<ParamSet>, ProposeError> {
        self.1.thinks();
        self.0.propose(cx).await
    }

    fn observe(&mut self, settled: &TrialRecord<ParamSet>) {
        self.0.observe(settled);
    }

    fn composer(&self) -> Option<Arc<dyn Compose<ParamSet>>> {
        self.0.composer()
    }
}

/// Plays what is left of a plan's study.
pub(crate) async fn run(plan: Plan, store: impl Store<ParamSet> + 'static) -> Report<ParamSet> {
    study(plan, store).run().await.expect("a report")
}

pub(crate) fn study(plan: Plan, store: impl Store<ParamSet> + 'static) -> Study<ParamSet, Vec<f64>> {
    let gate = Gate::default();
    let space =
        ParamSpace::new().log_float("rate", 1e-4..=1.0).log_int("width", 16..=1024).float("decay", 0.0..=0.5);
    let half = |from: usize, gate: Option<Gate>| {
        evaluator_fn(move |losses: &Vec<f64>| {
            gate.iter().for_each(Gate::hears);
            Ok(Measurement::new(losses[from..from + HALF].iter().copied())?)
        })
    };
    let search = Search(LocalSearch::over(space), gate.clone());
    let study = Study::new(baseline(), search, Train(plan, gate.clone()), half(0, None))
        .holdout(half(HALF, Some(gate.clone())))
        .test_split(half(HALF, None))
        .seed(plan.seed)
        .in_flight(plan.in_flight())
        .limits(Limits::new().runs(160))
        .store(Watched(store, gate));
    let study = match plan.in_turn {
        true => study.order(DecisionOrder::AsProposed).ahead(plan.in_flight()),
        false => study,
    };
    match plan.seed % 4 {
        0 => study.acceptor(Guarded::new()),
        1 => study.acceptor(Greedy::new()),
        2 => study.acceptor(Scout::new()),
        _ => study.acceptor(Fast::new()),
    }
}
