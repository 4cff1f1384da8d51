//! The cache: one folder of downloads for all checkouts of one user.
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

/// What marks a folder or file that is not complete. Whoever holds the lock may delete all that carry it.
const PARTIAL: &str = ".partial-";

/// The folder that checkouts share.
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// The cache of this user: `AUTORESEARCH_CACHE`, or the platform's place for caches.
    pub(crate) fn locate() -> Result<Self> {
        let folder = folder(std::env::consts::OS, |name| std::env::var_os(name))?;
        let folder = std::path::absolute(&folder)
            .with_context(|| format!("{} cannot be made an absolute path", folder.display()))?;
        Ok(Self { folder })
    }

    #[cfg(test)]
    pub(crate) fn at(folder: &Path) -> Self {
        Self { folder: folder.into() }
    }

    /// A path in the cache.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Where complete downloads wait to be unpacked.
    pub(crate) fn downloads(&self) -> PathBuf {
        self.path("downloads")
    }

    /// Waits until no other set-up works on this cache, then clears what interrupted ones left behind.
    pub(crate) fn lock(&self) -> Result<Lock> {
        fs::create_dir_all(&self.folder).with_context(|| {
            format!(
                "the cache folder {} cannot be created; set AUTORESEARCH_CACHE to a folder that you may write to",
                self.folder.display()
            )
        })?;
        let path = self.path("setup.lock");
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .with_context(|| format!("the lock file {} cannot be opened", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                println!("Another set-up is at work in {}; waiting for it.", self.folder.display());
                file.lock().with_context(|| format!("waiting for {} failed", path.display()))?;
            }
            Err(TryLockError::Error(why)) => {
                return Err(why).with_context(|| format!("{} cannot be locked", path.display()));
            }
        }
        for folder in [self.folder.clone(), self.downloads(), self.path("shakespeare")] {
            sweep(&folder)?;
        }
        Ok(Lock { _file: file })
    }
}

/// Held while something in the cache is made. The system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

fn folder(os: &str, variable: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(folder) = set("AUTORESEARCH_CACHE") {
        return Ok(folder);
    }
    // The XDG specification says that a relative path is to be ignored.
    if let Some(folder) = set("XDG_CACHE_HOME").filter(|folder| folder.is_absolute()) {
        return Ok(folder.join("autoresearch"));
    }
    let base = match os {
        "windows" => set("LOCALAPPDATA"),
        "macos" => set("HOME").map(|home| home.join("Library/Caches")),
        _ => set("HOME").map(|home| home.join(".cache")),
    };
    match base {
        Some(base) => Ok(base.join("autoresearch")),
        None => {
            bail!(
                "no home folder is known, so there is no place for the cache; set AUTORESEARCH_CACHE to a folder"
            )
        }
    }
}

/// Deletes what an interrupted set-up left in a folder. Only for the holder of the lock.
fn sweep(folder: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().contains(PARTIAL)) {
        println!("Deleting {}, left by a set-up that was interrupted.", entry.path().display());
        remove(&entry.path())?;
    }
    Ok(())
}

/// Deletes a file or a folder; that there is none is fine.
pub(crate) fn remove(path: &Path) -> Result<()> {
    let done = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => Ok(()),
    };
    done.with_context(|| format!("{} cannot be deleted", path.display()))
}

/// A folder in the making: filled under a temporary name and renamed when whole, so that whoever sees the final name
/// sees all of it. Dropped without [`Staging::commit`], it is deleted.
#[derive(Debug)]
pub(crate) struct Staging {
    partial: PathBuf,
    target: PathBuf,
}

impl Staging {
    /// Starts a folder that shall become `target`.
    pub(crate) fn begin(target: &Path) -> Result<Self> {
        let partial = beside(target, "");
        remove(&partial)?;
        fs::create_dir_all(&partial).with_context(|| format!("{} cannot be created", partial.display()))?;
        Ok(Self { partial, target: target.into() })
    }

    /// The folder to fill.
    pub(crate) fn path(&self) -> &Path {
        &self.partial
    }

