//! What a server complains about, in the many shapes that servers have for it.

use crate::chat::{ChatError, ChatErrorKind};
use crate::http::{Retry, Secrets};
use serde_json::Value;
use std::time::Duration;

mod overflow;

/// Whether and how to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// As its kind says.
    AsKind,
    /// The server is loading its model: as long as that takes.
    Loading,
    /// In no case.
    Never,
}

/// A failed attempt.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: ChatError,
    pub(crate) again: Again,
    pub(crate) said: Option<Box<Said>>,
}

/// What the server said, to look for names of fields in. It is not for showing.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// Unshortened, in lower case.
    pub(crate) text: String,
    /// The field that it names.
    pub(crate) param: Option<String>,
}

impl Failure {
    pub(crate) fn new(kind: ChatErrorKind, message: impl Into<String>) -> Self {
        ChatError::new(kind, message).into()
    }

    /// How long to wait before trying again, if at all; `failed` counts the attempts that failed so far. An attempt that
    /// may be billed is not repeated; the error then tells whether the rules for trying again would have allowed it.
    pub(crate) fn repeat(&mut self, retry: &Retry, failed: &mut u32, spent: Duration) -> Option<Duration> {
        let pause = self.pause(retry, failed, spent);
        self.error.given_up = pause.is_none() && self.error.kind.is_transient();
        pause.filter(|_| !self.error.may_be_billed())
    }

    fn pause(&self, retry: &Retry, failed: &mut u32, spent: Duration) -> Option<Duration> {
        let asked = self.error.retry_after;
        let jitter = rand::random();
        match self.again {
            Again::Never => None,
            Again::Loading => {
                Retry { attempts: retry.attempts.min(2), ..*retry }.pause(1, asked, spent, jitter)
            }
            Again::AsKind if self.error.kind.is_transient() => {
                *failed += 1;
                retry.pause(*failed, asked, spent, jitter)
            }
            Again::AsKind => None,
        }
    }
}

impl From<ChatError> for Failure {
    fn from(error: ChatError) -> Self {
        Self { error, again: Again::AsKind, said: None }
    }
}

/// The longest message of a server that is passed on, in characters.
const LONGEST: usize = 500;

/// The beginning of a text on one line, without characters that terminals act upon.
pub(crate) fn excerpt(text: &str, longest: usize) -> String {
    let mut out = String::new();
    let (mut count, mut gap) = (0, false);
    for c in text.trim().chars() {
        if c.is_whitespace() || c.is_control() {
            gap = !out.is_empty();
            continue;
        }
        if count >= longest {
            out.push('…');
            break;
        }
        if std::mem::take(&mut gap) {
            out.push(' ');
            count += 1;
        }
        out.push(c);
        count += 1;
    }
    out
}

/// What a server said in its own words, read from the body of an answer or from an event in the middle of a stream.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Complaint {
    pub(crate) message: String,
    /// `type` and `code` where they are words.
    words: Vec<String>,
    /// `code` where it is a number.
    code: Option<u16>,
    param: Option<String>,
    request_id: Option<String>,
    tokens: Option<(u64, u64)>,
}

impl Complaint {
    /// Reads the body of an answer whose status says that it failed. It finds something to say about any body.
    pub(crate) fn read(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        if let Ok(value) = serde_json::from_str::<Value>(&text) {
            return Self::of(&value).unwrap_or_else(|| Self::plain(&text));
        }
        // What a stream was started for and failed right away.
        let data = text.lines().filter_map(|line| line.strip_prefix("data:"));
        let found =
            data.filter_map(|data| serde_json::from_str(data).ok()).find_map(|value| Self::of(&value));
        found.unwrap_or_else(|| Self::plain(&text))
    }

    fn plain(text: &str) -> Self {
        match title(text) {
            Some(title) => Self { message: format!("a web page: {title}"), ..Self::default() },
            None => Self { message: text.trim().to_owned(), ..Self::default() },
        }
    }

