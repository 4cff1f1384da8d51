//! Other providers, over the `genai` crate.

mod fault;

use crate::chat::{
    ChatError, ChatErrorKind, ChatModel, ChatReply, ChatRequest, Finish, Message, Speaker, Usage,
};
use crate::http::{self, Again, Endpoint, Failure, Retry, Secrets, tokens};
use crate::models::{AnswerMode, guess};
use ::genai::chat::{
    self as theirs, CacheControl, ChatMessage, ChatOptions, ChatResponseFormat, ChatStreamEvent, JsonSpec,
    StopReason, Tool, ToolChoice,
};
use ::genai::resolver::{AuthData, Endpoint as TheirEndpoint};
use ::genai::{Client, ServiceTarget};
use autoresearch_core::{Cancellation, async_trait};
use futures_util::StreamExt;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// The longest answer that is taken: 8 MiB.
const LIMIT: usize = 8 << 20;

/// A model of one of the many providers that the [`genai`](https://docs.rs/genai) crate knows: Gemini, Groq, xAI, Cohere,
/// Bedrock, Vertex and so on.
///
/// The provider follows from the model's name as that crate reads it, or from a prefix such as `groq::`; the key is taken
/// from the environment variable that it has for the provider, unless one is given. Streaming, retries, deadline and
/// errors are as with [`OpenAiCompatible`](crate::OpenAiCompatible); what is sent and how answers are read is that crate's
/// affair. Many providers ignore a schema without a word there, so it stands in the prompt as well.
///
/// ```no_run
/// use autoresearch_llm::GenAi;
/// let model = GenAi::new("gemini-2.5-flash"); // the key is in GEMINI_API_KEY
/// let other = GenAi::new("groq::llama-3.3-70b-versatile").key("gsk_...");
/// ```
pub struct GenAi {
    model: String,
    key: Option<SecretString>,
    base: Option<String>,
    client: OnceLock<Client>,
    /// The same for servers on this machine.
    near: OnceLock<Client>,
    mode: AnswerMode,
    window: Option<u32>,
    retry: Retry,
    idle: Duration,
    allow_http: bool,
}

/// An answer as far as it has come.
#[derive(Default)]
struct Partial {
    text: String,
    /// What went into the tool.
    input: Option<String>,
    finish: Option<StopReason>,
    usage: Option<Usage>,
    id: Option<String>,
    thought: usize,
}

impl GenAi {
    /// The model of this name, with its provider in front if that does not follow from the name: `provider::model`.
    pub fn new(model: impl Into<String>) -> Self {
        Self {
            model: model.into(),
            key: None,
            base: None,
            client: OnceLock::new(),
            near: OnceLock::new(),
            mode: AnswerMode::default(),
            window: None,
            retry: Retry::new(),
            idle: Duration::from_secs(300),
            allow_http: false,
        }
    }

    /// The key, in place of the one in the environment.
    #[must_use]
    pub fn key(mut self, key: impl Into<SecretString>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Another base URL than the provider's own, as the `genai` crate wants it: with its version and a slash at the end.
    #[must_use]
    pub fn at(mut self, base_url: impl Into<String>) -> Self {
        self.base = Some(base_url.into());
        self
    }

    /// A client of your own, with whatever resolvers you need. Keys that it gets from elsewhere than an environment
    /// variable are not known here, and so not taken out of what servers say.
    #[must_use]
    pub fn client(mut self, client: Client) -> Self {
        self.near = OnceLock::from(client.clone());
        self.client = OnceLock::from(client);
        self
    }

    /// How it is made to answer in JSON, where JSON is asked for (default [`AnswerMode::Schema`]).
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
        self.retry = retry;
        self
    }

    /// How long nothing at all may come, before the answer begins and within it (default 5 minutes).
    #[must_use]
    pub fn idle_timeout(mut self, time: Duration) -> Self {
        self.idle = time;
        self
    }

    /// Plain http is right even though the server is not on this machine.
    #[must_use]
    pub fn allow_http(mut self) -> Self {
        self.allow_http = true;
        self
    }

    fn connect(&self, is_loopback: bool) -> Result<&Client, ChatError> {
        let slot = if is_loopback { &self.near } else { &self.client };
        if let Some(client) = slot.get() {
            return Ok(client);
        }
        let wrong = |_| ChatError::new(ChatErrorKind::Connection, "the genai crate makes no client");
        let client = Client::builder().with_reqwest(http::client(is_loopback)?).build().map_err(wrong)?;
        Ok(slot.get_or_init(|| client))
    }