    /// Gives the folder its final name, in place of what may be there.
    pub(crate) fn commit(self) -> Result<()> {
        let old = beside(&self.target, "-old");
        if self.target.symlink_metadata().is_ok() {
            rename(&self.target, &old)?;
        }
        rename(&self.partial, &self.target)?;
        remove(&old)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Err(why) = remove(&self.partial) {
            eprintln!("warning: {why:#}");
        }
    }
}

fn beside(target: &Path, suffix: &str) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_os_string();
    name.push(format!("{PARTIAL}{}{suffix}", std::process::id()));
    target.with_file_name(name)
}

/// Renames, and says what went wrong.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).with_context(|| format!("{} cannot be renamed to {}", from.display(), to.display()))
}

/// Fails unless the disk of `folder` has room for `needed` bytes of `what`.
pub(crate) fn require_space(folder: &Path, needed: u64, what: &str) -> Result<()> {
    let existing = folder.ancestors().find(|path| path.exists()).unwrap_or(folder);
    let available = fs4::available_space(existing)
        .with_context(|| format!("the free space of {} cannot be read", existing.display()))?;
    if available < needed {
        bail!(
            "the disk of {} is too full for {what}: {needed} bytes ({}) are needed and {available} ({}) are free; \
             free some, or set AUTORESEARCH_CACHE to a folder on another disk",
            folder.display(),
            human(needed),
            human(available)
        );
    }
    Ok(())
}

/// A size for people.
pub(crate) fn human(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes.div_ceil(1000)),
        1_000_000..1_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{}.{} GB", bytes / 1_000_000_000, bytes / 100_000_000 % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(os: &str, variables: &[(&str, &str)]) -> Option<PathBuf> {
        let found =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
        folder(os, found).ok()
    }

    #[test]
    fn the_cache_folder_follows_the_most_specific_variable() {
        let home = ("HOME", "/home/u");
        let xdg = ("XDG_CACHE_HOME", "/xdg");
        assert_eq!(with("linux", &[home, xdg, ("AUTORESEARCH_CACHE", "/mine")]), Some("/mine".into()));
        assert_eq!(with("linux", &[home, xdg, ("AUTORESEARCH_CACHE", "")]), Some("/xdg/autoresearch".into()));
        assert_eq!(
            with("linux", &[home, ("XDG_CACHE_HOME", "relative")]),
            Some("/home/u/.cache/autoresearch".into())
        );
        assert_eq!(with("macos", &[home]), Some("/home/u/Library/Caches/autoresearch".into()));
        assert_eq!(with("linux", &[]), None);
    }

    #[test]
    fn a_folder_appears_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("libtorch");
        let staging = Staging::begin(&target).unwrap();
        fs::write(staging.path().join("a"), "half").unwrap();
        drop(staging);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);

        for text in ["first", "second"] {
            let staging = Staging::begin(&target).unwrap();
            fs::write(staging.path().join("a"), text).unwrap();
            staging.commit().unwrap();
            assert_eq!(fs::read_to_string(target.join("a")).unwrap(), text);
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn the_lock_clears_what_a_killed_set_up_left() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path());
        fs::create_dir_all(cache.path("libtorch-1-cpu.partial-77/lib")).unwrap();
        fs::create_dir_all(cache.path("libtorch-1-cpu/lib")).unwrap();
        fs::create_dir_all(cache.downloads().join("pip.partial-77")).unwrap();
        fs::write(cache.downloads().join("whole.whl"), "x").unwrap();
        let _lock = cache.lock().unwrap();
        assert!(!cache.path("libtorch-1-cpu.partial-77").exists());
        assert!(cache.path("libtorch-1-cpu/lib").exists());
        assert!(!cache.downloads().join("pip.partial-77").exists());
        assert!(cache.downloads().join("whole.whl").exists());
    }

    #[test]
    fn a_full_disk_is_reported_with_both_numbers() {
        let dir = tempfile::tempdir().unwrap();
        assert!(require_space(dir.path(), 1, "a byte").is_ok());
        let message =
            require_space(&dir.path().join("not/yet"), u64::MAX, "everything").unwrap_err().to_string();
        assert!(message.contains("not/yet") && message.contains(&u64::MAX.to_string()), "{message}");
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!(
            [human(1), human(527_000_000), human(1_150_000_000)],
            ["1 kB".to_owned(), "527 MB".into(), "1.1 GB".into()]
        );
    }
}
