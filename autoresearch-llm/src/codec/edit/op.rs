//! What an answer wants done to files, before any file was looked at.

/// One wish.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Op {
    /// Replace a passage that occurs once. Where it is not certain which `=======` divides a block there are several
    /// readings.
    Replace { path: String, readings: Vec<(String, String)>, whole_lines: bool },
    /// Change a file by hunks of a diff; both names as they stand in it.
    Diff { old: Option<String>, new: Option<String>, hunks: Vec<Hunk> },
    /// Make a file, or replace all of it.
    Write { path: String, text: String },
    /// Take a file out.
    Delete { path: String },
}

/// A line's part in a hunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Both,
    Old,
    New,
}

/// A hunk of a unified diff.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Hunk {
    /// The line of the old file at which it says to begin, from 1.
    pub(super) start: Option<usize>,
    pub(super) lines: Vec<(Side, String)>,
    /// Context lines at the end that are empty, without the space that context has: perhaps no part of the hunk.
    pub(super) doubtful: usize,
    /// "No newline at end of file", of the old and the new one.
    pub(super) old_open: bool,
    pub(super) new_open: bool,
}