    /// Reads JSON, if it is a complaint.
    pub(crate) fn of(value: &Value) -> Option<Self> {
        let value = value.as_array().and_then(|list| list.first()).unwrap_or(value); // Google's
        let object = value.as_object()?;
        let mut complaint = Self::default();
        match object.get("error").filter(|e| !is_nothing(e)) {
            Some(Value::String(text)) => complaint.message = text.clone(), // Ollama's
            Some(error) => complaint.take(error),
            None if object.contains_key("detail") => complaint.message = detail(&object["detail"]), // FastAPI's
            None if ["error", "Error"].iter().any(|&e| value["object"] == e || value["type"] == e) => {
                complaint.take(value); // old vLLM's, Mistral's
            }
            None if object.get("message").is_some_and(Value::is_string) => complaint.take(value),
            None => return None,
        }
        for key in ["error_type", "type"] {
            complaint.word(&value[key]);
        }
        complaint.request_id = value["request_id"].as_str().map(Into::into);
        Some(complaint)
    }

    fn take(&mut self, error: &Value) {
        self.message = match &error["message"] {
            Value::String(text) => text.clone(),
            Value::Null => detail(error),
            other => detail(other.get("detail").unwrap_or(other)),
        };
        // OpenRouter's: what the provider behind it said.
        match &error["metadata"]["raw"] {
            Value::String(raw) if !raw.is_empty() => {
                let inner = serde_json::from_str::<Value>(raw).ok().and_then(|v| Self::of(&v));
                let said = inner.map_or_else(|| raw.clone(), |inner| inner.message);
                self.message = format!("{}: {said}", self.message);
            }
            _ => {}
        }
        for key in ["type", "code", "status"] {
            self.word(&error[key]);
        }
        let code = &error["code"];
        self.code = code.as_u64().or_else(|| code.as_str()?.parse().ok()).and_then(|c| c.try_into().ok());
        self.code = self.code.filter(|code| (300..600).contains(code));
        self.param = error["param"].as_str().map(Into::into);
        if let (Some(prompt), Some(window)) = (error["n_prompt_tokens"].as_u64(), error["n_ctx"].as_u64()) {
            self.tokens = Some((prompt, window)); // llama.cpp's
        }
    }

    fn word(&mut self, value: &Value) {
        if let Some(word) = value.as_str()
            && word.parse::<f64>().is_err()
            && word.len() < 100
        {
            self.words.push(word.to_ascii_lowercase());
        }
    }

    fn is(&self, words: &[&str]) -> bool {
        self.words.iter().any(|w| words.contains(&w.as_str()))
    }

    /// The failure that it makes of a call, where `status` is that of the answer; `None`: it came in the middle of one
    /// that had begun well.
    pub(crate) fn failure(self, status: Option<u16>, secrets: &Secrets) -> Failure {
        let told = status.filter(|s| *s >= 300).or(self.code);
        let said = self.message.to_lowercase();
        let kind = self.kind(told, &said);
        let shown = excerpt(&secrets.scrub(self.message.clone()), LONGEST);
        let what = match (kind, told) {
            (ChatErrorKind::Auth, _) => "the server does not take the key",
            (ChatErrorKind::OutOfCredit, _) => "the account has no credit left",
            (ChatErrorKind::ContextOverflow, _) => "prompt and answer are larger than the model's window",
            (ChatErrorKind::RateLimited, _) => "too many calls or tokens for now",
            (ChatErrorKind::NotFound, _) => "there is no such model or address",
            (ChatErrorKind::Unavailable, _) => "the server cannot answer now",
            (ChatErrorKind::Timeout, _) => "the server gave up waiting",
            _ => "the server refuses the request",
        };
        let message = if shown.is_empty() { what.to_owned() } else { format!("{what}: {shown}") };
        let mut error = ChatError::new(kind, message);
        error.status = told;
        error.request_id = self.request_id.map(|id| excerpt(&secrets.scrub(id), 100));
        match kind {
            ChatErrorKind::ContextOverflow => {
                error.tokens = self.tokens.or_else(|| overflow::tokens(&said));
            }
            ChatErrorKind::BadRequest => error.answer_limit = overflow::answer_limit(&said),
            _ => {}
        }
        let loading = kind == ChatErrorKind::Unavailable && said.contains("loading") && told == Some(503);
        let again = if loading { Again::Loading } else { Again::AsKind };
        Failure { error, again, said: Some(Box::new(Said { text: said, param: self.param })) }
    }

