//! Language models as proposers that run unattended.
//!
//! [`ChatModel`] is a model behind some API; [`Codec`] turns its answers into candidates; [`LlmProposer`] asks, repairs,
//! counts the money and explains what it did not use.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod agent;
mod chat;
mod codec;
mod critic;
mod http;
mod models;
mod money;
mod prompt;
mod propose;
mod tree;

pub use agent::{
    AgentEnd, AgentJob, AgentRun, AgentRunner, Briefing, CommandProposer, LocalAgent, Outside, PlainBriefing,
    Secrets,
};
pub use chat::{
    AnswerSchema, ChatError, ChatErrorKind, ChatModel, ChatReply, ChatRequest, Finish, Message, Speaker,
    Usage,
};
pub use codec::{Codec, CodecError, EditCodec, EditFormat, Focus, JsonCodec, ParamCodec};
pub use critic::{Critic, CriticFn, ModelCritic, Opinion, critic_fn};
pub use http::Retry;
#[cfg(feature = "genai")]
pub use models::GenAi;
pub use models::{
    AnswerMode, Anthropic, OpenAiCompatible, RecordingModel, ReplayModel, ScriptedModel, TranscriptError,
};
pub use money::{Price, PriceError, Prices};
pub use prompt::{Brief, Counts, TagTold, TemplateError, Templates, Told};
pub use propose::LlmProposer;
pub use secrecy::SecretString;
pub use tree::{Files, FilesError, Globs, SourceTree, TreeMerge, path_problem};
