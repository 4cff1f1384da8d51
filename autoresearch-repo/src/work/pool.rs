//! Folders, kept from one run to the next, and cleared away after those that are gone.

use super::disk;
use super::{Folder, unique};
use crate::tree::{GitTree, Repo};
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The lock within a folder.
const LOCK: &str = "lock";

/// Folders with trees in them. What a run has left is checked byte by byte before another run works in it: reading is quicker than
/// making it anew.
#[derive(Debug)]
pub(crate) struct Pool {
    repo: Arc<Repo>,
    root: PathBuf,
    free: Mutex<Vec<Folder>>,
}

impl Pool {
    pub(crate) fn new(repo: &Arc<Repo>, root: Option<&Path>) -> Self {
        Self { repo: Arc::clone(repo), root: Self::root(root), free: Mutex::default() }
    }

    /// Where the folders are made, in this place or, unless one is said, in the system's for temporary files.
    pub(crate) fn root(said: Option<&Path>) -> PathBuf {
        said.map_or_else(default_root, Path::to_path_buf)
    }

    /// Where what runs jobs keeps its own files.
    pub(crate) fn jobs(&self) -> PathBuf {
        self.root.join("jobs")
    }

    /// A folder with the files of this tree, for its user alone.
    ///
    /// # Errors
    /// The disk, or git.
    pub(crate) fn take(&self, tree: &GitTree) -> io::Result<Folder> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut folder = match free {
            Some(folder) => folder,
            None => Folder::of_base(&self.repo, Locked::new(&self.root, "tree")?)?,
        };
        folder.become_tree(tree)?;
        Ok(folder)
    }

    /// Takes a folder back that was found to be as it was. One that is dropped instead is removed.
    pub(crate) fn give(&self, folder: Folder) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(folder);
    }

    /// An empty folder.
    pub(crate) fn scratch(&self) -> io::Result<Scratch> {
        Locked::new(&self.root, "scratch").map(Scratch)
    }
}

/// An empty folder, removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Scratch(Locked);

impl Scratch {
    pub(crate) fn path(&self) -> PathBuf {
        self.0.path.join("files")
    }

    pub(crate) fn number(&self) -> u64 {
        self.0.number
    }
}

/// A folder that a lock tells from those of processes that are gone.
#[derive(Debug)]
pub(super) struct Locked {
    path: PathBuf,
    number: u64,
    _lock: File,
}

impl Locked {
    fn new(root: &Path, what: &str) -> io::Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let failed = |why: io::Error| io::Error::new(why.kind(), format!("{}: {why}", root.display()));
        make_root(root).map_err(failed)?;
        // Held while a folder is without its lock: nobody takes it for one that was left.
        let gate = File::create(root.join(LOCK)).map_err(failed)?;
        flock(&gate, FlockOperation::LockExclusive)?;
        prune(root);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        // A name that is taken already is an error, and never somebody else's folder.
        let path = root.join(format!("{what}-{}-{number}", unique()));
        fs::create_dir(&path).map_err(failed)?;
        let lock = File::create(path.join(LOCK)).map_err(failed)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self { path, number, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        if let Err(why) = disk::remove(&self.path) {
            tracing::warn!("{} cannot be removed: {why}", self.path.display());
        }
    }
}

/// Removes folders whose processes are gone.
fn prune(root: &Path) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_ours = |name: &str| ["tree-", "scratch-"].iter().any(|what| name.starts_with(what));
        if !entry.file_name().to_str().is_some_and(is_ours)
            || !entry.file_type().is_ok_and(|kind| kind.is_dir())
        {
            continue;
        }
        let left = match File::open(path.join(LOCK)) {
            Ok(lock) => flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok(),
            Err(why) => why.kind() == io::ErrorKind::NotFound,
        };
        if left {
            tracing::info!("{} was left by a process that is gone", path.display());
            if let Err(why) = disk::remove(&path) {
                tracing::warn!("{} cannot be removed: {why}", path.display());
            }
        }
    }
}

fn default_root() -> PathBuf {
    std::env::temp_dir().join(format!("autoresearch-repo-{}", rustix::process::geteuid().as_raw()))
}

/// Private to the user, and nobody else's.
fn make_root(root: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(root)?;
    let about = fs::symlink_metadata(root)?;
    match about.is_dir() && about.uid() == rustix::process::geteuid().as_raw() {
        true => Ok(()),
        false => Err(io::Error::other(
            "it belongs to somebody else; say where folders of runs are to be made with `work`",
        )),
    }
}
