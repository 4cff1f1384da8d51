//! What a recorded call looks like: one line of JSON each.

use crate::chat::{ChatError, ChatReply, ChatRequest};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A transcript cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TranscriptError {
    /// The file cannot be opened, read or written.
    #[error("the transcript {path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line is no recorded call.
    #[error("{path}, line {line}, is no recorded call ({why}): is it a transcript?", path = path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
}

impl TranscriptError {
    pub(super) fn file(path: &Path) -> impl Fn(std::io::Error) -> Self {
        move |source| Self::File { path: path.into(), source }
    }
}

/// One call, as it is read.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Recorded {
    pub(super) model: String,
    #[serde(default)]
    pub(super) window: Option<u32>,
    pub(super) request: ChatRequest,
    #[serde(flatten)]
    pub(super) outcome: Outcome,
}

/// The same as it is written.
#[derive(Debug, Serialize)]
pub(super) struct Recording<'a> {
    pub(super) model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) window: Option<u32>,
    pub(super) request: &'a ChatRequest,
    #[serde(flatten)]
    pub(super) outcome: OutcomeOf<'a>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    Reply(ChatReply),
    Error(ChatError),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OutcomeOf<'a> {
    Reply(&'a ChatReply),
    Error(&'a ChatError),
}

/// Reads a transcript up to the last complete line, and says how many bytes that is. A last line without an end was torn
/// by a crash and counts for nothing.
pub(super) fn read(path: &Path) -> Result<(Vec<Recorded>, u64), TranscriptError> {
    // Of a device there might be no end.
    let is_file = std::fs::metadata(path).map_err(TranscriptError::file(path))?.is_file();
    let other = || std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is not a regular file");
    let bytes = if is_file { std::fs::read(path) } else { Err(other()) };
    let bytes = bytes.map_err(TranscriptError::file(path))?;
    let whole = bytes.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
    let mut calls = Vec::new();
    for (index, line) in bytes[..whole].split(|&b| b == b'\n').enumerate() {
        if line.is_empty() {
            continue;
        }
        let wrong = |e: serde_json::Error| TranscriptError::Line {
            path: path.into(),
            line: index + 1,
            why: e.to_string(),
        };
        calls.push(serde_json::from_slice(line).map_err(wrong)?);
    }
    let torn = &bytes[whole..];
    if !torn.is_empty() && !torn.starts_with(b"{\"model\"".get(..torn.len().min(8)).unwrap_or_default()) {
        let why = "its last line has no end and does not begin like one".into();
        let line = bytes[..whole].iter().filter(|&&b| b == b'\n').count() + 1;
        return Err(TranscriptError::Line { path: path.into(), line, why });
    }
    Ok((calls, whole as u64))
}
