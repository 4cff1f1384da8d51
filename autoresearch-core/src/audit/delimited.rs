//! Tables of delimited text: TSV, CSV and their relatives, with or without a header.

use super::number::{Cell, number};
use super::table::{Format, Raw, Table, Unreadable};
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
    // Old spreadsheets end lines with a carriage return alone.
    let end = if text.contains('\n') { '\n' } else { '\r' };
    let lines: Vec<&str> = text.split(end).map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
    if let Some(table) = metric_file(&lines) {
        return table;
    }
    let (delimiter, width) = guess(&lines);
    let shape = Shape { delimiter, width, numeric: numeric_fields(&lines, delimiter, width) };
    let mut unreadable = Vec::new();
    let mut records = records(&lines, &shape, &mut unreadable);
    let above = above_the_header(&records, width);
    let notes: Vec<String> = records
        .drain(..above)
        .map(|record| format!("Line {} stands above the header and was not read.", record.line))
        .collect();
    let mut records = records.into_iter().peekable();
    let header = records.peek().is_some_and(|first| is_header(&first.cells));
    let names =
        if header { records.next().map(|r| clean_header(r.cells)).unwrap_or_default() } else { Vec::new() };
    let mut table =
        Table { format: Format::Delimited { delimiter, header }, names, rows: Vec::new(), unreadable, notes };
    if !header {
        table.names = (1..=width.max(1)).map(|i| format!("column {i}")).collect();
    }
    for record in records {
        take(&mut table, record, delimiter);
    }
    table
}

/// How the lines are cut.
struct Shape {
    delimiter: char,
    width: usize,
    /// Fields that hold numbers in most lines.
    numeric: Vec<usize>,
}

impl Shape {
    /// Whether cells are those of a row by their number and by the numbers in them.
    fn is_row(&self, cells: &[String]) -> bool {
        cells.len() == self.width
            && self.width > 1
            && self.numeric.iter().any(|&at| matches!(number(&cells[at]), Cell::Number(_)))
    }
}

/// The fields that hold numbers in most lines of full width.
fn numeric_fields(lines: &[&str], delimiter: char, width: usize) -> Vec<usize> {
    let mut numbers = vec![0; width];
    let mut full = 0;
    for line in lines.iter().filter(|line| !is_blank(line)).take(SAMPLE) {
        let cells: Vec<&str> = line.split(delimiter).collect();
        if cells.len() == width {
            full += 1;
            for (at, cell) in cells.iter().enumerate() {
                numbers[at] += usize::from(matches!(number(cell), Cell::Number(_)));
            }
        }
    }
    (0..width).filter(|&at| numbers[at] * 2 > full).collect()
}

/// How many records stand above the header: lines narrower than the table, before one of full width that names columns.
fn above_the_header(records: &[Record], width: usize) -> usize {
    const TITLES: usize = 10;
    let full = records.iter().take(TITLES + 1).position(|record| record.cells.len() >= width);
    full.filter(|&at| width > 1 && is_header(&records[at].cells)).unwrap_or(0)
}

