//! Trees and blobs: what is in them, how two differ, and new ones.

use super::{Git, GitError, Oid, text};
use std::collections::BTreeMap;

/// What kind of thing an entry of a tree is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mode {
    File,
    Executable,
    Link,
    /// A commit of another repository.
    Submodule,
}

impl Mode {
    fn read(digits: &str) -> Result<Self, GitError> {
        match digits {
            "100755" => Ok(Self::Executable),
            "120000" => Ok(Self::Link),
            "160000" => Ok(Self::Submodule),
            _ if digits.starts_with("100") => Ok(Self::File),
            _ => Err(GitError::new(format!("a tree has an entry of the unknown kind {digits}"))),
        }
    }

    fn digits(self) -> &'static str {
        match self {
            Self::File => "100644",
            Self::Executable => "100755",
            Self::Link => "120000",
            Self::Submodule => "160000",
        }
    }

    /// Whether it has bytes of its own that are a file's.
    pub(crate) fn is_file(self) -> bool {
        matches!(self, Self::File | Self::Executable)
    }
}

/// An entry of a tree: a file, a link, another repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) mode: Mode,
    pub(crate) oid: Oid,
}

/// Paths at which a tree differs from another, with what is there now.
pub(crate) type TreeChange = BTreeMap<String, Option<Entry>>;

impl Git {
    /// Everything in a tree that is no folder, by its path. Paths that are no UTF-8 are refused.
    pub(crate) fn list(&self, tree: &Oid) -> Result<BTreeMap<String, Entry>, GitError> {
        let listed = self.run(&["ls-tree", "-r", "-z", "--full-tree", tree.as_str()], &[])?;
        let entries = listed.split(|byte| *byte == 0).filter(|line| !line.is_empty());
        entries.map(|line| named(line).map(|(path, mode, oid)| (path, Entry { mode, oid }))).collect()
    }

    /// When a commit was made, in seconds of 1970.
    pub(crate) fn time_of(&self, commit: &Oid) -> Result<i64, GitError> {
        let told = self.run(&["show", "-s", "--no-show-signature", "--format=%ct", commit.as_str()], &[])?;
        let told = utf8(&told)?.trim();
        told.parse().map_err(|_| GitError::new(format!("the commit {commit} has no time: {told:?}")))
    }

    /// How many bytes all files of a tree have together; none is read.
    pub(crate) fn bytes(&self, tree: &Oid) -> Result<u64, GitError> {
        let listed = self.run(&["ls-tree", "-r", "-l", "-z", "--full-tree", tree.as_str()], &[])?;
        let size = |line: &[u8]| {
            let head = line.split(|byte| *byte == b'\t').next().unwrap_or_default();
            // A submodule has none.
            String::from_utf8_lossy(head)
                .rsplit(' ')
                .next()
                .and_then(|size| size.parse::<u64>().ok())
                .unwrap_or(0)
        };
        Ok(listed.split(|byte| *byte == 0).map(size).sum())
    }

    /// What turns one tree into the other.
    pub(crate) fn difference(&self, from: &Oid, to: &Oid) -> Result<TreeChange, GitError> {
        if from == to {
            return Ok(TreeChange::new());
        }
        let words =
            ["diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", from.as_str(), to.as_str()];
        let told = self.run(&words, &[])?;
        let mut parts = told.split(|byte| *byte == 0).filter(|part| !part.is_empty());
        let mut changes = TreeChange::new();
        while let (Some(head), Some(path)) = (parts.next(), parts.next()) {
            let head = utf8(head)?;
            let words: Vec<&str> = head.trim_start_matches(':').split(' ').collect();
            let [_, mode, _, oid, ..] = words.as_slice() else {
                return Err(GitError::new(format!("git diff-tree said {head:?}")));
            };
            let entry = match *mode {
                "000000" => None,
                mode => Some(Entry { mode: Mode::read(mode)?, oid: Oid::new(oid)? }),
            };
            changes.insert(utf8(path)?.into(), entry);
        }
        Ok(changes)
    }

    /// Stores bytes.
    pub(crate) fn write_blob(&self, bytes: &[u8]) -> Result<Oid, GitError> {
        let words = ["hash-object", "-w", "-t", "blob", "--no-filters", "--stdin"];
        Oid::new(&text(self.run(&words, bytes)?)?)
    }

