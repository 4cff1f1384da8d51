//! Differences between trees, as short diffs.

use crate::codec::hint::cut;
use crate::tree::{SourceTree, changed, lines};
use similar::{Algorithm, TextDiff};
use std::fmt::Write as _;
use std::sync::Arc;

/// Lines around a change.
const CONTEXT: usize = 2;
/// Characters of a line.
const WIDTH: usize = 200;

/// A unified diff of at most about so many bytes; what does not fit is counted.
pub(crate) fn difference<T: SourceTree>(from: &T, to: &T, most: usize) -> String {
    let mut full = String::new();
    for (path, old, new) in changed(from, to) {
        let name = |side: &str, text: &Option<Arc<str>>| match text {
            Some(_) => format!("{side}/{path}"),
            None => "/dev/null".into(),
        };
        let _ = writeln!(full, "--- {}\n+++ {}", name("a", &old), name("b", &new));
        hunks(&mut full, old.as_deref().unwrap_or_default(), new.as_deref().unwrap_or_default());
    }
    let mut out = String::new();
    let mut rest = full.lines();
    for line in rest.by_ref() {
        let line = cut(line, WIDTH);
        if out.len() + line.len() >= most {
            let _ = write!(out, "… ({} more lines)", rest.count() + 1);
            return out;
        }
        out.push_str(&line);
        out.push('\n');
    }
    out.trim_end().to_string()
}

fn hunks(out: &mut String, old: &str, new: &str) {
    let (a, b) = (lines(old), lines(new));
    let mut config = TextDiff::configure();
    let diff = config.algorithm(Algorithm::Histogram).diff_slices(&a, &b);
    for group in diff.grouped_ops(CONTEXT) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        let span = |from: std::ops::Range<usize>, to: std::ops::Range<usize>| {
            let count = to.end - from.start;
            (from.start + usize::from(count > 0), count)
        };
        let ((i, n), (j, m)) =
            (span(first.old_range(), last.old_range()), span(first.new_range(), last.new_range()));
        let _ = writeln!(out, "@@ -{i},{n} +{j},{m} @@");
        for op in &group {
            for change in diff.iter_changes(op) {
                let text = change.value();
                let _ =
                    writeln!(out, "{}{}", change.tag(), text.trim_end_matches('\n').trim_end_matches('\r'));
                if !text.ends_with('\n') {
                    out.push_str("\\ No newline at end of file\n");
                }
            }
        }
    }
}
