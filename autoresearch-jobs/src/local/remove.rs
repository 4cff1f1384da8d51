//! Folders that are taken away whole: however deep they are, whatever is locked in them, and never through a mount.

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, chmodat, fchmod, fstat, open, openat, openat2,
    renameat, statat, unlinkat,
};
use rustix::io::Errno;
use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Deletes the folder with all that is in it; it is no error if it is not there. A link or file in its place is deleted itself.
///
/// Folders in it are not descended into but moved up and emptied there, so that neither the length of a path, the number of
/// descriptors nor the stack sets a limit to their depth. What the owner has locked himself out of is unlocked. Nothing is
/// deleted through a mount: one that was left in the folder is taken off where that is permitted (`umount`), else it
/// is an error. (Before Linux 5.6 a mount of a folder of the same file system is not told from a folder.)
///
/// # Errors
/// Something cannot be deleted; all else is gone.
pub fn remove(folder: &Path) -> io::Result<()> {
    let Some(name) = folder.file_name() else { return Err(Errno::INVAL.into()) };
    let name = CString::new(name.as_bytes())?;
    let parent = match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let parent = match open(parent, FOLDER.difference(OFlags::NOFOLLOW), Mode::empty()) {
        Err(Errno::NOENT) => return Ok(()),
        opened => opened?,
    };
    let fd = match statat(&parent, &name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(()),
        Err(why) => return Err(about(&name, why)),
        Ok(kind) if FileType::from_raw_mode(kind.st_mode) == FileType::Directory => {
            open_below(&parent, &name)?
        }
        Ok(_) => return unlink(&parent, &name),
    };
    Top { fd, salt: super::claim::unique(), moved: 0 }.empty()?;
    match unlinkat(&parent, &name, AtFlags::REMOVEDIR) {
        Err(Errno::NOENT) => Ok(()),
        done => done.map_err(|why| about(&name, why)),
    }
}

/// Opens a folder that is no mount.
fn open_below(parent: &OwnedFd, name: &CStr) -> io::Result<OwnedFd> {
    for _ in 0..MOUNTS {
        match open_here(parent, name) {
            Err(Errno::ACCESS) => {
                chmodat(parent, name, Mode::RWXU, AtFlags::empty()).map_err(|why| about(name, why))?;
            }
            Err(Errno::XDEV) => take_off(parent, name)?,
            opened => return opened.map_err(|why| about(name, why)),
        }
    }
    Err(about(name, Errno::BUSY))
}

fn open_here(parent: &OwnedFd, name: &CStr) -> Result<OwnedFd, Errno> {
    let here = ResolveFlags::BENEATH | ResolveFlags::NO_XDEV | ResolveFlags::NO_SYMLINKS;
    match openat2(parent, name, FOLDER, Mode::empty(), here) {
        // An old kernel, or a filter that does not know the call.
        Err(Errno::NOSYS | Errno::PERM) => {
            let fd = openat(parent, name, FOLDER, Mode::empty())?;
            if fstat(&fd)?.st_dev == fstat(parent)?.st_dev { Ok(fd) } else { Err(Errno::XDEV) }
        }
        opened => opened,
    }
}

/// The folder to which those below are moved.
struct Top {
    fd: OwnedFd,
    /// Of names that no job can have foreseen.
    salt: String,
    moved: u64,
}

impl Top {
    fn empty(&mut self) -> io::Result<()> {
        loop {
            let (mut seen, mut wrong) = (false, None);
            for (name, is_folder) in entries(&self.fd)? {
                seen = true;
                let gone = if is_folder { self.take_apart(&name) } else { unlink(&self.fd, &name) };
                wrong = wrong.or(gone.err());
            }
            // What was moved up meanwhile is seen in the next round.
            match wrong {
                Some(why) => return Err(why),
                None if seen => {}
                None => return Ok(()),
            }
        }
    }

    /// Deletes a folder of the top one, having moved the folders in it to its side.
    fn take_apart(&mut self, name: &CStr) -> io::Result<()> {
        // Most are empty.
        if unlinkat(&self.fd, name, AtFlags::REMOVEDIR).is_ok() {
            return Ok(());
        }
        let below = open_below(&self.fd, name)?;
        let mut unlocked = false;
        loop {
            let mut seen = false;
            for (inner, is_folder) in entries(&below)? {
                seen = true;
                if is_folder { self.move_up(&below, &inner) } else { unlink(&below, &inner) }?;
            }
            match unlinkat(&self.fd, name, AtFlags::REMOVEDIR) {
                Err(Errno::NOTEMPTY | Errno::EXIST) if seen => {}
                Err(Errno::ACCESS) if !unlocked => {
                    fchmod(&self.fd, Mode::RWXU)?;
                    unlocked = true;
                }
                done => return done.map_err(|why| about(name, why)),
            }
        }
    }

    fn move_up(&mut self, from: &OwnedFd, name: &CStr) -> io::Result<()> {
        for _ in 0..MOUNTS {
            self.moved += 1;
            let to = format!(".{}-{}", self.salt, self.moved);
            match renameat(from, name, &self.fd, to) {
                Err(Errno::BUSY | Errno::XDEV) => take_off(from, name)?,
                // A folder that is moved is written to, and so is the one that it is moved out of.
                Err(Errno::ACCESS) => {
                    fchmod(from, Mode::RWXU).map_err(|why| about(name, why))?;
                    chmodat(from, name, Mode::RWXU, AtFlags::empty()).map_err(|why| about(name, why))?;
                }
                done => return done.map_err(|why| about(name, why)),
            }
        }
        Err(about(name, Errno::BUSY))
    }
}

