//! What a real llama.cpp server sent, replayed byte for byte.
#![allow(clippy::unwrap_used)]

mod support;

use autoresearch_llm::{
    AnswerMode, AnswerSchema, ChatError, ChatErrorKind, ChatModel, ChatReply, ChatRequest, Finish, Message,
    OpenAiCompatible, Retry, Usage,
};
use std::path::Path;
use std::time::Duration;
use support::{RawServer, send};

/// The bytes of a recording, with line ends of the protocol in the head and the length or chunks that belong to the body.
fn recorded(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/llama_cpp").join(name);
    let text = std::fs::read_to_string(path).unwrap().replace("\r\n", "\n");
    let (head, body) = text.split_once("\n\n").unwrap();
    let body = if head.contains("event-stream") { body.to_owned() } else { body.trim_end().to_owned() };
    let mut out = String::new();
    for line in head.lines() {
        let lower = line.to_lowercase();
        match () {
            // Paths in the bodies were shortened when they were recorded: lengths are made to fit again.
            () if lower.starts_with("content-length") => {
                out += &format!("Content-Length: {}\r\n", body.len())
            }
            () if lower.starts_with("keep-alive") => out += "Connection: close\r\n",
            () => out += &format!("{line}\r\n"),
        }
    }
    out += "\r\n";
    if head.to_lowercase().contains("chunked") {
        for event in body.split_inclusive("\n\n") {
            out += &format!("{:x}\r\n{event}\r\n", event.len());
        }
        out += "0\r\n\r\n";
    } else {
        out += &body;
    }
    out.into_bytes()
}

async fn ask(name: &str, mode: AnswerMode) -> Result<ChatReply, ChatError> {
    let server = RawServer::saying(recorded(name)).await;
    let model =
        OpenAiCompatible::new(&server.url, "smollm2").answers_by(mode).retry(Retry::new().attempts(1));
    let schema = AnswerSchema::new("p", serde_json::json!({"type": "object"}));
    let request = ChatRequest::new(vec![Message::user("go")]).answer(schema);
    model.chat(&request, &Default::default()).await
}

#[tokio::test]
async fn whole_answers() {
    let reply = ask("01_chat.resp.txt", AnswerMode::Schema).await.unwrap();
    assert!(reply.text.starts_with("The SGD learning rate is set to 1.0"), "{}", reply.text);
    assert_eq!((reply.finish, reply.usage), (Finish::Stop, Some(Usage::new(38, 30))));
    assert_eq!(reply.request_id.as_deref(), Some("chatcmpl-C59UBEEnuOjNqMaev5GmBzsrhiL0VcGU"));

    let json = ask("03_json_schema.resp.txt", AnswerMode::Schema).await.unwrap();
    let value: serde_json::Value = serde_json::from_str(&json.text).unwrap();
    assert_eq!(value["epochs"], 10);
    assert_eq!(json.usage.unwrap().cache_read, 24);

    let cut = ask("04_length.resp.txt", AnswerMode::Schema).await.unwrap();
    assert_eq!((cut.text.as_str(), cut.finish), ("Once upon a time,", Finish::Length));

    let full = ask("10_ctx_fill.resp.txt", AnswerMode::Schema).await.unwrap();
    assert_eq!(full.finish, Finish::Length);

    let ignored = ask("09_tools.resp.txt", AnswerMode::Tool).await.unwrap();
    assert_eq!(ignored.finish, Finish::Length); // no tool was called, but first of all it is cut off
}

#[tokio::test]
async fn a_stream() {
    let reply = ask("02_stream.resp.txt", AnswerMode::Schema).await.unwrap();
    assert_eq!(reply.text, "One: 1\nTwo: 2\nThree:");
    assert_eq!((reply.finish, reply.usage.unwrap().answer), (Finish::Length, 12));
    let forced = ask("02_stream.resp.txt", AnswerMode::Tool).await.unwrap();
    assert_eq!(forced.finish, Finish::Length);
}

#[tokio::test]
async fn refusals() {
    for (name, kind, status, says) in [
        ("05_overlong.resp.txt", ChatErrorKind::ContextOverflow, 400, "exceeds the available context size"),
        ("06_badjson.resp.txt", ChatErrorKind::BadRequest, 400, "json.exception.parse_error.101"),
        ("07_nomessages.resp.txt", ChatErrorKind::BadRequest, 400, "'messages' is required"),
        ("08_bad_schema.resp.txt", ChatErrorKind::BadRequest, 400, "unrecognized type nonsense"),
        ("11_loading_503.resp.txt", ChatErrorKind::Unavailable, 503, "Loading model"),
        ("12_badkey.resp.txt", ChatErrorKind::Auth, 401, "Invalid API Key"),
    ] {
        let error = ask(name, AnswerMode::Schema).await.unwrap_err();
        assert_eq!((error.kind, error.status), (kind, Some(status)), "{name}: {error}");
        assert!(error.to_string().contains(says), "{name}: {error}");
        let tokens = (kind == ChatErrorKind::ContextOverflow).then_some((3031, 2048));
        assert_eq!(error.tokens, tokens, "{name}");
    }
}

#[tokio::test]
async fn a_server_that_loads_is_waited_for() {
    let loading = vec![send(recorded("11_loading_503.resp.txt"))];
    let mut scripts = vec![loading; 9];
    scripts.push(vec![send(recorded("02_stream.resp.txt"))]);
    let server = RawServer::start(scripts).await;
    let retry = Retry::new().attempts(2).base(Duration::from_millis(2));
    let model = OpenAiCompatible::new(&server.url, "smollm2").retry(retry);
    let request = ChatRequest::new(vec![Message::user("go")]);
    assert_eq!(model.chat(&request, &Default::default()).await.unwrap().finish, Finish::Length);
    assert_eq!(server.asked().len(), 10); // more often than other failures are tried again
}
