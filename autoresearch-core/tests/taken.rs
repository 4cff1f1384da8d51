//! What a policy that scouts ahead has taken up reaches those who propose, long before anything is certified.

use autoresearch_core::*;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

/// What a proposer was told: the stack it was to build on, how good that seems, and what it took up.
#[derive(Debug, Clone, PartialEq)]
struct Told {
    on: BTreeSet<ProposalId>,
    standing: f64,
    taken: Vec<(ProposalId, Effect)>,
    x: f64,
}

struct Listening(LocalSearch, Arc<Mutex<Vec<Told>>>);

#[async_trait]
impl Proposer<ParamSet> for Listening {
    async fn propose(
        &mut self,
        cx: ProposeContext<'_, ParamSet>,
    ) -> Result<Proposed<ParamSet>, ProposeError> {
        let told = Told {
            on: cx.on().proposals().collect(),
            standing: cx.standing,
            taken: cx.taken.iter().map(|t| (t.id, t.effect)).collect(),
            x: bowl(cx.incumbent),
        };
        self.1.lock().expect("nobody panicked").push(told);
        self.0.propose(cx).await
    }
    fn observe(&mut self, settled: &TrialRecord<ParamSet>) {
        self.0.observe(settled);
    }
    fn composer(&self) -> Option<Arc<dyn Compose<ParamSet>>> {
        Proposer::<ParamSet>::composer(&self.0)
    }
}

fn space() -> ParamSpace {
    (0..8).fold(ParamSpace::new(), |space, i| space.float(format!("x{i}"), 0.0..=1.0))
}

fn start() -> ParamSet {
    (0..8).fold(ParamSet::new(), |set, i| set.with(format!("x{i}"), 0.9))
}

fn bowl(set: &ParamSet) -> f64 {
    (0..8).map(|i| set.float(&format!("x{i}")).expect("a number").powi(2)).sum()
}

/// Uniform noise of standard deviation .02.
fn noisy(set: &ParamSet, seed: u64) -> f64 {
    let mix = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(31).wrapping_mul(0xD1B5_4A32_D192_ED03);
    bowl(set) + 0.02 * 3.0_f64.sqrt() * (2.0 * ((mix >> 11) as f64 / (1_u64 << 53) as f64) - 1.0)
}

async fn listened(acceptor: impl Acceptor + 'static) -> (Vec<Told>, Report<ParamSet>, Vec<Event<ParamSet>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let proposer = Listening(LocalSearch::over(space()), Arc::clone(&told));
    let executor =
        executor_fn(|set: ParamSet, cx: RunContext| async move { Ok::<_, RunFailure>(noisy(&set, cx.seed)) });
    let store = MemoryStore::new();
    let study = Study::new(start(), proposer, executor, evaluator_fn(|x: &f64| Ok(Measurement::scalar(*x)?)))
        .acceptor(acceptor)
        .limits(Limits::new().runs(200))
        .store(store.clone());
    let report = study.run().await.expect("it runs");
    let events = store
        .read(Seq(0), usize::MAX)
        .await
        .expect("in memory")
        .into_iter()
        .map(|(_, event)| event)
        .collect();
    let told = told.lock().expect("nobody panicked").clone();
    (told, report, events)
}

#[tokio::test]
async fn scout_says_what_its_stack_took_up() {
    let (told, report, events) = listened(Scout::new()).await;
    assert_eq!((told[0].standing, told[0].taken.len()), (0.0, 0), "at first there is no stack");
    let last = told.last().expect("asked often");
    assert!(last.taken.len() > 3, "{last:?}");
    for one in &told {
        let ids: BTreeSet<ProposalId> = one.taken.iter().map(|(id, _)| *id).collect();
        assert_eq!(ids.len(), one.taken.len(), "each once: {one:?}");
        assert_eq!(one.on.is_empty(), one.standing == 0.0, "{one:?}");
        assert!(one.taken.iter().all(|(_, effect)| effect.mean > 0.0 && !effect.fresh), "{one:?}");
        assert!(one.taken.is_sorted_by(|a, b| a.1.upon <= b.1.upon + 0.2), "the stack rises: {one:?}");
    }
    // Where it says that it stands is where it stands, but for the luck of the runs that chose it.
    let truth = bowl(&start()) - last.x;
    assert!((last.standing - truth).abs() < 0.1 + 0.1 * truth, "{} is {truth}", last.standing);
    // What was turned down was measured on that stack.
    let upon: Vec<f64> = events
        .iter()
        .filter_map(|event| match event {
            Event::Settled { fate: Fate::SetAside, effect, .. } => Some(effect.as_ref()?.upon),
            _ => None,
        })
        .collect();
    assert!(upon.iter().any(|x| *x > 0.5 * truth), "{upon:?}");
    assert!(report.gain.expect("scout measures it").mean > 1.0);
}

#[tokio::test]
async fn a_policy_without_a_stack_has_nothing_to_say() {
    let (told, _, events) = listened(Greedy::new()).await;
    assert!(told.iter().all(|one| one.standing == 0.0 && one.taken.is_empty()));
    // And its history reads as if there were no such thing.
    let text = serde_json::to_string(&events).expect("events are data");
    assert!(!text.contains("upon"));
}

fn record(id: u64, set: ParamSet, effect: f64, by: &str) -> (ProposalId, Arc<Proposal<ParamSet>>, Effect) {
    let proposal = Arc::new(Proposal::new(set).tag(by));
    (ProposalId(id), proposal, Effect::new(effect, (f64::NAN, f64::NAN), 0.95, 1, false))
}

