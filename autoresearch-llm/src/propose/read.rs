//! Finds the proposals in an answer, whatever is around them.

use serde_json::{Deserializer, Value};

/// Answers longer than this are not read to the end.
const MOST_BYTES: usize = 1 << 20;
/// How many beginnings of JSON are tried.
const MOST_BEGINNINGS: usize = 64;
/// How much is scanned in all, so that junk costs no more than a long answer.
const MOST_SCANNED: usize = 4 << 20;

/// What an answer holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Found {
    /// Entries of an envelope, each still to be looked at; and whether more was begun, and is cut off or broken.
    Entries(Vec<Value>, bool),
    /// JSON that is no envelope: a change without a hypothesis, perhaps.
    Bare(Value),
    /// No JSON of use; the text without what the model thought aloud.
    Text(String),
    /// Nothing but white space, or thoughts that did not end.
    Nothing,
}

/// Finds `key`'s list of entries (`{"proposals": […]}`), or entries that stand alone: objects with the field `mark`.
pub(crate) fn find(text: &str, key: &str, mark: &str) -> Found {
    let text = &text[..text.floor_char_boundary(MOST_BYTES)];
    // As it should be. Tags of thinking may well occur within a string of JSON.
    if let Ok(value) = serde_json::from_str::<Value>(text.trim()) {
        return entries(&value, key, mark).map_or(Found::Bare(value), |list| Found::Entries(list, false));
    }
    let said = without_thoughts(text);
    if said.is_empty() {
        return Found::Nothing;
    }
    let (values, bare) = scan(said, key, mark);
    if !values.is_empty() {
        let cut = salvage(said, key).is_some_and(|(_, cut)| cut);
        return Found::Entries(values, cut);
    }
    // The envelope does not close, or holds something broken: what is whole in it counts.
    match salvage(said, key) {
        Some((list, cut)) if !list.is_empty() || cut => Found::Entries(list, cut),
        _ => bare.map_or_else(|| Found::Text(said.to_string()), Found::Bare),
    }
}

/// The text after whatever the model thought aloud.
pub(crate) fn without_thoughts(text: &str) -> &str {
    const TAGS: [&str; 4] = ["think", "thinking", "reasoning", "thought"];
    let mut rest = text.trim();
    // At the beginning only: further on it is part of the answer. Some servers cut the opening tag off.
    'again: loop {
        for tag in TAGS {
            let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
            if let Some(inside) = rest.strip_prefix(&open) {
                match inside.find(&close) {
                    Some(at) => rest = inside[at + close.len()..].trim_start(),
                    None => return "",
                }
                continue 'again;
            }
        }
        break;
    }
    for tag in TAGS {
        let close = format!("</{tag}>");
        if let Some(at) = rest.find(&close)
            && !rest[..at].contains(['{', '<'])
        {
            rest = rest[at + close.len()..].trim_start();
        }
    }
    rest.trim()
}

/// The entries of a value that is an envelope, or of one of the forms that models take for one.
fn entries(value: &Value, key: &str, mark: &str) -> Option<Vec<Value>> {
    let is_entry = |v: &Value| v.get(mark).is_some() || v.get("title").is_some();
    match value {
        Value::Object(map) => match map.get(key) {
            Some(Value::Array(list)) => Some(list.clone()),
            Some(one @ Value::Object(_)) => Some(vec![one.clone()]),
            // The list written as a string.
            Some(Value::String(text)) => match serde_json::from_str(text) {
                Ok(Value::Array(list)) => Some(list),
                _ => None,
            },
            _ if is_entry(value) => Some(vec![value.clone()]),
            // `{"proposal": {…}}`, `{"answer": {"proposals": […]}}`
            _ if map.len() == 1 => map
                .values()
                .next()
                .filter(|v| v.is_object() || v.is_array() && **v != Value::Array(Vec::new()))
                .and_then(|inner| entries(inner, key, mark)),
            _ => None,
        },
        Value::Array(list) if !list.is_empty() && list.iter().any(is_entry) => Some(list.clone()),
        _ => None,
    }
}

/// All envelopes in a text, in order, and the last JSON object that is none.
fn scan(text: &str, key: &str, mark: &str) -> (Vec<Value>, Option<Value>) {
    let (mut found, mut bare) = (Vec::new(), None);
    let (mut at, mut beginnings, mut scanned) = (0, 0, 0);
    while let Some(start) = text[at..].find(['{', '[']).map(|i| at + i) {
        if beginnings == MOST_BEGINNINGS || scanned > MOST_SCANNED {
            break;
        }
        let mut stream = Deserializer::from_str(&text[start..]).into_iter::<Value>();
        match stream.next() {
            Some(Ok(value)) => {
                let length = stream.byte_offset();
                scanned += length;
                match entries(&value, key, mark) {
                    Some(list) => found.extend(list),
                    None if value.is_object() => bare = Some(value),
                    None => {}
                }
                at = start + length;
            }
            _ => {
                // How far it got is not told; most junk fails within a few bytes.
                scanned += if promising(&text[start..]) { text.len() - start } else { 16 };
                beginnings += usize::from(promising(&text[start..]));
                at = start + 1;
            }
        }
    }
    (found, bare)
}

