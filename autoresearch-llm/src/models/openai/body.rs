//! What is sent.

use super::OpenAiCompatible;
use super::habits::Now;
use crate::chat::{ChatError, ChatErrorKind, ChatRequest, Message, Speaker};
use crate::models::AnswerMode;
use serde_json::{Map, Value, json};

impl OpenAiCompatible {
    /// The body of a request.
    pub(super) fn body(&self, request: &ChatRequest, now: Now) -> Result<Vec<u8>, ChatError> {
        let mut messages: Vec<Value> = match now.roles() {
            true => request.messages.iter().map(|m| self.message(m)).collect(),
            false => in_turns(&request.messages).iter().map(|m| self.message(m)).collect(),
        };
        let mut body = Map::new();
        body.insert("model".into(), self.model.clone().into());
        if let Some(answer) = &request.answer {
            match now.mode {
                AnswerMode::Schema => {
                    let strict = now.strict() && is_strict(&answer.schema);
                    let schema = json!({"name": answer.name, "strict": strict, "schema": answer.schema});
                    body.insert(
                        "response_format".into(),
                        json!({"type": "json_schema", "json_schema": schema}),
                    );
                }
                AnswerMode::Tool => {
                    let function = json!({
                        "name": answer.name,
                        "description": "Takes the answer.",
                        "parameters": answer.schema,
                    });
                    body.insert("tools".into(), json!([{"type": "function", "function": function}]));
                    let choice = json!({"type": "function", "function": {"name": answer.name}});
                    body.insert("tool_choice".into(), choice);
                }
                AnswerMode::Object | AnswerMode::Prompt => {
                    if now.mode == AnswerMode::Object {
                        body.insert("response_format".into(), json!({"type": "json_object"}));
                    }
                    append(&mut messages, answer.in_words());
                }
            }
        }
        body.insert("messages".into(), messages.into());
        body.insert("stream".into(), true.into());
        if now.stream_options() {
            body.insert("stream_options".into(), json!({"include_usage": true}));
        }
        body.insert(now.limit.into(), request.max_tokens.into());
        if let Some(temperature) = request.temperature
            && now.temperature()
        {
            body.insert("temperature".into(), temperature.into());
        }
        if let Some(top_p) = request.top_p
            && now.top_p()
        {
            body.insert("top_p".into(), top_p.into());
        }
        if let Some(seed) = request.seed
            && now.seed()
        {
            body.insert("seed".into(), (seed & 0x7fff_ffff).into()); // llama.cpp's are of 32 bits, Gemini's signed
        }
        if !request.stop.is_empty() && now.stop() {
            body.insert("stop".into(), json!(request.stop));
        }
        for (name, value) in &self.extra {
            body.insert(name.clone(), value.clone());
        }
        serde_json::to_vec(&body)
            .map_err(|e| ChatError::new(ChatErrorKind::BadRequest, format!("the request is no JSON: {e}")))
    }

    fn message(&self, message: &Message) -> Value {
        let role = match message.speaker {
            Speaker::System => "system",
            Speaker::User => "user",
            Speaker::Assistant => "assistant",
        };
        if self.cache_marks && message.cache {
            let mark = json!({"type": "ephemeral"});
            let part = json!({"type": "text", "text": message.text, "cache_control": mark});
            json!({"role": role, "content": [part]})
        } else {
            json!({"role": role, "content": message.text})
        }
    }
}

/// Adds to what the user said last: templates of some models take no two messages of one speaker in a row.
fn append(messages: &mut Vec<Value>, text: String) {
    match messages.last_mut().filter(|last| last["role"] == "user").map(|last| &mut last["content"]) {
        Some(Value::String(said)) if said.is_empty() => *said = text,
        Some(Value::String(said)) => *said += &format!("\n\n{text}"),
        // Behind the mark up to which the prompt is cached.
        Some(Value::Array(parts)) => parts.push(json!({"type": "text", "text": text})),
        _ => messages.push(json!({"role": "user", "content": text})),
    }
}

/// The same for models that know user and assistant alone, in turns.
fn in_turns(messages: &[Message]) -> Vec<Message> {
    let mut out: Vec<Message> = Vec::new();
    for message in messages {
        let speaker = match message.speaker {
            Speaker::Assistant => Speaker::Assistant,
            Speaker::System | Speaker::User => Speaker::User,
        };
        match out.last_mut().filter(|last| last.speaker == speaker) {
            Some(last) => {
                last.text += &format!("\n\n{}", message.text);
                last.cache = message.cache;
            }
            None => out.push(Message { speaker, ..message.clone() }),
        }
    }
    out
}

