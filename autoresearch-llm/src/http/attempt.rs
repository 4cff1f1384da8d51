//! One attempt: a request is sent, and an answer read from whatever comes.

use crate::chat::{ChatError, ChatErrorKind, ChatReply, Finish};
use crate::http::retry::retry_after;
use crate::http::sse::{Events, TooLong};
use crate::http::{Again, Answer, Call, Complaint, Endpoint, Failure, Link, Trouble, excerpt};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, LOCATION};
use reqwest::{Client, Response, StatusCode};
use std::error::Error;
use std::future::Future;
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, timeout, timeout_at};

/// How much of an error's body is read.
const COMPLAINT: usize = 64 << 10;

/// How long a server may take over the rest when the answer itself is complete.
const REST: Duration = Duration::from_secs(10);

/// The same where only the end of the body is missing, without which the connection cannot be used again.
const END: Duration = Duration::from_millis(250);

impl Link {
    pub(super) async fn attempt<A: Answer>(
        &self,
        client: &Client,
        to: &Endpoint,
        call: &Call<'_>,
        answer: &mut A,
    ) -> Result<Option<String>, Failure> {
        let request = client
            .post(to.url().clone())
            .headers(self.headers.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "text/event-stream, application/json")
            .body(call.body.clone());
        let response = self.within(self.idle, to, request.send()).await?;
        let id = self.request_id(response.headers());
        let mark = |mut failure: Failure| {
            failure.error.request_id = id.clone().or(failure.error.request_id);
            failure
        };
        if !response.status().is_success() {
            return Err(mark(self.refusal(to, response).await));
        }
        let status = response.status();
        self.read(to, response, answer).await.map_err(|mut failure| {
            failure.error.status.get_or_insert(status.as_u16());
            mark(failure)
        })?;
        Ok(id)
    }

    /// What reqwest does, within a time, with its errors in our words.
    async fn within<T>(
        &self,
        time: Duration,
        to: &Endpoint,
        work: impl Future<Output = reqwest::Result<T>>,
    ) -> Result<T, Failure> {
        match timeout(time, work).await {
            Ok(done) => done.map_err(|e| self.broken(to, e)),
            Err(_) => Err(Failure::new(
                ChatErrorKind::Timeout,
                format!("nothing came from {to} for {time:?} (idle timeout)"),
            )),
        }
    }

    fn broken(&self, to: &Endpoint, error: reqwest::Error) -> Failure {
        let connecting = error.is_connect();
        let error = error.without_url();
        let mut cause: &dyn Error = &error;
        let mut causes = Vec::new();
        while let Some(next) = cause.source() {
            cause = next;
            causes.push(cause.to_string());
        }
        let cause = causes.pop().unwrap_or_else(|| error.to_string());
        let cause = excerpt(&self.secrets.scrub(cause), 200);
        let all = causes.join(" ").to_lowercase() + &cause.to_lowercase();
        if all.contains("certificate") {
            let text = format!("the certificate of {to} is not accepted: {cause}");
            let error = ChatError::new(ChatErrorKind::Connection, text).free();
            return Failure { again: Again::Never, ..error.into() };
        }
        if all.contains("invalid http") {
            let text = format!("{to} does not speak HTTP: {cause}");
            return Failure::new(ChatErrorKind::BadReply, text);
        }
        if connecting {
            // Nothing was sent, so nothing can cost anything.
            let text = format!("cannot connect to {to}: {cause}");
            return ChatError::new(ChatErrorKind::Connection, text).free().into();
        }
        Failure::new(ChatErrorKind::Connection, format!("the connection to {to} broke off: {cause}"))
    }

    fn request_id(&self, headers: &HeaderMap) -> Option<String> {
        let names = ["x-request-id", "request-id", "apim-request-id", "x-amzn-requestid"];
        let id = names.iter().find_map(|name| headers.get(*name)?.to_str().ok())?;
        Some(excerpt(&self.secrets.scrub(id.into()), 100)).filter(|id| !id.is_empty())
    }

    /// The failure that an answer with a bad status is.
    async fn refusal(&self, to: &Endpoint, mut response: Response) -> Failure {
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let mut body = Vec::new();
        // What cannot be read of it is not missed: the status says enough. One that drips is not waited for.
        let until = Instant::now() + self.idle.min(REST);
        while body.len() < COMPLAINT
            && let Ok(Ok(Some(chunk))) = timeout_at(until, response.chunk()).await
        {
            body.extend_from_slice(&chunk[..chunk.len().min(COMPLAINT - body.len())]);
        }
        let mut failure = Complaint::read(&body).failure(Some(status.as_u16()), &self.secrets);
        failure.error.retry_after = retry_after(&headers, SystemTime::now());
        if headers.get("x-should-retry").is_some_and(|v| v == "false") {
            failure.again = Again::Never;
        }
        if status.is_redirection() {
            let there = headers.get(LOCATION).and_then(|l| l.to_str().ok()).unwrap_or("elsewhere");
            let there = excerpt(&self.secrets.scrub(there.into()), 200);
            failure.error.message =
                format!("{to} redirects to {there}, where the key is not sent: correct the base URL");
        } else if status == StatusCode::NOT_FOUND {
            failure.error.message += &format!(" (asked {to})");
        }
        failure
    }

