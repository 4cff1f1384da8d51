//! The calls of the Jobs API.

use super::address::Address;
use super::wire::{JobInfo, Logs, Submit, last_line, shorten};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, RequestBuilder, StatusCode, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::error::Error;
use std::fmt;
use std::time::Duration;

/// How long a connection may take to come about, and how long a call may.
const CONNECT: Duration = Duration::from_secs(5);
const CALL: Duration = Duration::from_secs(30);
/// How many connections are kept for later.
const IDLE: usize = 4;
/// The longest answer that is taken.
const LIMIT: usize = 256 << 20;

/// Why a call gave nothing.
#[derive(Debug, Clone)]
pub(super) enum Trouble {
    /// Nobody answers, or not as Ray does. It may pass.
    Away(String),
    /// It is not allowed to ask.
    Denied(String),
    /// Ray says no.
    Refused { status: u16, said: String },
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away(why) | Self::Denied(why) => f.write_str(why),
            Self::Refused { status, said } => write!(f, "Ray answered {status}: {said}"),
        }
    }
}

/// Reaches one dashboard.
#[derive(Debug)]
pub(super) struct Client {
    address: Address,
    http: reqwest::Client,
    headers: HeaderMap,
    secrets: Vec<SecretString>,
}

impl Client {
    pub(super) fn new(address: Address, headers: &[(String, SecretString)]) -> Result<Self, String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let made = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| format!("`{name}` is no name of a header"))?;
            let mut value = HeaderValue::from_str(value.expose_secret().trim()).map_err(|_| {
                format!("the value of the header `{name}` has characters that no header may have")
            })?;
            value.set_sensitive(true);
            map.insert(made, value);
        }
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT)
            .timeout(CALL)
            .pool_max_idle_per_host(IDLE)
            .user_agent(concat!("autoresearch/", env!("CARGO_PKG_VERSION")));
        // Proxies have no business with what is meant to stay here.
        let http = if address.is_loopback() { http.no_proxy() } else { http };
        let http = http.build().map_err(|why| format!("no HTTP client: {why}"))?;
        let secrets = headers.iter().map(|(_, value)| value.clone()).collect();
        Ok(Self { address, http, headers: map, secrets })
    }

    /// All jobs that can be understood: what others have submitted may look otherwise.
    pub(super) async fn list(&self) -> Result<Vec<JobInfo>, Trouble> {
        let body = self.ask(self.to(Method::GET, "api/jobs/")).await?;
        // Several times a second and mostly of what is not looked at, so that it is read without making anything of that.
        if let Ok(all) = serde_json::from_slice(&body) {
            return Ok(all);
        }
        let all: Vec<serde_json::Value> = self.read(&body)?;
        let read = |job: serde_json::Value| {
            JobInfo::deserialize(&job)
                .inspect_err(
                    |why| tracing::debug!(%why, id = %job["submission_id"], "a job that cannot be read"),
                )
                .ok()
        };
        Ok(all.into_iter().filter_map(read).collect())
    }

    /// `None`: Ray knows no such job.
    pub(super) async fn get(&self, id: &str) -> Result<Option<JobInfo>, Trouble> {
        absent(self.json(self.to(Method::GET, &format!("api/jobs/{id}"))).await)
    }

    pub(super) async fn submit(&self, job: &Submit) -> Result<(), Trouble> {
        self.ask(self.to(Method::POST, "api/jobs/").json(job)).await.map(drop)
    }

    pub(super) async fn logs(&self, id: &str) -> Result<String, Trouble> {
        let logs: Logs = self.json(self.to(Method::GET, &format!("api/jobs/{id}/logs"))).await?;
        Ok(self.scrubbed(logs.logs.unwrap_or_default()))
    }

    pub(super) async fn stop(&self, id: &str) -> Result<(), Trouble> {
        let done = self.ask(self.to(Method::POST, &format!("api/jobs/{id}/stop"))).await;
        absent(done.map(drop)).map(drop)
    }

    pub(super) async fn delete(&self, id: &str) -> Result<(), Trouble> {
        let done = self.ask(self.to(Method::DELETE, &format!("api/jobs/{id}"))).await;
        absent(done.map(drop)).map(drop)
    }

    pub(super) async fn has_package(&self, name: &str) -> Result<bool, Trouble> {
        let done = self.ask(self.to(Method::GET, &format!("api/packages/gcs/{name}"))).await;
        Ok(absent(done)?.is_some())
    }

    pub(super) async fn put_package(&self, name: &str, bytes: Vec<u8>) -> Result<(), Trouble> {
        let put = self.to(Method::PUT, &format!("api/packages/gcs/{name}"));
        self.ask(put.timeout(CALL * 10).body(bytes)).await.map(drop)
    }

    fn to(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.address.call(path)).headers(self.headers.clone())
    }

    async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Trouble> {
        self.read(&self.ask(request).await?)
    }

    fn read<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, Trouble> {
        serde_json::from_slice(body).map_err(|why| {
            let text = self.scrubbed(String::from_utf8_lossy(&body[..body.len().min(400)]).into_owned());
            Trouble::Away(format!(
                "{} does not answer as Ray does ({why}): {}",
                self.address,
                shorten(text.trim(), 100)
            ))
        })
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Vec<u8>, Trouble> {
        let mut response = request.send().await.map_err(|why| self.away(why))?;
        let (status, mut body) = (response.status(), Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(|why| self.away(why))? {
            body.extend_from_slice(&chunk);
            if body.len() > LIMIT {
                return Err(Trouble::Away(format!("an answer of {} has no end", self.address)));
            }
        }
        if status.is_success() {
            return Ok(body);
        }
        // First what must not be seen, and then what is too long: a cut would leave half of it.
        let said = last_line(&self.scrubbed(String::from_utf8_lossy(&body).into_owned()));
        Err(match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Trouble::Denied(format!(
                "{} does not let us in ({status}): {said}; give a token with `.bearer(…)`, or the right one",
                self.address
            )),
            StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS => {
                Trouble::Away(format!("{} answers {status}: {said}", self.address))
            }
            _ if status.is_redirection() => {
                Trouble::Away(format!("{} redirects elsewhere; correct the address", self.address))
            }
            _ => Trouble::Refused { status: status.as_u16(), said },
        })
    }

    /// Without what must not be seen: some servers repeat what they were sent.
    fn scrubbed(&self, mut text: String) -> String {
        for secret in &self.secrets {
            let secret = secret.expose_secret().trim();
            let key = secret.rsplit(' ').next().unwrap_or(secret);
            for part in [secret, key].into_iter().filter(|part| part.len() >= 6) {
                text = text.replace(part, "[secret]");
            }
        }
        text
    }

    fn away(&self, why: reqwest::Error) -> Trouble {
        let why = why.without_url();
        let mut cause: &dyn Error = &why;
        while let Some(next) = cause.source() {
            cause = next;
        }
        Trouble::Away(format!("Ray's dashboard at {} cannot be reached: {cause}", self.address))
    }
}

fn absent<T>(done: Result<T, Trouble>) -> Result<Option<T>, Trouble> {
    match done {
        Ok(found) => Ok(Some(found)),
        // What stands in front of Ray may say the same of anything, for a while.
        Err(Trouble::Refused { status: 404, said }) => match said.contains("does not exist") {
            true => Ok(None),
            false => Err(Trouble::Away(format!("what answers is not Ray, or not yet: {said}"))),
        },
        Err(why) => Err(why),
    }
}
