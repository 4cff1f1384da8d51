//! What of `/etc` a sandboxed job sees: copies in one folder, so that a sandbox mounts that and not a dozen single files.

use crate::local::files::remove;
use std::fs::{self, DirBuilder, File, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// What programs need of `/etc` to run: no passwords, no keys.
pub(super) const ETC: [&str; 13] = [
    "alternatives",
    "group",
    "hosts",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "nsswitch.conf",
    "passwd",
    "pki/tls/certs",
    "resolv.conf",
    "ssl/certs",
    "timezone",
];

/// How deep folders are copied.
const DEPTH: u32 = 4;

/// The copies that jobs are given at present.
#[derive(Debug, Clone, Default)]
pub(super) struct Current(Arc<Mutex<Option<Arc<Etc>>>>);

impl Current {
    /// The copies, made anew when one of the originals has changed. (Of what is below a folder, a change of the folder itself
    /// is seen: a name that came, went or was replaced.)
    ///
    /// # Errors
    /// They cannot be written.
    pub(super) fn get(&self) -> io::Result<Arc<Etc>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now: Vec<_> = ETC.into_iter().map(stamp).collect();
        if let Some(etc) = kept.as_ref().filter(|etc| etc.was == now) {
            return Ok(Arc::clone(etc));
        }
        let etc = Arc::new(Etc::make(&std::env::temp_dir(), now)?);
        *kept = Some(Arc::clone(&etc));
        Ok(etc)
    }
}

type Stamp = (u64, u64, u64, i64, i64);

fn stamp(name: &str) -> Option<Stamp> {
    let about = fs::metadata(Path::new("/etc").join(name)).ok()?;
    Some((about.dev(), about.ino(), about.size(), about.ctime(), about.ctime_nsec()))
}

/// A folder of copies; dropped, it is gone.
#[derive(Debug)]
pub(super) struct Etc {
    outer: PathBuf,
    /// The kernel gives it back when this process is killed: then the next one deletes the folder.
    _lock: File,
    was: Vec<Option<Stamp>>,
}

impl Etc {
    /// What is to be mounted.
    pub(super) fn folder(&self) -> PathBuf {
        self.outer.join("etc")
    }

    fn make(place: &Path, was: Vec<Option<Stamp>>) -> io::Result<Self> {
        let user = rustix::process::geteuid().as_raw();
        let prefix = format!("autoresearch-etc-{user}-");
        sweep(place, &prefix, user);
        loop {
            let outer = place.join(format!("{prefix}{}", crate::local::unique()));
            DirBuilder::new().mode(0o700).create(&outer)?;
            let lock = File::open(&outer);
            // Somebody who sweeps may have come in between.
            let Some(lock) = lock.ok().filter(|lock| lock.try_lock().is_ok() && outer.exists()) else {
                continue;
            };
            let etc = Self { outer, _lock: lock, was };
            etc.fill()?;
            return Ok(etc);
        }
    }

    fn fill(&self) -> io::Result<()> {
        let folder = self.folder();
        DirBuilder::new().mode(0o755).create(&folder)?;
        for name in ETC {
            let (from, to) = (Path::new("/etc").join(name), folder.join(name));
            let Ok(about) = fs::metadata(&from) else { continue };
            if let Some(parent) = to.parent() {
                fs::create_dir_all(parent)?;
            }
            copy(&from, &to, &about, DEPTH)?;
        }
        Ok(())
    }
}

impl Drop for Etc {
    fn drop(&mut self) {
        if let Err(why) = remove(&self.outer) {
            tracing::warn!("{} stays behind: {why}", self.outer.display());
        }
    }
}

/// What cannot be read is left out: the job could not read it either.
fn copy(from: &Path, to: &Path, about: &Metadata, depth: u32) -> io::Result<()> {
    if about.is_file() {
        return match File::open(from) {
            Ok(_) => fs::copy(from, to).map(drop),
            Err(_) => Ok(()),
        };
    }
    if !about.is_dir() || depth == 0 {
        return Ok(());
    }
    fs::create_dir(to)?;
    for entry in fs::read_dir(from).into_iter().flatten().flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let Ok(about) = fs::symlink_metadata(&from) else { continue };
        match fs::read_link(&from) {
            // They lead where they led, as far as that is there.
            Ok(target) => symlink(target, to)?,
            Err(_) => copy(&from, &to, &about, depth - 1)?,
        }
    }
    Ok(())
}

/// Deletes the folders of processes that were killed.
fn sweep(place: &Path, prefix: &str, user: u32) {
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let path = entry.path();
        let own = |about: Metadata| about.is_dir() && about.uid() == user;
        if entry.file_name().to_string_lossy().starts_with(prefix)
            && fs::symlink_metadata(&path).is_ok_and(own)
            && let Ok(folder) = File::open(&path)
            && folder.try_lock().is_ok()
            && let Err(why) = remove(&path)
        {
            tracing::debug!("{} stays behind: {why}", path.display());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_shared_and_go_with_the_last_that_has_them() {
        let current = Current::default();
        let (one, two) = (current.get().unwrap(), current.get().unwrap());
        assert!(Arc::ptr_eq(&one, &two));
        let folder = one.folder();
        assert_eq!(fs::read(folder.join("passwd")).unwrap(), fs::read("/etc/passwd").unwrap());
        assert!(!folder.join("shadow").exists());
        drop((one, current));
        assert!(folder.exists());
        drop(two);
        assert!(!folder.parent().unwrap().exists());
    }

    #[test]
    fn what_changes_is_copied_anew() {
        let current = Current::default();
        let old = current.get().unwrap();
        let place = tempfile::tempdir().unwrap();
        // As if the originals had been others when they were copied.
        let stale = Etc::make(place.path(), vec![None; ETC.len()]).unwrap();
        *current.0.lock().unwrap() = Some(Arc::new(stale));
        let new = current.get().unwrap();
        assert!(new.was == old.was && new.folder() != old.folder());
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    }

    #[test]
    fn folders_of_the_dead_are_swept_and_those_of_the_living_are_not() {
        let place = tempfile::tempdir().unwrap();
        let living = Etc::make(place.path(), Vec::new()).unwrap();
        let user = rustix::process::geteuid().as_raw();
        let dead = place.path().join(format!("autoresearch-etc-{user}-dead"));
        fs::create_dir_all(dead.join("etc/ssl")).unwrap();
        let other = Etc::make(place.path(), Vec::new()).unwrap();
        assert!(living.folder().join("passwd").exists() && other.folder().exists() && !dead.exists());
    }
}
