//! Errors of the `genai` crate in our words.
//!
//! Their own text is not shown: it has the whole request in it, or the body of the answer, keys and all.

use crate::chat::ChatErrorKind;
use crate::http::{Complaint, Failure, Secrets, excerpt, retry_after};
use ::genai::{Error, webc};
use std::time::SystemTime;

pub(super) fn read(error: &Error, secrets: &Secrets) -> Failure {
    let status = error.status().map(|s| s.as_u16());
    let failure = |kind, text: &str| Failure::new(kind, text);
    let mut failure = match error {
        Error::HttpError { body, .. } => Complaint::read(body.as_bytes()).failure(status, secrets),
        Error::WebModelCall { webc_error, .. } | Error::WebAdapterCall { webc_error, .. } => match webc_error
        {
            webc::Error::ResponseFailedStatus { body, .. } => {
                Complaint::read(body.as_bytes()).failure(status, secrets)
            }
            webc::Error::Reqwest(e) => {
                let (kind, text) = match (e.is_connect(), e.is_timeout()) {
                    (true, _) => (ChatErrorKind::Connection, "the provider cannot be connected to"),
                    (_, true) => (ChatErrorKind::Timeout, "the connection timed out"),
                    _ => (ChatErrorKind::Connection, "the connection broke off"),
                };
                // Where there is no connection nothing was sent, and nothing costs anything.
                let mut failure = failure(kind, text);
                if e.is_connect() {
                    failure.error = failure.error.free();
                }
                failure
            }
            webc::Error::ResponseFailedNotJson { body, content_type } => {
                let said = Complaint::read(body.as_bytes()).message;
                let text = format!("no answer of this API but {content_type}: {said}");
                failure(ChatErrorKind::BadReply, &excerpt(&secrets.scrub(text), 300))
            }
            _ => failure(ChatErrorKind::BadReply, "the answer is none of this API"),
        },
        Error::WebStream { error, cause, .. } => match error.downcast_ref::<Error>() {
            Some(inner) => return read(inner, secrets),
            None => {
                let text = format!("the connection broke off: {cause}");
                failure(ChatErrorKind::Connection, &excerpt(&secrets.scrub(text), 300))
            }
        },
        Error::ChatResponse { body, .. } => match Complaint::of(body) {
            Some(complaint) => complaint.failure(None, secrets),
            None => {
                let text = format!("the provider reports trouble: {body}");
                failure(ChatErrorKind::Unavailable, &excerpt(&secrets.scrub(text), 300))
            }
        },
        Error::RequiresApiKey { .. } | Error::NoAuthResolver { .. } | Error::NoAuthData { .. } => failure(
            ChatErrorKind::Auth,
            "there is no key: give one, or set the provider's environment variable",
        ),
        Error::Resolver { .. } => failure(
            ChatErrorKind::Auth,
            "key or address of the provider cannot be found: is its variable set?",
        ),
        Error::StreamParse { .. }
        | Error::ChatResponseGeneration { .. }
        | Error::NoChatResponse { .. }
        | Error::InvalidJsonResponseElement { .. }
        | Error::JsonValueExt(_)
        | Error::SerdeJson(_) => failure(ChatErrorKind::BadReply, "the answer is none of this API"),
        _ => failure(ChatErrorKind::BadRequest, "the provider does not take this kind of request"),
    };
    if let Some(headers) = error.headers() {
        failure.error.retry_after = retry_after(headers, SystemTime::now());
        let id = ["x-request-id", "request-id"].iter().find_map(|name| headers.get(*name)?.to_str().ok());
        let id = id.map(|id| excerpt(&secrets.scrub(id.into()), 100));
        failure.error.request_id = id.or(failure.error.request_id);
    }
    failure
}
