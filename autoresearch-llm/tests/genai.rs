//! Other providers, as far as the `genai` crate lets a server stand in for one.
#![cfg(feature = "genai")]
#![allow(clippy::unwrap_used)]

mod support;

use autoresearch_core::Cancellation;
use autoresearch_llm::{
    AnswerMode, AnswerSchema, ChatErrorKind, ChatModel, ChatRequest, Finish, GenAi, Message, Retry, Usage,
};
use serde_json::json;
use std::time::Duration;
use support::{RawServer, Step, answer, events, good, send};

const CANARY: &str = "sk-canary-0123456789abcdef";

fn model(server: &RawServer) -> GenAi {
    let retry = Retry::new().base(Duration::from_millis(2));
    GenAi::new("openai::m").key(CANARY).at(format!("{}/v1/", server.url)).retry(retry)
}

fn request() -> ChatRequest {
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": false});
    ChatRequest::new(vec![Message::system("rules"), Message::user("go")])
        .answer(AnswerSchema::new("p", schema))
        .max_tokens(9)
}

#[tokio::test]
async fn a_call() {
    let server = RawServer::saying(good(r#"{"a": 1}"#)).await;
    let reply = model(&server).chat(&request(), &Cancellation::new()).await.unwrap();
    assert_eq!(
        (reply.text.as_str(), reply.finish, reply.usage),
        (r#"{"a": 1}"#, Finish::Stop, Some(Usage::new(5, 2)))
    );
    let asked = &server.asked()[0];
    assert!(
        asked.head.contains("post /v1/chat/completions") && asked.head.contains(CANARY),
        "{}",
        asked.head
    );
    assert_eq!(asked.body["response_format"]["json_schema"]["name"], "p");
    let messages = asked.body["messages"].as_array().unwrap();
    assert!(messages.len() == 2 && messages[1].to_string().contains("JSON schema"), "{messages:?}");
}

#[tokio::test]
async fn a_tool_that_is_called_and_one_that_is_ignored() {
    let called = events(&[
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"p","arguments":"{\"a\": 2}"}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
        "[DONE]",
    ]);
    let server = RawServer::start(vec![vec![send(called)], vec![send(good("no"))]]).await;
    let model = model(&server).answers_by(AnswerMode::Tool);
    let reply = model.chat(&request(), &Cancellation::new()).await.unwrap();
    let value: serde_json::Value = serde_json::from_str(&reply.text).unwrap();
    assert_eq!((value, reply.finish), (json!({"a": 2}), Finish::Stop));
    let reply = model.chat(&request(), &Cancellation::new()).await.unwrap();
    assert_eq!((reply.text.as_str(), reply.finish), ("no", Finish::ToolIgnored));
}

#[tokio::test]
async fn failures_are_of_their_kind_and_without_the_key() {
    let json = "Content-Type: application/json\r\n";
    let error =
        |message: &str| json!({"error": {"message": format!("{message} {CANARY}"), "type": "x"}}).to_string();
    let half = r#"{"choices":[{"finish_reason":null,"index":0,"delta":{"content":"half"}}]}"#;
    for (script, kind) in [
        (vec![send(answer("401 X", json, &error("bad key")))], ChatErrorKind::Auth),
        (
            vec![send(answer("400 X", json, &error("maximum context length is 10 tokens")))],
            ChatErrorKind::ContextOverflow,
        ),
        (vec![send(answer("429 X", "Retry-After: 3600\r\n", &error("slow")))], ChatErrorKind::RateLimited),
        (vec![send(answer("503 X", json, &error("down")))], ChatErrorKind::Unavailable),
        (vec![send(events(&[half]))], ChatErrorKind::Connection),
        (vec![send(events(&[half])), Step::Hang], ChatErrorKind::Timeout),
        (vec![Step::Hang], ChatErrorKind::Timeout),
    ] {
        let server = RawServer::start(vec![script]).await;
        let model = model(&server).retry(Retry::new().attempts(1)).idle_timeout(Duration::from_millis(300));
        let error = model.chat(&request(), &Cancellation::new()).await.unwrap_err();
        assert_eq!(error.kind, kind, "{error:?}");
        assert!(!format!("{error} {error:?} {model:?}").contains("canary"), "{error:?}");
        if kind == ChatErrorKind::RateLimited {
            assert_eq!(error.retry_after, Some(Duration::from_secs(3600)));
        }
    }
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let server = RawServer::start(vec![vec![send(answer("529 X", "", ""))], vec![send(good("fine"))]]).await;
    assert_eq!(model(&server).chat(&request(), &Cancellation::new()).await.unwrap().text, "fine");
    let far = GenAi::new("openai::m").key(CANARY).at("http://192.0.2.1/v1/");
    let error = far.chat(&request(), &Cancellation::new()).await.unwrap_err();
    assert!(error.kind == ChatErrorKind::BadRequest && error.to_string().contains("allow_http()"), "{error}");
}

#[tokio::test]
async fn what_may_be_billed_is_not_asked_again_unasked() {
    let half = r#"{"choices":[{"finish_reason":null,"index":0,"delta":{"content":"half"}}]}"#;
    for first in [vec![send(events(&[half]))], vec![Step::Hang], vec![send(answer("504 X", "", ""))]] {
        let server = RawServer::start(vec![first, vec![send(good("fine"))]]).await;
        let model = model(&server).idle_timeout(Duration::from_millis(300));
        let error = model.chat(&request(), &Cancellation::new()).await.unwrap_err();
        assert!(error.may_repeat(), "{error:?}");
        assert_eq!(server.asked().len(), 1);
        assert_eq!(model.chat(&request(), &Cancellation::new()).await.unwrap().text, "fine");
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = GenAi::new("openai::m").key(CANARY).at(format!("http://{port}/v1/"));
    let nobody = nobody.retry(Retry::new().base(Duration::from_millis(2)).attempts(2));
    let error = nobody.chat(&request(), &Cancellation::new()).await.unwrap_err();
    assert!(error.kind == ChatErrorKind::Connection && !error.may_be_billed(), "{error:?}");
}
