//! The limit on money is kept, whatever calls cost and however they end.

mod recipe;

use autoresearch_core::{
    Event, Greedy, Limits, MemoryStore, Seq, StopReason, Store, Study, executor_fn, testkit,
};
use autoresearch_llm::{
    ChatError, ChatErrorKind, ChatReply, LlmProposer, ModelCritic, Price, ScriptedModel, Usage,
};
use proptest::prelude::*;
use recipe::*;
use serde_json::json;
use std::sync::Arc;

/// Answers of all sorts that take at most what they may, as a number says.
fn model(name: &str, seed: u64, answer_tokens: u32) -> ScriptedModel {
    let mut calls = seed;
    let name = name.to_string();
    let is_critic = name == "critic";
    ScriptedModel::by(move |request| {
        calls = calls.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let dice = calls >> 40;
        let text = match dice % 5 {
            0 => "no".into(),
            _ if is_critic => {
                json!({"opinions": [{"proposal": 1, "score": dice % 11, "reason": ""}]}).to_string()
            }
            1 => answer([lr(100.0), width(1 + dice % 1_000_000)]),
            2 if dice.is_multiple_of(3) => {
                return Err(ChatError::new(ChatErrorKind::Timeout, "nothing came"));
            }
            2 => return Err(ChatError::new(ChatErrorKind::Unavailable, "loading")),
            _ => answer([width(1 + dice % 1_000_000)]),
        };
        let mut reply = ChatReply::new(text);
        let bytes: u64 = request.messages.iter().map(|m| m.text.len() as u64).sum();
        let prompt = bytes / 2 * (dice % 100) / 99; // a token for two bytes is the most there is
        let mut usage = Usage::new(prompt, u64::from(answer_tokens) * (dice / 7 % 100) / 99);
        usage.cache_read = prompt / 3;
        usage.cache_write = prompt / 4;
        reply.usage = (!dice.is_multiple_of(11)).then_some(usage);
        Ok(reply)
    })
    .named(name)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn the_limit_on_money_is_never_exceeded(
        limit in 0.001f64..3.0,
        prompt in 0.0f64..30.0,
        cached in 0.0f64..60.0,
        cache_write in 0.0f64..60.0,
        answered in 0.0f64..200.0,
        answer_tokens in 1u32..6000,
        seed: u64,
        per_call in 1usize..4,
        criticised: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
        let price = Price::new(prompt, answered).and_then(|p| p.cached(cached)?.cache_write(cache_write)).expect("prices");
        let proposing = model("proposer", seed, answer_tokens);
        let mut proposer = LlmProposer::new(proposing, Recipes)
            .price(price)
            .answer_tokens(answer_tokens)
            .per_call(per_call);
        if criticised {
            let critic = ModelCritic::new(model("critic", seed ^ 1, answer_tokens));
            proposer = proposer.critic(critic.price(price).answer_tokens(answer_tokens));
        }
        let store = Arc::new(MemoryStore::new());
        let study = Study::new(Recipe::start(), proposer, executor_fn(|r: Recipe, _| async move { Ok(r.lr) }), testkit::loss())
            .acceptor(Greedy::new())
            .store(Arc::clone(&store))
            .limits(Limits::new().money(limit).proposals(40));
        let (report, events) = runtime.block_on(async {
            let report = study.run().await.expect("a study");
            (report, store.read(Seq::default(), usize::MAX).await.expect("a history"))
        });
        prop_assert!(report.money <= limit * (1.0 + 1e-12), "{} of {limit}", report.money);
        // Everything that was charged is in the store.
        let charged: f64 = events.iter().map(|(_, e)| if let Event::Charged(c) = e { c.amount } else { 0.0 }).sum();
        prop_assert!((charged - report.money).abs() < 1e-9, "{charged} and {}", report.money);
        let ended = match &report.stopped {
            StopReason::Money | StopReason::Proposals => true,
            StopReason::ProposerFailed(why) => why.contains("proposer"),
            _ => false,
        };
        prop_assert!(ended, "{}", report.stopped);
    }
}

#[tokio::test(start_paused = true)]
async fn a_study_ends_when_the_next_answer_is_not_affordable() {
    let model = ScriptedModel::by(|request| {
        let mut reply = ChatReply::new(answer([width(1 + request.seed.unwrap_or(0) % 1_000_000)]));
        reply.usage = Some(Usage::new(1_000, 100));
        Ok(reply)
    });
    let proposer = LlmProposer::new(model.clone(), Recipes)
        .price(Price::new(0.0, 1_000.0).expect("a price"))
        .answer_tokens(1_000);
    let report = Study::new(
        Recipe::start(),
        proposer,
        executor_fn(|r: Recipe, _| async move { Ok(r.lr) }),
        testkit::loss(),
    )
    .acceptor(Greedy::new())
    .limits(Limits::new().money(3.05))
    .run()
    .await
    .expect("a study");
    assert_eq!(report.stopped, StopReason::Money);
    // Each costs .1 and may cost 1: after 21 of them .95 is left.
    assert_eq!((model.asked().len(), report.proposals), (21, 21));
    assert!((report.money - 2.1).abs() < 1e-9, "{report}");
    assert_eq!(report.charges[0].used["answer tokens"], 2_100);
    assert!(
        report.to_string().contains("Used of scripted: 2100 answer tokens, 21 calls, 21000 prompt tokens"),
        "{report}"
    );
}
