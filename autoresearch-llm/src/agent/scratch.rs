//! The folder that an agent works in.

use super::git;
use super::note::NOTES;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// A temporary folder with the code in one part of it, and a home and a place for temporary files beside that. Dropped, it
/// is deleted.
pub(super) struct Scratch {
    root: TempDir,
    prompt: PathBuf,
}

/// What to put into it.
pub(super) struct Contents {
    /// Where the folder is made; `None`: where the system has such folders.
    pub(super) base: Option<PathBuf>,
    pub(super) files: Vec<(String, Arc<str>)>,
    pub(super) prompt_name: String,
    pub(super) prompt: String,
    pub(super) git: bool,
}

impl Scratch {
    pub(super) fn make(contents: &Contents) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        let base = contents.base.clone().unwrap_or_else(std::env::temp_dir);
        // Without links in it: this is how the system names the folders that processes stand in.
        let root = builder.prefix("autoresearch-agent-").tempdir_in(fs::canonicalize(&base)?)?;
        let prompt = root.path().join("work").join(&contents.prompt_name);
        let scratch = Self { root, prompt };
        for folder in [scratch.folder(), scratch.home(), scratch.temporary()] {
            fs::create_dir(folder)?;
        }
        for (path, text) in &contents.files {
            write(&scratch.folder(), path, text)?;
        }
        if contents.git {
            let hidden = [contents.prompt_name.as_str(), NOTES[0], NOTES[1]];
            git::repository(&scratch.folder(), &scratch.home(), &hidden);
        }
        write(&scratch.folder(), &contents.prompt_name, &contents.prompt)?;
        Ok(scratch)
    }

    pub(super) fn folder(&self) -> PathBuf {
        self.root.path().join("work")
    }

    pub(super) fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    pub(super) fn temporary(&self) -> PathBuf {
        self.root.path().join("tmp")
    }

    pub(super) fn prompt(&self) -> &Path {
        &self.prompt
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Folders without the right to write in them, such as caches of modules, are in the way of deletion.
        if fs::remove_dir_all(self.root.path()).is_err() {
            loosen(self.root.path());
        }
    }
}

/// Gives the owner all rights to the folders below this one.
fn loosen(root: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mut folders = vec![root.to_path_buf()];
        while let Some(folder) = folders.pop() {
            let _ = fs::set_permissions(&folder, fs::Permissions::from_mode(0o700));
            let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
            let below = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            folders.extend(below.map(|entry| entry.path()));
        }
    }
    #[cfg(not(unix))]
    let _ = root;
}

/// Writes one file of the tree below the folder.
fn write(folder: &Path, path: &str, text: &str) -> io::Result<()> {
    if !is_plain(path) {
        let message = format!("`{path}` is no path within the code");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let to = folder.join(path);
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(to, text)
}

/// Whether a path is relative, stays below its folder, and is written in the one plain way.
pub(super) fn is_plain(path: &str) -> bool {
    let parts: Option<Vec<&str>> = Path::new(path)
        .components()
        .map(|part| match part {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect();
    parts.is_some_and(|parts| !parts.is_empty() && parts[0] != ".git" && parts.join("/") == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below_their_folder() {
        for good in ["a", "a/b.py", "a b/ä", ".gitignore", "a/.git"] {
            assert!(is_plain(good), "{good}");
        }
        for bad in ["", "/a", "../a", "a/../b", "./a", "a//b", "a/", ".git/config", ".git"] {
            assert!(!is_plain(bad), "{bad}");
        }
    }
}
