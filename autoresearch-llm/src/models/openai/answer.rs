//! What comes back: chunks of a stream, or one completion.

use crate::chat::{ChatReply, Finish, Usage};
use crate::http::{Answer, Complaint, Trouble};
use serde_json::Value;

/// A completion that is being put together.
#[derive(Debug, Default)]
pub(super) struct Completion {
    /// It should come by tool.
    tool: bool,
    text: String,
    arguments: String,
    called: bool,
    refusal: String,
    /// Bytes of thinking, which is not kept.
    thought: usize,
    finish: Option<String>,
    usage: Option<Usage>,
    id: Option<String>,
    done: bool,
    /// Some piece came under the name that it should have.
    by_part: bool,
}

impl Completion {
    pub(super) fn new(tool: bool) -> Self {
        Self { tool, ..Self::default() }
    }

    /// Takes what chunks and completions have in common; `part` is what the one calls `delta` and the other `message`.
    fn take(&mut self, value: &Value, part: &str) -> Result<(), Trouble> {
        if self.id.is_none() {
            self.id = value["id"].as_str().filter(|id| !id.is_empty()).map(Into::into);
        }
        if let Some(usage) = usage(&value["usage"]) {
            self.usage = Some(usage);
        }
        let Some(choices) = value["choices"].as_array() else {
            // Chunks with nothing but usage, a ping or what a proxy adds; a completion has some.
            return match part {
                "message" => Err(Trouble::Foreign(format!("JSON without `choices`: {value}"))),
                _ => Ok(()),
            };
        };
        let Some(choice) = choices.iter().find(|c| c["index"].as_u64().unwrap_or(0) == 0) else {
            return Ok(());
        };
        if let Some(complaint) = Complaint::of(choice) {
            return Err(Trouble::Complaint(Box::new(complaint))); // OpenRouter's
        }
        // Some give the one where the other belongs. A stream that has deltas may end with a whole message besides.
        let other = if part == "delta" { "message" } else { "delta" };
        let is_there = choice[part].is_object();
        self.by_part |= is_there;
        let said = if is_there || self.by_part { &choice[part] } else { &choice[other] };
        match &said["content"] {
            Value::String(text) => self.text += text,
            Value::Array(parts) => {
                parts.iter().filter_map(|p| p["text"].as_str()).for_each(|t| self.text += t)
            }
            _ => {}
        }
        for key in ["reasoning_content", "reasoning"] {
            self.thought += said[key].as_str().map_or(0, str::len);
        }
        self.refusal += said["refusal"].as_str().unwrap_or_default();
        if let Some(calls) = said["tool_calls"].as_array() {
            // One tool, one call: whatever else comes is not asked for.
            for call in calls.iter().filter(|c| c["index"].as_u64().unwrap_or(0) == 0).take(1) {
                self.called = true;
                match &call["function"]["arguments"] {
                    Value::String(piece) => self.arguments += piece,
                    Value::Null => {}
                    other => self.arguments += &other.to_string(), // some give them as they are
                }
            }
        }
        if let Some(finish) = choice["finish_reason"].as_str().filter(|f| !f.is_empty()) {
            self.finish = Some(finish.into());
        }
        Ok(())
    }

    fn finish(&self) -> Finish {
        match self.finish.as_deref().unwrap_or_default() {
            _ if !self.refusal.is_empty() => Finish::Refusal,
            "length" | "max_tokens" | "model_length" => Finish::Length,
            "content_filter" | "refusal" | "safety" | "SAFETY" => Finish::Refusal,
            _ if self.tool && !self.called => Finish::ToolIgnored,
            "stop" | "tool_calls" | "function_call" | "eos" | "eos_token" | "end_turn" | "stop_sequence" => {
                Finish::Stop
            }
            other => Finish::Other(other.into()),
        }
    }
}

impl Answer for Completion {
    fn event(&mut self, data: &str) -> Result<(), Trouble> {
        let data = data.trim();
        if data == "[DONE]" {
            self.done = true;
        } else if !data.is_empty() && !self.done {
            let value = Trouble::parse(data)?;
            self.take(&value, "delta")?;
        }
        Ok(())
    }

    fn whole(&mut self, body: &str) -> Result<(), Trouble> {
        let value = Trouble::parse(body)?;
        self.take(&value, "message")?;
        if self.finish.is_none() && self.size() > 0 {
            self.finish = Some("stop".into()); // it came whole, so it did end
        }
        Ok(())
    }

    fn is_finished(&self) -> bool {
        self.finish.is_some()
    }

    fn is_done(&self) -> bool {
        self.done
    }

    fn size(&self) -> usize {
        self.text.len() + self.arguments.len() + self.refusal.len() + self.thought
    }

    fn usage(&self) -> Option<Usage> {
        self.usage
    }

    fn reply(self) -> ChatReply {
        let finish = self.finish();
        let text = match (self.called && self.tool, finish == Finish::Refusal && !self.refusal.is_empty()) {
            (_, true) => self.refusal,
            (true, _) => self.arguments,
            _ => self.text,
        };
        ChatReply { text, finish, usage: self.usage, request_id: self.id }
    }
}

