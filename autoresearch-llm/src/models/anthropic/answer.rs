//! What comes back: events of a stream, or one message.

use crate::chat::{ChatReply, Finish, Usage};
use crate::http::{Answer, Trouble};
use serde_json::Value;

/// A message that is being put together.
#[derive(Debug, Default)]
pub(super) struct Reply {
    /// It should come by tool.
    tool: bool,
    text: String,
    /// What goes into the tool; `None`: it was not called.
    input: Option<String>,
    /// The block that is the tool's.
    block: Option<u64>,
    /// Bytes of thinking, which is not kept.
    thought: usize,
    finish: Option<String>,
    usage: Option<Usage>,
    id: Option<String>,
    done: bool,
}

impl Reply {
    pub(super) fn new(tool: bool) -> Self {
        Self { tool, ..Self::default() }
    }

    /// A block begins, or is there as a whole.
    fn block(&mut self, index: u64, block: &Value) {
        match block["type"].as_str() {
            Some("text") => self.text += block["text"].as_str().unwrap_or_default(),
            Some("tool_use") if self.input.is_none() => {
                self.block = Some(index);
                let input = &block["input"];
                let empty = input.as_object().is_none_or(serde_json::Map::is_empty); // the pieces follow
                self.input = Some(if empty { String::new() } else { input.to_string() });
            }
            _ => {}
        }
    }

    /// Usage comes in parts, and each number of a later part is the whole so far.
    fn count(&mut self, value: &Value) {
        let Some(map) = value.as_object() else { return };
        // Nobody takes that many: what is larger is no count.
        let number = |name: &str| map.get(name).and_then(Value::as_u64).map(|n| n.min(u32::MAX.into()));
        let usage = self.usage.get_or_insert_with(|| Usage::new(0, 0));
        let fresh = number("input_tokens").unwrap_or(usage.prompt - usage.cache_read - usage.cache_write);
        usage.cache_read = number("cache_read_input_tokens").unwrap_or(usage.cache_read);
        usage.cache_write = number("cache_creation_input_tokens").unwrap_or(usage.cache_write);
        usage.prompt = fresh + usage.cache_read + usage.cache_write;
        usage.answer = number("output_tokens").unwrap_or(usage.answer);
    }

    fn finish(&self) -> Finish {
        match self.finish.as_deref().unwrap_or_default() {
            "max_tokens" | "model_context_window_exceeded" => Finish::Length,
            "refusal" => Finish::Refusal,
            "end_turn" | "stop_sequence" | "tool_use" if self.tool && self.input.is_none() => {
                Finish::ToolIgnored
            }
            "end_turn" | "stop_sequence" | "tool_use" => Finish::Stop,
            other => Finish::Other(other.into()),
        }
    }
}

impl Answer for Reply {
    fn event(&mut self, data: &str) -> Result<(), Trouble> {
        if data.trim().is_empty() {
            return Ok(());
        }
        let value = Trouble::parse(data)?;
        match value["type"].as_str() {
            Some("message_start") => {
                self.id = value["message"]["id"].as_str().map(Into::into);
                self.count(&value["message"]["usage"]);
            }
            Some("content_block_start") => {
                self.block(value["index"].as_u64().unwrap_or(0), &value["content_block"]);
            }
            Some("content_block_delta") => {
                let delta = &value["delta"];
                let piece = |name: &str| delta[name].as_str().unwrap_or_default();
                self.text += piece("text");
                self.thought += piece("thinking").len() + piece("signature").len();
                if value["index"].as_u64() == self.block
                    && let Some(input) = &mut self.input
                {
                    *input += piece("partial_json");
                }
            }
            Some("message_delta") => {
                self.count(&value["usage"]);
                if let Some(finish) = value["delta"]["stop_reason"].as_str() {
                    self.finish = Some(finish.into());
                }
            }
            Some("message_stop") => self.done = true,
            Some(_) => {} // ping, content_block_stop, and kinds that are yet to come
            None => return Err(Trouble::Foreign(format!("an event without `type`: {value}"))),
        }
        Ok(())
    }

