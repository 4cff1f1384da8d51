//! How a model is made to answer in JSON.

use crate::chat::AnswerSchema;
use serde::{Deserialize, Serialize};

/// How a model is made to answer in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AnswerMode {
    /// The API is given the schema and holds the model to it (`response_format: json_schema`, `output_config`).
    #[default]
    Schema,
    /// The API sees to it that it is JSON; the schema stands in the prompt (`response_format: json_object`).
    Object,
    /// The model has to call a tool whose parameters are the schema. Where it gives text instead, the reply says
    /// [`ToolIgnored`](crate::Finish::ToolIgnored).
    Tool,
    /// The schema stands in the prompt, and nothing holds the model to it.
    Prompt,
}

impl AnswerSchema {
    /// The schema for a model that is not held to it.
    pub(super) fn in_words(&self) -> String {
        let schema = &self.schema;
        format!("Answer with one JSON object that fits this JSON schema, and with nothing else:\n{schema}")
    }
}
