//! What a server does not take, learned from its refusals.

use crate::chat::ChatErrorKind;
use crate::http::Failure;
use crate::models::AnswerMode;
use std::sync::atomic::{AtomicU32, Ordering};

const OTHER_LIMIT: u32 = 1;
const NO_STREAM_OPTIONS: u32 = 1 << 1;
const NO_SEED: u32 = 1 << 2;
const NO_TEMPERATURE: u32 = 1 << 3;
const NO_TOP_P: u32 = 1 << 4;
const NO_STOP: u32 = 1 << 5;
const NO_STRICT: u32 = 1 << 6;
const NO_SCHEMA: u32 = 1 << 7;
const NO_OBJECT: u32 = 1 << 8;
const NO_TOOL: u32 = 1 << 9;
const NO_ROLES: u32 = 1 << 10;

/// What is known about a server; calls that are under way at the same time share it.
#[derive(Debug)]
pub(super) struct Habits {
    completion_tokens: bool,
    learned: AtomicU32,
}

/// The same as it was when a request was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Now {
    bits: u32,
    /// The name of the limit on the answer.
    pub(super) limit: &'static str,
    /// How JSON is asked for.
    pub(super) mode: AnswerMode,
}

impl Now {
    pub(super) fn stream_options(self) -> bool {
        self.bits & NO_STREAM_OPTIONS == 0
    }
    pub(super) fn seed(self) -> bool {
        self.bits & NO_SEED == 0
    }
    pub(super) fn temperature(self) -> bool {
        self.bits & NO_TEMPERATURE == 0
    }
    pub(super) fn top_p(self) -> bool {
        self.bits & NO_TOP_P == 0
    }
    pub(super) fn stop(self) -> bool {
        self.bits & NO_STOP == 0
    }
    pub(super) fn strict(self) -> bool {
        self.bits & NO_STRICT == 0
    }
    /// Whether roles are said as they are: there is one for the system, and nobody has to speak in turns.
    pub(super) fn roles(self) -> bool {
        self.bits & NO_ROLES == 0
    }
}

impl Habits {
    pub(super) fn new(completion_tokens: bool) -> Self {
        Self { completion_tokens, learned: AtomicU32::new(0) }
    }

    pub(super) fn now(&self, wanted: AnswerMode) -> Now {
        use AnswerMode::{Object, Prompt, Schema, Tool};
        let bits = self.learned.load(Ordering::Relaxed);
        let has = |bit: u32| bits & bit != 0;
        let limit = match self.completion_tokens != has(OTHER_LIMIT) {
            true => "max_completion_tokens",
            false => "max_tokens",
        };
        let mode = match wanted {
            Schema if !has(NO_SCHEMA) => Schema,
            Schema | Object if !has(NO_OBJECT) => Object,
            Tool if !has(NO_TOOL) => Tool,
            _ => Prompt,
        };
        Now { bits, limit, mode }
    }

    /// Whether the failure of a request that was made as `then` says what to do differently, which then is done.
    ///
    /// Each thing can be learned once: it ends.
    pub(super) fn learn(&self, then: Now, failure: &Failure) -> bool {
        let Some(said) = &failure.said else { return false };
        // OpenRouter finds none of the providers behind it that takes a field.
        let none = failure.error.kind == ChatErrorKind::NotFound && said.text.contains("no endpoints found");
        if failure.error.kind != ChatErrorKind::BadRequest && !none {
            return false;
        }
        let Some(bit) = lesson(then, &said.text, said.param.as_deref()) else { return false };
        self.learned.fetch_or(bit, Ordering::Relaxed);
        then.bits & bit == 0
    }
}

/// Words for not knowing or not liking a field, as opposed to not liking its value.
const UNKNOWN: &[&str] = &[
    "not supported",
    "unsupported",
    "does not support",
    "doesn't support",
    "not permitted",
    "not allowed",
    "unknown",
    "unrecognized",
    "unexpected",
    "unavailable",
    "not available",
    "must be 'json_schema'", // LM Studio, of json_object
    "no endpoints found",
    "deprecated",
    "cannot both be specified",
];

/// Words for JSON of a schema.
const JSON: &[&str] = &[
    "json_schema",
    "json_object",
    "json mode",
    "structured output",
    "response_schema",               // Gemini
    "json schema contains features", // vLLM
];

