//! Search strategies against random search, and what screening does.

use autoresearch_core::*;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The same strategy with other randomness.
struct Salted<P>(P, u64);

#[async_trait]
impl<C: Candidate, P: Proposer<C>> Proposer<C> for Salted<P> {
    async fn propose(&mut self, mut cx: ProposeContext<'_, C>) -> Result<Proposed<C>, ProposeError> {
        cx.seed ^= self.1.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0.propose(cx).await
    }
    fn observe(&mut self, settled: &TrialRecord<C>) {
        self.0.observe(settled);
    }
    fn composer(&self) -> Option<Arc<dyn Compose<C>>> {
        self.0.composer()
    }
}

/// About normal, with standard deviation 1, from a seed: a sum of twelve uniform numbers (Irwin-Hall).
fn noise(seed: u64, salt: u64) -> f64 {
    let mut z = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ salt.wrapping_mul(0xD1B5_4A32_D192_ED03);
    let mut next = || {
        z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = z;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((x ^ (x >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    };
    (0..12).map(|_| next()).sum::<f64>() - 6.0
}

/// Four numbers, one of them on a log scale, and a kind that has a parameter of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Recipe {
    rate: f64,
    decay: f64,
    width: u32,
    kind: String,
    momentum: f64,
}

fn space() -> ParamSpace {
    ParamSpace::new()
        .log_float("rate", 1e-4..=1.0)
        .float("decay", 0.0..=1.0)
        .log_int("width", 16..=1024)
        .choice("kind", ["a", "b", "c"])
        .float("momentum", 0.0..=1.0)
        .when("kind", "c")
}

fn start() -> Recipe {
    Recipe { rate: 0.9, decay: 0.9, width: 20, kind: "a".into(), momentum: 0.0 }
}

/// A bowl whose best kind needs its own parameter to be right; 0 at the optimum.
fn bowl(r: &Recipe) -> f64 {
    let kind = match r.kind.as_str() {
        "c" => (r.momentum - 0.8).powi(2),
        "b" => 0.1,
        _ => 0.3,
    };
    ((r.rate.log10() + 2.5) / 2.0).powi(2)
        + (r.decay - 0.2).powi(2)
        + (f64::from(r.width).log2() - 8.0).powi(2) / 9.0
        + kind
}

/// Six numbers with ripples that have a local optimum every quarter of the range.
fn ripples(x: &[f64]) -> f64 {
    x.iter().map(|x| (x - 0.3).powi(2) + 0.02 * (1.0 - (8.0 * std::f64::consts::PI * (x - 0.3)).cos())).sum()
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Six {
    a: f64,
    b: f64,
    c: f64,
    d: f64,
    e: f64,
    f: f64,
}

fn six() -> ParamSpace {
    ["a", "b", "c", "d", "e", "f"].into_iter().fold(ParamSpace::new(), |s, name| s.float(name, 0.0..=1.0))
}

fn rippled(s: &Six) -> f64 {
    ripples(&[s.a, s.b, s.c, s.d, s.e, s.f])
}

/// The true loss of what it arrived at, averaged over so many repetitions of `proposals` noisy proposals.
fn arrives<C: Candidate, P: Proposer<C>>(
    make: impl Fn() -> P,
    from: &C,
    truth: impl Fn(&C) -> f64,
    proposals: u64,
    repetitions: u64,
    sd: f64,
) -> f64 {
    let one = |salt: u64| {
        let loss = |c: &C, seed: u64| truth(c) + sd * noise(seed, salt);
        truth(testkit::play(Salted(make(), salt), from.clone(), proposals, loss).incumbent())
    };
    (0..repetitions).map(one).sum::<f64>() / repetitions as f64
}

const PROPOSALS: u64 = 120;
const REPETITIONS: u64 = 20;
const SD: f64 = 0.02;

/// Seeds are fixed, so that these cannot flake. The means were, on the bowl: random 0.123, TPE 0.076,
/// evolution 0.049; on the ripples: 0.225, 0.112, 0.070.
#[test]
fn on_a_space_with_conditions_both_do_better_than_random_search() {
    let arrives = |make: &dyn Fn() -> Box<dyn Proposer<Recipe>>| {
        arrives(make, &start(), bowl, PROPOSALS, REPETITIONS, SD)
    };
    let random = arrives(&|| Box::new(RandomSearch::over(space())));
    let tpe = arrives(&|| Box::new(Tpe::over(space())));
    let evolution = arrives(&|| Box::new(Evolution::over(space())));

    assert!(
        tpe < 0.8 * random && evolution < 0.8 * random,
        "random {random} tpe {tpe} evolution {evolution}"
    );
}

#[test]
fn on_ripples_both_do_better_than_random_search() {
    let start = Six { a: 0.9, b: 0.9, c: 0.9, d: 0.9, e: 0.9, f: 0.9 };
    let arrives = |make: &dyn Fn() -> Box<dyn Proposer<Six>>| {
        arrives(make, &start, rippled, PROPOSALS, REPETITIONS / 2, SD)
    };
    let random = arrives(&|| Box::new(RandomSearch::over(six())));
    let tpe = arrives(&|| Box::new(Tpe::over(six())));
    let evolution = arrives(&|| Box::new(Evolution::over(six())));

    assert!(
        tpe < 0.8 * random && evolution < 0.8 * random,
        "random {random} tpe {tpe} evolution {evolution}"
    );
}

#[test]
fn a_small_space_is_used_up_and_nothing_is_proposed_twice() {
    let space = || ParamSpace::new().int("n", 1..=4).choice("kind", ["a", "b", "c"]).bool("on");
    let start = ParamSet::new().with("n", 1).with("kind", "a").with("on", false);
    let proposers: [Box<dyn Proposer<ParamSet>>; 2] = [
        Box::new(Tpe::over(space()).startup(3)),
        Box::new(Evolution::over(space()).population(4).tournament(2)),
    ];
    for (i, proposer) in proposers.into_iter().enumerate() {
        let loss = |set: &ParamSet, _| set.float("n").expect("a number");
        let played = testkit::play(proposer, start.clone(), 1000, loss);
        let mut settings: Vec<String> =
            played.history().iter().map(|t| format!("{:?}", t.proposal.candidate)).collect();
        let made = settings.len();
        settings.sort();
        settings.dedup();
        assert_eq!(settings.len(), made, "proposer {i}");
        // Evolution changes two parameters at most when the space is gone through.
        assert!(made >= 12, "proposer {i} made {made} of 23");
        assert!(settings.iter().all(|s| *s != format!("{start:?}")));
    }
}

#[test]
fn only_what_is_named_is_searched() {
    let proposers: [Box<dyn Proposer<Recipe>>; 2] = [
        Box::new(Tpe::over(space()).only(["rate", "width"])),
        Box::new(Evolution::over(space()).only(["rate", "width"]).population(5)),
    ];
    for proposer in proposers {
        let played = testkit::play(proposer, start(), 40, |r, _| bowl(r));
        assert_eq!(played.history().len(), 40);
        for trial in played.history().iter() {
            let r = &trial.proposal.candidate;
            assert_eq!((r.decay, r.kind.as_str(), r.momentum), (0.9, "a", 0.0));
            assert_eq!(space().validate(r), Ok(()));
        }
    }
}

/// Candidates of kind a fail; the others are a noisy bowl.
fn brittle() -> impl Executor<Recipe, Output = f64> {
    executor_fn(|r: Recipe, run: RunContext| async move {
        match r.kind.as_str() {
            "a" => Err(RunFailure::candidate("kind a crashes")),
            _ => Ok(bowl(&r) + SD * noise(run.seed, 1)),
        }
    })
}

async fn facts(store: &MemoryStore<Recipe>) -> Vec<String> {
    let events = store.read(Seq(0), usize::MAX).await.expect("readable");
    events
        .iter()
        .filter(|(_, e)| matches!(e, Event::Proposed { .. }))
        .map(|(_, e)| format!("{e:?}"))
        .collect()
}

/// What proposers remember comes back through `observe`: cut anywhere, a study proposes what it would have.
#[tokio::test]
async fn a_portfolio_of_everything_goes_on_where_it_was_cut() {
    let proposer = || {
        LocalSearch::over(space())
            .take(3)
            .portfolio("local")
            .with("random", RandomSearch::over(space()))
            .with("tpe", Tpe::over(space()).startup(4).dedupe())
            .with("evolution", Evolution::over(space()).population(4))
            .take(28)
    };
    let make = |store: &MemoryStore<Recipe>| {
        let start = Recipe { kind: "b".into(), ..start() };
        Study::new(start, proposer(), brittle(), testkit::loss()).acceptor(Greedy::new()).store(store.clone())
    };
    let whole = MemoryStore::new();
    let report = make(&whole).run().await.expect("a report");
    assert_eq!((report.proposals, &report.stopped), (28, &StopReason::Exhausted));
    assert!(report.failed_runs > 0 && !report.kept.is_empty());
    let expected = facts(&whole).await;
    let events = whole.read(Seq(0), usize::MAX).await.expect("readable");
    let by = |name: &str| expected.iter().filter(|f| f.contains(&format!("by:{name}\""))).count();
    assert_eq!(by("local"), 3, "the member's own budget");
    assert_eq!(by("local") + by("random") + by("tpe") + by("evolution"), 28);
    for cut in (1..events.len()).step_by(13) {
        let store = MemoryStore::new();
        let prefix: Vec<Event<Recipe>> = events[..cut].iter().map(|(_, e)| e.clone()).collect();
        store.append(Seq(0), &prefix).await.expect("an append");
        make(&store).run().await.expect("a report");
        assert_eq!(facts(&store).await, expected, "cut after {cut} events");
    }
}
