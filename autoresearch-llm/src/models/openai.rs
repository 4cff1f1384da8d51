//! Chat completions, as OpenAI has them and nearly everybody else.

mod answer;
mod body;
mod env;
mod habits;

use crate::chat::{ChatError, ChatModel, ChatReply, ChatRequest};
use crate::http::{Call, Link, Retry};
use crate::models::{AnswerMode, guess};
use autoresearch_core::{Cancellation, async_trait};
use habits::Habits;
use secrecy::SecretString;
use serde_json::{Map, Value};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A model behind an API of OpenAI's kind: OpenAI, vLLM, llama.cpp, Ollama, LM Studio, OpenRouter and many more.
///
/// Answers are streamed, so that a long one is told from a dead connection. Failures that pass and cost nothing are waited
/// out as [`Retry`] says; of those that may be billed [`ChatError::may_repeat`] tells. Fields that a server does not know (`max_tokens` where it wants `max_completion_tokens`, `seed`,
/// `temperature`, a way of asking for JSON) are left out or replaced when it says so, for good, with a warning in the log.
///
/// ```
/// use autoresearch_llm::{AnswerMode, OpenAiCompatible};
/// let local = OpenAiCompatible::new("http://127.0.0.1:8080/v1", "smollm2").with_window(2048);
/// local.check()?;
/// let far = OpenAiCompatible::new("https://openrouter.ai/api/v1", "qwen/qwen3-32b")
///     .key("sk-or-...")
///     .header("X-Title", "my study")
///     .answers_by(AnswerMode::Tool);
/// far.check()?;
/// let error = OpenAiCompatible::new("http://gpu-box:8000/v1", "qwen").check().unwrap_err();
/// assert!(error.to_string().contains("allow_http()"));
/// # Ok::<(), autoresearch_llm::ChatError>(())
/// ```
/// # Mistakes
/// A call that makes no sense (a base URL that is none, a key with a line break in it) needs no `?`: the model keeps the
/// first mistake and gives it back from [`check`](Self::check) and from every [`chat`](ChatModel::chat).
///
/// # Secrets
/// Keys and values of headers are in no Debug, log, error or reply; a server that echoes one finds it replaced by
/// `[secret]`.
#[derive(Clone)]
pub struct OpenAiCompatible {
    model: String,
    link: Link,
    mode: AnswerMode,
    cache_marks: bool,
    window: Option<u32>,
    extra: Map<String, Value>,
    habits: Arc<Habits>,
}

impl OpenAiCompatible {
    /// The model of this name at this base URL, such as `https://api.openai.com/v1`; `/v1` may be left out where there
    /// is no path at all.
    pub fn new(base_url: impl AsRef<str>, model: impl Into<String>) -> Self {
        let link = Link::new(base_url.as_ref(), "/v1", "/chat/completions");
        let host = link.endpoint().map(|to| to.host().to_owned()).unwrap_or_default();
        let openai = host == "api.openai.com" || host.ends_with(".openai.azure.com");
        let cache_marks = host == "openrouter.ai";
        let habits = Arc::new(Habits::new(openai));
        let (mode, extra) = (AnswerMode::default(), Map::new());
        Self { model: model.into(), link, mode, cache_marks, window: None, extra, habits }
    }

    /// The key, sent as `Authorization: Bearer`.
    #[must_use]
    pub fn key(mut self, key: impl Into<SecretString>) -> Self {
        self.link.header("authorization", "Bearer ", &key.into());
        self
    }

    /// One more header, such as `api-key` for Azure or `HTTP-Referer` for OpenRouter. Its value is kept secret, and taken
    /// out of answers unless headers of this name are known to hold none (`HTTP-Referer`, `X-Title`, `User-Agent`,
    /// `OpenAI-Organization`, `OpenAI-Project` and the like).
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<SecretString>) -> Self {
        self.link.header(name, "", &value.into());
        self
    }

    /// One more field of the request, such as `reasoning_effort` or `provider`; it wins over one of ours.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.extra.insert(name.into(), value.into());
        self
    }

    /// How it is made to answer in JSON, where JSON is asked for (default [`AnswerMode::Schema`]).
    #[must_use]
    pub fn answers_by(mut self, mode: AnswerMode) -> Self {
        self.mode = mode;
        self
    }

    /// The limit on the answer is called `max_completion_tokens` (true, as at OpenAI) or `max_tokens` (false, as
    /// elsewhere). Without this it goes by the host, and changes once if the server wants the other one.
    #[must_use]
    pub fn max_completion_tokens(mut self, yes: bool) -> Self {
        self.habits = Arc::new(Habits::new(yes));
        self
    }

    /// Whether messages carry marks for caching prompts (`cache_control`). Without this they do at OpenRouter, which
    /// hands them on; elsewhere prompts are cached by themselves.
    #[must_use]
    pub fn cache_marks(mut self, yes: bool) -> Self {
        self.cache_marks = yes;
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

    /// A client of your own, for proxies or certificates. (Without one, a server on this machine is asked directly and
    /// others over the proxies that the environment names.) Have it follow no redirects: reqwest takes an `Authorization`
    /// along to the same host only, other headers with keys anywhere.
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
pub(super) fn completion(tool: bool) -> impl crate::http::Answer {
    answer::Completion::new(tool)
}

#[async_trait]
impl ChatModel for OpenAiCompatible {
    fn name(&self) -> &str {
        &self.model
    }

    async fn chat(&self, request: &ChatRequest, cancel: &Cancellation) -> Result<ChatReply, ChatError> {
        let began = Instant::now();
        let prompt = guess::prompt(self, request);
        loop {
            let habits = self.habits.now(self.mode);
            let tool = request.answer.is_some() && habits.mode == AnswerMode::Tool;
            let body = self.body(request, habits)?;
            let call = Call { model: &self.model, body, prompt, began, cancel };
            match self.link.call(&call, || answer::Completion::new(tool)).await {
                Ok(reply) => return Ok(reply),
                Err(failure) => {
                    if !self.habits.learn(habits, &failure) {
                        return Err(failure.error);
                    }
                    tracing::warn!(model = %self.model, error = %failure.error, "the model is asked in another way from now on");
                    if failure.error.may_be_billed() {
                        return Err(failure.error); // a second answer is not paid for
                    }
                }
            }
        }
    }

    fn window(&self) -> Option<u32> {
        self.window
    }
}

impl fmt::Debug for OpenAiCompatible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAiCompatible")
            .field("model", &self.model)
            .field("link", &self.link)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}
