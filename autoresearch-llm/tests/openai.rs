//! OpenAI's API in its good days.
#![allow(clippy::unwrap_used)]

mod support;

use autoresearch_llm::{
    AnswerMode, AnswerSchema, ChatErrorKind, ChatModel, ChatRequest, Finish, Message, OpenAiCompatible,
    Retry, Usage,
};
use serde_json::json;
use std::time::Duration;
use support::{RawServer, Step, answer, events, good, good_chunked, send};
use wiremock::matchers::{body_partial_json, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

fn request() -> ChatRequest {
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": false});
    ChatRequest::new(vec![Message::system("rules"), Message::user("go")])
        .answer(AnswerSchema::new("p", schema))
        .max_tokens(50)
        .temperature(0.25)
        .seed(7)
}

fn stream(body: &[u8]) -> ResponseTemplate {
    let body = String::from_utf8(body.to_vec()).unwrap();
    let body = body.split_once("\r\n\r\n").unwrap().1.to_owned();
    ResponseTemplate::new(200).set_body_raw(body, "text/event-stream; charset=utf-8")
}

#[tokio::test]
async fn a_call() {
    let server = MockServer::start().await;
    let asked = json!({"model": "gpt-x", "stream": true, "max_tokens": 50, "temperature": 0.25, "seed": 7,
        "messages": [{"role": "system", "content": "rules"}, {"role": "user", "content": "go"}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "p", "strict": true}}});
    Mock::given(method("POST"))
        .and(path("/v1/chat/completions"))
        .and(header("authorization", "Bearer sk-1234567"))
        .and(header("x-title", "study"))
        .and(header("content-type", "application/json"))
        .and(body_partial_json(asked))
        .respond_with(stream(&good(r#"{"a": 1}"#)).insert_header("x-request-id", "req-1"))
        .expect(3)
        .mount(&server)
        .await;
    let model = OpenAiCompatible::new(format!("{}/v1/", server.uri()), "gpt-x")
        .key(" sk-1234567\n")
        .header("X-Title", "study")
        .with_window(1000);
    assert_eq!((model.name(), model.window()), ("gpt-x", Some(1000)));
    for _ in 0..3 {
        let reply = model.chat(&request(), &Default::default()).await.unwrap();
        assert_eq!((reply.text.as_str(), reply.finish), (r#"{"a": 1}"#, Finish::Stop));
        assert_eq!((reply.usage, reply.request_id.as_deref()), (Some(Usage::new(5, 2)), Some("req-1")));
    }
}

#[tokio::test]
async fn a_refused_field_is_left_out_from_then_on() {
    let no = |message: &str, param: &str| {
        let body = json!({"error": {"message": message, "type": "invalid_request_error", "param": param, "code": "unsupported_parameter"}});
        vec![send(answer("400 Bad Request", "Content-Type: application/json\r\n", &body.to_string()))]
    };
    let server = RawServer::start(vec![
        no("Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.", "max_tokens"),
        no("Unsupported value: 'temperature' does not support 0.25 with this model.", "temperature"),
        vec![send(good("one"))],
        vec![send(good("two"))],
    ])
    .await;
    let model = OpenAiCompatible::new(&server.url, "o-x");
    for text in ["one", "two"] {
        assert_eq!(model.chat(&request(), &Default::default()).await.unwrap().text, text);
    }
    let asked = server.asked();
    assert_eq!(asked.len(), 4);
    assert_eq!(asked[0].body["max_tokens"], 50);
    for asked in &asked[2..] {
        assert_eq!(asked.body["max_completion_tokens"], 50);
        assert!(asked.body["max_tokens"].is_null() && asked.body["temperature"].is_null());
        assert_eq!(asked.body["seed"], 7);
    }
}

#[tokio::test]
async fn a_tool_that_is_called_and_one_that_is_ignored() {
    let called = events(&[
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"p","arguments":"{\"a\""}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":": 2}"}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
        "[DONE]",
    ]);
    let server = RawServer::start(vec![vec![send(called)], vec![send(good(r#"{"a": 3}"#))]]).await;
    let model = OpenAiCompatible::new(&server.url, "m").answers_by(AnswerMode::Tool);
    let reply = model.chat(&request(), &Default::default()).await.unwrap();
    assert_eq!((reply.text.as_str(), reply.finish, reply.usage), (r#"{"a": 2}"#, Finish::Stop, None));
    let reply = model.chat(&request(), &Default::default()).await.unwrap();
    assert_eq!((reply.text.as_str(), reply.finish), (r#"{"a": 3}"#, Finish::ToolIgnored));
    assert_eq!(server.asked()[0].body["tool_choice"]["function"]["name"], "p");
}

#[tokio::test]
async fn trouble_in_mid_stream() {
    let begin = r#"{"choices":[{"index":0,"delta":{"content":"he"}}]}"#;
    let limited = r#"{"error":{"code":429,"message":"Rate limited by the provider"}}"#;
    let overflow = r#"{"error":{"code":400,"message":"request (2525 tokens) exceeds the available context size (2048 tokens), try increasing it","type":"exceed_context_size_error","n_prompt_tokens":2525,"n_ctx":2048}}"#;
    let server = RawServer::start(vec![
        vec![send(events(&[limited]))],
        vec![send(events(&[begin, r#"{"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error","error":{"code":502,"message":"gone"}}]}"#]))],
        vec![send(good("fine"))],
        vec![send(events(&[overflow]))],
    ])
    .await;
    let model = OpenAiCompatible::new(&server.url, "m").retry(Retry::new().base(Duration::from_millis(2)));
    // The first cost nothing and was tried again, the second had begun to answer.
    let error = model.chat(&request(), &Default::default()).await.unwrap_err();
    assert_eq!((error.kind, server.asked().len()), (ChatErrorKind::Unavailable, 2));
    assert!(error.may_repeat() && error.usage.unwrap().calls == 1);
    let reply = model.chat(&request(), &Default::default()).await.unwrap();
    assert_eq!((reply.text.as_str(), reply.usage.unwrap().calls), ("fine", 1));
    let error = model.chat(&request(), &Default::default()).await.unwrap_err();
    assert_eq!((error.kind, error.tokens), (ChatErrorKind::ContextOverflow, Some((2525, 2048))));
    assert_eq!(server.asked().len(), 4);
}

#[tokio::test]
async fn a_model_without_a_system_role() {
    let body = r#"{"error":{"message":"System role not supported","type":"BadRequestError","param":null,"code":400}}"#;
    let server =
        RawServer::start(vec![vec![send(answer("400 X", "", body))], vec![send(good("fine"))]]).await;
    let model = OpenAiCompatible::new(&server.url, "gemma");
    assert_eq!(model.chat(&request(), &Default::default()).await.unwrap().text, "fine");
    let asked = server.asked();
    assert_eq!(asked[0].body["messages"][0]["role"], "system");
    assert_eq!(asked[1].body["messages"], json!([{"role": "user", "content": "rules\n\ngo"}]));
}

#[tokio::test]
async fn the_schema_counts_where_usage_is_not_told() {
    let half = r#"{"choices":[{"finish_reason":null,"index":0,"delta":{"content":"half"}}]}"#;
    let server = RawServer::saying(events(&[half])).await;
    let model = OpenAiCompatible::new(&server.url, "m");
    let error = model.chat(&request(), &Default::default()).await.unwrap_err();
    let schema = request().answer.unwrap().schema.to_string().len() as u64;
    assert!(error.usage.unwrap().prompt >= schema / 2);
}

#[tokio::test]
async fn connections_of_a_client_are_used_again() {
    let script = vec![vec![send(good_chunked("fine")), Step::Next]; 20].concat();
    let server = RawServer::start(vec![script]).await;
    // The client of our own keeps none to this machine.
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let model = OpenAiCompatible::new(&server.url, "m").client(client);
    for _ in 0..20 {
        let clone = model.clone(); // clones share them
        assert_eq!(clone.chat(&request(), &Default::default()).await.unwrap().text, "fine");
    }
    let asked = server.asked();
    assert!(asked.len() == 20 && asked.iter().all(|a| a.connection == 0), "{asked:?}");
}
