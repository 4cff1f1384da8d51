//! Models: scripted ones for tests, and those behind an API.

mod anthropic;
#[cfg(feature = "genai")]
mod genai;
mod mode;
mod openai;
mod record;
mod replay;
mod scripted;
mod transcript;

pub use anthropic::Anthropic;
#[cfg(feature = "genai")]
pub use genai::GenAi;
pub use mode::AnswerMode;
pub use openai::OpenAiCompatible;
pub use record::RecordingModel;
pub use replay::ReplayModel;
pub use scripted::ScriptedModel;
pub use transcript::TranscriptError;