/// What MLflow writes for a metric: a time in milliseconds, the value and the step, with spaces between.
fn metric_file(lines: &[&str]) -> Option<Table> {
    let mut rows = Vec::new();
    for (line, text) in (1..).zip(lines).filter(|(_, text)| !is_blank(text)) {
        let cells: Vec<String> = text.split_whitespace().map(str::to_string).collect();
        let [time, value, step] = &cells[..] else { return None };
        let whole = |cell: &str| cell.bytes().all(|b| b.is_ascii_digit());
        let is_value = matches!(number(value), Cell::Number(_) | Cell::NotFinite);
        if !(whole(time) && time.len() >= 12 && whole(step) && is_value) {
            return None;
        }
        rows.push(Raw { line, given: 3, cells });
    }
    let names = ["timestamp", "value", "step"].map(String::from).to_vec();
    let format = Format::Delimited { delimiter: ' ', header: false };
    (!rows.is_empty()).then_some(Table { format, names, rows, unreadable: Vec::new(), notes: Vec::new() })
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
    } else if header
        && is_like(&record.cells, &table.names)
        && clean_header(record.cells.clone()) == table.names
    {
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

/// Whether cells may be the header once more.
fn is_like(cells: &[String], names: &[String]) -> bool {
    cells.last().zip(names.last()).is_some_and(|(cell, name)| cell.trim() == name || cell.trim().is_empty())
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

/// Splits the lines into records. Blank lines and comments are none; a line of full width that is commented out is listed.
fn records(lines: &[&str], shape: &Shape, unreadable: &mut Vec<Unreadable>) -> Vec<Record> {
    let &Shape { delimiter, width, .. } = shape;
    let hashed =
        |line: &&&str| line.trim_start().starts_with('#') && !line.trim_start()[1..].starts_with(' ');
    let filled = lines.iter().skip(1).filter(|line| !is_blank(line)).count();
    // Identifiers may begin with a #: then most of them do.
    let identifiers = lines.iter().skip(1).filter(hashed).count() * 2 > filled;
    let mut records = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        let number = at as u64 + 1;
        at += 1;
        if is_blank(line) || is_rule(line) || (number == 1 && line.to_lowercase().starts_with("sep=")) {
            continue;
        }
        if let Some(rest) = line.trim_start().strip_prefix('#') {
            // The header may be behind a #, and so may an identifier; anything else is a comment.
            let cells: Vec<String> = line.split(delimiter).map(str::to_string).collect();
            let full = cells.len() == width && width > 1;
            let identifier =
                rest.starts_with(|c: char| c.is_ascii_digit()) || (identifiers && !rest.starts_with(' '));
            if !full || !(records.is_empty() || identifier) {
                if full && shape.is_row(&cells) {
                    unreadable.push(Unreadable {
                        line: number,
                        reason: "a row that is commented out with a #".into(),
                    });
                }
                continue;
            }
        }
        let (record, used) = record(&lines[at - 1..], shape);
        records.push(Record { line: number, ..record });
        at += used - 1;
    }
    records
}

/// The record that begins with the first of `lines`, and how many lines it takes.
fn record(lines: &[&str], shape: &Shape) -> (Record, usize) {
    let &Shape { delimiter, width, .. } = shape;
    let line = lines[0];
    if delimiter == '|' && line.contains("\\|") {
        // Markdown escapes a bar that is part of a text.
        let whole = line.replace("\\|", "\u{1}");
        let cells = whole.split(delimiter).map(|cell| cell.replace('\u{1}', "|")).collect();
        return (Record { line: 0, cells, closed: true }, 1);
    }
    if !line.contains('"') {
        return (
            Record { line: 0, cells: line.split(delimiter).map(str::to_string).collect(), closed: true },
            1,
        );
    }
    let mut open = leaves_open(line, delimiter, false);
    let mut used = 1;
    while open && used < lines.len().min(LINES_OF_A_FIELD) {
        // A line that is a row by itself belongs to no field, unless it ends one as it should: the quote is a stray one.
        let quoting = !leaves_open(lines[used], delimiter, false);
        if !ends_a_field(lines[used], delimiter)
            && split(lines[used], delimiter, quoting).is_some_and(|cells| shape.is_row(&cells))
        {
            break;
        }
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

/// Whether the first quote in a line, but for doubled ones, stands before a delimiter or at the end.
fn ends_a_field(line: &str, delimiter: char) -> bool {
    let line = line.replace("\"\"", "");
    line.split_once('"').is_some_and(|(_, rest)| rest.is_empty() || rest.starts_with(delimiter))
}

/// The delimiter, and how many fields most lines have with it: the one on which the lines agree best.
fn guess(lines: &[&str]) -> (char, usize) {
    let sample: Vec<&&str> = lines.iter().filter(|line| !is_blank(line)).take(SAMPLE).collect();
    let (mut best, mut best_score) = (('\t', 1), 0.0);
    let escaped: Vec<String> = sample.iter().map(|line| line.replace("\\|", "/")).collect();
    for delimiter in ['\t', ',', ';', '|'] {
        let mut widths: BTreeMap<usize, usize> = BTreeMap::new();
        for line in &escaped {
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
