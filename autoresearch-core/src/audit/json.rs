//! JSON lines, JSON arrays of objects, and a JSON object that holds one; nested objects become columns such as `config.seed`.

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
    fn place(&mut self, name: &str) -> usize {
        if let Some(&at) = self.at.get(name) {
            return at;
        }
        self.all.push(name.to_string());
        self.at.insert(name.to_string(), self.all.len() - 1);
        self.all.len() - 1
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

/// Python writes NaN and Infinity, which JSON has no word for: here they become strings.
fn without_nan(text: &str) -> std::borrow::Cow<'_, str> {
    if !["NaN", "Infinity"].iter().any(|word| text.contains(word)) {
        return text.into();
    }
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    let (mut quoted, mut escaped) = (false, false);
    while let Some(c) = rest.chars().next() {
        if !quoted
            && let Some(word) = ["NaN", "-Infinity", "Infinity"].iter().find(|word| rest.starts_with(**word))
        {
            out.extend(["\"", word, "\""]);
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
    out.into()
}

/// Text that begins with a brace: one object a line, objects over several lines, or one object with all rows in it.
pub(super) fn objects(text: &str) -> Table {
    let mut filled = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let (first, second) = (filled.next().unwrap_or_default(), filled.next());
    let parses = |text: &str| serde_json::from_str::<Value>(&without_nan(text)).is_ok();
    if second.is_some() && parses(first) {
        return lines(text);
    }
    let clean = without_nan(text);
    let mut values = serde_json::Deserializer::from_str(&clean).into_iter::<Value>();
    let mut found: Vec<(u64, Value)> = Vec::new();
    let (mut line, mut counted) = (1, 0);
    loop {
        let rest = &clean[values.byte_offset()..];
        let at = clean.len() - rest.trim_start().len();
        line += clean[counted..at].matches('\n').count() as u64;
        counted = at;
        match values.next() {
            Some(Ok(value)) => found.push((line, value)),
            Some(Err(_)) if found.is_empty() => return lines(text),
            Some(Err(error)) => {
                let mut table = rows(found);
                table.bad(line, format!("not JSON from here on, nothing after it was read: {error}"));
                return table;
            }
            None => break,
        }
    }
    if found.len() == 1
        && let Some((_, Value::Object(object))) = found.first()
        && let Some(table) = inside(object)
    {
        return table;
    }
    rows(found)
}

fn rows(found: Vec<(u64, Value)>) -> Table {
    let mut names = Names::default();
    let mut table = empty(Format::JsonLines);
    for (line, value) in found {
        take(&mut table, &mut names, line, value);
    }
    finish(table, names)
}

/// The rows inside an object: its longest array of objects, or its arrays of equal length as columns. They have no lines
/// of their own and are counted.
fn inside(object: &Map<String, Value>) -> Option<Table> {
    let arrays = || object.iter().filter_map(|(key, value)| Some((key, value.as_array()?)));
    let of_objects = |array: &Vec<Value>| !array.is_empty() && array.iter().all(Value::is_object);
    let mut names = Names::default();
    let mut table = empty(Format::JsonArray);
    if let Some((key, array)) =
        arrays().filter(|(_, array)| of_objects(array)).max_by_key(|(_, array)| array.len())
    {
        table.notes.push(format!(
            "The log is one JSON object: the {} rows of its \"{key}\" were read, and rows are counted instead of lines.",
            array.len()
        ));
        for (row, value) in (1..).zip(array) {
            take(&mut table, &mut names, row, value.clone());
        }
        return Some(finish(table, names));
    }
    if object.len() > 1 && object.values().all(Value::is_object) {
        for (row, (key, value)) in (1..).zip(object) {
            let mut value = value.clone();
            if let Value::Object(inner) = &mut value {
                inner.entry("name").or_insert_with(|| Value::String(key.clone()));
            }
            take(&mut table, &mut names, row, value);
        }
        table
            .notes
            .push("The log is one JSON object of runs by name: rows are counted instead of lines.".into());
        return Some(finish(table, names));
    }
    let length = arrays().map(|(_, array)| array.len()).max().filter(|&length| length > 1)?;
    let columns: Vec<_> = arrays().filter(|(_, array)| array.len() == length).collect();
    for row in 0..length {
        let cells = columns.iter().map(|(key, array)| ((*key).clone(), array[row].clone())).collect();
        take(&mut table, &mut names, row as u64 + 1, Value::Object(cells));
    }
    table.notes.push("The log is one JSON object of columns: rows are counted instead of lines.".into());
    Some(finish(table, names))
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
    let mut cells = Vec::with_capacity(names.all.len());
    flatten(object, &mut String::new(), names, &mut cells);
    table.rows.push(Raw { line, cells, given: usize::MAX });
}

/// Puts the values of an object where their columns are. `prefix` is the name of the object, with a dot.
fn flatten(object: Map<String, Value>, prefix: &mut String, names: &mut Names, cells: &mut Vec<String>) {
    let outer = prefix.len();
    for (key, value) in object {
        prefix.push_str(&key);
        let text = match value {
            Value::Object(inner) => {
                prefix.push('.');
                flatten(inner, prefix, names, cells);
                prefix.truncate(outer);
                continue;
            }
            Value::Null => String::new(),
            Value::String(text) => text,
            other => other.to_string(),
        };
        let at = names.place(prefix);
        if cells.len() <= at {
            cells.resize(at + 1, String::new());
        }
        cells[at] = text;
        prefix.truncate(outer);
    }
}

fn finish(mut table: Table, names: Names) -> Table {
    table.names = names.all;
    table
}
