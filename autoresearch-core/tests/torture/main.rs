//! Studies killed with -9 at hundreds of random moments end as those that were left alone.
//!
//! Each session is a process of its own: this very test binary, which plays `plan` on a store until it is killed. The
//! parent kills it after a random number of appends and runs, and a random while later: in the middle of an append, of
//! a run, of opening the store. Each time, what is stored is held against the uninterrupted study.
//!
//! A few dozen kills by default; `AUTORESEARCH_TORTURE=500 cargo test -p autoresearch-core --test torture` makes 500
//! of each kind.

#![cfg(all(feature = "sqlite", unix))]

mod gate;
mod plan;
mod session;
#[path = "../support/small_disk.rs"]
mod small_disk;

use autoresearch_core::{
    Event, Fate, MemoryStore, ParamSet, Seq, SqliteStore, Store, StoreError, StudyError,
};
use plan::{Plan, losses, run};
use session::{Kills, session};
use small_disk::SmallDisk;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

type Events = Vec<Event<ParamSet>>;

/// Kills of each kind of study.
fn wanted() -> usize {
    std::env::var("AUTORESEARCH_TORTURE").ok().and_then(|n| n.parse().ok()).unwrap_or(12)
}

async fn stored(store: &impl Store<ParamSet>) -> Events {
    let events = store.read(Seq(0), usize::MAX).await.expect("readable");
    events.into_iter().map(|(_, event)| event).collect()
}

/// Everything that was stored, without identifiers and clocks.
fn facts(events: &Events) -> Vec<String> {
    let text = |event: &Event<ParamSet>| match event {
        Event::Opened { .. } => "opened".to_string(),
        Event::Finished { run, attempt, outcome, .. } => format!("{run:?} {attempt} {outcome:?}"),
        other => format!("{other:?}"),
    };
    events.iter().map(text).collect()
}

/// Plays a plan to its end in sessions that are killed; after each, `check` sees what is stored.
async fn tortured(path: &Path, plan: Plan, kills: &mut Kills, mut check: impl FnMut(&Events)) -> Events {
    for _ in 0..5000 {
        let acknowledged = session(path, plan, kills);
        // Whoever is killed before the store was made has left nothing to read.
        let events = match SqliteStore::open_read_only(path) {
            Ok(store) => stored(&store).await,
            Err(_) => Vec::new(),
        };
        let found = events.len() as u64;
        assert!(
            found >= acknowledged.events,
            "{} events were acknowledged, {found} found",
            acknowledged.events
        );
        check(&events);
        if acknowledged.ended {
            return events;
        }
    }
    panic!("it does not end: {kills:?}");
}

/// One order of facts: the whole history is the same, event by event, after every kill.
#[tokio::test]
async fn killed_at_random_it_is_the_uninterrupted_study() {
    let (mut kills, mut seed) = (Kills::default(), 0);
    while kills.all < wanted() {
        let plan = Plan::ordered(seed);
        let calm = MemoryStore::new();
        run(plan, calm.clone()).await;
        let calm = facts(&stored(&calm).await);
        let folder = tempfile::tempdir().expect("a folder");
        let events = tortured(&folder.path().join("study.db"), plan, &mut kills, |events| {
            let facts = facts(events);
            let same = facts.iter().zip(&calm).take_while(|(a, b)| a == b).count();
            assert_eq!(facts.get(same), None, "{plan:?}: event {} should be {:?}", same + 1, calm.get(same));
        })
        .await;
        assert_eq!(facts(&events), calm, "{plan:?}, {kills:?}");
        seed += 1;
    }
    println!("{seed} studies, {kills:?}");
    assert!(kills.appending > 0, "no append was interrupted: {kills:?}");
}

/// Runs end in any order and share appends: what was stored stays as it was, and nothing counts twice.
#[tokio::test]
async fn killed_with_runs_in_flight_nothing_is_lost_or_counted_twice() {
    let (mut kills, mut seed) = (Kills::default(), 0);
    while kills.all < wanted() {
        let plan = Plan::free(seed);
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("study.db");
        let mut before = Vec::new();
        let events = tortured(&path, plan, &mut kills, |events| {
            assert!(events.starts_with(&before), "{plan:?}: what was stored has changed");
            before.clone_from(events);
        })
        .await;
        check_books(&events);
        // Opening it draws all conclusions again, and refuses if one comes out otherwise.
        run(plan, SqliteStore::open(&path).expect("the lock went with the process")).await;
        assert_eq!(stored(&SqliteStore::open_read_only(&path).expect("a store")).await, events, "{plan:?}");
        seed += 1;
    }
    println!("{seed} studies, {kills:?}");
    assert!(kills.appending > 0, "no append was interrupted: {kills:?}");
}

