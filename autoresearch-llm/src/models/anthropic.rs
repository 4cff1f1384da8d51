//! Anthropic's messages.

mod answer;
mod body;

use crate::chat::{ChatError, ChatErrorKind, ChatModel, ChatReply, ChatRequest};
use crate::http::{Call, Link, Retry};
use crate::models::{AnswerMode, guess};
use autoresearch_core::{Cancellation, async_trait};
use secrecy::SecretString;
use serde_json::{Map, Value};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::Instant;

const ANTHROPIC: &str = "https://api.anthropic.com";
const VERSION: &str = "2023-06-01";

/// A model behind Anthropic's messages API.
///
/// Answers are streamed, failures that pass and cost nothing are waited out as [`Retry`] says, and messages that are marked
/// [`cached`](crate::Message::cached) are marked for its prompt cache. There is no seed in this API, and no temperature
/// above 1: a higher one is sent as 1.
///
/// JSON is asked for by a tool that has to be called ([`AnswerMode::Tool`], which every model knows), unless another way
/// is chosen. Mistakes in the set-up and secrets are treated as by [`OpenAiCompatible`](crate::OpenAiCompatible).
///
/// ```
/// use autoresearch_llm::Anthropic;
/// let model = Anthropic::new("claude-sonnet-4-5").key("sk-ant-...");
/// model.check()?;
/// assert!(!format!("{model:?}").contains("sk-ant"));
/// # Ok::<(), autoresearch_llm::ChatError>(())
/// ```
#[derive(Clone)]
pub struct Anthropic {
    model: String,
    link: Link,
    mode: AnswerMode,
    window: Option<u32>,
    extra: Map<String, Value>,
    /// The model takes no temperature: learned from a refusal.
    no_sampling: Arc<AtomicBool>,
}

impl Anthropic {
    /// The model of this name at Anthropic.
    pub fn new(model: impl Into<String>) -> Self {
        Self::at(ANTHROPIC, model)
    }

    /// The model of this name at another address that speaks the same API.
    pub fn at(base_url: impl AsRef<str>, model: impl Into<String>) -> Self {
        let mut link = Link::new(base_url.as_ref(), "", "/v1/messages");
        // The base may be written with its version.
        if let Some(base) = base_url.as_ref().trim().trim_end_matches('/').strip_suffix("/v1") {
            link = Link::new(base, "", "/v1/messages");
        }
        link.plain_header("anthropic-version", VERSION);
        let (mode, extra) = (AnswerMode::Tool, Map::new());
        Self { model: model.into(), link, mode, window: None, extra, no_sampling: Arc::default() }
    }

    /// The model that the environment names: `AUTORESEARCH_LLM_MODEL` or `ANTHROPIC_MODEL`, with the key in
    /// `ANTHROPIC_API_KEY`, at `ANTHROPIC_BASE_URL` if that is set. Variables that are empty count as not set.
    ///
    /// # Errors
    /// What is missing or wrong, by the names of the variables.
    pub fn from_env() -> Result<Self, ChatError> {
        Self::from_vars(|name| std::env::var(name).ok())
    }

    fn from_vars(var: impl Fn(&str) -> Option<String>) -> Result<Self, ChatError> {
        let var = |name: &str| var(name).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
        let wrong = |text: &str| ChatError::new(ChatErrorKind::BadRequest, text);
        let model = var("AUTORESEARCH_LLM_MODEL").or_else(|| var("ANTHROPIC_MODEL"));
        let model = model.ok_or_else(|| {
            wrong("which model is to be asked? Set AUTORESEARCH_LLM_MODEL (or ANTHROPIC_MODEL) to its name")
        })?;
        let key = var("ANTHROPIC_API_KEY").ok_or_else(|| wrong("there is no key: set ANTHROPIC_API_KEY"))?;
        let base = var("ANTHROPIC_BASE_URL").unwrap_or_else(|| ANTHROPIC.into());
        let model = Self::at(base, model).key(key);
        model.check()?;
        Ok(model)
    }

    /// The key, sent as `x-api-key`.
    #[must_use]
    pub fn key(mut self, key: impl Into<SecretString>) -> Self {
        self.link.header("x-api-key", "", &key.into());
        self
    }