/// Whether what begins here could be JSON at first sight.
fn promising(text: &str) -> bool {
    let mut rest = text.bytes().filter(|b| !b.is_ascii_whitespace());
    match (rest.next(), rest.next()) {
        (Some(b'{'), Some(next)) => next == b'"' || next == b'}',
        (Some(b'['), Some(next)) => matches!(next, b'{' | b'[' | b'"' | b']'),
        _ => false,
    }
}

/// The whole entries of a list that may be cut off or broken further on; whether it is.
fn salvage(text: &str, key: &str) -> Option<(Vec<Value>, bool)> {
    let named = format!("\"{key}\"");
    let after = &text[text.rfind(&named)? + named.len()..];
    let after = after.trim_start().strip_prefix(':')?.trim_start();
    let mut rest = after.strip_prefix('[')?;
    let mut list = Vec::new();
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
        if rest.starts_with(']') {
            return Some((list, false));
        }
        let mut stream = Deserializer::from_str(rest).into_iter::<Value>();
        match stream.next() {
            Some(Ok(value)) => {
                let length = stream.byte_offset();
                list.push(value);
                rest = &rest[length..];
            }
            _ => return Some((list, true)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(text: &str) -> Found {
        find(text, "proposals", "change")
    }

    fn one(change: i32) -> Value {
        json!({"title": "t", "change": change})
    }

    #[test]
    fn an_envelope_is_found_in_whatever_is_around_it() {
        let envelope = json!({"proposals": [one(1), one(2)]}).to_string();
        for text in [
            envelope.clone(),
            format!("```json\n{envelope}\n```"),
            format!("Sure! Here {{is}} what I propose [see below]:\n\n{envelope}\nI hope this helps {{}}."),
            format!("<think>Perhaps {{\"proposals\": [9]}}? No.</think>\n{envelope}"),
            format!("so I should… </think>{envelope}"),
            format!("```\n{}\n```\nand\n```\n{}\n```", one(1), one(2)),
            format!("{}\n{}", one(1), one(2)),
            format!("[{},{}]", one(1), one(2)),
            json!({"answer": {"proposals": [one(1), one(2)]}}).to_string(),
            json!({"proposals": json!([one(1), one(2)]).to_string()}).to_string(),
        ] {
            assert_eq!(read(&text), Found::Entries(vec![one(1), one(2)], false), "{text}");
        }
        assert_eq!(read(&one(1).to_string()), Found::Entries(vec![one(1)], false));
        let wrapped = json!({"proposal": one(1)}).to_string();
        assert_eq!(read(&wrapped), Found::Entries(vec![one(1)], false));
        // A tag within the answer is part of it.
        let tagged = json!({"proposals": [{"title": "</think>", "change": 1}]}).to_string();
        assert!(matches!(read(&format!("Here: {tagged}")), Found::Entries(list, false) if list.len() == 1));
    }

    #[test]
    fn what_is_whole_in_a_cut_answer_counts() {
        let envelope = json!({"proposals": [one(1), one(2)]}).to_string();
        let cut = |n: usize| read(&envelope[..envelope.len() - n]);
        assert_eq!(cut(1), Found::Entries(vec![one(1), one(2)], false));
        assert_eq!(cut(3), Found::Entries(vec![one(1)], true));
        assert_eq!(cut(30), Found::Entries(vec![], true));
        let broken = r#"{"proposals": [{"title": "t", "change": 1}, {"title": "t" "change": 2}]}"#;
        assert_eq!(read(broken), Found::Entries(vec![one(1)], true));
    }

    #[test]
    fn everything_else_is_told_apart() {
        assert_eq!(read(" \n"), Found::Nothing);
        assert_eq!(read("<think>and then {\"proposals\": []}"), Found::Nothing);
        assert_eq!(read("<think>a</think>"), Found::Nothing);
        assert_eq!(read("I would rather not."), Found::Text("I would rather not.".into()));
        assert_eq!(read("Try {\"lr\": 0.1}"), Found::Bare(json!({"lr": 0.1})));
        assert_eq!(read("17"), Found::Bare(json!(17)));
        assert_eq!(read("{\"proposals\": []}"), Found::Entries(vec![], false));
    }

    #[test]
    fn junk_of_megabytes_ends() {
        for junk in ["{\"a\":", "[[{\"", "{\"proposals\":[", "{", "<think>", "\\\"{"] {
            let text = junk.repeat((3 << 19) / junk.len());
            assert!(!matches!(read(&text), Found::Entries(list, _) if !list.is_empty()));
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "(\\PC|[{}\\[\\]\":,]|proposals|<think>|</think>){0,60}") {
            let _ = read(&text);
        }
    }
}
