//! Tables of delimited text: TSV, CSV and their relatives, with or without a header.

use super::number::{Cell, number};
use super::table::{Format, Raw, Table};
use std::collections::BTreeMap;

/// A quoted field may go on over this many lines.
const LINES_OF_A_FIELD: usize = 100;
/// Lines from which the delimiter is guessed.
const SAMPLE: usize = 200;

/// One record and the line that it begins on; `closed` is false if a quote in it opens and never closes.
struct Record {
    line: u64,
    cells: Vec<String>,
    closed: bool,
}

pub(super) fn read(text: &str) -> Table {
    let lines: Vec<&str> = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
    let (delimiter, width) = guess(&lines);
    let mut records = records(&lines, delimiter, width).into_iter().peekable();
    let header = records.peek().is_some_and(|first| is_header(&first.cells));
    let names =
        if header { records.next().map(|r| clean_header(r.cells)).unwrap_or_default() } else { Vec::new() };
    let mut table = Table {
        format: Format::Delimited { delimiter, header },
        names,
        rows: Vec::new(),
        unreadable: Vec::new(),
        notes: Vec::new(),
    };
    if !header {
        table.names = (1..=width.max(1)).map(|i| format!("column {i}")).collect();
    }
    for record in records {
        take(&mut table, record, delimiter);
    }
    table
}

/// Puts a record where it belongs.
fn take(table: &mut Table, mut record: Record, delimiter: char) {
    let width = table.names.len();
    while record.cells.len() > width && record.cells.last().is_some_and(|c| c.trim().is_empty()) {
        record.cells.pop();
    }
    let found = record.cells.len();
    let header = matches!(table.format, Format::Delimited { header: true, .. });
    if !record.closed {
        table.bad(record.line, "a quote opens and is never closed");
    } else if header && clean_header(record.cells.clone()) == table.names {
        table.bad(record.line, "the header once more");
    } else if found > width && !(width > 1 && ends_in_prose(&table.names)) {
        table.bad(record.line, format!("{found} fields where {width} are expected"));
    } else {
        if found > width {
            // A delimiter in an unquoted description, which is the last column.
            let tail = record.cells.split_off(width - 1);
            record.cells.push(tail.join(&delimiter.to_string()));
        }
        record.cells.resize(width, String::new());
        table.rows.push(Raw { line: record.line, cells: record.cells, given: found });
    }
}

/// Whether the last column is one that people write sentences into.
fn ends_in_prose(names: &[String]) -> bool {
    let last = names.last().map(|name| name.to_lowercase()).unwrap_or_default();
    ["description", "desc", "notes", "note", "comment", "message", "idea", "hypothesis", "change"]
        .iter()
        .any(|prose| last.contains(prose))
}

fn clean_header(cells: Vec<String>) -> Vec<String> {
    let mut cells: Vec<String> = cells.into_iter().map(|cell| cell.trim().to_string()).collect();
    if let Some(first) = cells.first_mut()
        && let Some(rest) = first.strip_prefix('#')
    {
        *first = rest.trim().to_string();
    }
    for (i, cell) in cells.iter_mut().enumerate() {
        if cell.is_empty() {
            *cell = format!("column {}", i + 1);
        }
    }
    cells
}

/// A header names things: none of its cells is a number, and not all are empty.
fn is_header(cells: &[String]) -> bool {
    cells.iter().all(|cell| !matches!(number(cell), Cell::Number(_)))
        && cells.iter().any(|c| !c.trim().is_empty())
}

fn is_blank(line: &str) -> bool {
    line.trim().is_empty()
}

/// The line under the header of a Markdown table: `|---|:--:|`.
fn is_rule(line: &str) -> bool {
    line.contains('|') && line.contains("--") && line.chars().all(|c| "|-: \t\r".contains(c))
}

/// Splits the lines into records. Blank lines and comments are none.
fn records(lines: &[&str], delimiter: char, width: usize) -> Vec<Record> {
    let mut records = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        let number = at as u64 + 1;
        at += 1;
        if is_blank(line) || is_rule(line) || (number == 1 && line.to_lowercase().starts_with("sep=")) {
            continue;
        }
        if line.trim_start().starts_with('#') {
            // The header may be behind a #, and so may an identifier; anything else is a comment.
            let fields = line.split(delimiter).count();
            let identifier = line.trim_start()[1..].starts_with(|c: char| c.is_ascii_digit());
            if fields != width || width < 2 || !(records.is_empty() || identifier) {
                continue;
            }
        }
        let (record, used) = record(&lines[at - 1..], delimiter, width);
        records.push(Record { line: number, ..record });
        at += used - 1;
    }
    records
}

/// The record that begins with the first of `lines`, and how many lines it takes.
fn record(lines: &[&str], delimiter: char, width: usize) -> (Record, usize) {
    let line = lines[0];
    if !line.contains('"') {
        return (
            Record { line: 0, cells: line.split(delimiter).map(str::to_string).collect(), closed: true },
            1,
        );
    }
    let mut open = leaves_open(line, delimiter, false);
    let mut used = 1;
    while open && used < lines.len().min(LINES_OF_A_FIELD) {
        open = leaves_open(lines[used], delimiter, true);
        used += 1;
    }
    if !open && let Some(cells) = split(&lines[..used].join("\n"), delimiter, true) {
        // A quote that swallows rows until the next stray one does not give the right number of fields.
        if used == 1 || cells.len() == width {
            return (Record { line: 0, cells, closed: true }, used);
        }
    }
    // The quote is a stray one: without its special meaning the line may be a row all the same.
    let cells = split(line, delimiter, false).unwrap_or_default();
    let closed = cells.len() == width;
    (Record { line: 0, cells, closed }, 1)
}

fn split(record: &str, delimiter: char, quoting: bool) -> Option<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(u8::try_from(delimiter).ok()?)
        .quoting(quoting)
        .has_headers(false)
        .buffer_capacity(record.len() + 1)
        .from_reader(record.as_bytes());
    let mut fields = csv::StringRecord::new();
    reader.read_record(&mut fields).ok()?.then(|| fields.iter().map(str::to_string).collect())
}

/// Whether a quoted field is open at the end of a line, if it `was_open` at its beginning.
fn leaves_open(line: &str, delimiter: char, was_open: bool) -> bool {
    let (mut quoted, mut begins) = (was_open, !was_open);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        if quoted {
            if c == '"' {
                if chars.peek() == Some(&'"') {
                    chars.next();
                } else {
                    quoted = false
                }
            }
        } else if c == '"' && begins {
            quoted = true;
        }
        begins = !quoted && c == delimiter;
    }
    quoted
}

/// The delimiter, and how many fields most lines have with it: the one on which the lines agree best.
fn guess(lines: &[&str]) -> (char, usize) {
    let sample: Vec<&&str> = lines.iter().filter(|line| !is_blank(line)).take(SAMPLE).collect();
    let (mut best, mut best_score) = (('\t', 1), 0.0);
    for delimiter in ['\t', ',', ';', '|'] {
        let mut widths: BTreeMap<usize, usize> = BTreeMap::new();
        for line in &sample {
            let cells = split(line, delimiter, !leaves_open(line, delimiter, false));
            *widths.entry(cells.map_or(1, |cells| cells.len())).or_default() += 1;
        }
        let Some((&width, &count)) = widths.iter().max_by_key(|(width, count)| (**count, **width)) else {
            continue;
        };
        let score = count as f64 / sample.len() as f64;
        if width > 1 && score > best_score + 1e-9 {
            (best, best_score) = ((delimiter, width), score);
        }
    }
    best
}