/// Limits in schemas that strict ways may not know. Whoever asks can do without them, which is better than to do without
/// strictness for good.
const BOUNDS: &[&str] = &["maxlength", "minlength", "maxitems", "minitems"];

/// Words for a role of the system.
const SYSTEM: &[&str] = &["system role", "'system'", "system message", "system prompt"];

/// Refusals by the chat templates of Mistral, Gemma and Llama 2.
fn is_about_roles(said: &str) -> bool {
    said.contains("roles must alternate")
        || said.contains("only user and assistant roles are supported")
        || SYSTEM.iter().any(|text| said.contains(text)) && UNKNOWN.iter().any(|text| said.contains(text))
        || said.contains("developer instruction is not enabled") // Gemini's API, of Gemma
}

fn lesson(then: Now, said: &str, param: Option<&str>) -> Option<u32> {
    let names = |field: &str| param.is_some_and(|p| p.split('.').next() == Some(field)) || word(said, field);
    if said.contains("invalid schema") && BOUNDS.iter().any(|bound| word(said, bound)) {
        return None;
    }
    if is_about_roles(said) {
        return Some(NO_ROLES);
    }
    // OpenAI's: a schema that is fine, but not for its strict way.
    if then.mode == AnswerMode::Schema && then.strict() && said.contains("invalid schema for response_format")
    {
        return Some(NO_STRICT);
    }
    if !UNKNOWN.iter().any(|text| said.contains(text)) {
        return None;
    }
    if names(then.limit) && (param == Some(then.limit) || !word(said, "response_format")) {
        return Some(OTHER_LIMIT);
    }
    let json = names("response_format") || JSON.iter().any(|text| said.contains(text));
    match then.mode {
        AnswerMode::Schema if json => return Some(NO_SCHEMA),
        AnswerMode::Object if json => return Some(NO_OBJECT),
        AnswerMode::Tool if names("tool_choice") || names("tools") || said.contains("tool use") => {
            return Some(NO_TOOL);
        }
        _ => {}
    }
    let fields = [
        ("stream_options", NO_STREAM_OPTIONS),
        ("seed", NO_SEED),
        ("temperature", NO_TEMPERATURE),
        ("top_p", NO_TOP_P),
        ("stop", NO_STOP),
    ];
    // One that the server names as the culprit comes before those that its text mentions.
    let (by_param, by_text) = fields.iter().fold((None, None), |(param_bit, text_bit), &(field, bit)| {
        let is_param = param.is_some_and(|p| p.split('.').next() == Some(field));
        let fresh = then.bits & bit == 0;
        (
            param_bit.or((is_param && fresh).then_some(bit)),
            text_bit.or((word(said, field) && fresh).then_some(bit)),
        )
    });
    by_param.or(by_text)
}

