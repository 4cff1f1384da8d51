//! A task that cannot be opened.

use std::fmt;
use std::path::PathBuf;

/// A task makes no sense, or not here: where it says so, what is wrong, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskError {
    /// The file with the task, and the line, where it was read from one and the line is known.
    pub place: Option<(PathBuf, Option<usize>)>,
    /// The key of the file, or the part of the task, that is wrong; empty where it is the task as a whole.
    pub key: String,
    /// What is wrong, and what to do.
    pub message: String,
}

impl TaskError {
    pub(crate) fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place: None, key: key.into(), message: message.into() }
    }

    pub(crate) fn in_file(mut self, file: impl Into<PathBuf>, line: Option<usize>) -> Self {
        self.place = Some((file.into(), line));
        self
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some((file, Some(line))) => write!(f, "{}:{line}: ", file.display())?,
            Some((file, None)) => write!(f, "{}: ", file.display())?,
            None => {}
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for TaskError {}