    fn kind(&self, status: Option<u16>, said: &str) -> ChatErrorKind {
        use ChatErrorKind as K;
        let overflow = self.is(overflow::WORDS) || overflow::is(said);
        if overflow && matches!(status, None | Some(400 | 413 | 422 | 429 | 500)) {
            return K::ContextOverflow;
        }
        if self.is(BROKE) || BROKE_TEXT.iter().any(|text| said.contains(text)) {
            return K::OutOfCredit;
        }
        match status {
            Some(401) => K::Auth,
            Some(402) => K::OutOfCredit,
            Some(403) if said.contains("moderation") || said.contains("flagged") => K::BadRequest,
            Some(403 | 407) => K::Auth,
            Some(300..=399 | 404 | 405 | 410) => K::NotFound,
            Some(408 | 504 | 524) => K::Timeout, // whoever was asked behind it may be at work all the same
            Some(409 | 425) => K::Unavailable,
            Some(413) => K::ContextOverflow,
            Some(429) => K::RateLimited,
            _ if self.is(&["not_supported_error"]) => K::BadRequest,
            Some(500) if REQUEST.iter().any(|text| said.contains(text)) => K::BadRequest,
            Some(500..) => K::Unavailable,
            Some(400) if self.is(&["authentication_error", "invalid_api_key", "permission_error"]) => K::Auth,
            Some(400) if said.contains("api key not valid") => K::Auth, // Google's
            _ if self.is(&["model_not_found", "not_found_error", "not_found"]) => K::NotFound,
            Some(_) => K::BadRequest,
            None if self.is(&["authentication_error", "permission_error", "invalid_api_key"]) => K::Auth,
            None if self.is(&["rate_limit_error", "rate_limit_exceeded", "resource_exhausted"]) => {
                K::RateLimited
            }
            None if self.is(&["invalid_request_error", "invalid_argument", "bad_request"]) => K::BadRequest,
            None if self.is(&["timeout_error"]) => K::Timeout,
            None => K::Unavailable, // overloaded_error, api_error, server_error and whatever has no name
        }
    }
}

/// The account is empty, by type or code: OpenAI, Anthropic.
const BROKE: &[&str] =
    &["insufficient_quota", "billing_error", "billing_hard_limit_reached", "billing_not_active"];

/// The same in words: Anthropic, DeepSeek, OpenRouter.
const BROKE_TEXT: &[&str] = &["credit balance is too low", "insufficient balance", "insufficient credits"];

/// What is wrong with the request, though llama.cpp and Ollama call it a trouble of the server.
const REQUEST: &[&str] =
    &["grammar", "schema", "roles must alternate", "roles are supported", "system role not supported"];

/// What a web page is called, if the text is one.
fn title(text: &str) -> Option<String> {
    let head: String = text.chars().take(4000).collect();
    let lower = head.to_ascii_lowercase();
    let start = lower.trim_start();
    if !start.starts_with("<!doctype") && !start.starts_with("<html") && !start.starts_with("<head") {
        return None;
    }
    let title = lower.find("<title").and_then(|at| Some(at + lower[at..].find('>')? + 1));
    let title = title.and_then(|from| Some(head[from..from + lower[from..].find('<')?].trim().to_owned()));
    Some(title.filter(|t| !t.is_empty()).unwrap_or_else(|| "without a title".into()))
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

/// FastAPI's and pydantic's lists of what is wrong where.
fn detail(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) if list.iter().all(|e| e["msg"].is_string()) => {
            let one = |e: &Value| {
                let place: Vec<String> = e["loc"].as_array().into_iter().flatten().map(plain).collect();
                format!("{}: {}", place.join("."), plain(&e["msg"]))
            };
            list.iter().map(one).collect::<Vec<_>>().join("; ")
        }
        Value::Object(object) if object.get("message").is_some_and(Value::is_string) => {
            plain(&object["message"])
        }
        other => other.to_string(),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), Into::into)
}

#[cfg(test)]
mod tests;