    /// A tree that is another with these changes. Folders that are left without anything are gone.
    pub(crate) fn changed(&self, tree: &Oid, changes: &TreeChange) -> Result<Oid, GitError> {
        let mut wanted = Folder::default();
        for (path, entry) in changes {
            wanted.put(path, entry.as_ref());
        }
        Ok(match self.rebuilt(Some(tree), &wanted)? {
            Some(tree) => tree,
            None => self.make_tree(&BTreeMap::new())?,
        })
    }

    /// A folder with its changes made; nothing if nothing is left in it.
    fn rebuilt(&self, tree: Option<&Oid>, wanted: &Folder<'_>) -> Result<Option<Oid>, GitError> {
        let mut entries = match tree {
            Some(tree) => self.folder(tree)?,
            None => BTreeMap::new(),
        };
        for (name, entry) in &wanted.files {
            match entry {
                Some(entry) => {
                    entries.insert((*name).into(), (entry.mode.digits().into(), entry.oid.clone()));
                }
                // What became a folder meanwhile is none of this one's.
                None => drop(entries.remove(*name)),
            }
        }
        for (name, below) in &wanted.folders {
            let there = entries.get(*name).filter(|(mode, _)| mode == "040000").map(|(_, oid)| oid.clone());
            match self.rebuilt(there.as_ref(), below)? {
                Some(oid) => drop(entries.insert((*name).into(), ("040000".into(), oid))),
                None if there.is_some() => drop(entries.remove(*name)),
                None => {}
            }
        }
        if entries.is_empty() {
            return Ok(None);
        }
        self.make_tree(&entries).map(Some)
    }

    /// What is directly in a folder: kind and object by name.
    fn folder(&self, tree: &Oid) -> Result<BTreeMap<String, (String, Oid)>, GitError> {
        let listed = self.run(&["ls-tree", "-z", "--full-tree", tree.as_str()], &[])?;
        let lines = listed.split(|byte| *byte == 0).filter(|line| !line.is_empty());
        let entry = |line| {
            let (name, mode, oid) = split(line)?;
            Ok((name.into(), (mode.into(), Oid::new(oid)?)))
        };
        lines.map(entry).collect()
    }

    fn make_tree(&self, entries: &BTreeMap<String, (String, Oid)>) -> Result<Oid, GitError> {
        let mut lines = Vec::new();
        for (name, (mode, oid)) in entries {
            let kind = match mode.as_str() {
                "040000" => "tree",
                "160000" => "commit",
                _ => "blob",
            };
            lines.extend_from_slice(format!("{mode} {kind} {oid}\t{name}\0").as_bytes());
        }
        // Never an empty input, with which git would wait for another.
        Oid::new(&text(self.run(&["mktree", "-z"], if lines.is_empty() { b"" } else { &lines })?)?)
    }
}

/// Changes, by folder.
#[derive(Default)]
struct Folder<'a> {
    files: BTreeMap<&'a str, Option<&'a Entry>>,
    folders: BTreeMap<&'a str, Folder<'a>>,
}

impl<'a> Folder<'a> {
    fn put(&mut self, path: &'a str, entry: Option<&'a Entry>) {
        match path.split_once('/') {
            None => drop(self.files.insert(path, entry)),
            Some((first, rest)) => self.folders.entry(first).or_default().put(rest, entry),
        }
    }
}

/// `mode kind name<tab>path`.
fn split(line: &[u8]) -> Result<(&str, &str, &str), GitError> {
    let line = utf8(line)?;
    let odd = || GitError::new(format!("git ls-tree said {line:?}"));
    let (head, path) = line.split_once('\t').ok_or_else(odd)?;
    let mut words = head.split(' ').filter(|word| !word.is_empty());
    let (Some(mode), Some(_), Some(oid)) = (words.next(), words.next(), words.next()) else {
        return Err(odd());
    };
    Ok((path, mode, oid))
}

fn named(line: &[u8]) -> Result<(String, Mode, Oid), GitError> {
    let (path, mode, oid) = split(line)?;
    Ok((path.into(), Mode::read(mode)?, Oid::new(oid)?))
}

fn utf8(bytes: &[u8]) -> Result<&str, GitError> {
    std::str::from_utf8(bytes).map_err(|_| {
        GitError::new(format!(
            "the tree has the path {:?}, which is no UTF-8; rename it",
            String::from_utf8_lossy(bytes)
        ))
    })
}
