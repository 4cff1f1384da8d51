//! What every store must do, as a function that tests call.

use super::{Seq, Store, StoreError};
use crate::accept::{Role, Strength};
use crate::arm::{Arm, Part, ProposalId, QuestionId, RunId, Version};
use crate::failure::{FailureKind, RunFailure};
use crate::holdout::{Answer, Basis, Comparison, FinalResult, Holdout, Release, Splits, TestSplit};
use crate::limits::{Limits, StopReason};
use crate::measure::{Direction, Measurement};
use crate::meter::Charge;
use crate::propose::{Effect, Fate, Proposal};
use crate::state::{Event, Move, RunSpec, Settings};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Checks a store against the contract of [`Store`]; `make` gives a new, empty one each time.
///
/// ```
/// use autoresearch_core::{MemoryStore, testkit::conformance};
/// # tokio::runtime::Builder::new_multi_thread().build()?.block_on(async {
/// conformance::store(MemoryStore::new).await;
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Durability is not checked: kill a process that appends, and read what it had been told was stored. Run it on a
/// multi-threaded runtime, so that writers really race.
///
/// # Panics
/// The store breaks the contract; the message says how.
pub async fn store_conformance<S: Store<f64> + 'static>(make: impl Fn() -> S) {
    starts_empty(&make()).await;
    gives_back_every_kind_bit_for_bit(&make()).await;
    reads_in_pages(&make()).await;
    refuses_a_stale_writer(&make()).await;
    for _ in 0..8 {
        lets_one_writer_win(make()).await;
    }
}

async fn ok<T>(what: &str, result: impl Future<Output = Result<T, StoreError>>) -> T {
    result.await.unwrap_or_else(|error| panic!("{what}: {error}"))
}

async fn all<S: Store<f64>>(store: &S) -> Vec<(Seq, Event<f64>)> {
    ok("reading everything", store.read(Seq(0), usize::MAX)).await
}

async fn starts_empty(store: &impl Store<f64>) {
    assert_eq!(all(store).await, [], "a new store holds nothing");
    assert_eq!(
        ok("past the end", store.read(Seq(7), 9)).await,
        [],
        "nothing after an event that is not there"
    );
    assert_eq!(ok("no events", store.append(Seq(0), &[])).await, Seq(0), "appending nothing changes nothing");
    let stale = store.append(Seq(1), &[]).await;
    assert!(stale.is_err_and(|e| e.is_conflict()), "appending nothing compares all the same");
}

async fn gives_back_every_kind_bit_for_bit(store: &impl Store<f64>) {
    let events = every_kind();
    let mut last = Seq(0);
    // One alone, then two together, then the rest.
    for batch in [&events[..1], &events[1..3], &events[3..]] {
        let before = last.0;
        last = ok("appending", store.append(last, batch)).await;
        assert_eq!(last.0, before + batch.len() as u64, "an append returns the number of its last event");
    }
    let stored = all(store).await;
    assert_eq!(stored.len(), events.len());
    for (i, ((seq, stored), event)) in stored.iter().zip(&events).enumerate() {
        assert_eq!(seq.0, i as u64 + 1, "events are numbered from 1 without gaps");
        assert_eq!(stored, event, "event {seq} came back changed");
        // Tells -0.0 from 0.0, and any two numbers that differ in a bit.
        assert_eq!(format!("{stored:?}"), format!("{event:?}"), "event {seq} came back changed in a bit");
    }
}

async fn reads_in_pages(store: &impl Store<f64>) {
    let events: Vec<_> = (0..10).map(|i| proposed(i, f64::from(i))).collect();
    ok("appending ten", store.append(Seq(0), &events)).await;
    assert_eq!(ok("limit 0", store.read(Seq(0), 0)).await, [], "a limit of nothing gives nothing");
    let mut pages = Vec::new();
    loop {
        let from = pages.last().map_or(Seq(0), |(seq, _)| *seq);
        let page = ok("a page", store.read(from, 4)).await;
        assert!(page.len() <= 4, "a page is no longer than its limit");
        pages.extend(page.iter().cloned());
        if page.len() < 4 {
            break;
        }
    }
    assert_eq!(pages, all(store).await, "pages put together are the whole");
    assert_eq!(ok("at the end", store.read(Seq(10), 4)).await, []);
    assert_eq!(ok("far past the end", store.read(Seq(u64::MAX), usize::MAX)).await, []);
}

