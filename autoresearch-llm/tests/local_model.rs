//! A real model behind a real llama.cpp server, where `cargo xtask setup --llm` has put one.
#![allow(clippy::unwrap_used)]

mod local;

use autoresearch_core::Cancellation;
use autoresearch_llm::{
    AnswerMode, AnswerSchema, ChatErrorKind, ChatModel, ChatRequest, Finish, Message, OpenAiCompatible,
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::timeout;

#[tokio::test]
async fn a_real_model() {
    let Some(server) = local::start().await else { return };
    let model = OpenAiCompatible::new(&server.url, "smollm2").with_window(4096);
    let cancel = Cancellation::new();

    // Text, the same one for the same seed.
    let request =
        ChatRequest::new(vec![Message::user("Count: one, two,")]).max_tokens(12).temperature(0.0).seed(1);
    let first = model.chat(&request, &cancel).await.unwrap();
    assert_eq!((first.finish.clone(), first.usage.unwrap().answer), (Finish::Length, 12));
    assert!(!first.text.is_empty() && first.usage.unwrap().prompt > 0);
    assert_eq!(model.chat(&request, &cancel).await.unwrap().text, first.text);

    // JSON of a schema: whatever else the model is, it is held to that.
    let schema = json!({
        "type": "object",
        "properties": {"lr": {"type": "number"}, "epochs": {"type": "integer", "minimum": 1, "maximum": 200}},
        "required": ["lr", "epochs"],
        "additionalProperties": false,
    });
    let ask =
        ChatRequest::new(vec![Message::user("Propose a learning rate and a number of epochs as JSON.")])
            .answer(AnswerSchema::new("proposal", schema))
            .max_tokens(60)
            .temperature(0.7);
    for seed in 0..2 {
        let reply = model.chat(&ask.clone().seed(seed), &cancel).await.unwrap();
        let value: Value = serde_json::from_str(&reply.text).unwrap();
        assert!(value["lr"].is_number() && (1..=200).contains(&value["epochs"].as_i64().unwrap()), "{value}");
        assert_eq!(reply.finish, Finish::Stop);
    }

    // A tool that has to be called is not called: the reply says so.
    let by_tool = model.clone().answers_by(AnswerMode::Tool);
    let reply = by_tool.chat(&ask.clone().seed(1), &cancel).await.unwrap();
    assert!(matches!(reply.finish, Finish::ToolIgnored | Finish::Length | Finish::Stop), "{reply:?}");
    let object = model.clone().answers_by(AnswerMode::Object);
    let reply = object.chat(&ask.clone().seed(1), &cancel).await.unwrap();
    assert!(
        reply.finish == Finish::Length || serde_json::from_str::<Value>(&reply.text).is_ok(),
        "{reply:?}"
    );

    // More than fits.
    let long = ChatRequest::new(vec![Message::user("word ".repeat(6000))]);
    let error = model.chat(&long, &cancel).await.unwrap_err();
    assert_eq!((error.kind, error.status), (ChatErrorKind::ContextOverflow, Some(400)), "{error}");
    let (prompt, window) = error.tokens.unwrap();
    assert!(prompt > 6000 && window == 4096, "{error:?}");

    // A call that is dropped in the middle of its answer leaves the server free for the next one.
    let endless = ChatRequest::new(vec![Message::user("Write a long story.")]).max_tokens(1500);
    let dropped = timeout(Duration::from_millis(700), model.chat(&endless, &cancel)).await;
    assert!(dropped.is_err() || dropped.is_ok_and(|reply| reply.is_ok()));
    assert_eq!(model.chat(&request, &cancel).await.unwrap().text, first.text);
}