/// The most mounts on top of one another.
const MOUNTS: u32 = 64;

fn unlink(folder: &OwnedFd, name: &CStr) -> io::Result<()> {
    for _ in 0..MOUNTS {
        match unlinkat(folder, name, AtFlags::empty()) {
            Err(Errno::NOENT) => return Ok(()),
            Err(Errno::ACCESS) => fchmod(folder, Mode::RWXU).map_err(|why| about(name, why))?,
            Err(Errno::BUSY) => take_off(folder, name)?,
            done => return done.map_err(|why| about(name, why)),
        }
    }
    Err(about(name, Errno::BUSY))
}

/// What stands in a folder, and whether it is a folder itself. Read as a whole first: not every file system tells all while
/// some of it is deleted.
fn entries(folder: &OwnedFd) -> io::Result<Vec<(CString, bool)>> {
    let mut found = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(about) => FileType::from_raw_mode(about.st_mode),
                Err(_) => FileType::Unknown,
            },
            kind => kind,
        };
        found.push((name.to_owned(), kind == FileType::Directory));
    }
    Ok(found)
}

/// Takes a mount off the place.
fn take_off(folder: &OwnedFd, name: &CStr) -> io::Result<()> {
    let folder = PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), folder.as_raw_fd()));
    let mut umount = Command::new("umount");
    umount.arg("--lazy").arg(folder.join(OsStr::from_bytes(name.to_bytes())));
    let done = umount.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if done.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    let name = name.to_string_lossy();
    Err(io::Error::other(format!(
        "a job has left {name} as a mount, through which nothing is deleted; unmount it (`umount`)"
    )))
}

fn about(name: &CStr, why: Errno) -> io::Error {
    let why = io::Error::from(why);
    io::Error::new(why.kind(), format!("{}: {why}", name.to_string_lossy()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use rustix::fs::mkdirat;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_tree_deeper_than_any_path_is_taken_away() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("own");
        fs::create_dir(&folder).unwrap();
        // 3,000 levels are above the longest path (4,096 bytes) and above the usual number of descriptors (1,024).
        let mut at = open(&folder, FOLDER, Mode::empty()).unwrap();
        for _ in 0..3000 {
            mkdirat(&at, "d", Mode::RWXU).unwrap();
            openat(&at, "f", OFlags::CREATE | OFlags::WRONLY, Mode::RUSR).unwrap();
            at = openat(&at, "d", FOLDER, Mode::empty()).unwrap();
        }
        drop(at);
        remove(&folder).unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
        remove(&folder).unwrap();
    }

    #[test]
    fn what_is_locked_is_taken_away_and_links_are_not_followed() {
        let (root, away) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(away.path().join("precious"), "precious").unwrap();
        let folder = root.path().join("own");
        fs::create_dir_all(folder.join("a/b/c/d")).unwrap();
        fs::write(folder.join("a/b/c/f"), "").unwrap();
        symlink(away.path(), folder.join("a/b/link")).unwrap();
        symlink(away.path(), folder.join("link")).unwrap();
        for (below, mode) in [("a/b/c/d", 0o000), ("a/b/c", 0o500), ("a/b", 0o000), ("", 0o000)] {
            fs::set_permissions(folder.join(below), fs::Permissions::from_mode(mode)).unwrap();
        }
        remove(&folder).unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
        let link = root.path().join("link");
        symlink(away.path(), &link).unwrap();
        remove(&link).unwrap();
        assert!(fs::symlink_metadata(&link).is_err());
        assert_eq!(fs::read_to_string(away.path().join("precious")).unwrap(), "precious");
    }

    #[test]
    fn nothing_is_deleted_through_a_mount() {
        let (root, away) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(away.path().join("precious"), "precious").unwrap();
        let folder = root.path().join("own");
        for place in ["at", "below/at"] {
            fs::create_dir_all(folder.join(place)).unwrap();
        }
        fs::write(folder.join("file"), "").unwrap();
        // In a name space of mounts of its own: both sides are on the same file system.
        let program = std::env::current_exe().unwrap();
        let script = r#"mount --bind "$1" "$2/at" && mount --bind "$1" "$2/below/at" && mount --bind "$1/precious" "$2/file" || exit 77
            REMOVED="$2" exec "$3" --exact local::remove::tests::a_folder_with_mounts --ignored"#;
        let done = Command::new("unshare")
            .args(["--mount", "--map-root-user", "sh", "-c", script, "sh"])
            .args([away.path(), &folder, &program])
            .output();
        match done {
            Ok(done) if done.status.success() => {}
            Ok(done) if done.status.code() == Some(77) || done.stderr.starts_with(b"unshare") => {
                println!("SKIPPED, no mounts here: {}", String::from_utf8_lossy(&done.stderr));
                return;
            }
            Ok(done) => panic!("{}", String::from_utf8_lossy(&done.stdout)),
            Err(why) => return println!("SKIPPED, no `unshare`: {why}"),
        }
        assert!(!folder.exists());
        assert_eq!(fs::read_to_string(away.path().join("precious")).unwrap(), "precious");
    }

    #[test]
    #[ignore = "the part of the test above that runs where the mounts are"]
    fn a_folder_with_mounts() {
        remove(Path::new(&std::env::var_os("REMOVED").unwrap())).unwrap();
    }
}