/// What was proposed and concluded, in the order in which it was.
fn decisions(events: &Events) -> Vec<String> {
    let decides = |e: &&Event<ParamSet>| {
        matches!(
            e,
            Event::Proposed { .. } | Event::Settled { .. } | Event::Answered { .. } | Event::Examined { .. }
        )
    };
    events.iter().filter(decides).map(|e| format!("{e:?}")).collect()
}

/// Runs end in any order, and are judged in that of their planning: all decisions are the same after every kill.
#[tokio::test]
async fn killed_with_runs_judged_in_turn_its_decisions_are_those_of_the_uninterrupted_study() {
    let (mut kills, mut seed) = (Kills::default(), 0);
    while kills.all < wanted() {
        let plan = Plan::in_turn(seed);
        let calm = MemoryStore::new();
        run(plan, calm.clone()).await;
        let calm = decisions(&stored(&calm).await);
        let folder = tempfile::tempdir().expect("a folder");
        let events = tortured(&folder.path().join("study.db"), plan, &mut kills, |events| {
            let made = decisions(events);
            let same = made.iter().zip(&calm).take_while(|(a, b)| a == b).count();
            assert_eq!(
                made.get(same),
                None,
                "{plan:?}: decision {} should be {:?}",
                same + 1,
                calm.get(same)
            );
        })
        .await;
        assert_eq!(decisions(&events), calm, "{plan:?}, {kills:?}");
        check_books(&events);
        seed += 1;
    }
    println!("{seed} studies, {kills:?}");
}

/// Each proposal is made once and settled at most once, and each run ends once, with the number that its candidate and
/// seed give.
fn check_books(events: &Events) {
    let (mut proposed, mut settled, mut ran) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
    for event in events {
        match event {
            Event::Proposed { first, proposals, .. } => {
                for id in (first.0..).take(proposals.len()) {
                    assert!(proposed.insert(id), "proposal {id} was made twice");
                }
            }
            Event::Finished { run, attempt, outcome, .. } => {
                assert_eq!(*attempt, 0, "a kill counts as no attempt");
                let measured = outcome.as_ref().expect("no run fails").objective();
                let twice = ran.insert(run.id, (run.arm.clone(), run.version, run.seed, measured));
                assert_eq!(twice, None, "run {} ended twice", run.id.0);
            }
            Event::Settled { proposal, fate, .. } if *fate != Fate::SetAside => {
                assert!(settled.insert(*proposal), "{proposal} was settled twice");
            }
            _ => {}
        }
    }
    // The baseline's runs are known without the state machine.
    let base = plan::baseline();
    for (run, (arm, version, seed, measured)) in &ran {
        if arm.is_incumbent() && version.0 == 0 {
            let losses = losses(&base, *seed);
            let mean = losses[..plan::HALF].iter().sum::<f64>() / plan::HALF as f64;
            assert!((mean - measured).abs() < 1e-12, "run {} of the baseline: {mean} or {measured}", run.0);
        }
    }
    assert!(ran.len() > 50 && !settled.is_empty(), "{} runs, {} settled", ran.len(), settled.len());
}

/// Each session goes on until the disk is full; then there is a little room, and the next one goes on.
#[tokio::test]
async fn on_a_disk_that_fills_up_again_and_again_it_is_the_uninterrupted_study() {
    let (plan, folder) = (Plan::ordered(1), tempfile::tempdir().expect("a folder"));
    let Some(disk) = SmallDisk::mount(folder.path()) else {
        eprintln!("SKIPPED: a full disk needs the right to mount a tmpfs");
        return;
    };
    let calm = MemoryStore::new();
    run(plan, calm.clone()).await;
    let (path, ballast) = (disk.0.join("study.db"), disk.0.join("ballast"));
    let mut full = 0;
    while full < 40 {
        let _ = std::fs::write(&ballast, vec![1; 400_000]); // as much of it as there is room for
        let ended = match SqliteStore::open(&path) {
            Ok(store) => plan::study(plan, store).run().await.map(drop),
            Err(error) => Err(error.into()),
        };
        let Err(error) = ended else { break };
        assert!(matches!(error, StudyError::Store(StoreError::Full { .. })), "{error:?}");
        assert!(error.to_string().contains("there is no room left"), "{error}");
        full += 1;
        std::fs::remove_file(&ballast).expect("room again");
        // Closing it moves the log into the database, which takes the room of neither for long.
        let store = SqliteStore::open(&path).expect("it can be opened");
        let events = stored(&store).await;
        assert!(facts(&stored(&calm).await).starts_with(&facts(&events)), "after {full} times");
    }
    assert!(full > 1, "the disk was full {full} times");
    let store = SqliteStore::open_read_only(&path).expect("a store");
    assert_eq!(facts(&stored(&store).await), facts(&stored(&calm).await));
}

/// The process that is killed; does nothing unless it is told its study.
#[tokio::test]
async fn child() {
    session::child().await;
}