    /// One more header, such as `anthropic-beta`. Its value is kept secret, and taken out of answers unless headers of
    /// this name are known to hold none.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<SecretString>) -> Self {
        self.link.header(name, "", &value.into());
        self
    }

    /// One more field of the request, such as `thinking`; it wins over one of ours.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.extra.insert(name.into(), value.into());
        self
    }

    /// How it is made to answer in JSON, where JSON is asked for (default [`AnswerMode::Tool`]).
    /// [`Schema`](AnswerMode::Schema) is `output_config.format`, for models that have it;
    /// [`Object`](AnswerMode::Object) is not known here and the same as [`Prompt`](AnswerMode::Prompt). With thinking
    /// switched on no tool can be forced: choose one of the others then.
    #[must_use]
    pub fn answers_by(mut self, mode: AnswerMode) -> Self {
        self.mode = mode;
        self
    }

    /// Tokens of prompt and answer together that the model takes.
    #[must_use]
    pub fn with_window(mut self, tokens: u32) -> Self {
        self.window = Some(tokens);
        self
    }

    /// When failed calls are tried again, and what a call may take in all.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.link.retry = retry;
        self
    }

    /// How long nothing at all may come, before the answer begins and within it (default 5 minutes).
    #[must_use]
    pub fn idle_timeout(mut self, time: Duration) -> Self {
        self.link.idle = time;
        self
    }

    /// Plain http is right even though the server is not on this machine.
    #[must_use]
    pub fn allow_http(mut self) -> Self {
        self.link.allow_http();
        self
    }

    /// A client of your own, for proxies or certificates. Have it follow no redirects: reqwest would take the key along.
    #[must_use]
    pub fn client(mut self, client: reqwest::Client) -> Self {
        self.link.client(client);
        self
    }

    /// Whether everything about the set-up is in order; nothing is sent.
    ///
    /// # Errors
    /// The first mistake: the base URL, the key, a header, or plain http to somewhere else.
    pub fn check(&self) -> Result<(), ChatError> {
        self.link.check().map(|_| ())
    }
}

#[cfg(test)]
pub(super) fn reply(tool: bool) -> impl crate::http::Answer {
    answer::Reply::new(tool)
}

#[async_trait]
impl ChatModel for Anthropic {
    fn name(&self) -> &str {
        &self.model
    }

    async fn chat(&self, request: &ChatRequest, cancel: &Cancellation) -> Result<ChatReply, ChatError> {
        let began = Instant::now();
        let prompt = guess::prompt(self, request);
        let tool = request.answer.is_some() && self.mode == AnswerMode::Tool;
        loop {
            let sampling = !self.no_sampling.load(Ordering::Relaxed);
            let body = self.body(request, sampling)?;
            let call = Call { model: &self.model, body, prompt, began, cancel };
            let failure = match self.link.call(&call, || answer::Reply::new(tool)).await {
                Ok(reply) => return Ok(reply),
                Err(failure) => failure,
            };
            let said = failure.said.as_ref().map(|said| said.text.as_str()).unwrap_or_default();
            let refused = ["deprecated", "not supported", "cannot both be specified", "not permitted"];
            let names = said.contains("temperature") || said.contains("top_p");
            if !(sampling && names && refused.iter().any(|text| said.contains(text))) {
                return Err(failure.error);
            }
            self.no_sampling.store(true, Ordering::Relaxed);
            tracing::warn!(model = %self.model, error = %failure.error, "the model is asked without temperature and top_p from now on");
            if failure.error.may_be_billed() {
                return Err(failure.error); // a second answer is not paid for
            }
        }
    }

    fn window(&self) -> Option<u32> {
        self.window
    }
}

impl fmt::Debug for Anthropic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Anthropic")
            .field("model", &self.model)
            .field("link", &self.link)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_names_model_and_key() {
        let from = |vars: &[(&str, &str)]| {
            let find = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
            Anthropic::from_vars(find).map_err(|e| e.to_string())
        };
        let vars = [
            ("ANTHROPIC_MODEL", "claude"),
            ("ANTHROPIC_API_KEY", "sk-canary"),
            ("ANTHROPIC_BASE_URL", "http://box"),
        ];
        assert!(from(&vars[..0]).unwrap_err().contains("ANTHROPIC_MODEL"));
        assert!(from(&vars[..1]).unwrap_err().contains("ANTHROPIC_API_KEY"));
        assert!(from(&vars).unwrap_err().contains("allow_http()"));
        let debug = format!("{:?}", from(&vars[..2]).unwrap());
        assert!(
            debug.contains("https://api.anthropic.com/v1/messages") && !debug.contains("canary"),
            "{debug}"
        );
        let at = |base| format!("{:?}", Anthropic::at(base, "m"));
        assert!(at("https://proxy/anthropic/v1/").contains("https://proxy/anthropic/v1/messages"));
    }
}
