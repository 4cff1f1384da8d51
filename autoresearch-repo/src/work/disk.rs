//! Reading and writing in folders that others have written to: no link is followed.

use rustix::fs::{AtFlags, CWD, OFlags, Timespec, Timestamps, flistxattr, fremovexattr, futimens, utimensat};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

pub(super) use autoresearch_jobs::disk::remove;

/// Makes a file with these bytes, where none is.
pub(super) fn write(path: &Path, bytes: &[u8], executable: bool, time: i64) -> io::Result<()> {
    let mode = if executable { 0o755 } else { 0o644 };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(bytes)?;
    // Whatever the mask for new files is: the same everywhere.
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    settle(&file, time)
}

/// Gives a file or folder the times that every run finds there, and takes attributes away that a run may have noted something in.
pub(super) fn settle(file: &File, time: i64) -> io::Result<()> {
    // Most files have none: one call then.
    let mut names = vec![0; flistxattr(file, &mut [0_u8; 0]).unwrap_or(0)];
    if !names.is_empty() {
        let length = flistxattr(file, &mut names)?;
        for name in names[..length].split(|byte| *byte == 0) {
            if name.starts_with(b"user.") || name.starts_with(b"system.posix_acl") {
                fremovexattr(file, name)?;
            }
        }
    }
    Ok(futimens(file, &both(time))?)
}

/// The same of a folder.
pub(super) fn settle_folder(path: &Path, time: i64) -> io::Result<()> {
    let flags = (OFlags::NOFOLLOW | OFlags::DIRECTORY).bits();
    let folder = OpenOptions::new().read(true).custom_flags(i32::try_from(flags).unwrap_or(0)).open(path)?;
    settle(&folder, time)
}

/// The same of a link, which has no attributes of users.
pub(super) fn settle_link(path: &Path, time: i64) -> io::Result<()> {
    Ok(utimensat(CWD, path, &both(time), AtFlags::SYMLINK_NOFOLLOW)?)
}

fn both(seconds: i64) -> Timestamps {
    let at = Timespec { tv_sec: seconds, tv_nsec: 0 };
    Timestamps { last_access: at, last_modification: at }
}

/// Opens a file for reading, and nothing but a file.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let flags = (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK).bits();
    OpenOptions::new().read(true).custom_flags(i32::try_from(flags).unwrap_or(0)).open(path)
}

/// What is in a folder, after the owner was given the right to look.
pub(super) fn entries(folder: &Path) -> io::Result<Vec<fs::DirEntry>> {
    let listed = match fs::read_dir(folder) {
        Err(why) if why.kind() == io::ErrorKind::PermissionDenied => {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
            fs::read_dir(folder)?
        }
        listed => listed?,
    };
    listed.collect()
}

/// Whether an error is of the kind that somebody makes who leaves files behind (rights that were taken away, flags, mounts), and none of
/// the disk's own, such as one that is full or broken.
pub(super) fn is_left(why: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        why.kind(),
        Kind::PermissionDenied
            | Kind::ResourceBusy
            | Kind::CrossesDevices
            | Kind::DirectoryNotEmpty
            | Kind::NotADirectory
            | Kind::IsADirectory
            | Kind::InvalidFilename
            | Kind::TooManyLinks
            | Kind::Other
    )
}