    /// Where to ask and with what, what must not be seen of it, and whether that is on this machine.
    async fn target(&self, client: &Client) -> Result<(ServiceTarget, Secrets, bool), ChatError> {
        let mut secrets = Secrets::default();
        let named = client.resolve_service_target(self.model.as_str()).await;
        let mut target = named.map_err(|e| fault::read(&e, &secrets).error)?;
        if let Some(key) = &self.key {
            target.auth = AuthData::from_single(key.expose_secret().trim());
        }
        if let Some(base) = &self.base {
            target.endpoint = TheirEndpoint::from_owned(base.as_str());
        }
        if let Ok(key) = target.auth.single_key_value() {
            secrets.add(&key);
        }
        let wrong = |text: String| ChatError::new(ChatErrorKind::BadRequest, text);
        let to = Endpoint::new(target.endpoint.base_url(), "", "").map_err(wrong)?;
        if to.is_open() && !self.allow_http {
            return Err(wrong(format!(
                "{to} would be asked over plain http: use https, or say allow_http()"
            )));
        }
        Ok((target, secrets, to.is_loopback()))
    }

    fn late(&self) -> Failure {
        let text = format!("no answer within {:?} (deadline of the call)", self.retry.deadline);
        Failure { again: Again::Never, ..Failure::new(ChatErrorKind::Timeout, text) }
    }

    fn asked(&self, request: &ChatRequest) -> (theirs::ChatRequest, ChatOptions) {
        let mut said: Vec<Message> =
            request.messages.iter().filter(|m| !m.text.is_empty()).cloned().collect();
        if let Some(answer) = &request.answer
            && self.mode != AnswerMode::Tool
        {
            match said.last_mut() {
                // Some templates take no two messages of one speaker in a row.
                Some(last) if last.speaker == Speaker::User && !last.cache => {
                    last.text += &format!("\n\n{}", answer.in_words());
                }
                _ => said.push(Message::user(answer.in_words())),
            }
        }
        let mut messages: Vec<ChatMessage> = Vec::new();
        for message in said {
            let text = message.text;
            let said = match message.speaker {
                Speaker::System => ChatMessage::system(text),
                Speaker::User => ChatMessage::user(text),
                Speaker::Assistant => ChatMessage::assistant(text),
            };
            messages.push(if message.cache { said.with_options(CacheControl::Ephemeral) } else { said });
        }
        let mut options = ChatOptions {
            temperature: request.temperature,
            max_tokens: Some(request.max_tokens),
            top_p: request.top_p,
            stop_sequences: request.stop.clone(),
            seed: request.seed.map(|seed| seed & 0x7fff_ffff),
            capture_usage: Some(true),
            capture_tool_calls: Some(true),
            ..ChatOptions::default()
        };
        let mut tools = Vec::new();
        if let Some(answer) = &request.answer {
            match self.mode {
                AnswerMode::Tool => {
                    let tool = Tool::new(answer.name.clone()).with_description("Takes the answer.");
                    tools.push(tool.with_schema(answer.schema.clone()));
                    options.tool_choice = Some(ToolChoice::tool(answer.name.clone()));
                }
                mode => {
                    options.response_format = match mode {
                        AnswerMode::Schema => {
                            let spec = JsonSpec::new(answer.name.clone(), answer.schema.clone());
                            Some(ChatResponseFormat::JsonSpec(spec))
                        }
                        AnswerMode::Object => Some(ChatResponseFormat::JsonMode),
                        _ => None,
                    };
                }
            }
        }
        let mut asked = theirs::ChatRequest::from_messages(messages);
        if !tools.is_empty() {
            asked = asked.with_tools(tools);
        }
        (asked, options)
    }

