//! What an agent did, in words.

use super::AgentRun;
use super::changes::Changes;
use super::tail::{end_of, start_of};
use crate::tree::SourceTree;
use std::time::Duration;

/// Files that are named.
const NAMED: usize = 5;
/// Bytes of output in an error.
const OUTPUT: usize = 1500;

/// What an agent said last: on standard error, or else on standard output.
pub(super) fn said(run: &AgentRun) -> String {
    let printed = [("standard error", &run.stderr), ("standard output", &run.stdout)];
    match printed.iter().find(|(_, text)| !text.trim().is_empty()) {
        Some((stream, text)) => format!("it said last on {stream}: {}", end_of(text.trim(), OUTPUT)),
        None => "it said nothing".into(),
    }
}

pub(super) fn seconds(limit: Duration) -> String {
    format!("{} s", limit.as_secs_f64())
}

/// The first few paths, and how many more there are.
pub(super) fn some(paths: &[&String]) -> String {
    let named: Vec<String> =
        paths.iter().take(NAMED).map(|path| format!("`{}`", start_of(path, 100))).collect();
    match paths.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// Which files changed by how many lines.
pub(super) fn stat<C: SourceTree>(base: &C, changes: &Changes) -> String {
    let parts = changes.edits.iter().take(NAMED).map(|(path, text)| match (base.text(path), text) {
        (_, None) => format!("{path} deleted"),
        (None, Some(text)) => format!("{path} new +{}", text.lines().count()),
        (Some(before), Some(text)) => {
            let (added, removed) = lines(&before, text);
            format!("{path} +{added} -{removed}")
        }
    });
    let listed = parts.collect::<Vec<_>>().join(", ");
    match changes.edits.len().saturating_sub(NAMED) {
        0 => listed,
        more => format!("{listed} and {more} more"),
    }
}

/// Lines that were added and removed.
fn lines(before: &str, after: &str) -> (usize, usize) {
    let diff = similar::TextDiff::configure().timeout(Duration::from_millis(200)).diff_lines(before, after);
    let count = |tag| diff.iter_all_changes().filter(|change| change.tag() == tag).count();
    (count(similar::ChangeTag::Insert), count(similar::ChangeTag::Delete))
}
