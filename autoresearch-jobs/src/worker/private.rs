//! A folder that a worker's outcome comes into, which nobody else writes to, and which goes with its process however that ends.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Once;
use tempfile::TempDir;

/// Not one that earlier versions, which hold no lock, have given theirs.
const PREFIX: &str = "autoresearch-outcome-";

/// Dropped, it is gone.
#[derive(Debug)]
pub(super) struct Private {
    folder: TempDir,
    /// The system gives it back when this process is killed: then the next one deletes the folder.
    _lock: File,
}

impl Private {
    /// A new one among the temporary files; the first one of a process deletes what killed ones have left.
    pub(super) fn new() -> io::Result<Self> {
        static SWEPT: Once = Once::new();
        let place = std::env::temp_dir();
        let private = Self::below(&place)?;
        SWEPT.call_once(|| sweep(&place, private.path()));
        Ok(private)
    }

    fn below(place: &Path) -> io::Result<Self> {
        loop {
            let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(place)?;
            let lock = File::open(folder.path());
            // Somebody who sweeps may have come in between.
            if let Ok(lock) = lock
                && lock.try_lock().is_ok()
                && folder.path().exists()
            {
                return Ok(Self { folder, _lock: lock });
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Deletes what nobody holds of this user's.
fn sweep(place: &Path, own: &Path) {
    let Ok(entries) = fs::read_dir(place) else { return };
    for entry in entries.flatten() {
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        if !ours || entry.path() == own || !same_owner(&entry.path(), own) {
            continue;
        }
        if let Ok(lock) = File::open(entry.path())
            && lock.try_lock().is_ok()
            && let Err(why) = fs::remove_dir_all(entry.path())
        {
            tracing::debug!("{} stays behind: {why}", entry.path().display());
        }
    }
}

/// Whether the first is a folder, and no link, of whom the second belongs to.
#[cfg(unix)]
fn same_owner(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let about = |path| fs::symlink_metadata(path).ok().filter(fs::Metadata::is_dir).map(|about| about.uid());
    about(one).is_some_and(|owner| Some(owner) == about(other))
}

#[cfg(not(unix))]
fn same_owner(_: &Path, _: &Path) -> bool {
    false
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_has_left_is_deleted_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let (left, file) = (place.path().join(format!("{PREFIX}left")), place.path().join("other"));
        fs::create_dir(&left).unwrap();
        fs::write(left.join("outcome.json"), "{}").unwrap();
        fs::write(&file, "").unwrap();
        let link = place.path().join(format!("{PREFIX}link"));
        std::os::unix::fs::symlink(place.path(), &link).unwrap();
        let (held, own) = (Private::below(place.path()).unwrap(), Private::below(place.path()).unwrap());
        sweep(place.path(), own.path());
        assert!(!left.exists(), "nobody holds it");
        assert!(held.path().exists() && own.path().exists() && file.exists());
        assert!(fs::symlink_metadata(&link).is_ok(), "a link is followed by nobody");
        let path = held.path().to_owned();
        drop(held);
        assert!(!path.exists());
    }
}
