//! What a misspelt name may have meant, and how values are quoted.

use autoresearch_core::ParamValue;
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
    match value {
        Value::Number(n) if n.is_f64() => n.as_f64().map(number).unwrap_or_default(),
        _ => cut(&value.to_string(), 120),
    }
}

/// The shortest text for a number; for one that a single-precision field holds, as single precision.
pub(super) fn number(x: f64) -> String {
    let (single, double) = (x as f32, format!("{x:?}"));
    let short = format!("{single:?}");
    if f64::from(single) == x && short.len() < double.len() { short } else { double }
}

/// A parameter's value in words.
pub(super) fn shown(value: Option<&ParamValue>) -> String {
    match value {
        Some(ParamValue::Float(x)) => number(*x),
        Some(value) => value.to_string(),
        None => "unset".into(),
    }
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
