//! The way to an API: address, headers, and the loop around a call.

use crate::chat::{ChatError, ChatErrorKind, ChatReply, Usage};
use crate::http::{Again, Answer, Endpoint, Failure, Retry, Secrets};
use autoresearch_core::Cancellation;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, redirect};
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The longest answer that is taken: 8 MiB.
const LIMIT: usize = 8 << 20;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(15);

/// What is needed to reach one API. Clones share the connections.
#[derive(Clone)]
pub(crate) struct Link {
    to: Result<Endpoint, String>,
    pub(super) headers: HeaderMap,
    pub(super) secrets: Secrets,
    client: Arc<OnceLock<Client>>,
    pub(crate) retry: Retry,
    pub(crate) idle: Duration,
    pub(super) limit: usize,
    allow_http: bool,
}

/// One call.
pub(crate) struct Call<'a> {
    pub(crate) model: &'a str,
    pub(crate) body: Vec<u8>,
    /// An upper estimate of the prompt's tokens.
    pub(crate) prompt: u64,
    pub(crate) began: Instant,
    pub(crate) cancel: &'a Cancellation,
}

impl Link {
    pub(crate) fn new(base: &str, version: &str, call: &str) -> Self {
        let to = Endpoint::new(base, version, call);
        let mut secrets = Secrets::default();
        if let Ok(to) = &to {
            // Some keys stand there.
            to.url().query_pairs().filter(|(name, _)| !is_public(name)).for_each(|(_, v)| secrets.add(&v));
        }
        Self {
            to,
            headers: HeaderMap::new(),
            secrets,
            client: Arc::default(),
            retry: Retry::new(),
            idle: Duration::from_secs(300),
            limit: LIMIT,
            allow_http: false,
        }
    }

    /// Adds a header whose value nobody gets to see, `before` put in front of it; what servers send back is searched
    /// for it unless headers of this name hold no secrets.
    pub(crate) fn header(&mut self, name: &str, before: &str, value: &SecretString) {
        let value = value.expose_secret().trim(); // files of keys end in a line end
        let made = HeaderName::from_bytes(name.as_bytes()).ok();
        match (made, HeaderValue::from_str(&format!("{before}{value}"))) {
            (None, _) => self.wrong(format!("`{name}` is no name of a header")),
            (_, Err(_)) => {
                self.wrong(format!(
                    "the value of the header `{name}` has characters that no header may have"
                ));
            }
            (Some(name), Ok(mut header)) => {
                header.set_sensitive(true);
                if !is_public(name.as_str()) {
                    self.secrets.add(value);
                }
                self.headers.insert(name, header);
            }
        }
    }

    /// Adds a header that is no secret.
    pub(crate) fn plain_header(&mut self, name: &'static str, value: &'static str) {
        self.headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }

    /// Keeps the first mistake.
    pub(crate) fn wrong(&mut self, mistake: String) {
        if self.to.is_ok() {
            self.to = Err(mistake);
        }
    }

    pub(crate) fn allow_http(&mut self) {
        self.allow_http = true;
    }

    pub(crate) fn client(&mut self, client: Client) {
        self.client = Arc::new(OnceLock::from(client));
    }

    pub(crate) fn endpoint(&self) -> Option<&Endpoint> {
        self.to.as_ref().ok()
    }

    /// The address, if everything about it is in order.
    pub(crate) fn check(&self) -> Result<&Endpoint, ChatError> {
        let wrong = |text: String| ChatError::new(ChatErrorKind::BadRequest, text);
        let to = self.to.as_ref().map_err(|mistake| wrong(mistake.clone()))?;
        if to.is_open() && !self.allow_http {
            let host = to.host();
            return Err(wrong(format!(
                "{host} would be asked over plain http, where others can read key and prompts: use https, or say \
                 allow_http() if the network between is yours"
            )));
        }
        Ok(to)
    }

