//! Who may run a run: a lock that the kernel takes away from a driver that is gone, and a note of what it had started.

use super::cgroup::Cgroup;
use super::files::remove;
use super::kin::{Kin, MARK};
use super::proc;
use crate::error::LaunchError;
use crate::id::JobId;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long a lock is waited for whose holder may be about to give it back.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long one is waited for whose holder has said that it is: longer than the end of what was killed is waited for.
const LAST: Duration = Duration::from_secs(3 * END.as_secs() + 5);
/// What the holder then adds in the lock.
const ENDING: &str = "is ending";
/// How long the end of processes that were killed is waited for.
pub(super) const END: Duration = Duration::from_secs(10);

/// What is written down before anything is started, so that whoever comes later finds it.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    id: JobId,
    mark: String,
    boot: String,
    since: u64,
    groups: Vec<PathBuf>,
}

/// The right to run a run on this machine, with folders for it. Dropped, all of it is gone.
#[derive(Debug)]
pub(super) struct Claim {
    /// Locked; the kernel unlocks it when this process is gone, however that came about.
    lock: File,
    lock_path: PathBuf,
    folder: PathBuf,
    home: PathBuf,
    refused: PathBuf,
    /// Something of it is still running: the note must stay, so that it is found again.
    unended: bool,
}

impl Claim {
    /// Takes the right, and ends what a driver that is gone has left of the run.
    ///
    /// # Errors
    /// Another launch holds it and goes on; or the folder cannot be written.
    pub(super) fn take(root: &Path, key: &str) -> Result<Self, LaunchError> {
        let lock_path = root.join(format!("{key}.lock"));
        let begun = Instant::now();
        let lock = loop {
            let what = || format!("cannot open the lock {}", lock_path.display());
            let open =
                OpenOptions::new().create(true).read(true).write(true).truncate(false).open(&lock_path);
            let file = open.map_err(LaunchError::io(what()))?;
            match file.try_lock() {
                // Whoever had it before has taken the file away: this one is nobody's any more.
                Ok(()) if !is_at(&file, &lock_path) => {}
                Ok(()) => break file,
                Err(fs::TryLockError::Error(why)) => return Err(LaunchError::io(what())(why)),
                Err(fs::TryLockError::WouldBlock)
                    if begun.elapsed() > LAST
                        || begun.elapsed() > PATIENCE && !content(&file).ends_with(ENDING) =>
                {
                    return Err(LaunchError::Infrastructure(busy(key, &file)));
                }
                Err(fs::TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(2)),
            }
        };
        // Side by side: a folder for the two of them would have to be made and removed on the disk as well.
        let [home, refused] = ["home", "refused"].map(|what| root.join(format!("{key}.{what}")));
        let text = content(&lock);
        let mut claim = Self { lock, lock_path, folder: root.join(key), home, refused, unended: false };
        claim.end_what_was_left(&text)?;
        let written = claim.lock.set_len(0).and_then(|()| claim.lock.write_all_at(me().as_bytes(), 0));
        written.map_err(LaunchError::io(format!("cannot write the lock {}", claim.lock_path.display())))?;
        crate::step::made("local claimed");
        Ok(claim)
    }

    /// A folder to work in, made anew; what is in it is private to the user.
    pub(super) fn make_folder(&self) -> Result<PathBuf, LaunchError> {
        private(&self.folder)
    }

    /// The same for its home and its temporary files.
    pub(super) fn make_home(&self) -> Result<PathBuf, LaunchError> {
        private(&self.home)
    }

    fn folders(&self) -> [PathBuf; 2] {
        [self.folder.clone(), self.home.clone()]
    }

    /// The file in which it is written that a limit could not be set: where the job does not come by.
    pub(super) fn refused(&self) -> &Path {
        &self.refused
    }

    /// Writes down what is about to be started, and how its processes are told.
    pub(super) fn note(&self, id: &JobId, mark: &str, groups: &[Cgroup]) -> Result<Kin, LaunchError> {
        let since = proc::now().unwrap_or(0).saturating_sub(1);
        let paths = groups.iter().map(|group| group.path().to_path_buf()).collect();
        let record =
            Record { id: id.clone(), mark: mark.into(), boot: proc::boot().into(), since, groups: paths };
        let text =
            serde_json::to_string(&record).map_err(|why| LaunchError::Infrastructure(why.to_string()))?;
        let written = self.lock.write_all_at(format!("{}{text}\n", me()).as_bytes(), 0);
        written.map_err(LaunchError::io(format!("cannot write {}", self.lock_path.display())))?;
        crate::step::made("local noted");
        Ok(Kin::new(mark.into(), self.folders(), groups.to_vec(), since))
    }

    /// What it has started is being ended: who waits for the run waits for that.
    pub(super) fn is_ending(&self) {
        // It would only be told to come again later.
        let _ = self.lock.metadata().and_then(|about| self.lock.write_all_at(ENDING.as_bytes(), about.len()));
    }

