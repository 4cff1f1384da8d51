//! Where a task was written down, for messages.

use std::path::PathBuf;

/// A file with a task. Equal to any other: where a task was written down is no part of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origin {
    pub(crate) file: Option<PathBuf>,
    pub(crate) text: String,
}

impl PartialEq for Origin {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// The line, from 1, that a key stands in: `limits.memory` in `memory = …` below `[limits]`, or in `limits = { memory = … }`.
pub(super) fn line_of(text: &str, key: &str) -> Option<usize> {
    let mut parts = key.split('.');
    let (first, second) = (parts.next()?, parts.next());
    let key_of = |line: &str| line.split(['=', '#']).next().unwrap_or_default().trim().to_string();
    let mut table = String::new();
    let mut found = None;
    for (i, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            table = name.trim_matches(['[', ' ']).into();
            if table == first {
                found = found.or(Some(i + 1));
            }
        } else if table == first && second.is_some_and(|second| key_of(line) == second) {
            return Some(i + 1);
        } else if table.is_empty() && key_of(line).split('.').next() == Some(first) {
            found = found.or(Some(i + 1));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_key_is_found() {
        let text =
            "run = 'x'\nlimits = { minutes = 0 }\n\n[evaluate]\nrun = 'y'\n\n[[constraints]]\nmetric = 'm'\n";
        let cases = [
            ("run", 1),
            ("limits.minutes", 2),
            ("evaluate.run", 5),
            ("evaluate.data", 4),
            ("constraints.metric", 8),
        ];
        for (key, line) in cases {
            assert_eq!(line_of(text, key), Some(line), "{key}");
        }
        assert_eq!(line_of(text, "holdout"), None);
    }
}
