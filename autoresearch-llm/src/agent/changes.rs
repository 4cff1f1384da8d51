//! What an agent has changed.

use crate::tree::{Globs, SourceTree};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

/// More files and folders than this are not looked through.
const ENTRIES: usize = 200_000;
/// What all changed files together may have, in units of what one may.
const TOGETHER: u64 = 16;

/// The difference between a tree and a folder.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Texts of files that may be changed; `None`: the file is gone.
    pub(super) edits: BTreeMap<String, Option<Arc<str>>>,
    /// Paths that do not count: not editable, or new and no text.
    pub(super) outside: BTreeSet<String>,
}

/// What a file is that one would like to have as text.
enum Content {
    Text(String),
    Binary,
    Huge,
}

/// Compares the folder with the tree that it was made of. Names in `own` are not looked at, nor is `.git`. No link is
/// followed.
///
/// # Errors
/// In words: an editable file is now a link or no text or larger than `most` bytes; the folder cannot be read.
pub(super) fn read<C: SourceTree>(
    base: &C,
    editable: &Globs,
    folder: &Path,
    own: &[&str],
    most: u64,
) -> Result<Changes, String> {
    let before = base.paths().into_iter().map(|path| {
        let text = base.text(&path).unwrap_or_default();
        (path, text)
    });
    let (found, changes) = (BTreeSet::new(), Changes::default());
    let mut walk = Walk { editable, before: before.collect(), found, changes, most };
    let (mut folders, mut entries) = (vec![String::new()], 0);
    while let Some(within) = folders.pop() {
        let unread = |why: io::Error| format!("`{within}` in the agent's folder cannot be read: {why}");
        for entry in fs::read_dir(folder.join(&within)).map_err(unread)? {
            let entry = entry.map_err(unread)?;
            entries += 1;
            if entries > ENTRIES {
                return Err(format!(
                    "the agent left more than {ENTRIES} files and folders; have it clean up"
                ));
            }
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                walk.changes.outside.insert(join(&within, &name.to_string_lossy()));
                continue;
            };
            if within.is_empty() && (name == ".git" || own.contains(&name)) {
                continue;
            }
            let (path, kind) = (join(&within, name), entry.file_type().map_err(unread)?);
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                walk.file(path, &entry.path())?;
            } else {
                walk.special(path, kind.is_symlink())?;
            }
        }
    }
    walk.deleted();
    let size = |text: &Option<Arc<str>>| text.as_ref().map_or(0, |text| text.len() as u64);
    let together: u64 = walk.changes.edits.values().map(size).sum();
    if together > most.saturating_mul(TOGETHER) {
        return Err(format!(
            "the changed files have {together} bytes together, more than {TOGETHER} times {most}"
        ));
    }
    Ok(walk.changes)
}

struct Walk<'a> {
    editable: &'a Globs,
    before: BTreeMap<String, Arc<str>>,
    found: BTreeSet<String>,
    changes: Changes,
    most: u64,
}

impl Walk<'_> {
    fn file(&mut self, path: String, file: &Path) -> Result<(), String> {
        let before = self.before.get(&path).cloned();
        let unread = |why: io::Error| format!("`{path}` in the agent's folder cannot be read: {why}");
        if before.is_some() {
            self.found.insert(path.clone());
        }
        if !self.editable.matches(&path) {
            let same = |text: &str| {
                Ok(matches!(content(file, text.len() as u64)?, Content::Text(now) if now == text))
            };
            if !before.as_deref().map_or(Ok(false), same).map_err(unread)? {
                self.changes.outside.insert(path);
            }
            return Ok(());
        }
        let most = self.most.max(before.as_ref().map_or(0, |text| text.len() as u64));
        match (content(file, most).map_err(unread)?, before) {
            (Content::Text(now), Some(before)) if now == *before => {}
            (Content::Text(now), _) => {
                self.changes.edits.insert(path, Some(now.into()));
            }
            // What a run of the code leaves beside it: compiled modules, logs.
            (Content::Binary | Content::Huge, None) => {
                self.changes.outside.insert(path);
            }
            (Content::Binary, Some(_)) => {
                return Err(format!("`{path}` is no text any more; only text can be proposed"));
            }
            (Content::Huge, Some(_)) => return Err(format!("`{path}` has more than {most} bytes now")),
        }
        Ok(())
    }

    /// A link, a pipe, a device.
    fn special(&mut self, path: String, link: bool) -> Result<(), String> {
        let below = format!("{path}/");
        let mut hidden = self.before.range(below.clone()..).take_while(|(file, _)| file.starts_with(&below));
        if self.editable.matches(&path) || hidden.any(|(file, _)| self.editable.matches(file)) {
            let what = if link { "a symbolic link" } else { "no plain file" };
            return Err(format!("`{path}` is {what} now; only plain files can be proposed"));
        }
        if self.before.contains_key(&path) {
            self.found.insert(path.clone());
        }
        self.changes.outside.insert(path);
        Ok(())
    }

    fn deleted(&mut self) {
        for path in self.before.keys().filter(|path| !self.found.contains(*path)) {
            if self.editable.matches(path) {
                self.changes.edits.insert(path.clone(), None);
            } else {
                self.changes.outside.insert(path.clone());
            }
        }
    }
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.into() } else { format!("{folder}/{name}") }
}

fn content(file: &Path, most: u64) -> io::Result<Content> {
    let mut bytes = Vec::new();
    open(file)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Ok(Content::Huge);
    }
    Ok(match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Content::Text(text),
        _ => Content::Binary,
    })
}

/// A small text file that is no link; `None`: there is none.
pub(super) fn small(file: &Path, most: u64) -> Option<String> {
    if !fs::symlink_metadata(file).ok()?.is_file() {
        return None;
    }
    match content(file, most).ok()? {
        Content::Text(text) => Some(text),
        Content::Binary | Content::Huge => None,
    }
}

/// Opens a file, and never what a link leads to, nor does it wait for the other end of a pipe.
fn open(file: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
    }
    options.open(file)
}
