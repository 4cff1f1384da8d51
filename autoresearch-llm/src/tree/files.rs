//! Source files in memory: a candidate.

use super::SourceTree;
use super::paths::problem;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A file cannot be part of a tree, or cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}`: {reason}")]
#[non_exhaustive]
pub struct FilesError {
    /// The file.
    pub path: String,
    /// What is wrong with it.
    pub reason: String,
}

impl FilesError {
    pub(super) fn new(path: impl Into<String>, reason: impl ToString) -> Self {
        Self { path: path.into(), reason: reason.to_string() }
    }
}

/// Text files by their relative paths: a candidate. Clones share the texts.
///
/// As JSON it is an object of path and text; `Debug` shows sizes and digests, by which a stored study knows it again.
///
/// ```
/// use autoresearch_llm::Files;
/// let files = Files::new([("train.py", "lr = 0.1\n"), ("lib/data.py", "size = 8\n")])?;
/// assert_eq!(files.get("train.py"), Some("lr = 0.1\n"));
/// assert!(Files::new([("../passwords", "")]).is_err());
/// # Ok::<(), autoresearch_llm::FilesError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Files(BTreeMap<String, Arc<str>>);

impl Files {
    /// These files.
    ///
    /// # Errors
    /// A path that is absolute, leads out of the tree, or is a file and a folder at once.
    pub fn new<P: Into<String>, T: Into<Arc<str>>>(
        files: impl IntoIterator<Item = (P, T)>,
    ) -> Result<Self, FilesError> {
        let files = Self(files.into_iter().map(|(path, text)| (path.into(), text.into())).collect());
        files.checked()
    }

    fn checked(self) -> Result<Self, FilesError> {
        for path in self.0.keys() {
            if let Some(problem) = problem(path) {
                return Err(FilesError::new(path, format!("that is no path of a file here: {problem}")));
            }
            let folders = path.match_indices('/').filter_map(|(end, _)| path.get(..end));
            if let Some(file) = folders.into_iter().find(|folder| self.0.contains_key(*folder)) {
                return Err(FilesError::new(path, format!("`{file}` is a file and cannot be a folder too")));
            }
        }
        Ok(self)
    }

    /// The text of a file.
    pub fn get(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(AsRef::as_ref)
    }

    /// Paths and texts, in the order of the paths.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &str)> + '_ {
        self.0.iter().map(|(path, text)| (path.as_str(), text.as_ref()))
    }

    /// How many files there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What tells one text from another.
pub(super) fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each =
            self.0.iter().map(|(path, text)| (path, format!("{} bytes, {}", text.len(), digest(text))));
        f.write_str("Files ")?;
        f.debug_map().entries(each).finish()
    }
}

impl Serialize for Files {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (path, text) in self.iter() {
            map.serialize_entry(path, text)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Files {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(BTreeMap::<String, String>::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl SourceTree for Files {
    fn paths(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    fn text(&self, path: &str) -> Option<Arc<str>> {
        self.0.get(path).cloned()
    }

    fn with(&self, changes: BTreeMap<String, Option<Arc<str>>>) -> Result<Self, String> {
        let mut files = self.0.clone();
        for (path, text) in changes {
            match text {
                Some(text) => drop(files.insert(path, text)),
                None => drop(files.remove(&path)),
            }
        }
        Self(files).checked().map_err(|e| e.to_string())
    }
}
