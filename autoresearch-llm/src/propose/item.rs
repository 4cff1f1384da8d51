//! One proposal of an answer: its hypothesis, and the change that it is about.

use crate::prompt::{cut, one_line};
use serde_json::{Map, Value};

/// Characters of a title that are kept.
const TITLE: usize = 160;
/// Characters of a rationale that are kept.
const RATIONALE: usize = 2000;
/// Characters of a tag that are kept.
const TAG: usize = 32;
/// Tags that are kept.
const TAGS: usize = 5;
/// What the prompt has in the places of title, rationale and tag. Small models copy it.
const COPIED: [&str; 3] = ["what changes, in one line", "why it should help, in a few sentences", "a-label"];
/// What models call the fields of a hypothesis.
const FIELDS: [&str; 9] =
    ["title", "rationale", "expected_gain", "expected", "tags", "tag", "reason", "name", "number"];

/// A proposal as the model wrote it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Item {
    pub(crate) title: String,
    pub(crate) rationale: String,
    pub(crate) expected: Option<f64>,
    pub(crate) tags: Vec<String>,
    pub(crate) change: Value,
}

impl Item {
    /// Reads an entry of the envelope.
    ///
    /// # Errors
    /// There is no change in it.
    pub(crate) fn read(entry: &Value) -> Result<Self, String> {
        let Value::Object(map) = entry else {
            return Err("it must be an object with title, rationale, expected_gain, tags and change".into());
        };
        let text = |keys: &[&str]| {
            let value = keys.iter().find_map(|key| map.get(*key)).and_then(Value::as_str);
            value.filter(|text| !is_copied(text)).unwrap_or_default().to_string()
        };
        let change = match map.get("change") {
            Some(Value::Null) => return Err("its `change` is null: say what changes".into()),
            Some(change) => change.clone(),
            // The change's own fields, written beside the others.
            None => {
                let rest: Map<String, Value> = map
                    .iter()
                    .filter(|(key, _)| !FIELDS.contains(&key.as_str()))
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect();
                if rest.is_empty() {
                    return Err("it has no `change`: say what changes".into());
                }
                Value::Object(rest)
            }
        };
        Ok(Self {
            title: one_line(&text(&["title", "name"]), TITLE),
            rationale: cut(text(&["rationale", "reason"]).trim(), RATIONALE),
            expected: map.get("expected_gain").or(map.get("expected")).and_then(number),
            tags: tags(map.get("tags").or(map.get("tag"))),
            change,
        })
    }

    /// A change without a hypothesis.
    pub(crate) fn bare(change: Value) -> Self {
        Self { change, ..Self::default() }
    }

    /// An answer in plain text is the change itself; lines that begin with "title:" and "rationale:" say what it is.
    pub(crate) fn plain(text: &str) -> Self {
        let labelled = |label: &str| {
            text.lines().take(40).find_map(|line| {
                let line = line.trim_start_matches(['#', '*', '-', ' ']);
                let (name, value) = line.split_once(':')?;
                name.trim_end_matches('*').eq_ignore_ascii_case(label).then(|| value.trim_matches(['*', ' ']))
            })
        };
        let (title, rationale) = (labelled("title"), labelled("rationale"));
        Self {
            title: one_line(title.unwrap_or_default(), TITLE),
            rationale: cut(rationale.unwrap_or_default(), RATIONALE),
            ..Self::bare(Value::String(text.into()))
        }
    }
}

fn is_copied(text: &str) -> bool {
    let text = text.trim().to_lowercase();
    // Some go on from there. A label is short, and may begin like another.
    COPIED.iter().any(|copied| {
        text.trim_end_matches('.') == *copied || copied.contains(' ') && text.starts_with(copied)
    })
}

/// A number, written as one or as a text.
fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::String(text) => text.trim().trim_end_matches('%').parse().ok()?,
        other => other.as_f64()?,
    };
    f64::is_finite(number).then_some(number)
}

/// Labels, written as a list or as a text with commas: in small letters, each once.
pub(crate) fn tags(value: Option<&Value>) -> Vec<String> {
    let words: Vec<&str> = match value {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(text)) => text.split(',').collect(),
        _ => Vec::new(),
    };
    let mut tags: Vec<String> = Vec::new();
    for word in words {
        let clean: String = one_line(word, TAG)
            .to_lowercase()
            .trim_start_matches('#')
            .chars()
            .map(|c| if c.is_alphanumeric() { c } else { '-' })
            .collect();
        let tag = clean.trim_matches('-').to_string();
        if !tag.is_empty() && !is_copied(&tag) && !tags.contains(&tag) && tags.len() < TAGS {
            tags.push(tag);
        }
    }
    tags
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_hypothesis_is_read_as_it_is_meant() {
        let item = Item::read(&json!({
            "title": "raise\nthe rate", "rationale": " it is low ", "expected_gain": "0.02",
            "tags": "#Learning rate, optimiser,optimiser, by:me", "change": {"lr": 1},
        }))
        .expect("it has a change");
        assert_eq!((item.title.as_str(), item.rationale.as_str()), ("raise the rate", "it is low"));
        assert_eq!(item.expected, Some(0.02));
        // A portfolio's marks ("by:…") are not for models to give.
        assert_eq!(item.tags, ["learning-rate", "optimiser", "by-me"]);
        let copied = json!({"title": "What changes, in one line, and what it helps to improve", "tags": ["a-label"], "change": 1});
        let copied = Item::read(&copied).expect("it has a change");
        assert!(copied.title.is_empty() && copied.tags.is_empty(), "small models copy what the prompt says");
        let beside = Item::read(&json!({"title": "t", "expected_gain": null, "lr": 0.1})).expect("a change");
        assert_eq!((beside.change, beside.expected), (json!({"lr": 0.1}), None));
        for (entry, expected) in [
            (json!({"title": "t"}), "no `change`"),
            (json!({"title": "t", "change": null}), "null"),
            (json!("t"), "must be an object"),
        ] {
            let error = Item::read(&entry).expect_err("there is no change");
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn plain_text_may_be_labelled() {
        let item = Item::plain("**Title:** Drop the cast\nRationale: it is slow\n--- a\n+++ b");
        assert_eq!((item.title.as_str(), item.rationale.as_str()), ("Drop the cast", "it is slow"));
        assert_eq!(Item::plain("--- a\n+++ b").title, "");
    }
}
