//! What is sent.

use super::Anthropic;
use crate::chat::{ChatError, ChatErrorKind, ChatRequest, Message, Speaker};
use crate::models::AnswerMode;
use serde_json::{Map, Value, json};

/// The most cache marks that the API takes.
const MARKS: usize = 4;

impl Anthropic {
    /// The body of a request.
    pub(super) fn body(&self, request: &ChatRequest, sampling: bool) -> Result<Vec<u8>, ChatError> {
        // Of too many marks the last ones count: they reach furthest.
        let marks = request.messages.iter().filter(|m| m.cache && !m.text.is_empty()).count();
        let mut unmarked = marks.saturating_sub(MARKS);
        let mut system = Vec::new();
        let mut messages = Vec::new();
        for message in request.messages.iter().filter(|m| !m.text.is_empty()) {
            let marked = message.cache && unmarked == 0;
            unmarked -= usize::from(message.cache && unmarked > 0);
            match message.speaker {
                Speaker::System => system.push(block(message, marked)),
                speaker => messages.push(json!({"role": role(speaker), "content": [block(message, marked)]})),
            }
        }
        let mut body = Map::new();
        if let Some(answer) = &request.answer {
            match self.mode {
                AnswerMode::Tool => {
                    let tool = json!({
                        "name": answer.name,
                        "description": "Takes the answer.",
                        "input_schema": answer.schema,
                    });
                    body.insert("tools".into(), json!([tool]));
                    let choice =
                        json!({"type": "tool", "name": answer.name, "disable_parallel_tool_use": true});
                    body.insert("tool_choice".into(), choice);
                }
                AnswerMode::Schema => {
                    let format = json!({"type": "json_schema", "schema": answer.schema});
                    body.insert("output_config".into(), json!({"format": format}));
                }
                AnswerMode::Object | AnswerMode::Prompt => {
                    let text = answer.in_words();
                    messages.push(json!({"role": "user", "content": [{"type": "text", "text": text}]}));
                }
            }
        }
        body.insert("model".into(), self.model.clone().into());
        body.insert("max_tokens".into(), request.max_tokens.into());
        body.insert("stream".into(), true.into());
        if !system.is_empty() {
            body.insert("system".into(), system.into());
        }
        body.insert("messages".into(), messages.into());
        if let Some(temperature) = request.temperature.filter(|_| sampling) {
            body.insert("temperature".into(), temperature.min(1.0).into());
        }
        if let Some(top_p) = request.top_p.filter(|_| sampling) {
            body.insert("top_p".into(), top_p.into());
        }
        if !request.stop.is_empty() {
            body.insert("stop_sequences".into(), json!(request.stop));
        }
        for (name, value) in &self.extra {
            body.insert(name.clone(), value.clone());
        }
        serde_json::to_vec(&body)
            .map_err(|e| ChatError::new(ChatErrorKind::BadRequest, format!("the request is no JSON: {e}")))
    }
}

fn role(speaker: Speaker) -> &'static str {
    match speaker {
        Speaker::Assistant => "assistant",
        Speaker::User | Speaker::System => "user",
    }
}

fn block(message: &Message, marked: bool) -> Value {
    match marked {
        true => json!({"type": "text", "text": message.text, "cache_control": {"type": "ephemeral"}}),
        false => json!({"type": "text", "text": message.text}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::AnswerSchema;

    #[test]
    fn a_request_by_tool() {
        let model = Anthropic::new("claude");
        let messages = vec![
            Message::system("rules").cached(),
            Message::user("go"),
            Message::assistant("{}"),
            Message::user(""),
            Message::user("no: again"),
        ];
        let mut request = ChatRequest::new(messages)
            .answer(AnswerSchema::new("p", json!({"type": "object"})))
            .max_tokens(9)
            .temperature(1.5)
            .seed(3);
        request.stop = vec!["END".into()];
        let body: Value = serde_json::from_slice(&model.body(&request, true).unwrap()).unwrap();
        assert_eq!(
            body,
            json!({
                "model": "claude", "max_tokens": 9, "stream": true, "temperature": 1.0, "stop_sequences": ["END"],
                "system": [{"type": "text", "text": "rules", "cache_control": {"type": "ephemeral"}}],
                "messages": [
                    {"role": "user", "content": [{"type": "text", "text": "go"}]},
                    {"role": "assistant", "content": [{"type": "text", "text": "{}"}]},
                    {"role": "user", "content": [{"type": "text", "text": "no: again"}]},
                ],
                "tools": [{"name": "p", "description": "Takes the answer.", "input_schema": {"type": "object"}}],
                "tool_choice": {"type": "tool", "name": "p", "disable_parallel_tool_use": true},
            })
        );
        let by_schema = model.clone().answers_by(AnswerMode::Schema).body(&request, false).unwrap();
        let by_schema: Value = serde_json::from_slice(&by_schema).unwrap();
        assert_eq!(by_schema["output_config"]["format"]["schema"], json!({"type": "object"}));
        assert!(by_schema.get("tools").is_none() && by_schema.get("temperature").is_none());
    }

    #[test]
    fn of_six_marks_the_last_four_are_sent() {
        let messages = (0..6).map(|i| Message::user(format!("{i}")).cached()).collect();
        let body = Anthropic::new("m").body(&ChatRequest::new(messages), true).unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let marked: Vec<bool> =
            (0..6).map(|i| !body["messages"][i]["content"][0]["cache_control"].is_null()).collect();
        assert_eq!(marked, [false, false, true, true, true, true]);
    }
}
