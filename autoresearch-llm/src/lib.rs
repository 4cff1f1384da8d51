//! Language models as proposers that run unattended.
//!
//! [`ChatModel`] is a model behind some API; [`Codec`] turns its answers into candidates; [`LlmProposer`] asks, repairs,
//! counts the money and explains what it did not use.

mod chat;
mod codec;
mod critic;
mod models;
mod money;
mod prompt;
mod propose;

pub use chat::{
    AnswerSchema, ChatError, ChatErrorKind, ChatModel, ChatReply, ChatRequest, Finish, Message, Speaker,
    Usage,
};
pub use codec::{Codec, CodecError};
pub use critic::{Critic, CriticFn, ModelCritic, Opinion, critic_fn};
pub use models::ScriptedModel;
pub use money::Price;
pub use prompt::{Brief, Counts, TagTold, TemplateError, Templates, Told};
pub use propose::LlmProposer;
