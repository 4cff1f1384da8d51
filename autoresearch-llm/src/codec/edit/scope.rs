//! What the readers of answers know of the tree.

use std::collections::BTreeSet;

/// The paths of a tree and which of them may be edited.
pub(super) struct Scope<'a> {
    pub(super) paths: BTreeSet<String>,
    pub(super) editable: Box<dyn Fn(&str) -> bool + 'a>,
}

impl Scope<'_> {
    /// The one file that can be meant where none is named.
    pub(super) fn only(&self) -> Option<&str> {
        let mut editable = self.paths.iter().filter(|path| (self.editable)(path));
        editable.next().filter(|_| editable.next().is_none()).map(String::as_str)
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.paths.contains(path)
    }

    /// Whether a word of an answer is meant as a path: a file that is there, or what could be one.
    pub(super) fn path_like(&self, word: &str) -> bool {
        self.has(word)
            || (!word.contains(char::is_whitespace)
                && word.len() <= 300
                && word.contains(['/', '.'])
                && !word.ends_with('.')
                && !word.contains(['(', ')', '<', '>', '=', '"', ',']))
    }

    /// The path that a line of prose names: alone, or in the usual ornaments.
    pub(super) fn path_in(&self, line: &str) -> Option<String> {
        let ornaments: &[char] = &['#', '*', '`', ':', '"', '\'', ' '];
        let mut word = line.trim().trim_matches(ornaments);
        for label in ["File", "file", "Path", "path", "FILE", "filename", "Filename"] {
            if let Some(rest) = word.strip_prefix(label).and_then(|rest| rest.strip_prefix([':', ' '])) {
                word = rest.trim_matches(ornaments);
            }
        }
        let word = word.strip_prefix("./").unwrap_or(word);
        self.path_like(word).then(|| word.to_string())
    }
}