async fn refuses_a_stale_writer(store: &impl Store<f64>) {
    ok("appending", store.append(Seq(0), &[proposed(0, 0.5), Event::Exhausted])).await;
    let before = all(store).await;
    for wrong in [Seq(0), Seq(1), Seq(3), Seq(u64::MAX)] {
        match store.append(wrong, &[proposed(1, 1.5), proposed(2, 2.5)]).await {
            Err(StoreError::Conflict { expected, found }) => {
                assert_eq!((expected, found), (wrong, Seq(2)), "a conflict names both events");
            }
            other => panic!("an append after event {wrong}, where 2 is the last, gave {other:?}"),
        }
        assert_eq!(all(store).await, before, "a refused append leaves nothing behind");
    }
    assert_eq!(ok("after conflicts", store.append(Seq(2), &[Event::Exhausted])).await, Seq(3));
}

async fn lets_one_writer_win<S: Store<f64> + 'static>(store: S) {
    let store = Arc::new(store);
    let batch = |writer: u32| [proposed(writer, f64::from(writer)), proposed(writer, 0.5), Event::Exhausted];
    let mut writers = JoinSet::new();
    for writer in 0..8 {
        let store = Arc::clone(&store);
        writers.spawn(async move { (writer, store.append(Seq(0), &batch(writer)).await) });
    }
    let mut winner = None;
    for (writer, result) in writers.join_all().await {
        match result {
            Ok(last) => {
                assert_eq!(last, Seq(3));
                assert_eq!(winner.replace(writer), None, "two writers appended after the same event");
            }
            Err(StoreError::Conflict { .. }) => {}
            Err(other) => panic!("the loser of a race is told of a conflict, not: {other}"),
        }
    }
    let Some(winner) = winner else { panic!("eight writers raced for an empty store, and none won") };
    let stored: Vec<_> = all(&*store).await.into_iter().map(|(_, event)| event).collect();
    assert_eq!(stored, batch(winner), "the winner's events are stored, and nobody else's");
}

fn proposed(first: u32, candidate: f64) -> Event<f64> {
    let proposals = vec![Proposal::new(candidate)];
    Event::Proposed { first: ProposalId(first.into()), on: Arm::incumbent(), version: Version(0), proposals }
}

/// What is counted on the fingers of [`number`].
#[cfg(test)]
const KINDS: usize = 19;

/// Fails to compile where a kind of event has no number: give it the next one, raise [`KINDS`], and put one of its kind
/// into [`every_kind`].
#[cfg(test)]
fn number(event: &Event<f64>) -> usize {
    match event {
        Event::Opened { .. } => 0,
        Event::Resumed { .. } => 1,
        Event::Proposed { .. } => 2,
        Event::Exhausted => 3,
        Event::Waited => 4,
        Event::Charged(_) => 5,
        Event::Finished { .. } => 6,
        Event::Interrupted { .. } => 7,
        Event::Answered { .. } => 8,
        Event::Examined { .. } => 9,
        Event::Deferred { .. } => 10,
        Event::Tested { .. } => 11,
        Event::Settled { .. } => 12,
        Event::Stopping { .. } => 13,
        Event::Stopped { .. } => 14,
        Event::Unaffordable => 15,
        Event::Remarked { .. } => 16,
        Event::Queued { .. } => 17,
        Event::Moved { .. } => 18,
    }
}

