//! What a model answers.

use autoresearch_core::Charge;
use serde::{Deserialize, Serialize};
use std::ops::AddAssign;

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Finish {
    /// The model had said what it had to say.
    Stop,
    /// The limit on tokens, or the end of the context window: the text is cut off.
    Length,
    /// The model or its provider refused; the text says why, if anything.
    Refusal,
    /// The API was told to answer by a tool, and gave text instead; it may be the answer all the same.
    ToolIgnored,
    /// Something else, in the API's own word.
    Other(String),
}

/// Tokens that calls took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Usage {
    /// Calls that these are of.
    pub calls: u64,
    /// Tokens of prompts, cached ones included.
    pub prompt: u64,
    /// Of these, tokens that a cache held.
    #[serde(default)]
    pub cache_read: u64,
    /// Of these, tokens that were written to a cache.
    #[serde(default)]
    pub cache_write: u64,
    /// Tokens of answers, thinking included.
    pub answer: u64,
}

impl Usage {
    /// One call.
    pub fn new(prompt: u64, answer: u64) -> Self {
        Self { calls: 1, prompt, cache_read: 0, cache_write: 0, answer }
    }

    /// The same as a charge of this amount, for a study's account.
    pub fn charge(&self, amount: f64, model: &str) -> Charge {
        Charge::new(amount, model)
            .used("calls", self.calls)
            .used("prompt tokens", self.prompt)
            .used("cached tokens", self.cache_read)
            .used("answer tokens", self.answer)
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        self.prompt += other.prompt;
        self.cache_read += other.cache_read;
        self.cache_write += other.cache_write;
        self.answer += other.answer;
    }
}

/// A model's answer to one call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChatReply {
    /// What it said; of an answer by tool the tool's arguments. It can be empty.
    pub text: String,
    /// Why it ended.
    pub finish: Finish,
    /// What it took; `None` where the API does not say.
    pub usage: Option<Usage>,
    /// The API's name for this call, to ask its provider about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl ChatReply {
    /// A complete answer.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), finish: Finish::Stop, usage: None, request_id: None }
    }
}
