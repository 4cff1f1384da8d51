//! Servers and networks that misbehave.
#![allow(clippy::unwrap_used)]

mod support;

use autoresearch_core::Cancellation;
use autoresearch_llm::{
    Anthropic, ChatError, ChatErrorKind as Kind, ChatModel, ChatReply, ChatRequest, Message,
    OpenAiCompatible, Retry, Usage,
};
use std::time::{Duration, SystemTime};
use support::{RawServer, Step, answer, events, good, send};

const MS: Duration = Duration::from_millis(1);

fn quick() -> Retry {
    Retry::new().base(2 * MS)
}

fn model(server: &RawServer) -> OpenAiCompatible {
    OpenAiCompatible::new(&server.url, "m").retry(quick())
}

fn once(server: &RawServer) -> OpenAiCompatible {
    model(server).retry(quick().attempts(1))
}

async fn ask(model: &dyn ChatModel) -> Result<ChatReply, ChatError> {
    let request = ChatRequest::new(vec![Message::user("go")]);
    // Nothing here may take this long; it is no measurement.
    tokio::time::timeout(Duration::from_secs(20), model.chat(&request, &Cancellation::new()))
        .await
        .expect("it hangs")
}

const HALF: &str = r#"{"choices":[{"finish_reason":null,"index":0,"delta":{"content":"half an ans"}}]}"#;

#[tokio::test]
async fn too_many_calls_with_both_forms_of_retry_after() {
    let body = r#"{"error":{"message":"slow down","type":"rate_limit_error","code":"rate_limit_exceeded"}}"#;
    let now = httpdate::fmt_http_date(SystemTime::now());
    let past = format!("Retry-After: {now}\r\nDate: {now}\r\n");
    let server = RawServer::start(vec![
        vec![send(answer("429 Too Many Requests", "Retry-After: 0\r\n", body))],
        vec![send(answer("429 Too Many Requests", &past, body))],
        vec![send(good("fine"))],
    ])
    .await;
    assert_eq!(ask(&model(&server)).await.unwrap().text, "fine");
    assert_eq!(server.asked().len(), 3);

    // Where it would be after the deadline there is no waiting.
    let later = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(7200));
    for (headers, least) in
        [("Retry-After: 3600\r\n".to_owned(), 3600), (format!("Retry-After: {later}\r\n"), 7100)]
    {
        let headers = headers + "x-request-id: req-7\r\n";
        let server = RawServer::saying(answer("429 Too Many Requests", &headers, body)).await;
        let error = ask(&model(&server)).await.unwrap_err();
        assert_eq!((error.kind, error.status), (Kind::RateLimited, Some(429)));
        assert!(error.retry_after.unwrap() >= Duration::from_secs(least), "{error:?}");
        assert_eq!(error.request_id.as_deref(), Some("req-7"));
        assert_eq!(server.asked().len(), 1);
    }
}

