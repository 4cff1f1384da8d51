//! JSON lines and JSON arrays of objects; nested objects become columns such as `config.seed`.

use super::table::{Format, Raw, Table};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// Columns in the order in which they were first seen.
#[derive(Default)]
struct Names {
    all: Vec<String>,
    at: HashMap<String, usize>,
}

impl Names {
    fn place(&mut self, name: String) -> usize {
        *self.at.entry(name).or_insert_with_key(|name| {
            self.all.push(name.clone());
            self.all.len() - 1
        })
    }
}

pub(super) fn lines(text: &str) -> Table {
    let mut names = Names::default();
    let mut table = empty(Format::JsonLines);
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || line.starts_with("//") {
            continue;
        }
        let value = serde_json::from_str(line);
        match value.or_else(|error| serde_json::from_str(&without_nan(line)).map_err(|_| error)) {
            Ok(value) => take(&mut table, &mut names, number, value),
            Err(error) => table.bad(number, format!("not JSON: {error}")),
        }
    }
    finish(table, names)
}

/// Python writes NaN and Infinity, which JSON has no word for: here they become null, outside of strings.
fn without_nan(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    let (mut quoted, mut escaped) = (false, false);
    while let Some(c) = rest.chars().next() {
        if !quoted
            && let Some(word) = ["NaN", "-Infinity", "Infinity"].iter().find(|word| rest.starts_with(**word))
        {
            out.push_str("null");
            rest = &rest[word.len()..];
            continue;
        }
        if c == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = quoted && c == '\\' && !escaped;
        out.push(c);
        rest = &rest[c.len_utf8()..];
    }
    out
}

/// Whether the text begins with an array of objects, rather than a line of text in brackets.
pub(super) fn is_array(text: &str) -> bool {
    text.trim_start().strip_prefix('[').is_some_and(|rest| rest.trim_start().starts_with(['{', ']']))
}

pub(super) fn array(text: &str) -> Table {
    // The words that JSON does not have go first; lines stay where they are.
    let text = &without_nan(text);
    let mut names = Names::default();
    let mut table = empty(Format::JsonArray);
    let mut at = text.find('[').map_or(text.len(), |i| i + 1);
    let (mut line, mut counted) = (1, 0);
    loop {
        at += text[at..].len() - text[at..].trim_start_matches(|c: char| c.is_whitespace() || c == ',').len();
        line += text[counted..at].matches('\n').count() as u64;
        counted = at;
        if at >= text.len() || text[at..].starts_with(']') {
            break;
        }
        let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>();
        match values.next() {
            Some(Ok(value)) => {
                at += values.byte_offset();
                take(&mut table, &mut names, line, value);
            }
            Some(Err(error)) => {
                table.bad(line, format!("not JSON from here on, nothing after it was read: {error}"));
                break;
            }
            None => break,
        }
    }
    finish(table, names)
}

fn empty(format: Format) -> Table {
    Table { format, names: Vec::new(), rows: Vec::new(), unreadable: Vec::new(), notes: Vec::new() }
}

fn take(table: &mut Table, names: &mut Names, line: u64, value: Value) {
    let Value::Object(object) = value else {
        table.bad(line, "JSON, but not an object");
        return;
    };
    let mut cells = Vec::new();
    flatten(&object, "", &mut |name, value| {
        let at = names.place(name);
        if cells.len() <= at {
            cells.resize(at + 1, String::new());
        }
        cells[at] = value;
    });
    table.rows.push(Raw { line, cells, given: usize::MAX });
}

fn flatten(object: &Map<String, Value>, prefix: &str, put: &mut impl FnMut(String, String)) {
    for (key, value) in object {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Object(inner) => flatten(inner, &name, put),
            Value::Null => put(name, String::new()),
            Value::String(text) => put(name, text.clone()),
            other => put(name, other.to_string()),
        }
    }
}

fn finish(mut table: Table, names: Names) -> Table {
    table.names = names.all;
    table
}
