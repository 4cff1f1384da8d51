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
    /// The most tokens of answer that the server takes, where it refuses a request that allows for more and says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_limit: Option<u64>,
    /// What may be billed all the same: an answer that broke off in the middle, as far as the API told, otherwise by its
    /// length. [`Usage::default`], no call at all, where it is certain that nothing was used; `None` where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Box<Usage>>,
    /// It might have passed, but the model's own rules for trying again are exhausted (attempts, time), or the server
    /// forbids it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub given_up: bool,
}

impl ChatError {
    /// A failure of this kind.
    pub fn new(kind: ChatErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            status: None,
            retry_after: None,
            request_id: None,
            tokens: None,
            answer_limit: None,
            usage: None,
            given_up: false,
        }
    }

    /// The same, where it is certain that nothing was used.
    #[must_use]
    pub fn free(mut self) -> Self {
        self.usage = Some(Box::default());
        self
    }

    /// Whether the call may be billed although it failed.
    ///
    /// Where [`usage`](Self::usage) is there, it says; otherwise calls that the server turned away cost nothing, and those
    /// that ended in silence, by a lost connection, by something that is no answer or by being cancelled may cost as much
    /// as a whole answer.
    pub fn may_be_billed(&self) -> bool {
        use ChatErrorKind as Kind;
        match &self.usage {
            Some(usage) => usage.calls > 0,
            None => {
                matches!(self.kind, Kind::Connection | Kind::Timeout | Kind::BadReply | Kind::Cancelled)
            }
        }
    }

    /// Whether the model did not try again only because this attempt may be billed, so that a second one may cost more
    /// than was set aside for one.
    ///
    /// Whoever pays settles this call, sets money aside for another one, waits for
    /// [`retry_after`](Self::retry_after) or a while of their own, and asks again; a bound on how often is theirs, too.
    /// ```
    /// use autoresearch_llm::{ChatError, ChatErrorKind};
    /// assert!(ChatError::new(ChatErrorKind::Timeout, "silence").may_repeat());
    /// assert!(!ChatError::new(ChatErrorKind::Timeout, "silence").free().may_repeat()); // up to the model itself
    /// assert!(!ChatError::new(ChatErrorKind::RateLimited, "slow down").may_repeat());  // this too
    /// assert!(!ChatError::new(ChatErrorKind::BadReply, "a web page").may_repeat());    // nothing to gain
    /// ```
    pub fn may_repeat(&self) -> bool {
        self.kind.is_transient() && self.may_be_billed() && !self.given_up
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