fn one() -> ParamSpace {
    ParamSpace::new().float("x", 0.0..=1.0)
}

fn at(x: f64) -> ParamSet {
    ParamSet::new().with("x", x)
}

/// Draws proposals of a strategy that knows twenty settings near .8 as poor, and four near .2 that a stack took up.
async fn drawn(proposer: &mut impl Proposer<ParamSet>, taken: bool) -> Vec<f64> {
    let incumbent = at(0.5);
    let mut drawn = Vec::new();
    for seed in 0..60 {
        let mut cx = ProposeContext::for_test(&incumbent, seed);
        for i in 0..4 {
            let (id, proposal, effect) = record(100 + i, at(0.2 + 0.005 * i as f64), 1.0, "");
            // In a study they are pending, whether a stack has taken them up or not.
            cx.pending.push(Arc::clone(&proposal));
            if taken {
                cx.taken.push(Taken::new(id, proposal, effect));
            }
        }
        if taken {
            cx.standing = 4.0;
        }
        if let Ok(Proposed::Proposals(made)) = proposer.propose(cx).await {
            drawn.extend(made.iter().map(|p| p.candidate.float("x").expect("a number")));
        }
    }
    drawn
}

async fn share_near(proposer: &mut impl Proposer<ParamSet>, taken: bool) -> f64 {
    for i in 0..20 {
        let (id, proposal, effect) = record(i, at(0.75 + 0.005 * i as f64), -0.5, "");
        proposer.observe(&TrialRecord::for_test(id, proposal, Fate::SetAside, Some(effect)));
    }
    let drawn = drawn(proposer, taken).await;
    drawn.iter().filter(|x| (**x - 0.2).abs() < 0.15).count() as f64 / drawn.len() as f64
}

#[tokio::test]
async fn learners_go_where_the_stack_found_something() {
    let tpe = share_near(&mut Tpe::over(one()), true).await;
    // Pending alone, they would be kept away from.
    let without = share_near(&mut Tpe::over(one()), false).await;
    assert!(tpe > 0.5 && without < 0.3, "{tpe} and {without}");
    let evolution = share_near(&mut Evolution::over(one()), true).await;
    assert!(evolution > 0.4, "{evolution}");
}

#[tokio::test]
async fn who_filled_the_stack_is_asked_more() {
    let asked = |taken: bool| async move {
        let mut portfolio = LocalSearch::over(space()).portfolio("a").with("b", LocalSearch::over(space()));
        for i in 0..40 {
            let by = if i % 2 == 0 { "by:a" } else { "by:b" };
            let (id, proposal, effect) = record(i, start().with("x0", 0.01 * i as f64), -0.5, by);
            portfolio.observe(&TrialRecord::for_test(id, proposal, Fate::SetAside, Some(effect)));
        }
        let (incumbent, mut b) = (start(), 0);
        for seed in 0..100 {
            let mut cx = ProposeContext::for_test(&incumbent, seed);
            for i in (0..8).filter(|_| taken) {
                let (id, proposal, effect) = record(50 + i, start().with("x1", 0.01 * i as f64), 0.5, "by:b");
                cx.taken.push(Taken::new(id, proposal, effect));
            }
            let Ok(Proposed::Proposals(made)) = portfolio.propose(cx).await else { continue };
            b += usize::from(made[0].hypothesis.tags.iter().any(|tag| tag == "by:b"));
        }
        b
    };
    let (with, without) = (asked(true).await, asked(false).await);
    assert!(with > 85 && (25..75).contains(&without), "{with} and {without}");
}

/// A resumed study replays its policy, which says once more what its stack took up: proposers go on as if nothing had
/// happened.
#[tokio::test]
async fn a_study_that_was_cut_goes_on_with_what_was_taken_up() {
    let make = |store: &MemoryStore<ParamSet>| {
        let proposer = LocalSearch::over(space())
            .portfolio("local")
            .with("tpe", Tpe::over(space()))
            .with("evolution", Evolution::over(space()));
        let executor =
            executor_fn(
                |set: ParamSet, cx: RunContext| async move { Ok::<_, RunFailure>(noisy(&set, cx.seed)) },
            );
        Study::new(start(), proposer, executor, evaluator_fn(|x: &f64| Ok(Measurement::scalar(*x)?)))
            .acceptor(Scout::new())
            .limits(Limits::new().runs(140))
            .store(store.clone())
    };
    let read = |store: MemoryStore<ParamSet>| async move {
        let events = store.read(Seq(0), usize::MAX).await.expect("in memory");
        events.into_iter().map(|(_, event)| event).collect::<Vec<Event<ParamSet>>>()
    };
    let proposed = |events: &[Event<ParamSet>]| -> Vec<String> {
        events.iter().filter(|e| matches!(e, Event::Proposed { .. })).map(|e| format!("{e:?}")).collect()
    };
    let whole = MemoryStore::new();
    make(&whole).run().await.expect("it runs");
    let events = read(whole).await;
    for cut in (1..events.len()).step_by(29) {
        let store = MemoryStore::new();
        store.append(Seq(0), &events[..cut]).await.expect("an append");
        make(&store).run().await.expect("it goes on");
        assert_eq!(proposed(&read(store).await), proposed(&events), "cut after {cut} events");
    }
}