#[tokio::test]
async fn what_passes_is_tried_again_and_what_does_not_is_not() {
    for status in ["409 X", "425 X", "429 X", "500 X", "502 X", "503 X", "529 X"] {
        let server =
            RawServer::start(vec![vec![send(answer(status, "", ""))], vec![send(good("fine"))]]).await;
        assert_eq!(ask(&model(&server)).await.unwrap().text, "fine", "{status}");
    }
    for status in ["400 X", "401 X", "402 X", "403 X", "404 X", "413 X", "422 X"] {
        let server =
            RawServer::start(vec![vec![send(answer(status, "", ""))], vec![send(good("fine"))]]).await;
        ask(&model(&server)).await.expect_err(status);
        assert_eq!(server.asked().len(), 1, "{status}");
    }
    let server = RawServer::saying(answer("500 X", "", "")).await;
    let error = ask(&model(&server).retry(quick().attempts(3))).await.unwrap_err();
    assert_eq!((error.kind, server.asked().len()), (Kind::Unavailable, 3));
    assert!(error.given_up && !error.may_repeat() && !error.may_be_billed());
    // A gateway that gives up says nothing about whoever was at work behind it.
    for status in ["408 X", "504 X", "524 X"] {
        let server =
            RawServer::start(vec![vec![send(answer(status, "", ""))], vec![send(good("fine"))]]).await;
        let error = ask(&model(&server)).await.unwrap_err();
        assert!(error.kind == Kind::Timeout && error.may_be_billed() && error.may_repeat(), "{error:?}");
        assert_eq!(server.asked().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn an_outage_is_waited_out() {
    let mut scripts = vec![vec![send(answer("503 X", "", ""))]; 30];
    scripts.push(vec![send(good("fine"))]);
    let server = RawServer::start(scripts).await;
    let retry = quick().cap(4 * MS).deadline(Duration::MAX);
    assert_eq!(ask(&model(&server).retry(retry)).await.unwrap().text, "fine");
    assert_eq!(server.asked().len(), 31);
}

#[tokio::test]
async fn no_credit_is_not_waited_for() {
    let body = r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}"#;
    let server = RawServer::saying(answer("429 Too Many Requests", "Retry-After: 0\r\n", body)).await;
    assert_eq!(ask(&model(&server)).await.unwrap_err().kind, Kind::OutOfCredit);
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_stream_cut_in_mid_event_is_paid_for_and_not_asked_for_again_unasked() {
    let mut cut = events(&[HALF]);
    cut.extend_from_slice(b"data: {\"choices\":[{\"finish_reason\":\"st");
    let server = RawServer::start(vec![vec![send(&cut)], vec![send(good("a whole one"))]]).await;
    let model = model(&server);
    let error = ask(&model).await.unwrap_err();
    assert!(error.kind == Kind::Connection && error.may_repeat(), "{error:?}");
    let usage = error.usage.unwrap();
    assert_eq!((usage.calls, usage.prompt, usage.answer), (1, 2 + 12, 6)); // "go" and "half an ans", two bytes a token
    assert_eq!(ask(&model).await.unwrap().usage.unwrap(), Usage::new(5, 2)); // nothing of it comes twice

    let error = ask(&once(&server_of(cut).await)).await.unwrap_err();
    assert!(error.kind == Kind::Connection && !error.may_repeat(), "{error:?}"); // it was to be tried once
    assert_eq!(error.usage.unwrap().calls, 1);

    // An end without a reason is none, [DONE] or not; nor is one in the middle of a chunk.
    let done = events(&[HALF, "[DONE]"]);
    assert_eq!(ask(&once(&server_of(done).await)).await.unwrap_err().kind, Kind::Connection);
    let chunk = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\nff\r\ndata: {";
    assert_eq!(ask(&once(&server_of(chunk).await)).await.unwrap_err().kind, Kind::Connection);
    let body = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{\"choices\"";
    assert_eq!(ask(&once(&server_of(body).await)).await.unwrap_err().kind, Kind::Connection);
    assert_eq!(ask(&once(&server_of("").await)).await.unwrap_err().kind, Kind::Connection);
}

async fn server_of(bytes: impl AsRef<[u8]>) -> RawServer {
    RawServer::saying(bytes).await
}

#[tokio::test]
async fn an_answer_that_is_complete_needs_no_good_end() {
    let end = r#"{"choices":[{"finish_reason":"stop","index":0,"delta":{}}]}"#;
    assert_eq!(ask(&once(&server_of(events(&[HALF, end])).await)).await.unwrap().text, "half an ans");
    let script = vec![send(events(&[HALF, end, "[DONE]"])), Step::Hang];
    let server = RawServer::start(vec![script]).await;
    assert_eq!(ask(&once(&server)).await.unwrap().text, "half an ans");
}

#[tokio::test]
async fn what_is_no_answer_is_said_to_be_none() {
    let html = "<!DOCTYPE html><html><head><title>Please log in</title></head><body>…</body></html>";
    let json = r#"{"choices":[{"finish_reason":"stop","message":{"content":"x"}}]}"#;
    let stream = |data: &[u8]| [&events(&[])[..], data].concat();
    for (bytes, says) in [
        (answer("200 OK", "Content-Type: text/html; charset=utf-8\r\n", html), "Please log in"),
        (answer("200 OK", "", html), "Please log in"),
        (answer("200 OK", "Content-Type: application/json\r\n", html), "expected value"),
        (answer("200 OK", "Content-Type: application/json\r\n", "{}"), "JSON without `choices`"),
        (answer("200 OK", "Content-Type: application/json\r\n", ""), "EOF"),
        (answer("200 OK", "Content-Type: image/png\r\n", "\u{1}PNG"), "image/png: PNG"),
        (
            answer("200 OK", "Content-Type: application/x-ndjson\r\n", r#"{"message":{"content":"x"}}"#),
            "x-ndjson",
        ),
        (stream(b"data: {\"choices\":[{\"delta\":{\"content\":\"\xff\xfe\"}}]}\n\n"), "not UTF-8"),
        (stream(b"data: hello\n\n"), "`hello`"),
        (b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(), "does not speak HTTP"),
    ] {
        let server = RawServer::saying(bytes).await;
        let error = ask(&model(&server)).await.unwrap_err();
        assert_eq!(error.kind, Kind::BadReply, "{error}");
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(server.asked().len(), 1);
    }
    let mut bytes = answer("200 OK", "Content-Type: application/json\r\n", &"x".repeat(json.len()));
    let at = bytes.len() - json.len();
    bytes[at..].copy_from_slice(json.as_bytes());
    bytes[at + 53] = 0xff;
    let error = ask(&once(&server_of(bytes).await)).await.unwrap_err();
    assert!(error.kind == Kind::BadReply && error.to_string().contains("not UTF-8"), "{error}");
}

#[tokio::test]
async fn answers_under_another_content_type_are_understood() {
    let json = r#"{"choices":[{"finish_reason":"stop","message":{"content":"fine"}}]}"#;
    let stream = String::from_utf8(good("fine")).unwrap();
    let stream = stream.split_once("\r\n\r\n").unwrap().1;
    for (kind, body) in [
        ("text/event-stream", json),
        ("text/event-stream", &*format!("\r\n {json}")),
        ("application/json", json),
        ("text/plain", json),
        ("application/octet-stream", json),
        ("application/json", stream),
        ("text/plain; charset=utf-8", stream),
    ] {
        let bytes = answer("200 OK", &format!("Content-Type: {kind}\r\n"), body);
        assert_eq!(ask(&once(&server_of(bytes).await)).await.unwrap().text, "fine", "{kind}");
    }
}

#[tokio::test]
async fn ten_megabytes_are_too_much_in_every_form() {
    let text = "x".repeat(10 << 20);
    let json = format!(r#"{{"choices":[{{"finish_reason":"stop","message":{{"content":"{text}"}}}}]}}"#);
    let piece = format!(r#"{{"choices":[{{"index":0,"delta":{{"content":"{}"}}}}]}}"#, &text[..1 << 20]);
    let endless =
        [b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n", json.as_bytes()];
    for bytes in [
        answer("200 OK", "Content-Type: application/json\r\n", &json),
        endless.concat(),
        good(&text),
        events(&[piece.as_str(); 10]),
    ] {
        let error = ask(&model(&RawServer::saying(bytes).await)).await.unwrap_err();
        assert_eq!(error.kind, Kind::BadReply, "{error}");
        assert!(error.to_string().contains("longer than 8388608 bytes"), "{error}");
    }
    // Of an error no more is read than can be told.
    let error = ask(&once(&server_of(answer("400 Bad Request", "", &text)).await)).await.unwrap_err();
    assert!(error.kind == Kind::BadRequest && error.to_string().len() < 700, "{error}");
}

#[tokio::test]
async fn a_long_answer_is_no_dead_connection_and_silence_is_one() {
    let idle = 400 * MS;
    let mut slow = vec![send(events(&[]))];
    for _ in 0..6 {
        slow.extend([Step::Pause(100 * MS), send(format!("data: {HALF}\n\n"))]);
        slow.extend([Step::Pause(100 * MS), send(": keep-alive\n\n")]);
    }
    slow.push(send(&good("!")[events(&[]).len()..]));
    let server = RawServer::start(vec![slow]).await;
    let reply = ask(&once(&server).idle_timeout(idle)).await.unwrap(); // in 1.2 s, three times the idle timeout
    assert_eq!(reply.text, "half an ans".repeat(6) + "!");

    let drops = std::iter::repeat_n([send("x"), Step::Pause(20 * MS)], 10_000).flatten();
    let head = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 60000\r\n\r\n";
    let dripping = RawServer::start(vec![std::iter::once(send(head)).chain(drops).collect()]).await;
    assert_eq!(ask(&once(&dripping).idle_timeout(idle)).await.unwrap_err().kind, Kind::Auth);

    let drip = b"HTTP/1.1 200 OK\r\nX-Slow: ".iter().flat_map(|b| [send([*b]), Step::Pause(30 * MS)]);
    let scripts: [Vec<Step>; 3] = [
        drip.chain([Step::Hang]).collect(), // headers that never end
        vec![Step::Hang],
        vec![send(events(&[HALF])), Step::Hang],
    ];
    for script in scripts {
        let server = RawServer::start(vec![script]).await;
        let error = ask(&once(&server).idle_timeout(idle)).await.unwrap_err();
        assert_eq!(error.kind, Kind::Timeout, "{error}");
        assert!(error.to_string().contains("idle timeout"), "{error}");
        assert!(error.may_be_billed(), "{error:?}");
    }
    // Drops for ever are no silence; the deadline ends them.
    let drops = std::iter::repeat_n([send(": x\n\n"), Step::Pause(20 * MS)], 10_000).flatten();
    let server = RawServer::start(vec![[send(events(&[]))].into_iter().chain(drops).collect()]).await;
    let error = ask(&model(&server).retry(quick().deadline(200 * MS))).await.unwrap_err();
    assert!(error.kind == Kind::Timeout && error.to_string().contains("deadline"), "{error}");
    assert!(error.may_be_billed() && !error.may_repeat(), "{error:?}");
}

#[tokio::test]
async fn silence_after_the_request_is_not_asked_again_unasked() {
    let end = vec![send("")]; // the connection closes before a byte
    for first in [vec![Step::Hang], end] {
        let server = RawServer::start(vec![first, vec![send(good("fine"))]]).await;
        let model = model(&server).idle_timeout(300 * MS);
        let error = ask(&model).await.unwrap_err();
        assert!(error.may_repeat() && error.may_be_billed() && error.usage.is_none(), "{error:?}");
        assert_eq!(server.asked().len(), 1);
        assert_eq!(ask(&model).await.unwrap().text, "fine");
    }
}

#[tokio::test]
async fn cancelling_ends_it_at_once() {
    let waiting = RawServer::saying(answer("429 X", "Retry-After: 600\r\n", "")).await;
    let hanging = RawServer::start(vec![vec![send(events(&[HALF])), Step::Hang]]).await;
    let hanging_url = hanging.url.clone();
    for server in [waiting, hanging] {
        let (model, cancel) = (model(&server), Cancellation::new());
        let request = ChatRequest::new(vec![Message::user("go")]);
        let call = model.chat(&request, &cancel);
        let later = async {
            while server.asked().is_empty() {
                tokio::time::sleep(5 * MS).await;
            }
            tokio::time::sleep(50 * MS).await;
            cancel.cancel();
        };
        let both = async { tokio::join!(call, later).0 };
        let error = tokio::time::timeout(Duration::from_secs(20), both).await.expect("it hangs").unwrap_err();
        assert_eq!(error.kind, Kind::Cancelled);
        assert_eq!(error.may_be_billed(), server.url == hanging_url, "{error:?}");
        assert_eq!(model.chat(&request, &cancel).await.unwrap_err().kind, Kind::Cancelled);
        assert_eq!(server.asked().len(), 1);
    }
}

#[tokio::test]
async fn nobody_there() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let model = OpenAiCompatible::new(format!("http://{port}/v1"), "m").retry(quick().attempts(2));
    let error = ask(&model).await.unwrap_err();
    assert_eq!(error.kind, Kind::Connection);
    assert!(error.to_string().contains("cannot connect to http://127.0.0.1"), "{error}");
    assert!(!error.may_be_billed() && error.usage == Some(Box::default()), "{error:?}");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let other = RawServer::saying(good("stolen")).await;
    for status in ["301 X", "302 X", "307 X", "308 X"] {
        let headers = format!("Location: {}/v1/chat/completions\r\n", other.url);
        let server = RawServer::saying(answer(status, &headers, "")).await;
        let error = ask(&model(&server).key("sk-canary-1")).await.unwrap_err();
        assert!(error.kind == Kind::NotFound && error.to_string().contains("redirects to"), "{error}");
        let error = ask(&Anthropic::at(&server.url, "m").key("sk-canary-1")).await.unwrap_err();
        assert_eq!(error.kind, Kind::NotFound);
    }
    assert!(other.asked().is_empty());
}

#[tokio::test]
async fn plain_http_goes_no_further_than_this_machine() {
    let model = OpenAiCompatible::new("http://192.0.2.1/v1", "m").key("sk-canary-1");
    let error = ask(&model).await.unwrap_err();
    assert!(error.kind == Kind::BadRequest && error.to_string().contains("allow_http()"), "{error}");
    assert!(model.allow_http().check().is_ok());
}
