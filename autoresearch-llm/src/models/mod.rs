//! Models: scripted ones for tests, and those behind an API.

mod anthropic;
#[cfg(feature = "genai")]
mod genai;
mod guess;
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

#[cfg(test)]
mod tests {
    use crate::http::{Answer, Complaint, Secrets};
    use proptest::prelude::*;
    use serde_json::Value;

    const KEYS: &[&str] = &[
        "choices",
        "delta",
        "message",
        "content",
        "finish_reason",
        "usage",
        "prompt_tokens",
        "total_tokens",
        "error",
        "code",
        "type",
        "index",
        "tool_calls",
        "function",
        "arguments",
        "detail",
        "metadata",
        "raw",
        "content_block",
        "input_tokens",
        "cache_read_input_tokens",
        "stop_reason",
        "input",
        "partial_json",
        "text",
        "loc",
        "msg",
        "object",
    ];
    const TYPES: &[&str] = &[
        "message_start",
        "message_delta",
        "content_block_start",
        "content_block_delta",
        "tool_use",
        "error",
        "[DONE]",
        "<html><title",
        "maximum context length is 1,2 tokens, limit ,",
        "too long: 99999999999999999999 > ,",
        "",
    ];

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            prop::sample::select(TYPES).prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 40, 6, |inner| {
            let key = prop::sample::select(KEYS).prop_map(String::from);
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(key, inner, 0..6).prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    fn take(mut answer: impl Answer, events: &[Value], whole: &Value) {
        for event in events {
            let _ = answer.event(&event.to_string());
        }
        let _ = answer.whole(&whole.to_string());
        let (size, _) = (answer.size(), answer.usage());
        assert!(answer.reply().text.len() <= size + 2);
    }

    proptest! {
        /// Servers send what they like; nothing of it brings us down.
        #[test]
        fn anything_at_all_can_come(events in prop::collection::vec(json(), 0..6), whole in json(), tool: bool) {
            take(super::openai::completion(tool), &events, &whole);
            take(super::anthropic::reply(tool), &events, &whole);
            for value in &events {
                let said = Complaint::read(value.to_string().as_bytes()).failure(Some(400), &Secrets::default());
                prop_assert!(said.error.to_string().chars().count() < 700);
            }
        }
    }
}
