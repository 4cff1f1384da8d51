//! What a prompt takes, before anybody says.

use crate::chat::{ChatModel, ChatRequest};

/// What APIs and templates put around a message, in tokens.
const AROUND: u64 = 12;

/// An upper estimate of the tokens of a request's prompt, the schema of its answer included.
pub(super) fn prompt(model: &(impl ChatModel + ?Sized), request: &ChatRequest) -> u64 {
    let of = |text: &str| u64::from(model.count(text)) + AROUND;
    let said: u64 = request.messages.iter().map(|m| of(&m.text)).sum();
    // In whichever mode: APIs put schemas and tools into the prompt, too.
    said + request.answer.as_ref().map_or(0, |answer| of(&answer.in_words()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{AnswerSchema, Message};
    use crate::models::OpenAiCompatible;

    #[test]
    fn the_schema_is_a_part_of_the_prompt() {
        let model = OpenAiCompatible::new("http://127.0.0.1:1", "m");
        let bare = ChatRequest::new(vec![Message::user("go")]);
        let schema = serde_json::json!({"type": "object", "description": "x".repeat(1000)});
        let asked = bare.clone().answer(AnswerSchema::new("p", schema));
        assert_eq!(prompt(&model, &bare), 2 + AROUND);
        assert!(prompt(&model, &asked) > prompt(&model, &bare) + 500);
    }
}