    async fn read<A: Answer>(
        &self,
        to: &Endpoint,
        mut response: Response,
        answer: &mut A,
    ) -> Result<(), Failure> {
        let kind = response.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let kind = self.secrets.scrub(kind.to_owned());
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if response.content_length().is_some_and(|length| length > self.limit as u64) {
            return Err(self.too_long());
        }
        if kind != "text/event-stream" {
            return self.whole(to, response, Vec::new(), &kind, answer).await;
        }
        // Some send one piece of JSON under this name.
        let mut head: Vec<u8> = Vec::new();
        let is_json = loop {
            if let Some(byte) = head.iter().find(|b| !b.is_ascii_whitespace()) {
                break *byte == b'{' || *byte == b'[';
            }
            match self.within(self.idle, to, response.chunk()).await? {
                Some(chunk) => head.extend_from_slice(&chunk),
                None => break false,
            }
            if head.len() > self.limit {
                return Err(self.too_long());
            }
        };
        match is_json {
            true => self.whole(to, response, head, "application/json", answer).await,
            false => self.stream(to, response, head, answer).await,
        }
    }

    /// Reads a stream of events that begins with `head`.
    async fn stream<A: Answer>(
        &self,
        to: &Endpoint,
        mut response: Response,
        head: Vec<u8>,
        answer: &mut A,
    ) -> Result<(), Failure> {
        let mut events = Events::new(self.limit);
        let mut out = Vec::new();
        let mut total = 0;
        let mut head = Some(head).filter(|head| !head.is_empty());
        loop {
            let time = match (answer.is_done(), answer.is_finished()) {
                (true, _) => END.min(self.idle),
                (_, true) => REST.min(self.idle),
                _ => self.idle,
            };
            let next = match head.take() {
                Some(head) => Ok(Some(head.into())),
                None => self.within(time, to, response.chunk()).await,
            };
            let chunk = match next {
                Ok(Some(chunk)) => chunk,
                _ if answer.is_finished() => break, // all that matters is there
                Ok(None) => return Err(unfinished(to)),
                Err(failure) => return Err(failure),
            };
            if answer.is_done() {
                break; // something comes after the end: nothing to wait for
            }
            total += chunk.len();
            events.feed(&chunk, &mut out).map_err(|TooLong| self.too_long())?;
            for data in out.drain(..) {
                let data = std::str::from_utf8(&data).map_err(|e| not_utf8(to, e))?;
                answer.event(data).map_err(|trouble| self.trouble(to, trouble))?;
            }
            // Most of a stream is wrapping: its text may be as long as an answer in one piece, it itself longer.
            if answer.size() > self.limit || total > 8 * self.limit {
                return Err(self.too_long());
            }
        }
        Ok(())
    }

    /// Reads an answer in one piece that begins with `body`.
    async fn whole<A: Answer>(
        &self,
        to: &Endpoint,
        mut response: Response,
        mut body: Vec<u8>,
        kind: &str,
        answer: &mut A,
    ) -> Result<(), Failure> {
        while let Some(chunk) = self.within(self.idle, to, response.chunk()).await? {
            if body.len() + chunk.len() > self.limit {
                return Err(self.too_long());
            }
            body.extend_from_slice(&chunk);
        }
        let text = std::str::from_utf8(&body).map_err(|e| not_utf8(to, e))?;
        let start = text.trim_start_matches('\u{feff}').trim_start();
        let is_stream = ["data:", "event:", "error:", ":"].iter().any(|s| start.starts_with(s));
        let is_json = kind == "application/json" || kind.ends_with("+json") || start.starts_with('{');
        if is_stream {
            let (mut events, mut out) = (Events::new(self.limit), Vec::new());
            events.feed(&body, &mut out).map_err(|TooLong| self.too_long())?;
            for data in out {
                answer.event(&String::from_utf8_lossy(&data)).map_err(|trouble| self.trouble(to, trouble))?;
            }
        } else if is_json && kind != "application/x-ndjson" {
            answer.whole(start).map_err(|trouble| self.trouble(to, trouble))?;
        } else {
            let kind = if kind.is_empty() { "something without a content type" } else { kind };
            let said = self.secrets.scrub(Complaint::read(&body).message);
            return Err(foreign(to, &format!("{kind}: {}", excerpt(&said, 200))));
        }
        if answer.is_finished() { Ok(()) } else { Err(unfinished(to)) }
    }

    fn trouble(&self, to: &Endpoint, trouble: Trouble) -> Failure {
        match trouble {
            Trouble::Complaint(complaint) => complaint.failure(None, &self.secrets),
            Trouble::Foreign(what) => foreign(to, &excerpt(&self.secrets.scrub(what), 200)),
        }
    }

    fn too_long(&self) -> Failure {
        let text = format!("the answer is longer than {} bytes, the most that is taken", self.limit);
        Failure::new(ChatErrorKind::BadReply, text)
    }

    /// The reply, with nothing secret in it: what a server echoes would otherwise end up in stores and transcripts.
    pub(super) fn scrubbed(&self, mut reply: ChatReply, id: Option<String>) -> ChatReply {
        reply.text = self.secrets.scrub(reply.text);
        if let Finish::Other(word) = reply.finish {
            reply.finish = Finish::Other(excerpt(&self.secrets.scrub(word), 60));
        }
        reply.request_id = id.or_else(|| reply.request_id.map(|id| excerpt(&self.secrets.scrub(id), 100)));
        reply
    }
}

fn unfinished(to: &Endpoint) -> Failure {
    let text = format!("the answer of {to} ended before it said why: the connection broke off");
    Failure::new(ChatErrorKind::Connection, text)
}

fn not_utf8(to: &Endpoint, error: std::str::Utf8Error) -> Failure {
    foreign(to, &format!("text that is not UTF-8 ({error})"))
}

fn foreign(to: &Endpoint, what: &str) -> Failure {
    let text = format!("{to} answers with what is no answer of this API: {what}");
    Failure::new(ChatErrorKind::BadReply, text)
}