/// Whether a text has this word, not only as a part of another.
fn word(text: &str, word: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let (before, after) = (text[..at].chars().next_back(), text[at + word.len()..].chars().next());
        !before.is_some_and(inside) && !after.is_some_and(inside)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Complaint, Secrets};

    fn learn(habits: &Habits, mode: AnswerMode, body: &str) -> bool {
        let failure = Complaint::read(body.as_bytes()).failure(Some(400), &Secrets::default());
        habits.learn(habits.now(mode), &failure)
    }

    #[test]
    fn the_name_of_the_limit_changes_once() {
        let habits = Habits::new(false);
        let body = r#"{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.","type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}"#;
        assert_eq!(habits.now(AnswerMode::Schema).limit, "max_tokens");
        assert!(learn(&habits, AnswerMode::Schema, body));
        assert_eq!(habits.now(AnswerMode::Schema).limit, "max_completion_tokens");
        let back = body.replace("max_tokens", "max_completion_tokens");
        assert!(!learn(&habits, AnswerMode::Schema, &back)); // it does not know what it wants
    }

    #[test]
    fn ways_of_asking_for_json_go_down_step_by_step() {
        let habits = Habits::new(false);
        let strict = r#"{"error":{"message":"Invalid schema for response_format 'p': 'required' is required to be supplied","type":"invalid_request_error","param":"response_format","code":null}}"#;
        assert!(learn(&habits, AnswerMode::Schema, strict));
        assert!(!habits.now(AnswerMode::Schema).strict());
        assert!(!learn(&habits, AnswerMode::Schema, strict));
        let deepseek = r#"{"error":{"message":"This response_format type is unavailable now","type":"invalid_request_error","param":null,"code":"invalid_request_error"}}"#;
        for mode in [AnswerMode::Object, AnswerMode::Prompt] {
            assert!(learn(&habits, AnswerMode::Schema, deepseek));
            assert_eq!(habits.now(AnswerMode::Schema).mode, mode);
        }
        assert!(!learn(&habits, AnswerMode::Schema, deepseek));
        for body in [
            r#"{"error":{"message":"The provided JSON schema contains features not supported by xgrammar.","type":"BadRequestError","param":null,"code":400}}"#,
            r#"{"error":{"message":"No endpoints found that support the requested structured outputs","code":404}}"#,
            r#"[{"error":{"code":400,"message":"Invalid JSON payload received. Unknown name \"additionalProperties\" at 'generation_config.response_schema': Cannot find field.","status":"INVALID_ARGUMENT"}}]"#,
        ] {
            let habits = Habits::new(false);
            let status = if body.contains("404") { 404 } else { 400 };
            let failure = Complaint::read(body.as_bytes()).failure(Some(status), &Secrets::default());
            assert!(habits.learn(habits.now(AnswerMode::Schema), &failure), "{body}");
            assert_eq!(habits.now(AnswerMode::Schema).mode, AnswerMode::Object, "{body}");
        }
        assert_eq!(habits.now(AnswerMode::Tool).mode, AnswerMode::Tool);
    }

    #[test]
    fn fields_that_are_not_known_are_left_out() {
        let habits = Habits::new(false);
        for body in [
            r#"{"error":{"message":"Unsupported value: 'temperature' does not support 0.7 with this model. Only the default (1) value is supported.","type":"invalid_request_error","param":"temperature","code":"unsupported_value"}}"#,
            r#"{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","seed"],"msg":"Extra inputs are not permitted"}]},"type":"invalid_request_error"}"#,
            r#"{"error":"json: unknown field \"stream_options\""}"#,
        ] {
            assert!(learn(&habits, AnswerMode::Schema, body), "{body}");
        }
        let now = habits.now(AnswerMode::Schema);
        assert!(!now.temperature() && !now.seed() && !now.stream_options() && now.top_p() && now.stop());
    }

    #[test]
    fn templates_that_want_turns_are_obeyed() {
        for body in [
            r#"{"object":"error","message":"Conversation roles must alternate user/assistant/user/assistant/...","type":"BadRequestError","param":null,"code":400}"#,
            r#"{"error":{"message":"System role not supported","type":"BadRequestError","param":null,"code":400}}"#,
            r#"{"error":{"code":500,"message":"Value is not callable: System role not supported at row 1","type":"server_error"}}"#,
            r#"{"error":{"message":"Unsupported value: 'messages[0].role' does not support 'system' with this model.","type":"invalid_request_error","param":"messages[0].role","code":"unsupported_value"}}"#,
        ] {
            let habits = Habits::new(false);
            let status = if body.contains("500") { 500 } else { 400 };
            let failure = Complaint::read(body.as_bytes()).failure(Some(status), &Secrets::default());
            assert!(habits.learn(habits.now(AnswerMode::Schema), &failure), "{body}");
            let now = habits.now(AnswerMode::Schema);
            assert!(!now.roles() && now.strict() && now.mode == AnswerMode::Schema, "{body}");
            assert!(!habits.learn(now, &failure), "{body}");
        }
    }

    #[test]
    fn values_that_are_wrong_teach_nothing() {
        let habits = Habits::new(false);
        for body in [
            r#"{"error":{"message":"Invalid schema for response_format 'p': In context=('properties', 'title'), 'maxLength' is not permitted.","type":"invalid_request_error","param":"response_format","code":null}}"#,
            r#"{"error":{"message":"max_tokens is too large: 100000. This model supports at most 16384 completion tokens.","type":"invalid_request_error","param":"max_tokens","code":"invalid_value"}}"#,
            r#"{"error":{"code":400,"message":"Unable to generate parser for this template. Automatic parser generation failed: JSON schema error at #: unrecognized type nonsense","type":"invalid_request_error"}}"#,
            r#"{"error":{"message":"temperature must be between 0 and 2","param":"temperature"}}"#,
            "unknown trouble",
        ] {
            assert!(!learn(&habits, AnswerMode::Schema, body), "{body}");
        }
    }
}
