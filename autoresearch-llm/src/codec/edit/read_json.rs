//! Edits as JSON.

use super::op::Op;
use super::read_text;
use super::scope::Scope;
use crate::codec::hint::{kind, quoted};
use serde_json::{Map, Value};

const SHAPES: &str = "write [{\"file\": path, \"find\": ..., \"replace\": ...}, ...] or [{\"file\": path, \"text\": ...}, ...], or a diff as a text";

/// All edits of a change, in whatever form.
pub(super) fn ops(change: &Value, scope: &Scope<'_>) -> Result<Vec<Op>, String> {
    let mut out = Vec::new();
    read(change, scope, None, &mut out, 0)?;
    if out.is_empty() {
        return Err(format!("there is no edit in the answer; {SHAPES}"));
    }
    Ok(out)
}

/// `within` is the file that is named around it.
fn read(
    change: &Value,
    scope: &Scope<'_>,
    within: Option<&str>,
    out: &mut Vec<Op>,
    depth: usize,
) -> Result<(), String> {
    match change {
        _ if depth > 8 => Err(format!("the change is nested too deeply; {SHAPES}")),
        Value::String(text) => match serde_json::from_str(text.trim()) {
            Ok(inner @ (Value::Array(_) | Value::Object(_))) => read(&inner, scope, within, out, depth + 1),
            _ => read_text::ops(text, scope, within).map(|ops| out.extend(ops)),
        },
        Value::Array(items) => items.iter().try_for_each(|item| read(item, scope, within, out, depth + 1)),
        Value::Object(map) => object(map, change, scope, within, out, depth),
        other => Err(format!("the change is {}; {SHAPES}", kind(other))),
    }
}

fn object(
    map: &Map<String, Value>,
    whole: &Value,
    scope: &Scope<'_>,
    within: Option<&str>,
    out: &mut Vec<Op>,
    depth: usize,
) -> Result<(), String> {
    let get = |keys: &[&str]| keys.iter().find_map(|key| map.get(*key));
    let inner = get(&["edits", "changes", "change", "files", "diff", "patch"]);
    let path = match (get(&["file", "path", "filename"]), within) {
        (Some(Value::String(path)), _) => path,
        (Some(other), _) => {
            return Err(format!("`file` is {}; it must be the path of a file", quoted(other)));
        }
        (None, Some(path)) => path,
        (None, None) => match inner {
            Some(inner) => return read(inner, scope, None, out, depth + 1),
            None => return Err(format!("{} names no `file`; {SHAPES}", quoted(whole))),
        },
    };
    let path = path.strip_prefix("./").unwrap_or(path).to_string();
    let text = |keys: &[&str]| match get(keys) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Null) => Ok(None),
        // Some models write a list of lines.
        Some(Value::Array(lines)) if lines.iter().all(Value::is_string) => {
            let lines: Vec<&str> = lines.iter().filter_map(Value::as_str).collect();
            Ok(Some(lines.join("\n") + "\n"))
        }
        Some(other) => Err(format!("`{}` of `{path}` is {}; it must be a text", keys[0], kind(other))),
    };
    let search = text(&["find", "search", "old_string", "old"])?;
    let replace = text(&["replace", "new_string", "new", "replacement"])?;
    let content = text(&["text", "content", "contents"])?;
    let inner = inner.filter(|inner| !inner.is_null());
    let gone = get(&["delete", "deleted"]) == Some(&Value::Bool(true))
        || (get(&["text"]) == Some(&Value::Null) && inner.is_none());
    let op = match (search, replace, content) {
        (Some(search), Some(replace), _) => {
            Op::Replace { path, readings: vec![(search, replace)], whole_lines: false }
        }
        (Some(_), None, _) => {
            return Err(format!("the edit of `{path}` has no `replace`; an empty text deletes"));
        }
        (None, Some(_), None) => {
            return Err(format!("the edit of `{path}` has no `find`; quote what is to be replaced"));
        }
        (None, _, Some(text)) => Op::Write { path, text },
        (None, None, None) if gone => Op::Delete { path },
        (None, None, None) => {
            return match inner {
                Some(inner) => read(inner, scope, Some(&path), out, depth + 1),
                None => Err(format!("the edit of `{path}` says nothing to do; {SHAPES}")),
            };
        }
    };
    out.push(op);
    Ok(())
}
