//! Writing a file so that it is there as a whole or not at all.

use autoresearch_core::{Cancellation, RunFailure};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes between two looks at the cancellation.
const PIECE: usize = 1 << 20;

/// Tells apart the writers of one process: a cancelled run's thread may still write when the run is begun again.
static WRITERS: AtomicU64 = AtomicU64::new(0);

/// Writes `bytes` under a temporary name, syncs them and renames the file to `name`; its path.
///
/// # Errors
/// The disk's, with the path; cancelled on the way. No file is left, and an earlier one of the name stays as it is.
pub(super) fn whole(
    folder: &Path,
    name: &str,
    bytes: &[u8],
    stop: &Cancellation,
) -> Result<PathBuf, RunFailure> {
    forget_the_dead(folder, name);
    let path = folder.join(name);
    let writer = WRITERS.fetch_add(1, Ordering::SeqCst);
    put(&folder.join(format!("{}{writer}.part", prefix(name))), &path, bytes, stop)?;
    Ok(path)
}

fn put(temporary: &Path, path: &Path, bytes: &[u8], stop: &Cancellation) -> Result<(), RunFailure> {
    let written = File::create(temporary).map_err(RunFailure::from).and_then(|mut file| {
        copy(bytes, &mut file, stop)?;
        file.sync_all()?;
        if stop.is_cancelled() {
            return Err(RunFailure::cancelled());
        }
        Ok(fs::rename(temporary, path)?)
    });
    written.map_err(|failure| {
        _ = fs::remove_file(temporary);
        if stop.is_cancelled() {
            return RunFailure::cancelled();
        }
        RunFailure::infrastructure(format!(
            "cannot write the checkpoint {}: {}",
            path.display(),
            failure.message()
        ))
    })
}

fn copy(bytes: &[u8], to: &mut impl Write, stop: &Cancellation) -> Result<(), RunFailure> {
    for piece in bytes.chunks(PIECE) {
        if stop.is_cancelled() {
            return Err(RunFailure::cancelled());
        }
        to.write_all(piece)?;
    }
    Ok(())
}

fn prefix(name: &str) -> String {
    format!(".{name}.{}-", process::id())
}

/// Removes what a process that was killed while writing left: files of the temporary form that are not this process's.
fn forget_the_dead(folder: &Path, name: &str) {
    let (any, mine) = (format!(".{name}."), prefix(name));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let found = entry.file_name();
        let found = found.to_string_lossy();
        if found.starts_with(&any) && found.ends_with(".part") && !found.starts_with(&mine) {
            _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use autoresearch_core::Fault;
    use std::io;

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Raises the flag while the first piece is being written.
    struct Cancelling(Cancellation, usize);

    impl Write for Cancelling {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.cancel();
            self.1 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_run_cancelled_half_way_through_leaves_the_earlier_file_and_no_other() {
        let stop = Cancellation::new();
        let mut writer = Cancelling(stop.clone(), 0);
        let failure = copy(&vec![7; 3 * PIECE], &mut writer, &stop).unwrap_err();
        assert_eq!((failure.fault(), writer.1), (Fault::Cancelled, PIECE));

        let folder = tempfile::tempdir().unwrap();
        whole(folder.path(), "model", b"the earlier one", &Cancellation::new()).unwrap();
        let failure = whole(folder.path(), "model", b"the later one", &stop).unwrap_err();
        assert_eq!(failure.fault(), Fault::Cancelled);
        assert_eq!(names(folder.path()), ["model"]);
        assert_eq!(fs::read(folder.path().join("model")).unwrap(), b"the earlier one");
    }

    #[test]
    fn what_a_killed_process_left_goes_and_what_is_under_way_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (dead, mine) = (".model.0-3.part", format!("{}99999.part", prefix("model")));
        for name in [dead, mine.as_str(), ".other.0-3.part", "model.part"] {
            fs::write(folder.path().join(name), "half").unwrap();
        }
        whole(folder.path(), "model", b"whole", &Cancellation::new()).unwrap();
        let mut left = names(folder.path());
        left.sort();
        let mut expected = [mine.as_str(), ".other.0-3.part", "model", "model.part"];
        expected.sort_unstable();
        assert_eq!(left, expected);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_the_infrastructures_failure_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (temporary, path) = (folder.path().join("temporary"), folder.path().join("model"));
        std::os::unix::fs::symlink("/dev/full", &temporary).unwrap(); // every write to it finds the disk full
        let failure = put(&temporary, &path, b"weights", &Cancellation::new()).unwrap_err();
        assert_eq!(failure.fault(), Fault::Infrastructure);
        assert!(
            failure.message().contains("model") && failure.message().contains("No space left"),
            "{failure}"
        );
        assert!(names(folder.path()).is_empty());
    }
}
