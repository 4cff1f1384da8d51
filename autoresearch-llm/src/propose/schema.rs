//! The JSON that an answer should be.

use crate::chat::AnswerSchema;
use serde_json::{Value, json};

/// How much of the schema a model's API is told. Servers differ in what they take; one that refuses is told less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// All of it, with limits on the lengths of texts: a small model that must obey may else never end one.
    Bounded,
    /// Without limits on lengths, which some strict modes refuse.
    Plain,
    /// Nothing: it stands in the prompt.
    Prompted,
}

impl Form {
    /// What to try where this is refused.
    pub(crate) fn simpler(self) -> Option<Self> {
        match self {
            Self::Bounded => Some(Self::Plain),
            Self::Plain => Some(Self::Prompted),
            Self::Prompted => None,
        }
    }
}

/// An object of several proposals, each a hypothesis with a change of this schema. Every property is required and no
/// other allowed, as strict modes want it. Texts are limited so that one proposal fits into so many tokens.
pub(crate) fn envelope(change: &Value, most: usize, tokens: u32, form: Form) -> AnswerSchema {
    let text = |most: u32| match form {
        Form::Bounded => json!({"type": "string", "maxLength": most}),
        _ => json!({"type": "string"}),
    };
    // A token is two characters at least; names, numbers and punctuation want their share.
    let (mut title, mut rationale, mut tag) =
        (text((tokens / 3).clamp(24, 120)), text(tokens.clamp(40, 600)), text((tokens / 8).clamp(12, 32)));
    title["description"] = "what changes, in one line".into();
    rationale["description"] = "why it should help".into();
    tag["description"] = "a short label for the kind of change".into();
    let mut tags = json!({"type": "array", "items": tag});
    let mut list = json!({
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "title": title,
                "rationale": rationale,
                "expected_gain": {
                    "type": ["number", "null"],
                    "description": "the expected improvement of the objective, positive for better",
                },
                "tags": null,
                "change": change,
            },
            "required": ["title", "rationale", "expected_gain", "tags", "change"],
            "additionalProperties": false,
        },
    });
    if form == Form::Bounded {
        tags["maxItems"] = 3.into();
        list["minItems"] = 1.into();
        list["maxItems"] = most.into();
    }
    list["items"]["properties"]["tags"] = tags;
    let schema = json!({
        "type": "object",
        "properties": {"proposals": list},
        "required": ["proposals"],
        "additionalProperties": false,
    });
    AnswerSchema::new("proposals", schema)
}

/// Whether a refusal seems to be about the schema.
pub(crate) fn is_about_schema(message: &str) -> bool {
    const WORDS: [&str; 10] = [
        "schema",
        "response_format",
        "response format",
        "json",
        "grammar",
        "maxlength",
        "maxitems",
        "output_config",
        "structured",
        "tool",
    ];
    let message = message.to_lowercase();
    WORDS.iter().any(|word| message.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every object is closed and has all of its properties required.
    fn is_strict(schema: &Value) -> bool {
        match schema {
            Value::Object(map) => {
                let closed = map.get("properties").and_then(Value::as_object).is_none_or(|properties| {
                    let required = map.get("required").and_then(Value::as_array);
                    map.get("additionalProperties") == Some(&json!(false))
                        && required.is_some_and(|r| properties.keys().all(|k| r.contains(&json!(k))))
                });
                closed && map.values().all(is_strict)
            }
            Value::Array(list) => list.iter().all(is_strict),
            _ => true,
        }
    }

    #[test]
    fn strict_modes_can_take_it() {
        let change = json!({"type": "number", "minimum": 0});
        for form in [Form::Bounded, Form::Plain, Form::Prompted] {
            let schema = envelope(&change, 4, 1000, form).schema;
            assert!(is_strict(&schema), "{schema}");
            assert_eq!(schema["properties"]["proposals"]["items"]["properties"]["change"], change);
            let limits = schema.to_string().contains("maxLength");
            assert_eq!(limits, form == Form::Bounded);
        }
        assert!(!is_strict(&json!({"type": "object", "properties": {"a": {}}})));
    }
}
