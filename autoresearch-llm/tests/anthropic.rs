//! Anthropic's API, good days and bad.
#![allow(clippy::unwrap_used)]

mod support;

use autoresearch_llm::{
    AnswerSchema, Anthropic, ChatErrorKind as Kind, ChatModel, ChatRequest, Finish, Message, Retry, Usage,
};
use serde_json::json;
use std::time::Duration;
use support::{RawServer, answer, events, send};

fn request() -> ChatRequest {
    let schema = AnswerSchema::new("propose", json!({"type": "object"}));
    ChatRequest::new(vec![Message::system("rules").cached(), Message::user("go")]).answer(schema)
}

fn model(server: &RawServer) -> Anthropic {
    Anthropic::at(&server.url, "claude").key("sk-ant-1").retry(Retry::new().base(Duration::from_millis(2)))
}

const START: &str = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","usage":{"input_tokens":12,"cache_creation_input_tokens":0,"cache_read_input_tokens":800,"output_tokens":1}}}"#;

fn called() -> Vec<u8> {
    events(&[
        START,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"propose","input":{}}}"#,
        r#"{"type":"ping"}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"lr\": "}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"0.1}"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":33}}"#,
        r#"{"type":"message_stop"}"#,
    ])
}

#[tokio::test]
async fn a_call() {
    let server = RawServer::saying(called()).await;
    let reply = model(&server).chat(&request(), &Default::default()).await.unwrap();
    assert_eq!((reply.text.as_str(), reply.finish), (r#"{"lr": 0.1}"#, Finish::Stop));
    let usage = reply.usage.unwrap();
    assert_eq!((usage.calls, usage.prompt, usage.cache_read, usage.answer), (1, 812, 800, 33));
    let asked = &server.asked()[0];
    for line in ["post /v1/messages http/1.1", "x-api-key: sk-ant-1", "anthropic-version: 2023-06-01"] {
        assert!(asked.head.contains(line), "{}", asked.head);
    }
    assert_eq!(asked.body["system"][0]["cache_control"]["type"], "ephemeral");
    assert_eq!(asked.body["tool_choice"]["name"], "propose");
    assert!(asked.body.get("seed").is_none());
}

#[tokio::test]
async fn overloaded_before_and_within_an_answer() {
    let overloaded = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let server = RawServer::start(vec![
        vec![send(answer("529 Overloaded", "request-id: req_9\r\n", overloaded))],
        vec![send(events(&[START, overloaded]))],
        vec![send(called())],
    ])
    .await;
    let error = model(&server).chat(&request(), &Default::default()).await.unwrap_err();
    assert!(server.asked().len() == 2 && error.may_repeat(), "{error:?}");
    let usage = error.usage.unwrap();
    assert_eq!((usage.calls, usage.prompt, usage.cache_read), (1, 812, 800)); // the one that broke off is paid
    model(&server).chat(&request(), &Default::default()).await.unwrap();

    let server = RawServer::saying(answer("529 Overloaded", "request-id: req_9\r\n", overloaded)).await;
    let once = model(&server).retry(Retry::new().attempts(1));
    let error = once.chat(&request(), &Default::default()).await.unwrap_err();
    assert_eq!(
        (error.kind, error.status, error.request_id.as_deref()),
        (Kind::Unavailable, Some(529), Some("req_9"))
    );
    assert_eq!(error.usage, None::<Box<Usage>>);
}

#[tokio::test]
async fn refused_and_too_long() {
    let end = r#"{"type":"message_delta","delta":{"stop_reason":"refusal"},"usage":{"output_tokens":3}}"#;
    let server = RawServer::saying(events(&[START, end])).await;
    let reply = model(&server).chat(&request(), &Default::default()).await.unwrap();
    assert_eq!((reply.text.as_str(), reply.finish), ("", Finish::Refusal));

    let body = r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"},"request_id":"req_2"}"#;
    let server = RawServer::saying(answer("400 Bad Request", "", body)).await;
    let error = model(&server).chat(&request(), &Default::default()).await.unwrap_err();
    assert_eq!((error.kind, error.tokens), (Kind::ContextOverflow, Some((210_000, 200_000))));
    assert_eq!(error.request_id.as_deref(), Some("req_2"));
}

#[tokio::test]
async fn a_model_without_a_temperature() {
    let body = r#"{"type":"error","error":{"type":"invalid_request_error","message":"`temperature` is deprecated for this model."}}"#;
    let server =
        RawServer::start(vec![vec![send(answer("400 Bad Request", "", body))], vec![send(called())]]).await;
    model(&server).chat(&request().temperature(0.7), &Default::default()).await.unwrap();
    let asked = server.asked();
    assert_eq!(asked[0].body["temperature"], 0.7);
    assert!(asked[1].body["temperature"].is_null());
}
