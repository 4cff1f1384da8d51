//! Models: scripted ones for tests, and those behind an API.

mod scripted;

pub use scripted::ScriptedModel;