    /// Something of it does not end: the note stays for whoever comes later.
    pub(super) fn is_unended(&mut self) {
        self.unended = true;
    }

    fn end_what_was_left(&mut self, text: &str) -> Result<(), LaunchError> {
        // Without a note nothing was started yet.
        let record = text.lines().nth(1).and_then(|line| serde_json::from_str::<Record>(line).ok());
        if let Some(record) = record.filter(|record| record.boot == proc::boot()) {
            let groups: Vec<Cgroup> = record.groups.iter().map(|path| Cgroup::at(path)).collect();
            let mut kin = Kin::new(record.mark, self.folders(), groups, record.since);
            let (ended, gone) = kin.end(false, false, END);
            if !gone {
                self.unended = true;
                return Err(LaunchError::Infrastructure(format!(
                    "processes of {}, which an earlier driver started, do not end; see `ps` for what stands in {}",
                    record.id,
                    self.folder.display()
                )));
            }
            kin.groups().iter().for_each(Cgroup::remove);
            tracing::info!(id = %record.id, ended, "what an earlier driver had left running was ended");
        }
        self.folders().iter().try_for_each(|folder| {
            remove(folder).map_err(LaunchError::io(format!("cannot delete {}", folder.display())))
        })
    }
}

fn private(folder: &Path) -> Result<PathBuf, LaunchError> {
    let made = fs::DirBuilder::new().mode(0o700).create(folder);
    made.map_err(LaunchError::io(format!("cannot make the folder {}", folder.display())))?;
    crate::step::made("local folder made");
    Ok(folder.into())
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.unended {
            return;
        }
        for folder in self.folders() {
            // Most are empty, or not there.
            if fs::remove_dir(&folder).is_err()
                && let Err(why) = remove(&folder)
            {
                tracing::warn!("{} stays behind: {why}", folder.display());
            }
        }
        crate::step::made("local folders removed");
        let _ = fs::remove_file(&self.refused);
        // Still locked: who waits for it finds that it is gone, and makes another.
        let _ = fs::remove_file(&self.lock_path);
        crate::step::made("local note removed");
    }
}

/// Ends what drivers that are gone have left in the folder. What cannot be ended is said, and found again later.
pub(super) fn sweep(root: &Path) {
    let Ok(entries) = fs::read_dir(root) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(key) = name.to_str().and_then(|name| name.strip_suffix(".lock")) else { continue };
        let free = File::open(entry.path()).is_ok_and(|file| file.try_lock_shared().is_ok());
        if free && let Err(why) = Claim::take(root, key) {
            tracing::warn!("{why}");
        }
    }
}

/// A name that no other launch of any process of this machine has.
pub(super) fn mark() -> String {
    format!("{MARK}{}", unique())
}

/// What no other process of this machine says, and this one only once.
pub(crate) fn unique() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{}_{}_{count}", std::process::id(), since.as_nanos())
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(open), Ok(there)) => (open.dev(), open.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

/// What the one that has the lock writes there first.
fn me() -> String {
    format!("{}\n", std::process::id())
}

/// What the one that has the lock has written there: its number, what it has started, and that it is ending that.
fn content(lock: &File) -> String {
    let mut text = Vec::new();
    let mut lock = lock;
    let _ = lock.rewind().and_then(|()| lock.read_to_end(&mut text));
    String::from_utf8_lossy(&text).into_owned()
}

fn busy(key: &str, lock: &File) -> String {
    let by = match content(lock).lines().next() {
        Some(holder) => format!("process {holder}"),
        None => "another process".into(),
    };
    format!("{key} is being run by {by}; two attempts at one run never run at once")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_exclusive_and_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let claim = Claim::take(root.path(), "s-r1").unwrap();
        for folder in [claim.make_folder().unwrap(), claim.make_home().unwrap()] {
            fs::write(folder.join("f"), "").unwrap();
        }
        let refused = Claim::take(root.path(), "s-r1").unwrap_err().to_string();
        assert!(refused.contains(&format!("process {}", std::process::id())), "{refused}");
        Claim::take(root.path(), "s-r2").unwrap();
        drop(claim);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
        Claim::take(root.path(), "s-r1").unwrap();
    }

    #[test]
    fn a_holder_that_is_about_to_end_is_waited_for() {
        let root = tempfile::tempdir().unwrap();
        let claim = Claim::take(root.path(), "s-r1").unwrap();
        claim.is_ending();
        let path = root.path().to_path_buf();
        let (told, heard) = std::sync::mpsc::channel();
        let waits = std::thread::spawn(move || {
            let taken = Claim::take(&path, "s-r1").map(drop);
            let _ = told.send(());
            taken
        });
        // Who is not about to end is given up by then.
        assert!(heard.recv_timeout(PATIENCE + Duration::from_millis(500)).is_err());
        drop(claim);
        assert_eq!(waits.join().unwrap(), Ok(()));
    }
}
