//! A model that answers what another one answered before.

use super::transcript::{Outcome, Recorded, TranscriptError, read};
use crate::chat::{ChatError, ChatErrorKind, ChatModel, ChatReply, ChatRequest};
use autoresearch_core::{Cancellation, async_trait};
use std::fmt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Answers from the transcript of a [`RecordingModel`](crate::RecordingModel): a study is repeated without paying again.
///
/// Each recorded call answers once. A request gets the first one left that asked the very same, so that calls which were
/// under way together may come in another order now. One that was not recorded fails with
/// [`BadRequest`](ChatErrorKind::BadRequest) and says where it differs from the next one left: a changed seed, template or
/// history shows at the first call that it concerns.
pub struct ReplayModel {
    name: String,
    window: Option<u32>,
    calls: Mutex<Vec<Option<Recorded>>>,
}

impl ReplayModel {
    /// Reads a transcript. A last line that a crash has torn is passed over.
    ///
    /// # Errors
    /// The file cannot be read, or a line in it is no recorded call.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, TranscriptError> {
        let (calls, _) = read(path.as_ref())?;
        let first = calls.first();
        let name = first.map_or_else(|| "replay".into(), |call| call.model.clone());
        let window = first.and_then(|call| call.window);
        Ok(Self { name, window, calls: Mutex::new(calls.into_iter().map(Some).collect()) })
    }

    /// Recorded calls that nobody has asked for yet.
    pub fn left(&self) -> usize {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).iter().flatten().count()
    }
}

impl fmt::Debug for ReplayModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayModel")
            .field("name", &self.name)
            .field("left", &self.left())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl ChatModel for ReplayModel {
    fn name(&self) -> &str {
        &self.name
    }

    async fn chat(&self, request: &ChatRequest, _cancel: &Cancellation) -> Result<ChatReply, ChatError> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let asked_for = |call: &&mut Option<Recorded>| call.as_ref().is_some_and(|c| c.request == *request);
        if let Some(call) = calls.iter_mut().find(asked_for).and_then(Option::take) {
            return match call.outcome {
                Outcome::Reply(reply) => Ok(reply),
                Outcome::Error(error) => Err(error),
            };
        }
        let all = calls.len();
        let next = calls.iter().enumerate().find_map(|(at, call)| Some((at, call.as_ref()?)));
        let why = match next {
            None => format!("all {all} recorded calls have been answered"),
            Some((at, call)) => {
                format!(
                    "from the next one, call {}, it differs in {}",
                    at + 1,
                    difference(&call.request, request)
                )
            }
        };
        Err(ChatError::new(ChatErrorKind::BadRequest, format!("this request was not recorded: {why}")))
    }

    fn window(&self) -> Option<u32> {
        self.window
    }
}

/// Where two requests first differ.
fn difference(recorded: &ChatRequest, asked: &ChatRequest) -> String {
    for (at, (a, b)) in recorded.messages.iter().zip(&asked.messages).enumerate() {
        let number = at + 1;
        if a.speaker != b.speaker {
            return format!("the speaker of message {number}: {:?} then, {:?} now", a.speaker, b.speaker);
        }
        if a.text != b.text {
            let same = a.text.chars().zip(b.text.chars()).take_while(|(a, b)| a == b).count();
            let around =
                |text: &str| -> String { text.chars().skip(same.saturating_sub(20)).take(60).collect() };
            let (then, now) = (around(&a.text), around(&b.text));
            return format!("message {number}, character {}: {then:?} then, {now:?} now", same + 1);
        }
        if a.cache != b.cache {
            return format!("the cache mark of message {number}: {} then, {} now", a.cache, b.cache);
        }
    }
    let (a, b) = (recorded.messages.len(), asked.messages.len());
    if a != b {
        return format!("the number of messages: {a} then, {b} now");
    }
    if recorded.answer != asked.answer {
        let name =
            |r: &ChatRequest| r.answer.as_ref().map_or_else(|| "none".into(), |a| format!("`{}`", a.name));
        return format!("the schema of the answer ({} then, {} now)", name(recorded), name(asked));
    }
    let fields = |r: &ChatRequest| {
        [
            ("max_tokens", r.max_tokens.to_string()),
            ("temperature", format!("{:?}", r.temperature)),
            ("top_p", format!("{:?}", r.top_p)),
            ("seed", format!("{:?}", r.seed)),
            ("stop", format!("{:?}", r.stop)),
        ]
    };
    let differs = fields(recorded).into_iter().zip(fields(asked)).find(|(a, b)| a != b);
    let Some(((name, then), (_, now))) = differs else { return "nothing that can be shown".into() };
    format!("`{name}`: {then} then, {now} now")
}
