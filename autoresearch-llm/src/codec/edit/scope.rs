//! What the readers of answers know of the tree.

use crate::tree::{Globs, SourceTree};
use std::collections::BTreeSet;
use std::sync::Arc;

type Text<'a> = dyn Fn(&str) -> Option<Arc<str>> + 'a;

/// The paths of a tree and which of them may be edited.
pub(super) struct Scope<'a> {
    paths: BTreeSet<String>,
    /// What the paths end in, after their last `/`.
    names: BTreeSet<String>,
    pub(super) editable: Box<dyn Fn(&str) -> bool + 'a>,
    /// The text of a file.
    pub(super) text: Box<Text<'a>>,
    /// Whole files were asked for.
    pub(super) whole: bool,
}

impl<'a> Scope<'a> {
    pub(super) fn new<T: SourceTree>(base: &'a T, editable: &'a Globs, whole: bool) -> Self {
        let paths: BTreeSet<String> = base.paths().into_iter().collect();
        let names = paths.iter().map(|path| last(path).to_string()).collect();
        Self {
            paths,
            names,
            editable: Box::new(move |path| editable.matches(path)),
            text: Box::new(move |path| base.text(path)),
            whole,
        }
    }

    pub(super) fn editable_paths(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().map(String::as_str).filter(|path| (self.editable)(path))
    }

    /// The one file that can be meant where none is named.
    pub(super) fn only(&self) -> Option<&str> {
        let mut editable = self.editable_paths();
        editable.next().filter(|_| editable.next().is_none())
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

    /// A file of the tree other than `this` that a line of prose speaks of, by its path or by its name alone.
    pub(super) fn other_in<'l>(&self, line: &'l str, this: &str) -> Option<&'l str> {
        let around = |c: char| c.is_ascii_punctuation() && !matches!(c, '.' | '/' | '_' | '-');
        line.split_whitespace().find_map(|word| {
            let marked = word.starts_with('`');
            let word = word.trim_matches(around).trim_end_matches(['.', ':', ',']).trim_end_matches(around);
            let word = word.strip_prefix("./").unwrap_or(word);
            // A word of the language may be the name of a file as well.
            let meant = marked || word.contains(['.', '/']);
            let known = self.has(word) || self.names.contains(word);
            let is_this = this == word || this.strip_suffix(word).is_some_and(|rest| rest.ends_with('/'));
            (meant && known && !is_this).then_some(word)
        })
    }
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Files;

    #[test]
    fn a_line_of_prose_may_speak_of_another_file() {
        let files = ["src/a.py", "src/b.py", "lib/a.py", "train"].map(|path| (path, ""));
        let (files, globs) = (Files::new(files).unwrap(), Globs::new(["**"]).unwrap());
        let scope = Scope::new(&files, &globs, false);
        for (line, other) in [
            ("Now in `src/b.py`:", Some("src/b.py")),
            ("and (see b.py).", Some("b.py")),
            ("**./src/b.py**", Some("src/b.py")),
            ("In `train`, too:", Some("train")),
            ("the train loop of src/a.py, a.py for short:", None),
            ("Then replace it, e.g. in c.py:", None),
            ("lib/a.py", Some("lib/a.py")),
        ] {
            assert_eq!(scope.other_in(line, "src/a.py"), other, "{line}");
        }
    }
}
