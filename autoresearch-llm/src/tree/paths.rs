//! Which paths there may be, and which of them may be edited.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// What is wrong with a path of a file within a tree, if anything is.
pub fn problem(path: &str) -> Option<&'static str> {
    let drive = path.as_bytes().get(1) == Some(&b':') && path.starts_with(|c: char| c.is_ascii_alphabetic());
    match path {
        "" => Some("it is empty"),
        _ if path.len() > 1024 => Some("it is too long"),
        _ if path.split('/').any(|part| part.len() > 255) => Some("a part of it is longer than 255 bytes"),
        _ if path.starts_with('/') || path.starts_with('~') || drive => {
            Some("it must be relative to the top of the tree")
        }
        _ if path.contains('\\') => Some("its parts are separated by `/`"),
        _ if path.chars().any(char::is_control) => Some("it contains control characters"),
        _ if path.split('/').any(|part| part == "..") => Some("it may not lead out of the tree with `..`"),
        _ if path.split('/').any(|part| part.is_empty() || part == ".") => {
            Some("it has an empty part, or `.`")
        }
        // Systems that drop it would take it for another file.
        _ if path.split('/').any(|part| part.ends_with(['.', ' '])) => {
            Some("a part of it ends in `.` or a space")
        }
        _ if path.split('/').any(|part| part.eq_ignore_ascii_case(".git")) => {
            Some("what is in `.git` is not a file of the tree")
        }
        _ => None,
    }
}

/// Globs: `src/**`, `*.py`, `train.py`; `*` stays within a folder, and a folder alone is all that is in it.
#[derive(Debug, Clone)]
pub struct Globs {
    set: GlobSet,
    written: Vec<String>,
}

impl Globs {
    /// These globs.
    ///
    /// # Errors
    /// One that is none; the message says which.
    pub fn new<G: Into<String>>(globs: impl IntoIterator<Item = G>) -> Result<Self, String> {
        let (mut set, mut written) = (GlobSetBuilder::new(), Vec::new());
        for glob in globs {
            let glob: String = glob.into();
            let whole = glob.strip_prefix("./").unwrap_or(&glob);
            if glob.is_empty() {
                return Err("an empty glob means no file; `./` is all of them".into());
            }
            let last = whole.rsplit('/').next().unwrap_or_default();
            let meant = match last {
                "" | "." => vec![format!("{}**", whole.strip_suffix('.').unwrap_or(whole))],
                // A file or a folder of this name.
                name if !name.contains(['*', '?', '[', ']', '{', '}', '\\']) => {
                    vec![whole.into(), format!("{whole}/**")]
                }
                _ => vec![whole.into()],
            };
            for pattern in &meant {
                let built = GlobBuilder::new(pattern).literal_separator(true).build();
                set.add(built.map_err(|e| format!("`{glob}` is no glob: {}", e.kind()))?);
            }
            written.push(glob);
        }
        let set = set.build().map_err(|e| format!("the globs are too large: {}", e.kind()))?;
        Ok(Self { set, written })
    }

    /// Whether one of them matches this path.
    pub fn matches(&self, path: &str) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_alone_is_all_that_is_in_it() {
        for (glob, inside, outside) in [
            ("src", ["src/a.py", "src/deep/b.py", "src"], "srcs/a.py"),
            ("src/", ["src/a.py", "src/deep/b.py", "src/.x"], "src"),
            ("./src", ["src/a.py", "src/deep/b.py", "src"], "a/src/b.py"),
            (
                "crates/*/src",
                ["crates/a/src/b.rs", "crates/b/src/c/d.rs", "crates/c/src"],
                "crates/a/b/src/c.rs",
            ),
            ("./", ["a", "a/b", "a/b/c"], ""),
            (".", ["a", "a/b", "a/b/c"], ""),
        ] {
            let globs = Globs::new([glob]).unwrap();
            assert!(inside.iter().all(|path| globs.matches(path)), "{glob}");
            assert!(outside.is_empty() || !globs.matches(outside), "{glob}");
        }
        assert!(Globs::new([""]).is_err());
        // What has a wildcard at its end is as it was.
        for (glob, outside) in [("*", "a/b"), ("src/*", "src/a/b"), ("*.py", "a.py/b"), ("s[r]c", "src/a")] {
            assert!(!Globs::new([glob]).unwrap().matches(outside), "{glob}");
        }
    }

    #[test]
    fn names_that_not_every_system_keeps_are_none() {
        for path in ["a.", "a ", "a./b", "src /b", "a/b ", "..."] {
            assert!(problem(path).is_some_and(|said| said.contains("ends in")), "{path}");
        }
        assert!(problem(&format!("a/{}", "b".repeat(256))).is_some_and(|said| said.contains("255 bytes")));
        assert_eq!(problem(&format!("a/{}", "b".repeat(255))), None);
        for path in [".a", "a.b", " a", "a b/c.d"] {
            assert_eq!(problem(path), None, "{path}");
        }
    }
}
