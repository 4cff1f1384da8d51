//! What the transport has to know about an API's answers.

use crate::chat::{ChatReply, Usage};
use crate::http::Complaint;
use serde_json::Value;

/// Why a piece of an answer cannot be taken.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The server says that something is wrong.
    Complaint(Box<Complaint>),
    /// It is not of this API; what it is instead.
    Foreign(String),
}

impl Trouble {
    /// Reads JSON that is no complaint.
    pub(crate) fn parse(text: &str) -> Result<Value, Self> {
        let value = serde_json::from_str(text).map_err(|e| Self::Foreign(format!("{e} in `{text}`")))?;
        Complaint::of(&value).map_or(Ok(value), |complaint| Err(Self::Complaint(Box::new(complaint))))
    }
}

/// An answer that is being put together.
pub(crate) trait Answer: Send {
    /// Takes one event of a stream.
    fn event(&mut self, data: &str) -> Result<(), Trouble>;

    /// Takes an answer in one piece.
    fn whole(&mut self, body: &str) -> Result<(), Trouble>;

    /// Whether it is known why the answer ended: without that it is not complete.
    fn is_finished(&self) -> bool;

    /// Whether nothing more is to come.
    fn is_done(&self) -> bool;

    /// Bytes of text so far.
    fn size(&self) -> usize;

    /// What it took, as far as the API told.
    fn usage(&self) -> Option<Usage>;

    /// The finished reply.
    fn reply(self) -> ChatReply;
}
