//! What a misspelt name may have meant, and how values are quoted.

use serde_json::Value;

/// The nearest of the names, where one is near.
pub(super) fn nearest<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Long texts are no misspelling of a name, and comparing them takes its time.
    if wrong.len() > 200 {
        return None;
    }
    let names: Vec<&str> = names.into_iter().collect();
    let same = |name: &&str| name.eq_ignore_ascii_case(wrong);
    let last =
        |name: &str| name.rsplit(['.', '/']).next().is_some_and(|last| last.eq_ignore_ascii_case(wrong));
    let by_letters = || similar::get_close_matches(wrong, &names, 1, 0.6).first().copied();
    let by_ending = || names.iter().copied().find(|name| last(name));
    names.iter().copied().find(|name| same(name)).or_else(by_ending).or_else(by_letters)
}

/// "; did you mean `x`?", or nothing.
pub(super) fn did_you_mean<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    nearest(wrong, names).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// A value as JSON, cut to what fits into a message.
pub(super) fn quoted(value: &Value) -> String {
    cut(&value.to_string(), 120)
}

/// At most so many characters of a text; "…" stands for the rest.
pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_string(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

/// What kind of JSON a value is.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// JSON that came as a text once more, as it does from models that quote twice; anything else as it is.
pub(super) fn unquoted(value: &Value) -> Value {
    match value {
        Value::String(text) => match serde_json::from_str(text.trim()) {
            Ok(inner @ (Value::Object(_) | Value::Array(_))) => inner,
            _ => value.clone(),
        },
        _ => value.clone(),
    }
}
