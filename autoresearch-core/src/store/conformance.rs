//! What every store must do, as a test that its author calls.

use super::{Seq, Store, StoreError};
use crate::arm::{Arm, ProposalId, Version};
use crate::limits::StopReason;
use crate::propose::Proposal;
use crate::state::Event;

fn proposed(first: u64, candidate: f64) -> Event<f64> {
    let proposals = vec![Proposal::new(candidate).title("a title, \"quoted\" and ünïcode").expecting(0.1)];
    Event::Proposed { first: ProposalId(first), on: Arm::incumbent(), version: Version(0), proposals }
}

/// Checks a store against the contract of [`Store`]: order, paging, compare-and-set, atomic batches, floats bit for
/// bit. `make` gives an empty store each time.
///
/// # Panics
/// On the first thing that the store does not do right.
pub async fn store_conformance<S: Store<f64>>(make: impl Fn() -> S) {
    let store = make();
    let read = |from: u64, limit: usize| store.read(Seq(from), limit);
    assert!(read(0, 10).await.expect("an empty store can be read").is_empty());

    let awkward = [0.1 + 0.2, 1e-300, -0.0, f64::MAX];
    let events: Vec<Event<f64>> = (1..).zip(awkward).map(|(i, x)| proposed(i, x)).collect();
    let end = store.append(Seq(0), &events).await.expect("the first append");
    assert_eq!(end, Seq(4), "an append gives the new end");
    let back = read(0, 100).await.expect("what was written can be read");
    assert_eq!(back.iter().map(|(seq, _)| seq.0).collect::<Vec<_>>(), [1, 2, 3, 4], "events count from 1");
    for ((_, stored), given) in back.iter().zip(&events) {
        let (Event::Proposed { proposals: a, .. }, Event::Proposed { proposals: b, .. }) = (stored, given)
        else {
            panic!("another kind of event came back: {stored:?}");
        };
        assert_eq!(a[0].candidate.to_bits(), b[0].candidate.to_bits(), "floats come back bit for bit");
        assert_eq!(a[0].hypothesis, b[0].hypothesis);
    }
    let page = read(1, 2).await.expect("a page");
    assert_eq!(page.iter().map(|(seq, _)| seq.0).collect::<Vec<_>>(), [2, 3], "paging is by sequence number");
    assert!(read(4, 10).await.expect("past the end").is_empty());

    let stop = Event::Stopping { reason: StopReason::Cancelled };
    for expected in [0, 3, 5] {
        match store.append(Seq(expected), &[stop.clone(), Event::Exhausted]).await {
            Err(StoreError::Conflict { expected: e, found }) => assert_eq!((e.0, found.0), (expected, 4)),
            other => panic!("an append at {expected} of a history that ends at 4 must conflict: {other:?}"),
        }
    }
    assert_eq!(
        read(0, 100).await.expect("still readable").len(),
        4,
        "a refused append leaves nothing behind"
    );

    let (one, two) = ([Event::Exhausted], [Event::Exhausted]);
    let both = tokio::join!(store.append(Seq(4), &one), store.append(Seq(4), &two));
    assert!(both.0.is_ok() != both.1.is_ok(), "of two appends at the same place exactly one wins: {both:?}");
    assert_eq!(read(4, 100).await.expect("still readable"), [(Seq(5), Event::Exhausted)]);
}