/// Whether every object in a schema is closed and requires all of its properties, as OpenAI's strict way wants it.
fn is_strict(schema: &Value) -> bool {
    match schema {
        Value::Object(map) => {
            let own = match map.get("properties").and_then(Value::as_object) {
                Some(properties) => {
                    let required = map.get("required").and_then(Value::as_array);
                    let is_required = |name: &String| required.is_some_and(|r| r.iter().any(|n| n == name));
                    map.get("additionalProperties") == Some(&Value::Bool(false))
                        && properties.keys().all(is_required)
                }
                None => map.get("type").is_none_or(|t| t != "object"),
            };
            own && map.values().all(is_strict)
        }
        Value::Array(list) => list.iter().all(is_strict),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::AnswerSchema;

    #[test]
    fn strict_only_where_everything_is_closed_and_required() {
        let closed = |required: Value| {
            json!({"type": "object", "additionalProperties": false, "required": required,
                   "properties": {"a": {"type": "number"}, "b": {"type": "string"}}})
        };
        assert!(is_strict(&closed(json!(["a", "b"]))));
        assert!(!is_strict(&closed(json!(["a"]))));
        assert!(!is_strict(&json!({"type": "object"})));
        let inside = json!({"type": "array", "items": closed(json!([]))});
        assert!(!is_strict(&inside));
    }

    #[test]
    fn a_request_in_every_mode() {
        let model = OpenAiCompatible::new("https://openrouter.ai/api/v1", "m")
            .field("provider", json!({"sort": "price"}));
        let messages = vec![Message::system("rules").cached(), Message::user("go")];
        let schema =
            json!({"type": "object", "properties": {}, "required": [], "additionalProperties": false});
        let request = ChatRequest::new(messages)
            .answer(AnswerSchema::new("p", schema.clone()))
            .max_tokens(7)
            .temperature(0.5)
            .seed(u64::MAX);
        let body = |mode| -> Value {
            serde_json::from_slice(&model.body(&request, model.habits.now(mode)).unwrap()).unwrap()
        };
        let by_schema = body(AnswerMode::Schema);
        assert_eq!(
            by_schema,
            json!({
                "model": "m",
                "messages": [
                    {"role": "system", "content": [{"type": "text", "text": "rules", "cache_control": {"type": "ephemeral"}}]},
                    {"role": "user", "content": "go"},
                ],
                "response_format": {"type": "json_schema", "json_schema": {"name": "p", "strict": true, "schema": schema}},
                "stream": true,
                "stream_options": {"include_usage": true},
                "max_tokens": 7,
                "temperature": 0.5,
                "seed": 0x7fff_ffff,
                "provider": {"sort": "price"},
            })
        );
        let by_tool = body(AnswerMode::Tool);
        assert_eq!(by_tool["tools"][0]["function"]["parameters"], schema);
        assert_eq!(by_tool["tool_choice"]["function"]["name"], "p");
        assert!(by_tool.get("response_format").is_none());
        let by_object = body(AnswerMode::Object);
        assert_eq!(by_object["response_format"], json!({"type": "json_object"}));
        let last = by_object["messages"][1]["content"].as_str().unwrap();
        assert!(last.starts_with("go\n\n") && last.contains("additionalProperties"), "{last}");
        assert_eq!(by_object["messages"].as_array().unwrap().len(), 2);
        assert!(body(AnswerMode::Prompt).get("response_format").is_none());
    }

    #[test]
    fn the_schema_in_words_stands_where_the_user_speaks() {
        let words = || "words".to_owned();
        let mut marked = vec![json!({"role": "user", "content": [{"type": "text", "text": "go"}]})];
        append(&mut marked, words());
        assert_eq!(marked[0]["content"][1]["text"], "words");
        let mut answered = vec![json!({"role": "assistant", "content": "no"})];
        append(&mut answered, words());
        assert_eq!(answered[1], json!({"role": "user", "content": "words"}));
    }

    #[test]
    fn turns_of_two() {
        let said = [
            Message::system("rules").cached(),
            Message::user("go"),
            Message::assistant("a"),
            Message::assistant("b"),
            Message::user("again"),
        ];
        let turns = [Message::user("rules\n\ngo"), Message::assistant("a\n\nb"), Message::user("again")];
        assert_eq!(in_turns(&said), turns);
    }
}
