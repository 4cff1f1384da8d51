//! Nothing of the holdout and the test split reaches a model, but that a proposal was held back.

mod recipe;

use autoresearch_core::{
    Event, Fate, Greedy, Holdout, Limits, Measurement, MemoryStore, Seq, Store, Study, evaluator_fn,
    executor_fn,
};
use autoresearch_llm::{ChatReply, LlmProposer, ScriptedModel};
use recipe::*;
use std::sync::Arc;

/// Held-out losses are multiples of this, so that they, their sums and their differences are, too.
const CANARY: f64 = 31_337.313_37;

#[tokio::test(start_paused = true)]
async fn no_request_holds_a_number_of_the_holdout_or_the_test_split() {
    let mut next = 64;
    let model = ScriptedModel::by(move |request| {
        next += 1;
        // Whoever could see the canary would say it back, and it would be in the next prompt as well.
        let copied = said(request).contains("1337");
        Ok(ChatReply::new(if copied { "1337".into() } else { answer([width(next)]) }))
    });
    let store = Arc::new(MemoryStore::new());
    // Validation likes all that is wider a little; the holdout every second one.
    let held_out = |factor: f64| {
        evaluator_fn(move |recipe: &Recipe| {
            let step = (recipe.width - 64) as f64;
            let loss = if recipe.width.is_multiple_of(2) { 100.0 - step } else { 100.0 + step };
            Ok(Measurement::scalar(CANARY * factor * loss)?)
        })
    };
    let report = Study::new(
        Recipe::start(),
        LlmProposer::new(model.clone(), Recipes).program("Go wide."),
        executor_fn(|recipe: Recipe, _| async move { Ok(recipe) }),
        evaluator_fn(|recipe: &Recipe| Ok(Measurement::scalar(1000.0 - recipe.width as f64)?)),
    )
    .acceptor(Greedy::new())
    .holdout(held_out(1.0))
    .holdout_rules(Holdout::new().queries(60))
    .test_split(held_out(3.0))
    .limits(Limits::new().proposals(60))
    .store(Arc::clone(&store))
    .run()
    .await
    .expect("a study");

    let events = store.read(Seq::default(), usize::MAX).await.expect("a history");
    let fates = |wanted: Fate| {
        events.iter().filter(|(_, e)| matches!(e, Event::Settled { fate, .. } if *fate == wanted)).count()
    };
    assert!(fates(Fate::HeldBack) > 10 && fates(Fate::Kept) > 10, "{report}");
    assert!(report.result.is_some(), "the test split was opened");
    let asked = model.asked();
    assert_eq!(asked.len(), 60);
    for request in &asked {
        let all = serde_json::to_string(request).expect("JSON");
        assert!(!all.contains("1337"), "{all}");
    }
    // Of what was held back one bit is told, and no effect.
    let told = user(asked.last().expect("one"));
    let held: Vec<&str> = told.lines().filter(|line| line.contains("- held back")).collect();
    assert!(held.len() > 5, "{told}");
    for line in held {
        let rest = line.split_once(" - ").expect("a title").1;
        let fate = "held back: better at first, and not confirmed on data that nobody sees; change: ";
        assert!(rest.starts_with(fate) && !line.contains("effect"), "{line}");
    }
}
