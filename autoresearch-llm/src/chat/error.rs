//! Why a call to a model failed.

use crate::chat::Usage;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// What kind of failure it was; it decides what can be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChatErrorKind {
    /// The request is wrong (400, 422), or so is what the model was set up with: nothing to gain from trying again.
    BadRequest,
    /// The key is missing, wrong or not allowed to (401, 403).
    Auth,
    /// No such model or address (404).
    NotFound,
    /// Prompt and answer are larger than the model's window, or than what the server takes at once (413): a shorter
    /// prompt may do.
    ContextOverflow,
    /// Too many calls or tokens for now (429).
    RateLimited,
    /// The account is empty, which waiting does not mend.
    OutOfCredit,
    /// The server is in trouble (5xx, 529, loading, 409, 425).
    Unavailable,
    /// No connection, or it broke off.
    Connection,
    /// Nothing came for too long.
    Timeout,
    /// What came is not an answer of this API.
    BadReply,
    /// The call was cancelled.
    Cancelled,
}

impl ChatErrorKind {
    /// Whether the same call may succeed later.
    pub fn is_transient(self) -> bool {
        matches!(self, Self::RateLimited | Self::Unavailable | Self::Connection | Self::Timeout)
    }
}

/// A call to a model failed.
///
/// Nothing in it holds a key: messages of servers are taken over without it.
///
/// Display gives message, status and request id in one line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub struct ChatError {
    /// What kind of failure it was.
    pub kind: ChatErrorKind,
    /// What happened and, where something can be done about it, what.
    pub message: String,
    /// The status of the server's answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How long the server wants to be left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Duration>,
    /// The API's name for the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Tokens of the prompt and of the window, where a context overflow tells them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<(u64, u64)>,
    /// What may be billed all the same: answers that broke off in the middle, as far as the API told, otherwise
    /// estimated from above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Box<Usage>>,
}

impl ChatError {
    /// A failure of this kind.
    pub fn new(kind: ChatErrorKind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { kind, message, status: None, retry_after: None, request_id: None, tokens: None, usage: None }
    }
}

impl fmt::Display for ChatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(status) = self.status {
            write!(f, " (status {status})")?;
        }
        if let Some(id) = &self.request_id {
            write!(f, " (request {id})")?;
        }
        Ok(())
    }
}
