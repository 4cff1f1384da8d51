//! Whether a folder still is its tree, and making it so again.

use super::Folder;
use super::disk;
use super::folder::Expected;
use crate::git::{Entry, Mode};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// What a run has done to the files of its folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Verified {
    /// Files of the tree that are gone, or are something else now, in order.
    pub(crate) changed: Vec<String>,
    /// Whether files were written again: they have other numbers (inodes) now, which a later run could read.
    pub(crate) rewritten: bool,
    /// What it has left and nobody can take away: the folder is not to be used again.
    pub(crate) stuck: Option<String>,
}

/// What a file was found to be.
enum Found {
    AsExpected,
    /// With the same bytes, and under another name or with other rights as well.
    Shared,
    Changed,
}

impl Folder {
    /// Compares every file byte by byte with the tree, removes all else, and puts back what was changed: afterwards the folder is as
    /// it was before the run. No process may be writing to it.
    ///
    /// # Errors
    /// The disk, or git: the folder is not to be used again.
    pub(crate) fn verify(&mut self) -> io::Result<Verified> {
        let (mut verified, again) = match self.clear() {
            Err(why) if disk::is_left(&why) => {
                return Ok(Verified { stuck: Some(why.to_string()), ..Verified::default() });
            }
            cleared => cleared?,
        };
        let again: Vec<(&String, &Entry)> = again.iter().map(|(path, entry)| (path, entry)).collect();
        verified.rewritten = !again.is_empty();
        self.put(&again)?;
        Ok(verified)
    }

    /// Leaves what is as it was, and nothing else; returns also what is to be written again.
    fn clear(&mut self) -> io::Result<(Verified, Vec<(String, Entry)>)> {
        let top = self.path();
        let mut there = BTreeSet::new();
        self.sweep(&top, "", &mut there)?;
        let files: Vec<(&String, &Expected)> = self.files.iter().collect();
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(8);
        let share = files.len().div_ceil(threads).max(1);
        let looked: Vec<io::Result<Vec<(String, bool)>>> = std::thread::scope(|scope| {
            let workers: Vec<_> = files
                .chunks(share)
                .map(|some| {
                    let (top, there) = (&top, &there);
                    scope.spawn(move || check(top, some, there))
                })
                .collect();
            let gone = || Err(io::Error::other("a thread that compares files has panicked"));
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| gone())).collect()
        });
        let mut verified = Verified::default();
        let mut again = Vec::new();
        for looked in looked {
            for (path, changed) in looked? {
                if changed {
                    verified.changed.push(path.clone());
                }
                again.push(path);
            }
        }
        let entries: Vec<(String, Entry)> = again
            .into_iter()
            .filter_map(|path| {
                self.files.remove(&path).map(|was| (path, Entry { mode: was.mode, oid: was.oid }))
            })
            .collect();
        for (path, _) in &entries {
            disk::remove(&top.join(path))?;
        }
        // Folders that the run has removed, or put something else in the place of.
        for folder in &self.folders {
            let path = top.join(folder);
            if !fs::symlink_metadata(&path).is_ok_and(|about| about.is_dir()) {
                fs::create_dir(&path)?;
            }
        }
        Ok((verified, entries))
    }

    /// Removes what is not of the tree; what is left are files and folders where files and folders belong.
    fn sweep(&self, at: &Path, within: &str, there: &mut BTreeSet<String>) -> io::Result<()> {
        if fs::symlink_metadata(at)?.mode() & 0o7777 != 0o755 {
            fs::set_permissions(at, fs::Permissions::from_mode(0o755))?;
        }
        for entry in disk::entries(at)? {
            let (place, kind) = (entry.path(), entry.file_type()?);
            let path = entry.file_name().to_str().map(|name| match within {
                "" => name.to_string(),
                within => format!("{within}/{name}"),
            });
            let Some(path) = path else {
                disk::remove(&place)?;
                continue;
            };
            match self.files.get(&path).map(|expected| expected.mode) {
                Some(Mode::Link) if kind.is_symlink() => drop(there.insert(path)),
                Some(mode) if mode.is_file() && kind.is_file() => drop(there.insert(path)),
                None if kind.is_dir() && self.folders.contains(&path) => self.sweep(&place, &path, there)?,
                _ => disk::remove(&place)?,
            }
        }
        Ok(())
    }
}

/// Those that are to be written again, each with whether its bytes differ.
fn check(
    top: &Path,
    files: &[(&String, &Expected)],
    there: &BTreeSet<String>,
) -> io::Result<Vec<(String, bool)>> {
    let mut again = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    for (path, expected) in files {
        let found = match there.contains(*path) {
            true => look(&top.join(path), expected, &mut buffer)?,
            false => Found::Changed,
        };
        match found {
            Found::AsExpected => {}
            Found::Shared => again.push(((*path).clone(), false)),
            Found::Changed => again.push(((*path).clone(), true)),
        }
    }
    Ok(again)
}

fn look(place: &Path, expected: &Expected, buffer: &mut [u8]) -> io::Result<Found> {
    if expected.mode == Mode::Link {
        let to = fs::read_link(place)?;
        let same = Sha256::digest(to.as_os_str().as_bytes()).as_slice() == expected.digest;
        if same {
            disk::settle_link(place, expected.time)?;
        }
        return Ok(if same { Found::AsExpected } else { Found::Changed });
    }
    let mut file = match disk::open(place) {
        // Its rights were changed, and so perhaps the rest.
        Err(why) if why.kind() == io::ErrorKind::PermissionDenied => return Ok(Found::Changed),
        file => file?,
    };
    let about = file.metadata()?;
    if !about.is_file() || about.len() != expected.size {
        return Ok(Found::Changed);
    }
    let mut digest = Sha256::new();
    let mut left = expected.size;
    while left > 0 {
        let most = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        match file.read(&mut buffer[..most])? {
            0 => return Ok(Found::Changed),
            n => {
                digest.update(&buffer[..n]);
                left -= n as u64;
            }
        }
    }
    if digest.finalize().as_slice() != expected.digest {
        return Ok(Found::Changed);
    }
    let mode = if expected.mode == Mode::Executable { 0o755 } else { 0o644 };
    let alone = about.nlink() == 1 && about.mode() & 0o7777 == mode;
    if !alone {
        return Ok(Found::Shared);
    }
    // Of every file, whether or not it was touched: so the time of the last change of its entry, which nobody can set, says nothing.
    disk::settle(&file, expected.time)?;
    Ok(Found::AsExpected)
}
