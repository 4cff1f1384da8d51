//! What a language model is to this crate: messages in, one answer out.

mod error;
mod message;
mod reply;

pub use error::{ChatError, ChatErrorKind};
pub use message::{AnswerSchema, ChatRequest, Message, Speaker};
pub use reply::{ChatReply, Finish, Usage};

use autoresearch_core::{Cancellation, async_trait};
use std::sync::Arc;

/// A language model behind some API.
///
/// One call, one answer: waiting for a busy server and trying again is the model's affair, what to make of the answer the
/// caller's.
///
/// # Cancel safety
/// Dropping the future ends the call. Whoever computes in a thread of its own looks at `cancel`, which is raised then, too.
#[async_trait]
pub trait ChatModel: Send + Sync {
    /// The model's name, as it is asked for at the API and stands in price tables.
    fn name(&self) -> &str;

    /// Asks once.
    ///
    /// # Errors
    /// See [`ChatErrorKind`]. An answer that stopped early or is empty is no error: [`ChatReply::finish`] says so.
    async fn chat(&self, request: &ChatRequest, cancel: &Cancellation) -> Result<ChatReply, ChatError>;

    /// Tokens of prompt and answer together that it takes, where that is known beforehand.
    fn window(&self) -> Option<u32> {
        None
    }

    /// An upper estimate of the tokens that a text takes. By default one for every digit and every byte that is not ASCII,
    /// as vocabularies have it that know no better, one for every two other bytes, and at least one: English and code take
    /// about one for four.
    fn count(&self, text: &str) -> u32 {
        let alone = text.bytes().filter(|byte| byte.is_ascii_digit() || !byte.is_ascii()).count();
        u32::try_from(alone + (text.len() - alone) / 2 + 1).unwrap_or(u32::MAX)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<M: ChatModel + ?Sized> ChatModel for Arc<M> {
    fn name(&self) -> &str {
        (**self).name()
    }
    async fn chat(&self, request: &ChatRequest, cancel: &Cancellation) -> Result<ChatReply, ChatError> {
        (**self).chat(request, cancel).await
    }
    fn window(&self) -> Option<u32> {
        (**self).window()
    }
    fn count(&self, text: &str) -> u32 {
        (**self).count(text)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<M: ChatModel + ?Sized> ChatModel for Box<M> {
    fn name(&self) -> &str {
        (**self).name()
    }
    async fn chat(&self, request: &ChatRequest, cancel: &Cancellation) -> Result<ChatReply, ChatError> {
        (**self).chat(request, cancel).await
    }
    fn window(&self) -> Option<u32> {
        (**self).window()
    }
    fn count(&self, text: &str) -> u32 {
        (**self).count(text)
    }
}
