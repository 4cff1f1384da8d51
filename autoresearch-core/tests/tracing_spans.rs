//! Spans and events for `tracing`: stable names and fields, and nothing of the held-out splits.

use autoresearch_core::*;
use std::collections::BTreeSet;
use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// All that is said, one line a span or event: parent, name, fields.
#[derive(Clone, Default)]
struct Listener(Arc<Mutex<Vec<String>>>);

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Listener {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, cx: Context<'_, S>) {
        let span = cx.span(id).expect("it is new");
        let parent = span.parent().map_or("", |parent| parent.name());
        let mut text = Text(format!("{parent} > {}", span.name()));
        attributes.record(&mut text);
        self.0.lock().expect("one thread").push(text.0);
    }

    fn on_event(&self, event: &tracing::Event<'_>, cx: Context<'_, S>) {
        let parent = cx.event_span(event).map_or("", |span| span.name());
        let mut text = Text(format!("{parent} !"));
        event.record(&mut text);
        self.0.lock().expect("one thread").push(text.0);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn spans_have_their_fields_and_tell_nothing_of_the_holdout() {
    let listener = Listener::default();
    let heard = Arc::clone(&listener.0);
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(listener));
    let steps = proposer_fn(|cx: ProposeContext<'_, f64>| {
        Ok(Proposal::new(cx.incumbent / 2.0).title("halve").into())
    });
    let executor = executor_fn(|rate: f64, run| async move {
        if run.run == RunId(3) && run.attempt == 0 {
            return Err(RunFailure::infrastructure("node lost"));
        }
        Ok((rate, run.seed))
    });
    let noisy = |&(rate, seed): &(f64, u64)| rate + (seed % 7) as f64 * 1e-3;
    // Numbers that can be told from all others: 7654.3….
    let held =
        move |output: &(f64, u64)| Ok(Measurement::new([7654.3 + noisy(output), 7654.3 + noisy(output)])?);
    let report = Study::new(
        1.0,
        steps,
        executor,
        evaluator_fn(move |output: &(f64, u64)| Ok(Measurement::new([noisy(output), noisy(output)])?)),
    )
    .acceptor(FixedPaired::new().pairs(4))
    .holdout(evaluator_fn(held))
    .test_split(evaluator_fn(held))
    .limits(Limits::new().runs(60))
    .run()
    .await
    .expect("a report");
    assert!(report.holdout.0 > 0 && report.result.is_some(), "the held-out splits were used");

    let lines = heard.lock().expect("one thread").clone();
    let some = |wanted: &[&str]| lines.iter().any(|line| wanted.iter().all(|part| line.contains(part)));
    assert!(some(&[" > study study="]), "{lines:#?}");
    assert!(some(&["study > trial trial=1 title=\"halve\""]), "{lines:#?}");
    let fields = ["arm=", "role=", "version=0", "seed=", "attempt=0"];
    assert!(some(&[&["trial > run run="], &fields[..]].concat()), "{lines:#?}");
    assert!(some(&["study > run run=2", "arm={}", "role=Confirm"]), "{lines:#?}");
    assert!(some(&["run run=3", "attempt=1"]), "{lines:#?}");
    assert!(some(&["a run failed", "node lost"]), "{lines:#?}");
    assert!(some(&["trial !", "settled", "fate=kept"]), "{lines:#?}");
    let leaks: BTreeSet<&String> = lines.iter().filter(|line| line.contains("7654")).collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
}