    fn connect(&self) -> Result<&Client, ChatError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = client(self.endpoint().is_some_and(Endpoint::is_loopback))?;
        Ok(self.client.get_or_init(|| client))
    }

    /// Asks until there is an answer, a failure that does not pass or may be billed, or no time left: whoever asks has set
    /// aside money for one answer, not for several.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection.
    pub(crate) async fn call<A: Answer>(
        &self,
        call: &Call<'_>,
        new: impl Fn() -> A + Send,
    ) -> Result<ChatReply, Failure> {
        let to = self.check()?;
        let client = self.connect()?;
        let until = self.retry.until(call.began);
        let mut failed = 0;
        loop {
            if call.cancel.is_cancelled() {
                return Err(cancelled().free().into());
            }
            let mut answer = new();
            let attempt = timeout_at(until, self.attempt(client, to, call, &mut answer));
            let done = tokio::select! {
                biased;
                () = call.cancel.cancelled() => Err(cancelled().into()),
                done = attempt => match done {
                    Ok(done) => done,
                    Err(_) => Err(self.late(to)),
                },
            };
            let mut failure = match done {
                Ok(id) => return Ok(self.scrubbed(answer.reply(), id)),
                Err(failure) => failure,
            };
            // What was being answered is billed all the same.
            if answer.size() > 0 || answer.usage().is_some() {
                let said = tokens(answer.size());
                let mut usage = answer.usage().unwrap_or_else(|| Usage::new(call.prompt, said));
                usage.answer = usage.answer.max(said);
                failure.error.usage = Some(Box::new(usage));
            }
            let Some(pause) = failure.repeat(&self.retry, &mut failed, call.began.elapsed()) else {
                return Err(failure);
            };
            tracing::warn!(model = call.model, error = %failure.error, ?pause, "a call to a model failed; it is tried again");
            if !call.cancel.sleep(pause).await {
                return Err(cancelled().free().into());
            }
        }
    }

    fn late(&self, to: &Endpoint) -> Failure {
        let text = format!("no answer from {to} within {:?} (deadline of the call)", self.retry.deadline);
        Failure { again: Again::Never, ..Failure::new(ChatErrorKind::Timeout, text) }
    }
}

/// A client that follows nobody anywhere, and that goes past the proxies of the environment where the server is on this
/// machine: they have no business with what is meant to stay here.
pub(crate) fn client(is_loopback: bool) -> Result<Client, ChatError> {
    let client = Client::builder()
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT)
        .no_gzip() // small pieces, and as they come, whatever other crates switch on
        .user_agent(concat!("autoresearch/", env!("CARGO_PKG_VERSION")));
    // Servers on this machine are small ones. llama.cpp's closes connections after an answer without saying so, and a call on
    // one that is just being closed breaks off; a new one costs nothing here.
    let client = if is_loopback { client.no_proxy().pool_max_idle_per_host(0) } else { client };
    client.build().map_err(|e| ChatError::new(ChatErrorKind::Connection, format!("no HTTP client: {e}")))
}

/// Names of headers and of fields of queries that hold no secrets. Their values are words that answers may well have.
fn is_public(name: &str) -> bool {
    const PUBLIC: &[&str] = &[
        "accept",
        "accept-language",
        "anthropic-beta",
        "anthropic-version",
        "api-version",
        "http-referer",
        "openai-beta",
        "openai-organization",
        "openai-project",
        "referer",
        "user-agent",
        "x-title",
    ];
    PUBLIC.iter().any(|public| name.eq_ignore_ascii_case(public))
}

/// The upper estimate of the tokens of a text that [`ChatModel::count`](crate::ChatModel::count) makes.
pub(crate) fn tokens(bytes: usize) -> u64 {
    bytes as u64 / 2 + 1
}

pub(crate) fn cancelled() -> ChatError {
    ChatError::new(ChatErrorKind::Cancelled, "the call was cancelled")
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.keys().map(HeaderName::as_str).collect();
        f.debug_struct("Link")
            .field("to", &self.to)
            .field("headers", &headers)
            .field("retry", &self.retry)
            .field("idle", &self.idle)
            .finish_non_exhaustive()
    }
}
