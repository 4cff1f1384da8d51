//! A folder with the files of a tree.

use super::disk;
use crate::git::{Entry, GitError, Mode, Oid, TreeChange};
use crate::tree::{GitTree, Repo};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a file must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) mode: Mode,
    pub(super) oid: Oid,
    pub(super) size: u64,
    /// When it was changed last, as every run finds it: seconds of 1970.
    pub(super) time: i64,
    /// SHA-256 of its bytes; of a link, of where it leads.
    pub(super) digest: [u8; 32],
}

/// A folder with the files of a tree, locked as long as this lives, and removed with it.
#[derive(Debug)]
pub(crate) struct Folder {
    repo: Arc<Repo>,
    /// With the lock, the files, and whatever else belongs to a run.
    place: super::pool::Locked,
    /// What the tree in it changes of the base.
    changes: TreeChange,
    pub(super) files: BTreeMap<String, Expected>,
    /// All folders of the tree.
    pub(super) folders: BTreeSet<String>,
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> io::Error + '_ {
    move |why| io::Error::new(why.kind(), format!("{}: {why}", path.display()))
}

impl From<GitError> for io::Error {
    fn from(error: GitError) -> Self {
        Self::other(error.to_string())
    }
}

impl Folder {
    /// With all files of the base.
    pub(super) fn of_base(repo: &Arc<Repo>, place: super::pool::Locked) -> io::Result<Self> {
        let mut folder = Self {
            repo: Arc::clone(repo),
            place,
            changes: TreeChange::new(),
            files: BTreeMap::new(),
            folders: BTreeSet::new(),
        };
        fs::create_dir(folder.path())?;
        let all: Vec<(&String, &Entry)> = repo.listing.iter().collect();
        folder.put(&all)?;
        Ok(folder)
    }

    /// Where the files are.
    pub(crate) fn path(&self) -> PathBuf {
        self.place.path().join("tree")
    }

    /// Bytes that its files take on a disk, about.
    pub(crate) fn allocated(&self) -> u64 {
        let block = |size: u64| size.div_ceil(4096).max(1) * 4096;
        self.files.values().map(|file| block(file.size)).sum::<u64>() + 4096 * self.folders.len() as u64
    }

    /// Turns the files into those of another tree.
    ///
    /// # Errors
    /// The disk, or git.
    pub(crate) fn become_tree(&mut self, tree: &GitTree) -> io::Result<()> {
        let top = self.path();
        let wanted = tree.changes_of(&self.repo).map_err(io::Error::other)?;
        let repo = Arc::clone(&self.repo);
        let entry = |changes: &TreeChange, path: &String| match changes.get(path) {
            Some(changed) => changed.clone(),
            None => repo.listing.get(path).cloned(),
        };
        let paths: BTreeSet<&String> = self.changes.keys().chain(wanted.keys()).collect();
        let differing =
            paths.into_iter().map(|path| (path, entry(&self.changes, path), entry(&wanted, path)));
        let differing: Vec<_> =
            differing.filter(|(_, was, is)| was != is).map(|(p, _, is)| (p.clone(), is)).collect();
        for (path, _) in &differing {
            self.take_out(path)?;
        }
        let new: Vec<(&String, &Entry)> =
            differing.iter().filter_map(|(path, is)| Some((path, is.as_ref()?))).collect();
        self.put(&new)?;
        self.changes = (*wanted).clone();
        // Last: whatever is made in a folder changes its times.
        let time = self.repo.time;
        for folder in self.folders.iter().rev().map(|folder| top.join(folder)).chain([top.clone()]) {
            disk::settle_folder(&folder, time).map_err(io_error(&folder))?;
        }
        Ok(())
    }

    /// Takes a file out, and the folders that are left without any.
    fn take_out(&mut self, path: &str) -> io::Result<()> {
        self.files.remove(path);
        let top = self.path();
        disk::remove(&top.join(path)).map_err(io_error(&top.join(path)))?;
        let mut folder = path;
        while let Some((above, _)) = folder.rsplit_once('/') {
            let below = format!("{above}/");
            let has = |found: Option<&String>| found.is_some_and(|path| path.starts_with(&below));
            let has_files = has(self.files.range(below.clone()..).next().map(|(path, _)| path));
            if has_files || has(self.folders.range(below.clone()..).next()) {
                break;
            }
            self.folders.remove(above);
            disk::remove(&top.join(above)).map_err(io_error(&top.join(above)))?;
            folder = above;
        }
        Ok(())
    }

    /// Writes files where none are.
    pub(super) fn put(&mut self, entries: &[(&String, &Entry)]) -> io::Result<()> {
        let top = self.path();
        for (path, entry) in entries {
            let ends = path.match_indices('/').map(|(end, _)| end);
            let with_itself = (entry.mode == Mode::Submodule).then_some(path.len());
            for end in ends.chain(with_itself) {
                let folder = path.get(..end).unwrap_or_default();
                if self.folders.insert(folder.into()) {
                    fs::create_dir(top.join(folder)).map_err(io_error(&top.join(folder)))?;
                }
            }
        }
        let blobs: Vec<(&String, &Entry)> =
            entries.iter().copied().filter(|(_, entry)| entry.mode != Mode::Submodule).collect();
        let files = &mut self.files;
        let repo = &self.repo;
        let written = |i: usize, bytes: Vec<u8>| {
            let (path, entry) = blobs[i];
            let to = top.join(path);
            // What was edited is newer than what was built of it before, for `make` and its like.
            let edited = repo.listing.get(path) != Some(entry);
            let time = repo.time + i64::from(edited);
            let done = match entry.mode {
                Mode::Link => std::os::unix::fs::symlink(std::ffi::OsStr::from_bytes(&bytes), &to)
                    .and_then(|()| disk::settle_link(&to, time)),
                mode => disk::write(&to, &bytes, mode == Mode::Executable, time),
            };
            done.map_err(|why| GitError::new(format!("{}: {why}", to.display())))?;
            let digest = Sha256::digest(&bytes).into();
            let expected =
                Expected { mode: entry.mode, oid: entry.oid.clone(), size: bytes.len() as u64, time, digest };
            files.insert(path.clone(), expected);
            Ok(())
        };
        Ok(self.repo.git.read_each(blobs.iter().map(|(_, entry)| &entry.oid), written)?)
    }
}
