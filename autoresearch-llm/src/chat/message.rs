//! What is said to a model.

use serde::{Deserialize, Serialize};

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// Standing instructions.
    System,
    /// The one who asks.
    User,
    /// The model.
    Assistant,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Message {
    /// Who speaks.
    pub speaker: Speaker,
    /// What is said.
    pub text: String,
    /// Everything up to the end of this message will be said again in later calls: APIs that cache prompts on demand are
    /// told so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cache: bool,
}

impl Message {
    /// Standing instructions.
    pub fn system(text: impl Into<String>) -> Self {
        Self { speaker: Speaker::System, text: text.into(), cache: false }
    }

    /// What the caller says.
    pub fn user(text: impl Into<String>) -> Self {
        Self { speaker: Speaker::User, text: text.into(), cache: false }
    }

    /// What the model said.
    pub fn assistant(text: impl Into<String>) -> Self {
        Self { speaker: Speaker::Assistant, text: text.into(), cache: false }
    }

    /// Marks the end of what later calls repeat.
    #[must_use]
    pub fn cached(mut self) -> Self {
        self.cache = true;
        self
    }
}

/// The JSON that an answer should be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AnswerSchema {
    /// A name for it, of letters, digits, `_` and `-`.
    pub name: String,
    /// A JSON schema of an object.
    pub schema: serde_json::Value,
}

impl AnswerSchema {
    /// The schema under this name.
    pub fn new(name: impl Into<String>, schema: serde_json::Value) -> Self {
        Self { name: name.into(), schema }
    }
}

/// One call to a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChatRequest {
    /// What was said so far, oldest first.
    pub messages: Vec<Message>,
    /// The JSON that the answer should be; `None`: any text.
    pub answer: Option<AnswerSchema>,
    /// The most tokens that the answer may take, thinking included.
    pub max_tokens: u32,
    /// How adventurous: 0 to 2; `None`: as the API has it.
    pub temperature: Option<f64>,
    /// The share of probability that is sampled from: above 0, to 1; `None`: as the API has it.
    pub top_p: Option<f64>,
    /// Seeds the sampling, where the API can do that.
    pub seed: Option<u64>,
    /// Texts at which the answer ends; they are not part of it.
    pub stop: Vec<String>,
}

impl ChatRequest {
    /// These messages; an answer of at most 4096 tokens, everything else as the API has it.
    pub fn new(messages: Vec<Message>) -> Self {
        let stop = Vec::new();
        Self { messages, answer: None, max_tokens: 4096, temperature: None, top_p: None, seed: None, stop }
    }

    /// The answer should be JSON of this schema.
    #[must_use]
    pub fn answer(mut self, schema: AnswerSchema) -> Self {
        self.answer = Some(schema);
        self
    }

    /// At most so many tokens of answer.
    #[must_use]
    pub fn max_tokens(mut self, n: u32) -> Self {
        self.max_tokens = n;
        self
    }

    /// How adventurous: 0 to 2.
    #[must_use]
    pub fn temperature(mut self, temperature: f64) -> Self {
        self.temperature = Some(temperature);
        self
    }

    /// Seeds the sampling.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }
}
