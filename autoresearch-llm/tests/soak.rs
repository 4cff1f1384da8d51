//! A long study with a model that answers junk of all kinds: what is valid is used, the rest is explained, to the last one.

mod recipe;

use autoresearch_core::{
    Event, Greedy, Limits, MemoryStore, Seq, StopReason, Store, Study, executor_fn, testkit,
};
use autoresearch_llm::{ChatReply, Finish, LlmProposer, ScriptedModel};
use recipe::*;
use serde_json::json;
use std::sync::{Arc, Mutex};

/// What the answers held.
#[derive(Default)]
struct Given {
    calls: usize,
    /// Valid proposals that were new.
    valid: Vec<u64>,
    /// Everything else: entries that cannot be used, and answers without any.
    junk: usize,
}

/// An answer of one of a dozen kinds.
fn answer_of(kind: usize, given: &mut Given) -> ChatReply {
    let mut fresh = 1_000 + 3 * given.calls as u64;
    let mut valid = |given: &mut Given| {
        fresh += 1;
        given.valid.push(fresh);
        width(fresh)
    };
    let mut finish = Finish::Stop;
    let text = match kind {
        0 => answer([valid(given)]),
        1 => {
            let text = format!(
                "<think>Is {{it}} [this]?</think>Sure:\n```json\n{}\n```\nDone.",
                answer([valid(given)])
            );
            text
        }
        // One of two is out of range.
        2 => {
            given.junk += 1;
            answer([valid(given), lr(1e9)])
        }
        // Cut off after the first.
        3 => {
            given.junk += 1;
            finish = Finish::Length;
            let text = answer([valid(given), lr(0.5)]);
            text[..text.len() - 9].into()
        }
        // A repetition of the first that was valid, or of the baseline.
        4 => {
            given.junk += 1;
            answer([width(given.valid.first().copied().unwrap_or(64))])
        }
        5 => {
            given.junk += 1;
            finish = Finish::Refusal;
            "I cannot help with that.".into()
        }
        6 => {
            given.junk += 1;
            " \n".into()
        }
        7 => {
            given.junk += 1;
            finish = Finish::Length;
            "{\"proposals\": [{\"title\": \"".to_string() + &"very ".repeat(2_000)
        }
        8 => {
            given.junk += 1;
            "<html><body>502 Bad Gateway</body></html>".into()
        }
        9 => {
            given.junk += 1;
            json!({"proposals": [{"title": "nothing", "rationale": "", "expected_gain": null, "tags": []}]})
                .to_string()
        }
        // Unknown names, wrong types, null.
        10 => {
            given.junk += 3;
            answer([json!({"height": 3}), json!({"width": "wide"}), json!(null)])
        }
        _ => {
            given.junk += 1;
            "[[[{\"{{]]\u{0}\u{202e}\u{fffd}".repeat(50)
        }
    };
    given.calls += 1;
    let mut reply = ChatReply::new(text);
    reply.finish = finish;
    reply
}

#[tokio::test(start_paused = true)]
async fn every_valid_answer_of_a_long_study_is_used_and_every_other_explained() {
    let given = Arc::new(Mutex::new(Given::default()));
    let script = Arc::clone(&given);
    let mut state = 12_345u64;
    let model = ScriptedModel::by(move |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut given = script.lock().expect("nobody panicked");
        Ok(answer_of((state >> 33) as usize % 12, &mut given))
    });
    let store = Arc::new(MemoryStore::new());
    let proposer = LlmProposer::new(model.clone(), Recipes).repairs(5).answer_tokens(500);
    let report = Study::new(
        Recipe::start(),
        proposer,
        executor_fn(|r: Recipe, _| async move { Ok(r.width as f64) }),
        testkit::loss(),
    )
    .acceptor(Greedy::new())
    .limits(Limits::new().proposals(200))
    .store(Arc::clone(&store))
    .run()
    .await
    .expect("a study");
    assert_eq!((report.stopped.clone(), report.proposals), (StopReason::Proposals, 200), "{report}");

    let events = store.read(Seq::default(), usize::MAX).await.expect("a history");
    let given = given.lock().expect("nobody panicked");
    assert_eq!(model.asked().len(), given.calls);
    let proposed: Vec<u64> = events
        .iter()
        .filter_map(|(_, e)| if let Event::Proposed { proposals, .. } = e { Some(proposals) } else { None })
        .flatten()
        .map(|p| p.candidate.width)
        .collect();
    assert_eq!(proposed, given.valid, "every valid proposal, in order, and nothing else");
    let remarks: Vec<&String> = events
        .iter()
        .filter_map(|(_, e)| if let Event::Remarked { text } = e { Some(text) } else { None })
        .collect();
    let failures =
        remarks.iter().filter(|text| text.starts_with("the proposer failed: nothing of 6 answers")).count();
    let explained = remarks.iter().filter(|text| text.contains("is not used: ")).count();
    assert_eq!(explained, given.junk, "every part that is of no use, once");
    assert_eq!(explained + failures, remarks.len(), "and nothing else");
    assert!(given.junk > 200, "{}", given.junk);
    // What was said is quoted and cut, whatever it was.
    assert!(
        remarks.iter().all(|text| text.len() < 1_200 && !text.contains(['\n', '\u{0}', '\u{202e}'])),
        "{remarks:?}"
    );
    assert_eq!(report.charges[0].used["calls"], given.calls as u64);
}