    async fn attempt(
        &self,
        client: &Client,
        target: &ServiceTarget,
        request: &ChatRequest,
        secrets: &Secrets,
        partial: &mut Partial,
    ) -> Result<(), Failure> {
        let silent = |_| {
            let text = format!("nothing came from {} for {:?} (idle timeout)", self.model, self.idle);
            Failure::new(ChatErrorKind::Timeout, text)
        };
        let (asked, options) = self.asked(request);
        let began = client.exec_chat_stream(target.clone(), asked, Some(&options));
        let began = timeout(self.idle, began).await.map_err(silent)?;
        let mut stream = began.map_err(|e| fault::read(&e, secrets))?.stream;
        while let Some(event) = timeout(self.idle, stream.next()).await.map_err(silent)? {
            match event.map_err(|e| fault::read(&e, secrets))? {
                ChatStreamEvent::Chunk(chunk) => partial.text += &chunk.content,
                ChatStreamEvent::ReasoningChunk(chunk) => partial.thought += chunk.content.len(),
                ChatStreamEvent::End(end) => {
                    partial.usage = end.captured_usage.as_ref().and_then(usage);
                    partial.finish = end.captured_stop_reason.clone();
                    partial.id = end.captured_response_id.clone();
                    let calls = end.captured_into_tool_calls();
                    let input =
                        calls.and_then(|calls| calls.into_iter().next()).map(|call| call.fn_arguments);
                    // Arguments that did not parse are handed on as they came.
                    partial.input = input.map(|v| v.as_str().map_or_else(|| v.to_string(), Into::into));
                    break;
                }
                _ => {}
            }
            if partial.size() > LIMIT {
                let text = format!("the answer is longer than {LIMIT} bytes, the most that is taken");
                return Err(Failure::new(ChatErrorKind::BadReply, text));
            }
        }
        match partial.finish {
            Some(_) => Ok(()),
            None => {
                let text = "the answer ended before it said why: the connection broke off";
                Err(Failure::new(ChatErrorKind::Connection, text))
            }
        }
    }
}

impl Partial {
    fn size(&self) -> usize {
        self.text.len() + self.thought
    }

    fn reply(self, tool: bool, secrets: &Secrets) -> ChatReply {
        let finish = match self.finish {
            Some(StopReason::MaxTokens(_)) => Finish::Length,
            Some(StopReason::ContentFilter(_)) => Finish::Refusal,
            _ if tool && self.input.is_none() => Finish::ToolIgnored,
            Some(StopReason::Other(word)) => Finish::Other(http::excerpt(&secrets.scrub(word), 60)),
            _ => Finish::Stop,
        };
        let text = self.input.filter(|_| tool).unwrap_or(self.text);
        let mut reply = ChatReply::new(secrets.scrub(text));
        (reply.finish, reply.usage) = (finish, self.usage);
        reply.request_id = self.id.map(|id| http::excerpt(&secrets.scrub(id), 100));
        reply
    }
}

fn usage(told: &theirs::Usage) -> Option<Usage> {
    let number = |n: Option<i32>| n.and_then(|n| u64::try_from(n).ok());
    let prompt = number(told.prompt_tokens).filter(|prompt| *prompt > 0)?;
    let mut usage = Usage::new(prompt, number(told.completion_tokens).unwrap_or(0));
    if let Some(details) = &told.prompt_tokens_details {
        usage.cache_read = number(details.cached_tokens).unwrap_or(0).min(prompt);
        usage.cache_write = number(details.cache_creation_tokens).unwrap_or(0).min(prompt - usage.cache_read);
    }
    Some(usage)
}

#[async_trait]
impl ChatModel for GenAi {
    fn name(&self) -> &str {
        &self.model
    }

    async fn chat(&self, request: &ChatRequest, cancel: &Cancellation) -> Result<ChatReply, ChatError> {
        let began = Instant::now();
        let (target, secrets, is_loopback) = self.target(self.connect(false)?).await?;
        let client = self.connect(is_loopback)?;
        let prompt = guess::prompt(self, request);
        let until = self.retry.until(began);
        let tool = request.answer.is_some() && self.mode == AnswerMode::Tool;
        let mut failed = 0;
        loop {
            if cancel.is_cancelled() {
                return Err(http::cancelled().free());
            }
            let mut partial = Partial::default();
            let attempt = self.attempt(client, &target, request, &secrets, &mut partial);
            let attempt = timeout_at(until, attempt);
            let done = tokio::select! {
                biased;
                () = cancel.cancelled() => Err(http::cancelled().into()),
                done = attempt => match done {
                    Ok(done) => done,
                    Err(_) => Err(self.late()),
                },
            };
            let Err(mut failure) = done else { return Ok(partial.reply(tool, &secrets)) };
            if partial.size() > 0 {
                failure.error.usage = Some(Box::new(Usage::new(prompt, tokens(partial.size()))));
            }
            let pause = failure.repeat(&self.retry, &mut failed, began.elapsed());
            let Some(pause) = pause else { return Err(failure.error) };
            tracing::warn!(model = %self.model, error = %failure.error, ?pause, "a call to a model failed; it is tried again");
            if !cancel.sleep(pause).await {
                return Err(http::cancelled().free());
            }
        }
    }

    fn window(&self) -> Option<u32> {
        self.window
    }
}

impl fmt::Debug for GenAi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GenAi").field("model", &self.model).field("mode", &self.mode).finish_non_exhaustive()
    }
}