/// Every kind of event, with numbers and texts that a careless format would change.
fn every_kind() -> Vec<Event<f64>> {
    let third = 1.0 / 3.0;
    let units = Part { proposal: ProposalId(3), unit: Some(2) };
    let run = RunSpec {
        id: RunId(u64::MAX),
        arm: Arm::single(ProposalId(1)).with(units),
        version: Version(u32::MAX),
        seed: u64::MAX - 1,
        role: Role::Confirm,
        about: Some(ProposalId(1)),
    };
    let measured = Measurement::new([0.1 + 0.2, -0.0, 5e-324, f64::MAX / 8.0, 123_456_789.123_456_79])
        .and_then(|m| m.weights([third, 0.0, 1.0, f64::EPSILON, 2.0]))
        .and_then(|m| m.clusters([0, 1, 1, u64::MAX, 2]))
        .and_then(|m| m.metric("a \"quoted\"\nname, ümlaut, \u{1F52C}, \0", f64::MIN_POSITIVE))
        .map(|m| m.direction(Direction::Maximize));
    let Ok(measured) = measured else { panic!("these numbers make a measurement") };
    let finished =
        |outcome| Event::Finished { run: run.clone(), attempt: 2, outcome, seconds: third, elapsed: 1e-7 };
    let compared = Comparison { baseline: third, incumbent: -third, gain: 1e300, low: -0.0, high: 1e-300 };
    let settled = |fate, units, effect, strength| Event::Settled {
        proposal: ProposalId(1),
        fate,
        units,
        together: vec![ProposalId(1), ProposalId(u64::MAX)],
        version: Version(1),
        effect,
        strength,
        runs: 4,
        reason: "'); DROP TABLE events; --".into(),
    };
    vec![
        Event::Opened {
            study: "a study".into(),
            baseline: 2.0_f64.sqrt(),
            settings: Settings::new()
                .maximize()
                .seed(u64::MAX)
                .in_flight(3)
                .limits(Limits::new().runs(9).wall_clock(Duration::from_nanos(1_000_000_001)))
                .holdout(Holdout::new().queries(3).split_error(third))
                .test_split(TestSplit::new().seeds(5)),
            policy: String::new(),
            executor: "x".repeat(100_000),
        },
        Event::Resumed { limits: Limits::new(), in_flight: 1 },
        Event::Proposed {
            first: ProposalId(1),
            on: Arm::single(ProposalId(9)),
            version: Version(2),
            proposals: vec![
                Proposal::new(-0.0).title("sign").rationale("why").expecting(third).tag("a").tag("b"),
                Proposal::new(f64::MIN_POSITIVE / 3.0),
                Proposal::new(1e23),
            ],
        },
        finished(Ok(measured)),
        finished(Err(RunFailure::candidate("loss is NaN").kind(FailureKind::InvalidMetric))),
        finished(Err(RunFailure::cancelled())),
        Event::Answered {
            question: QuestionId(1),
            proposal: ProposalId(1),
            answer: Answer { passed: true, basis: Basis::RunsAndDocumentComponent },
            release: Release::default(),
        },
        settled(
            Fate::Kept,
            Some(vec![0, u16::MAX]),
            Some(Effect::new(third, (f64::NEG_INFINITY, 1e-5), 0.95, 4, true)),
            Some(Strength::new(-third, 0.05)),
        ),
        settled(Fate::Conflict, None, None, None),
        Event::Examined {
            question: QuestionId(u64::MAX),
            factors: vec![Arm::single(ProposalId(1)), Arm::incumbent().with(units), Arm::incumbent()],
            answers: vec![Some(true), Some(false), None],
            basis: Basis::RunsOnly,
            release: Release { detected: 3, value: Some(-0.0) },
        },
        Event::Deferred { proposal: ProposalId(u64::MAX), reason: "no question is left\r\n".into() },
        Event::Charged(Charge::new(third * 1e-9, "a model, \u{20AC}").used("prompt tokens", u64::MAX)),
        Event::Queued {
            first: ProposalId(1),
            on: Arm::incumbent(),
            version: Version(0),
            ideas: vec![
                Proposal::new(third).title("ümlaut").expecting(third).give_or_take(third).likely(0.1),
            ],
            asked: true,
        },
        Event::Moved { idea: ProposalId(1), to: Move::Vetoed { reason: "no\r\n".into() } },
        Event::Moved { idea: ProposalId(1), to: Move::Placed(None) },
        Event::Moved {
            idea: ProposalId(1),
            to: Move::Expected { expected: Some(-third), spread: None, kept: Some(third) },
        },
        Event::Moved { idea: ProposalId(1), to: Move::PassedOver },
        Event::Unaffordable,
        Event::Remarked { text: "\u{0}not JSON: \"{\u{2028}".into() },
        Event::Waited,
        Event::Interrupted { run: RunId(7), seconds: third },
        Event::Exhausted,
        Event::Stopping { reason: StopReason::ConsecutiveFailures("out of disk".into()), elapsed: 0.1 },
        Event::Stopped { reason: StopReason::Cancelled },
        Event::Tested {
            result: FinalResult {
                version: Version(1),
                pairs: 8,
                level: 0.95,
                kept: Some(Splits { validation: compared, holdout: Some(compared), test: compared }),
                stack: None,
            },
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_kind_of_event_is_forgotten() {
        let kinds: BTreeSet<usize> = every_kind().iter().map(number).collect();
        assert_eq!(kinds, (0..KINDS).collect());
    }
}
