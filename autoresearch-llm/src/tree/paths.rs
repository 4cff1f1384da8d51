//! Which paths there may be, and which of them may be edited.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// What is wrong with a path of a file within a tree, if anything is.
pub(crate) fn problem(path: &str) -> Option<&'static str> {
    let drive = path.as_bytes().get(1) == Some(&b':') && path.starts_with(|c: char| c.is_ascii_alphabetic());
    match path {
        "" => Some("it is empty"),
        _ if path.len() > 1024 => Some("it is too long"),
        _ if path.starts_with('/') || path.starts_with('~') || drive => {
            Some("it must be relative to the top of the tree")
        }
        _ if path.contains('\\') => Some("its parts are separated by `/`"),
        _ if path.chars().any(char::is_control) => Some("it contains control characters"),
        _ if path.split('/').any(|part| part == "..") => Some("it may not lead out of the tree with `..`"),
        _ if path.split('/').any(|part| part.is_empty() || part == ".") => {
            Some("it has an empty part, or `.`")
        }
        _ if path.split('/').any(|part| part.eq_ignore_ascii_case(".git")) => {
            Some("what is in `.git` is not a file of the tree")
        }
        _ => None,
    }
}

/// Globs: `src/**`, `*.py`, `train.py`; `*` stays within a folder, and a folder alone is all that is in it.
#[derive(Debug, Clone)]
pub(crate) struct Globs {
    set: GlobSet,
    written: Vec<String>,
}

impl Globs {
    pub(crate) fn new<G: Into<String>>(globs: impl IntoIterator<Item = G>) -> Result<Self, String> {
        let (mut set, mut written) = (GlobSetBuilder::new(), Vec::new());
        for glob in globs {
            let glob: String = glob.into();
            let whole = if glob.ends_with('/') { format!("{glob}**") } else { glob.clone() };
            let whole = whole.strip_prefix("./").unwrap_or(&whole);
            let built = GlobBuilder::new(whole).literal_separator(true).build();
            set.add(built.map_err(|e| format!("`{glob}` is no glob: {}", e.kind()))?);
            written.push(glob);
        }
        let set = set.build().map_err(|e| format!("the globs are too large: {}", e.kind()))?;
        Ok(Self { set, written })
    }

    pub(crate) fn matches(&self, path: &str) -> bool {
        self.set.is_match(path)
    }

    /// As they were given.
    pub(crate) fn written(&self) -> &[String] {
        &self.written
    }
}

impl std::fmt::Display for Globs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.written.join(", "))
    }
}
