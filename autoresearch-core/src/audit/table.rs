//! A log as a table: cells of text, each row with the line it came from.

use super::{delimited, json};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How a log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Format {
    /// Lines of values with one character between them.
    Delimited {
        /// The character.
        delimiter: char,
        /// Whether the first line names the columns.
        header: bool,
    },
    /// One JSON object a line.
    JsonLines,
    /// A JSON array of objects.
    JsonArray,
    /// The events of a stored study.
    Store,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delimited { delimiter, header } => {
                match delimiter {
                    '\t' => f.write_str("separated by tabs")?,
                    ',' => f.write_str("separated by commas")?,
                    ';' => f.write_str("separated by semicolons")?,
                    ' ' => f.write_str("separated by spaces")?,
                    other => write!(f, "separated by \"{other}\"")?,
                }
                f.write_str(if *header { "" } else { ", without a header" })
            }
            Self::JsonLines => f.write_str("JSON lines"),
            Self::JsonArray => f.write_str("a JSON array"),
            Self::Store => f.write_str("a stored study"),
        }
    }
}

/// A row that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Unreadable {
    /// Its line, counted from 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// A row of text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Raw {
    pub(super) line: u64,
    /// One cell a column; empty where the row has none.
    pub(super) cells: Vec<String>,
    /// Cells that its line has; more than there are columns where cells are named one by one.
    pub(super) given: usize,
}

/// Everything that was read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Table {
    pub(super) format: Format,
    pub(super) names: Vec<String>,
    pub(super) rows: Vec<Raw>,
    pub(super) unreadable: Vec<Unreadable>,
    /// What a reader should know of how it was read.
    pub(super) notes: Vec<String>,
}

impl Table {
    /// Reads any bytes. What is no row is in [`unreadable`](Self::unreadable).
    pub(super) fn read(bytes: &[u8]) -> Self {
        let (text, note) = decode(bytes);
        let mut table = match text.split(['\n', '\r']).map(str::trim).find(|line| !line.is_empty()) {
            Some(first) if first.starts_with('{') => json::objects(&text),
            Some(first) if first.starts_with('[') && json::is_array(&text) => json::array(&text),
            _ => delimited::read(&text),
        };
        table.notes.extend(note);
        table
    }

    pub(super) fn bad(&mut self, line: u64, reason: impl Into<String>) {
        self.unreadable.push(Unreadable { line, reason: reason.into() });
    }

    /// The cells of a column.
    pub(super) fn column(&self, at: usize) -> impl Iterator<Item = &str> + '_ {
        self.rows.iter().map(move |row| row.cells.get(at).map_or("", String::as_str))
    }
}

/// Bytes as text: UTF-8, or UTF-16 where a byte order mark says so.
fn decode(bytes: &[u8]) -> (String, Option<String>) {
    let utf16 = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
        String::from_utf16_lossy(&units)
    };
    match bytes {
        [0xEF, 0xBB, 0xBF, rest @ ..] => lossy(rest),
        [0xFF, 0xFE, rest @ ..] => (utf16(rest, u16::from_le_bytes), None),
        [0xFE, 0xFF, rest @ ..] => (utf16(rest, u16::from_be_bytes), None),
        _ => lossy(bytes),
    }
}

fn lossy(bytes: &[u8]) -> (String, Option<String>) {
    match String::from_utf8_lossy(bytes) {
        std::borrow::Cow::Borrowed(text) => (text.to_string(), None),
        std::borrow::Cow::Owned(text) => {
            (text, Some("The file is not UTF-8 throughout; what is not was read as \u{FFFD}.".into()))
        }
    }
}
