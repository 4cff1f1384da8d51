//! From a model's answer to a candidate, and back.

mod edit;
mod hint;
mod json;
mod params;

pub(crate) use edit::tree_difference;
pub use edit::{EditCodec, EditFormat};
pub use json::JsonCodec;
pub use params::ParamCodec;

use autoresearch_core::{Candidate, Compose};
use serde_json::Value;
use std::sync::Arc;

/// An answer cannot be used. The message goes back to the model as it is: it says what was wrong, where, and what would do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CodecError {
    message: String,
    unchanged: bool,
}

impl CodecError {
    /// An error with this message.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), unchanged: false }
    }

    /// The change is well-formed and changes nothing: like a repetition, it is a reason to ask for something else.
    pub fn unchanged(message: impl Into<String>) -> Self {
        Self { message: message.into(), unchanged: true }
    }

    /// Whether it is that nothing changes.
    pub fn is_unchanged(&self) -> bool {
        self.unchanged
    }
}

/// A part of what may be changed: what [`Codec::focus`] draws.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Focus {
    /// The JSON schema of a change to that part alone; what it takes, [`Codec::schema`] takes.
    pub schema: Value,
    /// What is to be changed, in words that go on after "This time: ", for the prompt.
    pub said: String,
}

impl Focus {
    /// This part.
    pub fn new(schema: Value, said: impl Into<String>) -> Self {
        Self { schema, said: said.into() }
    }
}

/// What a change is in words that a model can write, and how to apply it. Pure: no I/O, no clock.
///
/// A *change* is a JSON value of the codec's own schema: some parameters with new values, the fields of a struct, a list
/// of edits. The proposer asks for it together with a title, a rationale and so on.
pub trait Codec<C: Candidate>: Send + Sync {
    /// The JSON schema of a change to this candidate: closed objects (`additionalProperties: false`), so that providers
    /// with strict schemas take it.
    fn schema(&self, base: &C) -> Value;

    /// What may be changed, with its ranges and present values, and how a change is to be written: for the prompt.
    fn describe(&self, base: &C) -> String;

    /// The candidate with the change made to it.
    ///
    /// # Errors
    /// The change does not parse, does not apply, leaves the space, or changes nothing.
    fn apply(&self, base: &C, change: &Value) -> Result<C, CodecError>;

    /// What differs between the two, in a few words or lines: for the list of what was tried.
    fn difference(&self, from: &C, to: &C) -> String;

    /// A text that two candidates share if and only if they are the same, to find duplicates by.
    fn identity(&self, candidate: &C) -> String;

    /// Whether the codec can work on this candidate at all, to be asked before anything is paid for. By default it can.
    ///
    /// # Errors
    /// A mistake of whoever set it up: a parameter space that makes no sense, no file that may be edited.
    fn usable(&self, _base: &C) -> Result<(), CodecError> {
        Ok(())
    }

    /// A part of what may be changed, drawn with this seed, for a model that cannot get away from what was tried: asked
    /// about one thing at a time it says something else. By default there are no parts.
    fn focus(&self, _base: &C, _seed: u64) -> Option<Focus> {
        None
    }

    /// Whether an answer that is no JSON at all may be handed to [`apply`](Self::apply) as a JSON string: for changes that
    /// models write better as plain text, such as diffs.
    fn takes_text(&self) -> bool {
        false
    }

    /// How candidates of this kind are merged, if it knows; a study that scouts needs it.
    fn composer(&self) -> Option<Arc<dyn Compose<C>>> {
        None
    }
}
