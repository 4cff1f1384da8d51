//! Errors of the `genai` crate in our words.
//!
//! Their own text is not shown: it has the whole request in it, or the body of the answer, keys and all.

use crate::chat::{ChatError, ChatErrorKind};
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
            webc::Error::Reqwest(e) => of_network(e),
            webc::Error::ResponseFailedNotJson { body, content_type } => {
                let said = Complaint::read(body.as_bytes()).message;
                let text = format!("no answer of this API but {content_type}: {said}");
                failure(ChatErrorKind::BadReply, &excerpt(&secrets.scrub(text), 300))
            }
            _ => failure(ChatErrorKind::BadReply, "the answer is none of this API"),
        },
        Error::WebStream { error, cause, .. } => match (error.downcast_ref::<Error>(), network(&**error)) {
            (Some(inner), _) => return read(inner, secrets),
            (None, Some(e)) => of_network(e),
            (None, None) => {
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

/// What reqwest reports, if that is what an error is about.
fn network<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a reqwest::Error> {
    std::iter::successors(Some(error), |e| e.source()).find_map(|e| match e.downcast_ref() {
        Some(webc::Error::Reqwest(inner)) => Some(inner),
        _ => e.downcast_ref(),
    })
}

fn of_network(error: &reqwest::Error) -> Failure {
    if error.is_connect() {
        // Nothing was sent, so nothing can cost anything.
        let text = "the provider cannot be connected to";
        return ChatError::new(ChatErrorKind::Connection, text).free().into();
    }
    match error.is_timeout() {
        true => Failure::new(ChatErrorKind::Timeout, "the connection timed out"),
        false => Failure::new(ChatErrorKind::Connection, "the connection broke off"),
    }
}
