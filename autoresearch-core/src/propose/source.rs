//! Whose idea a proposal is.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Whose idea a proposal is. What is told apart here is learned about apart: another model, or the same with another
/// prompt, is another source.
///
/// ```
/// use autoresearch_core::Source;
/// let source = Source::proposer("llm").model("small-1").prompt("v3");
/// assert_eq!(source.to_string(), "llm/small-1/v3");
/// assert_eq!(Source::person("Ada").to_string(), "Ada");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Source {
    /// The proposer's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposer: Option<String>,
    /// The model behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The version of its prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The person who said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
}

impl Source {
    /// A proposer, by name.
    pub fn proposer(name: impl Into<String>) -> Self {
        Self { proposer: Some(name.into()), ..Self::default() }
    }

    /// A person, by name.
    pub fn person(name: impl Into<String>) -> Self {
        Self { person: Some(name.into()), ..Self::default() }
    }

    /// The model behind the proposer.
    #[must_use]
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// The version of its prompt.
    #[must_use]
    pub fn prompt(mut self, version: impl Into<String>) -> Self {
        self.prompt = Some(version.into());
        self
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [&self.person, &self.proposer, &self.model, &self.prompt];
        for (i, part) in parts.into_iter().flatten().enumerate() {
            if i > 0 {
                f.write_str("/")?;
            }
            f.write_str(part)?;
        }
        Ok(())
    }
}