fn usage(value: &Value) -> Option<Usage> {
    // Nobody takes that many: what is larger is no count.
    let number = |value: &Value| value.as_u64().map(|n| n.min(u32::MAX.into()));
    // No prompt is empty: some servers and proxies put zeros where they know nothing.
    let prompt = number(&value["prompt_tokens"]).filter(|prompt| *prompt > 0)?;
    let told = number(&value["completion_tokens"]).unwrap_or(0);
    // xAI counts thinking in the total only.
    let total = number(&value["total_tokens"]).unwrap_or(0);
    let mut usage = Usage::new(prompt, told.max(total.saturating_sub(prompt)));
    let details = &value["prompt_tokens_details"];
    let cached = number(&details["cached_tokens"]).or_else(|| number(&value["prompt_cache_hit_tokens"])); // DeepSeek's
    usage.cache_read = cached.unwrap_or(0).min(prompt);
    usage.cache_write = number(&details["cache_write_tokens"]).unwrap_or(0).min(prompt - usage.cache_read);
    Some(usage)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(body: &str, tool: bool) -> ChatReply {
        let mut completion = Completion::new(tool);
        completion.whole(body).unwrap();
        completion.reply()
    }

    #[test]
    fn ends_are_told_apart() {
        let of = |choice: &str, tool| whole(&format!(r#"{{"choices":[{choice}]}}"#), tool);
        let said = |finish: &str, tool| {
            of(&format!(r#"{{"finish_reason":"{finish}","message":{{"content":"x"}}}}"#), tool).finish
        };
        assert_eq!(said("stop", false), Finish::Stop);
        assert_eq!(said("stop", true), Finish::ToolIgnored);
        assert_eq!(said("length", true), Finish::Length); // cut off is cut off
        assert_eq!(said("content_filter", false), Finish::Refusal);
        assert_eq!(said("odd", false), Finish::Other("odd".into()));
        let refused =
            of(r#"{"finish_reason":"stop","message":{"content":null,"refusal":"I will not"}}"#, false);
        assert_eq!((refused.finish, refused.text.as_str()), (Finish::Refusal, "I will not"));
        let called = r#"{"finish_reason":"tool_calls","message":{"content":null,"tool_calls":[
            {"id":"1","type":"function","function":{"name":"p","arguments":"{\"a\":1}"}}]}}"#;
        let called = of(called, true);
        assert_eq!((called.finish, called.text.as_str()), (Finish::Stop, "{\"a\":1}"));
        let empty = of(r#"{"finish_reason":"stop","message":{"content":""}}"#, false);
        assert_eq!((empty.finish, empty.text.as_str()), (Finish::Stop, ""));
        let parts = of(
            r#"{"finish_reason":"stop","message":{"content":[{"type":"text","text":"a"},{"text":"b"}]}}"#,
            false,
        );
        assert_eq!(parts.text, "ab");
    }

    #[test]
    fn usage_in_the_shapes_that_it_has() {
        let of = |text: &str| usage(&serde_json::from_str(text).unwrap());
        let usage = of(
            r#"{"prompt_tokens":63,"completion_tokens":87,"total_tokens":150,"prompt_tokens_details":{"cached_tokens":24}}"#,
        );
        assert_eq!(usage, Some(Usage { cache_read: 24, ..Usage::new(63, 87) }));
        let thought = of(
            r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":115,"prompt_tokens_details":null}"#,
        );
        assert_eq!(thought, Some(Usage::new(10, 105)));
        assert_eq!(of("null"), None);
        assert_eq!(of(r#"{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}"#), None);
        assert_eq!(of(r#"{"prompt_tokens":0,"completion_tokens":9}"#), None);
    }

    #[test]
    fn chunks_with_messages_in_place_of_deltas() {
        let text = |events: &[&str]| {
            let mut completion = Completion::new(false);
            events.iter().for_each(|e| completion.event(e).unwrap());
            completion.reply().text
        };
        let a = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"a"}}]}"#;
        let b = r#"{"choices":[{"index":0,"message":{"content":"b"},"finish_reason":"stop"}]}"#;
        assert_eq!(text(&[a, b]), "ab");
        let delta = r#"{"choices":[{"index":0,"delta":{"content":"ab"}}]}"#;
        let whole = r#"{"choices":[{"index":0,"message":{"content":"ab"},"finish_reason":"stop"}]}"#;
        assert_eq!(text(&[delta, whole]), "ab"); // it is said twice, not twice as long
    }

    #[test]
    fn tool_calls_come_in_pieces() {
        let mut completion = Completion::new(true);
        for data in [
            r#"{"id":"c1","choices":[{"index":0,"delta":{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"x","function":{"name":"p","arguments":""}}]}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":"}}]}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"1}"}},{"index":1,"function":{"arguments":"no"}}]}}]}"#,
            r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
            r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"#,
            "[DONE]",
        ] {
            assert!(!completion.is_done());
            completion.event(data).unwrap();
        }
        assert!(completion.is_done() && completion.is_finished());
        let reply = completion.reply();
        assert_eq!(
            (reply.text.as_str(), reply.finish, reply.usage),
            ("{\"a\":1}", Finish::Stop, Some(Usage::new(3, 4)))
        );
        assert_eq!(reply.request_id.as_deref(), Some("c1"));
    }
}
