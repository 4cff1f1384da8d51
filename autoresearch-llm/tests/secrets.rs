//! A key that must not be seen anywhere.
#![allow(clippy::unwrap_used)]

mod support;

use autoresearch_core::Cancellation;
use autoresearch_llm::{
    Anthropic, ChatModel, ChatRequest, Message, OpenAiCompatible, RecordingModel, Retry, SecretString,
};
use std::fmt::Debug;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{RawServer, answer, events, good, send};

const CANARY: &str = "sk-canary-0123456789abcdef";
const OTHER: &str = "tenant-canary-42";

fn clean(place: &str, text: &str) {
    assert!(!text.contains("canary"), "{place} shows a secret: {text}");
}

/// Collects what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Answers that have the key in every place that a server can put one.
fn echoes(url: bool) -> Vec<Vec<u8>> {
    let said =
        format!("Incorrect API key provided: {CANARY} ({OTHER}{})", if url { " url-canary-7" } else { "" });
    let json = format!(
        r#"{{"error":{{"message":"{said}","type":"{CANARY}","code":"{CANARY}","param":"{CANARY}"}}}}"#
    );
    let kind = "Content-Type: application/json\r\n";
    let ids = format!("x-request-id: {CANARY}\r\nLocation: https://elsewhere/?key={CANARY}\r\n");
    let stream = |data: &str| events(&[data]);
    let chunk = |finish: &str| {
        format!(
            r#"{{"id":"{CANARY}","choices":[{{"index":0,"delta":{{"content":"{said}"}},"finish_reason":{finish}}}]}}"#
        )
    };
    let mut out: Vec<Vec<u8>> = ["401 X", "400 X", "302 X", "429 X", "500 X", "404 X"]
        .iter()
        .flat_map(|status| [answer(status, &ids, &json), answer(status, &ids, &said)])
        .collect();
    out.extend([
        answer("200 OK", kind, &json),
        answer("200 OK", kind, &said),
        answer("200 OK", "Content-Type: text/html\r\n", &format!("<html><title>{said}</title>")),
        answer("200 OK", &format!("Content-Type: {CANARY}/x\r\n"), &said),
        stream(&json),
        stream(&said),
        stream(&chunk("null")),
        stream(&chunk("\"stop\"")),
        stream(&chunk(&format!("\"{CANARY}\""))),
        good(&said),
    ]);
    out
}

async fn everything(server: &RawServer, model: impl ChatModel + Debug, calls: usize) {
    clean("the Debug of a model", &format!("{model:?} {model:#?}"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("calls.jsonl");
    let recording = RecordingModel::new(model, &path).unwrap();
    clean("the Debug of a recording model", &format!("{recording:?}"));
    let request = ChatRequest::new(vec![Message::user("go")]);
    for _ in 0..calls {
        match recording.chat(&request, &Cancellation::new()).await {
            Ok(reply) => clean("a reply", &format!("{reply:?} {}", serde_json::to_string(&reply).unwrap())),
            Err(error) => {
                clean(
                    "an error",
                    &format!("{error} {error:?} {error:#?} {}", serde_json::to_string(&error).unwrap()),
                );
                clean("a source", &format!("{:?}", std::error::Error::source(&error)));
            }
        }
    }
    let transcript = std::fs::read_to_string(path).unwrap();
    assert_eq!(transcript.lines().count(), calls);
    clean("a transcript", &transcript);
    let asked = server.asked();
    assert!(!asked.is_empty() && asked.iter().all(|a| a.head.contains(CANARY) && a.head.contains(OTHER)));
}

#[tokio::test]
async fn a_canary_is_seen_by_the_server_alone() {
    let log = Log::default();
    let writer = log.clone();
    // Everything that is logged, by whomever, at every level.
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let retry = Retry::new().attempts(2).base(Duration::from_millis(1));
    let calls = echoes(true).len();
    let scripts = |url| echoes(url).into_iter().map(|bytes| vec![send(bytes)]).collect::<Vec<_>>();
    let server = RawServer::start(scripts(true)).await;
    let model = OpenAiCompatible::new(format!("{}/v1?key={CANARY}&also=url-canary-7", server.url), "m")
        .key(SecretString::from(CANARY))
        .header("x-tenant", OTHER)
        .retry(retry);
    everything(&server, model, calls).await;
    let server = RawServer::start(scripts(false)).await;
    let model = Anthropic::at(&server.url, "m").key(CANARY).header("x-tenant", OTHER).retry(retry);
    everything(&server, model, calls).await;
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("a call to a model failed"), "the log was not caught");
    clean("the log", &log);
}

#[tokio::test]
async fn keys_that_cannot_be_sent_are_not_shown_either() {
    let model = OpenAiCompatible::new("https://127.0.0.1:1", "m").key(format!("{CANARY}\n{CANARY}"));
    let error = model.check().unwrap_err();
    assert!(error.to_string().contains("characters that no header may have"), "{error}");
    clean("a mistake", &format!("{error:?} {model:?}"));
    for base in
        [format!("https://{CANARY}@host/v1"), format!("https://:{CANARY}@host"), format!("nonsense?{CANARY}")]
    {
        let model = OpenAiCompatible::new(base, "m");
        clean("a mistake", &format!("{:?} {model:?}", model.check().unwrap_err()));
    }
    // Nobody there: the address is named, its query is not.
    let model = OpenAiCompatible::new(format!("http://127.0.0.1:9/v1?key={CANARY}"), "m")
        .retry(Retry::new().attempts(1));
    let request = ChatRequest::new(vec![Message::user("go")]);
    clean("an error", &format!("{:?}", model.chat(&request, &Cancellation::new()).await.unwrap_err()));
}

#[tokio::test]
async fn words_that_are_no_secrets_stay() {
    let text =
        "name it nanogpt, as ollama and https://nanogpt.example do since 2024-10-21 (org-nanogpt, beta-1)";
    let server = RawServer::saying(good(text)).await;
    let request = ChatRequest::new(vec![Message::user("go")]);
    let model = OpenAiCompatible::new(format!("{}/v1?api-version=2024-10-21", server.url), "m")
        .key("ollama")
        .header("X-Title", "nanogpt")
        .header("HTTP-Referer", "https://nanogpt.example")
        .header("OpenAI-Organization", "org-nanogpt")
        .header("anthropic-beta", "beta-1");
    assert_eq!(model.chat(&request, &Cancellation::new()).await.unwrap().text, text);
    clean("the Debug of a model", &format!("{:?}", model.header("X-Title", CANARY)));
}

#[tokio::test]
async fn a_key_in_a_header_of_ones_own_is_known_without_its_scheme() {
    let server = RawServer::saying(good(&format!("your key is {CANARY}"))).await;
    let request = ChatRequest::new(vec![Message::user("go")]);
    let model = OpenAiCompatible::new(&server.url, "m").header("Authorization", format!("Bearer {CANARY}"));
    let reply = model.chat(&request, &Cancellation::new()).await.unwrap();
    assert_eq!(reply.text, "your key is [secret]");
}
