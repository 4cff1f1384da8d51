//! Who may run a run: a lock on the shared storage, which the system takes away from a driver that is gone.

use crate::error::LaunchError;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a lock is waited for that another process may be about to give back.
const PATIENCE: Duration = Duration::from_secs(2);

/// The right to run a run. Dropped, it is given back.
#[derive(Debug)]
pub(crate) struct Claim {
    _lock: File,
    path: PathBuf,
}

impl Claim {
    /// Takes the right.
    ///
    /// # Errors
    /// Another launch holds it and goes on; or the folder cannot be written, or knows no locks. Blocks for up to two seconds.
    pub(crate) fn take(root: &Path, key: &str) -> Result<Self, LaunchError> {
        let path = root.join(format!("{key}.lock"));
        let what = || format!("cannot lock {}", path.display());
        let until = Instant::now() + PATIENCE;
        loop {
            let open = OpenOptions::new().create(true).read(true).write(true).truncate(false).open(&path);
            let mut file = open.map_err(LaunchError::io(what()))?;
            match file.try_lock() {
                // Whoever had it before has taken the file away: this one is nobody's any more.
                Ok(()) if !is_at(&file, &path) => {}
                Ok(()) => {
                    let holder = format!("process {} of {}", std::process::id(), host());
                    file.set_len(0)
                        .and_then(|()| file.write_all(holder.as_bytes()))
                        .map_err(LaunchError::io(what()))?;
                    crate::step::made("cluster claimed");
                    return Ok(Self { _lock: file, path });
                }
                Err(TryLockError::WouldBlock) if Instant::now() > until => {
                    let mut holder = String::new();
                    let _ = file.read_to_string(&mut holder);
                    let holder = if holder.is_empty() { "another process".into() } else { holder };
                    return Err(LaunchError::Infrastructure(format!(
                        "{key} is being run by {holder}; two attempts at one run never run at once"
                    )));
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(5)),
                Err(TryLockError::Error(why)) if why.kind() == ErrorKind::Unsupported => {
                    return Err(LaunchError::Setup(format!(
                        "{} is on a file system without locks ({why}), and without them one run could be made twice at once; \
                         mount it with locks (Lustre: `-o flock`), or give the launcher a folder elsewhere",
                        root.display()
                    )));
                }
                Err(TryLockError::Error(why)) => return Err(LaunchError::io(what())(why)),
            }
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Still locked: who waits for it finds that it is gone, and makes another.
        let _ = fs::remove_file(&self.path);
        crate::step::made("cluster lock removed");
    }
}

fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().into()
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(open), Ok(there)) => (open.dev(), open.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_exclusive_and_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let claim = Claim::take(root.path(), "s-r1").unwrap();
        let refused = Claim::take(root.path(), "s-r1").unwrap_err().to_string();
        assert!(refused.contains(&format!("process {}", std::process::id())), "{refused}");
        drop(claim);
        drop(Claim::take(root.path(), "s-r1").unwrap());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }
}
