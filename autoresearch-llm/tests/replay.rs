//! Calls that are recorded and played again.
#![allow(clippy::unwrap_used)]

use autoresearch_core::Cancellation;
use autoresearch_llm::{
    AnswerSchema, ChatError, ChatErrorKind, ChatModel, ChatReply, ChatRequest, Finish, Message,
    RecordingModel, ReplayModel, ScriptedModel, TranscriptError, Usage,
};
use serde_json::json;
use std::path::{Path, PathBuf};

fn request(text: &str) -> ChatRequest {
    let schema =
        AnswerSchema::new("p", json!({"type": "object", "properties": {"b": {}, "a": {"minimum": 0.1}}}));
    ChatRequest::new(vec![Message::system("rules").cached(), Message::user(text)])
        .answer(schema)
        .temperature(0.7)
}

async fn ask(model: &dyn ChatModel, text: &str) -> Result<ChatReply, ChatError> {
    model.chat(&request(text), &Cancellation::new()).await
}

fn outcomes() -> Vec<Result<ChatReply, ChatError>> {
    let mut cut = ChatReply::new("{\"a\":\n");
    (cut.finish, cut.usage, cut.request_id) = (Finish::Length, Some(Usage::new(3, 4)), Some("r1".into()));
    let mut failed = ChatError::new(ChatErrorKind::ContextOverflow, "too long");
    (failed.status, failed.tokens) = (Some(400), Some((9, 8)));
    failed.retry_after = Some(std::time::Duration::from_millis(1500));
    let mut other = ChatReply::new("");
    (other.finish, other.usage) = (Finish::Other("odd".into()), Some(Usage::new(1, 0)));
    vec![Ok(cut), Err(failed), Ok(other)]
}

fn file(folder: &Path) -> PathBuf {
    folder.join("calls.jsonl")
}

async fn record(path: &Path) {
    let script = ScriptedModel::replies(outcomes()).named("a-model").with_window(77);
    let model = RecordingModel::new(script, path).unwrap();
    for (text, outcome) in ["one", "two", "one"].into_iter().zip(outcomes()) {
        assert_eq!(ask(&model, text).await, outcome);
    }
    assert_eq!((model.name(), model.window(), model.trouble()), ("a-model", Some(77), None));
}

#[tokio::test]
async fn what_was_recorded_is_played_again() {
    let folder = tempfile::tempdir().unwrap();
    record(&file(folder.path())).await;
    let model = ReplayModel::open(file(folder.path())).unwrap();
    assert_eq!((model.name(), model.window(), model.left()), ("a-model", Some(77), 3));
    let [first, second, third] = outcomes().try_into().unwrap();
    assert_eq!(ask(&model, "two").await, second); // another order
    assert_eq!(ask(&model, "one").await, first);
    assert_eq!(ask(&model, "one").await, third);
    let error = ask(&model, "one").await.unwrap_err();
    assert_eq!(error.to_string(), "this request was not recorded: all 3 recorded calls have been answered");
}

#[tokio::test]
async fn what_was_not_recorded_says_where_it_differs() {
    let folder = tempfile::tempdir().unwrap();
    record(&file(folder.path())).await;
    let model = ReplayModel::open(file(folder.path())).unwrap();
    let said = |request: ChatRequest| {
        let model = &model;
        async move { model.chat(&request, &Cancellation::new()).await.unwrap_err().to_string() }
    };
    let error = said(request("one more")).await;
    assert!(
        error.ends_with("call 1, it differs in message 2, character 4: \"one\" then, \"one more\" now"),
        "{error}"
    );
    let mut other = request("one");
    other.seed = Some(3);
    assert!(said(other).await.contains("`seed`: None then, Some(3) now"));
    let mut other = request("one");
    other.answer = None;
    assert!(said(other).await.contains("the schema of the answer (`p` then, none now)"));
    let mut other = request("one");
    other.messages.push(Message::assistant("{}"));
    assert!(said(other).await.contains("the number of messages: 2 then, 3 now"));
    let mut other = request("one");
    other.messages[0].cache = false;
    assert!(said(other).await.contains("cache mark of message 1"));
    assert_eq!(model.left(), 3);
}

#[tokio::test]
async fn a_torn_line_is_taken_off_and_recording_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path());
    record(&path).await;
    let whole = std::fs::read(&path).unwrap();
    let second = whole.iter().position(|&b| b == b'\n').unwrap() + 1;
    for cut in [1, 5, second - 1, second + 1, second + 30, whole.len() - 1] {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let left = ReplayModel::open(&path).unwrap().left();
        let model = RecordingModel::new(ScriptedModel::answers(["new"]), &path).unwrap();
        ask(&model, "three").await.unwrap();
        let replay = ReplayModel::open(&path).unwrap();
        assert_eq!(replay.left(), left + 1, "cut at {cut}");
        assert_eq!(ask(&replay, "three").await.unwrap().text, "new");
    }
}

#[tokio::test]
async fn a_file_that_is_no_transcript_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path());
    for text in ["dear diary", "dear diary\n", "{\"a\": 1}\n", "{\"a\": 1}"] {
        std::fs::write(&path, text).unwrap();
        let error = RecordingModel::new(ScriptedModel::answers([""; 0]), &path).unwrap_err();
        assert!(matches!(error, TranscriptError::Line { line: 1, .. }), "{error}");
        assert!(error.to_string().contains("is it a transcript?"), "{error}");
        assert!(ReplayModel::open(&path).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
    for path in [folder.path().to_owned(), "/dev/null".into()] {
        assert!(ReplayModel::open(&path).is_err());
        assert!(RecordingModel::new(ScriptedModel::answers([""; 0]), &path).is_err());
    }
    assert!(matches!(ReplayModel::open(folder.path().join("none")), Err(TranscriptError::File { .. })));
}

#[tokio::test]
async fn cancelled_calls_are_not_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let cancelled = || Err(ChatError::new(ChatErrorKind::Cancelled, "cancelled"));
    let model = RecordingModel::new(ScriptedModel::replies([cancelled()]), file(folder.path())).unwrap();
    ask(&model, "one").await.unwrap_err();
    assert_eq!(ReplayModel::open(file(folder.path())).unwrap().left(), 0);
}