    fn whole(&mut self, body: &str) -> Result<(), Trouble> {
        let value = Trouble::parse(body)?;
        let Some(blocks) = value["content"].as_array() else {
            return Err(Trouble::Foreign(format!("JSON without `content`: {value}")));
        };
        for (index, block) in blocks.iter().enumerate() {
            self.block(index as u64, block);
        }
        self.id = value["id"].as_str().map(Into::into);
        self.count(&value["usage"]);
        self.finish = value["stop_reason"].as_str().map(Into::into);
        Ok(())
    }

    fn is_finished(&self) -> bool {
        self.finish.is_some()
    }

    fn is_done(&self) -> bool {
        self.done
    }

    fn size(&self) -> usize {
        self.text.len() + self.input.as_ref().map_or(0, String::len) + self.thought
    }

    fn usage(&self) -> Option<Usage> {
        self.usage.filter(|usage| usage.prompt > 0) // zeros are what proxies put where they know nothing
    }

    fn reply(self) -> ChatReply {
        let (finish, usage) = (self.finish(), self.usage());
        let text = match self.input {
            Some(input) if self.tool && finish != Finish::Refusal => match input.is_empty() {
                true => "{}".into(),
                false => input,
            },
            _ => self.text,
        };
        ChatReply { text, finish, usage, request_id: self.id }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(tool: bool, events: &[&str]) -> ChatReply {
        let mut reply = Reply::new(tool);
        events.iter().for_each(|e| reply.event(e).unwrap());
        assert!(reply.is_finished());
        reply.reply()
    }

    const START: &str = r#"{"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":20,"cache_creation_input_tokens":5,"cache_read_input_tokens":100,"output_tokens":1}}}"#;

    #[test]
    fn text_with_thinking_before_it() {
        let reply = stream(
            false,
            &[
                START,
                r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}"#,
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
                r#"{"type":"ping"}"#,
                r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#,
                r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Yes"}}"#,
                r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"."}}"#,
                r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":15}}"#,
                r#"{"type":"message_stop"}"#,
            ],
        );
        let usage = Usage { cache_read: 100, cache_write: 5, ..Usage::new(125, 15) };
        assert_eq!((reply.text.as_str(), reply.finish, reply.usage), ("Yes.", Finish::Stop, Some(usage)));
        assert_eq!(reply.request_id.as_deref(), Some("msg_1"));
    }

    #[test]
    fn a_tool_is_called_in_pieces_or_not_at_all() {
        let called = stream(
            true,
            &[
                START,
                r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"Sure: "}}"#,
                r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"p","input":{}}}"#,
                r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\""}}"#,
                r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":":1}"}}"#,
                r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"u","name":"p","input":{}}}"#,
                r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{}"}}"#,
                r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":15}}"#,
            ],
        );
        assert_eq!((called.text.as_str(), called.finish), ("{\"a\":1}", Finish::Stop));
        let text = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"{}"}}"#;
        let end = |why: &str| format!(r#"{{"type":"message_delta","delta":{{"stop_reason":"{why}"}}}}"#);
        for (why, finish) in [
            ("end_turn", Finish::ToolIgnored),
            ("max_tokens", Finish::Length),
            ("model_context_window_exceeded", Finish::Length),
            ("refusal", Finish::Refusal),
            ("pause_turn", Finish::Other("pause_turn".into())),
        ] {
            let reply = stream(true, &[START, text, &end(why)]);
            assert_eq!((reply.text.as_str(), reply.finish), ("{}", finish));
        }
    }

    #[test]
    fn usage_of_nothing_is_not_believed() {
        let start =
            r#"{"type":"message_start","message":{"id":"m","usage":{"input_tokens":0,"output_tokens":0}}}"#;
        let end =
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":15}}"#;
        assert_eq!(stream(false, &[start, end]).usage, None);
    }

    #[test]
    fn one_piece_says_the_same() {
        let mut reply = Reply::new(true);
        let body = r#"{"id":"m","type":"message","content":[{"type":"tool_use","id":"t","name":"p","input":{"a":1}}],
            "stop_reason":"tool_use","usage":{"input_tokens":3,"output_tokens":4}}"#;
        reply.whole(body).unwrap();
        let reply = reply.reply();
        assert_eq!(
            (reply.text.as_str(), reply.finish, reply.usage),
            ("{\"a\":1}", Finish::Stop, Some(Usage::new(3, 4)))
        );
    }
}
