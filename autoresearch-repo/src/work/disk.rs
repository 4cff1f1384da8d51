//! Writing and removing in folders that others have written to: no link is followed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Makes a file with these bytes, where none is.
pub(super) fn write(path: &Path, bytes: &[u8], executable: bool) -> io::Result<()> {
    let mode = if executable { 0o755 } else { 0o644 };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(bytes)?;
    // Whatever the mask for new files is: the same everywhere.
    file.set_permissions(fs::Permissions::from_mode(mode))
}

/// Opens a file for reading, and nothing but a file.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let flags = (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK).bits();
    OpenOptions::new().read(true).custom_flags(i32::try_from(flags).unwrap_or(0)).open(path)
}

/// Removes whatever is there, also what its owner has locked himself out of.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    let gone = |done: io::Result<()>| match done {
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    };
    match fs::symlink_metadata(path) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(why) => Err(why),
        Ok(about) if !about.is_dir() => gone(fs::remove_file(path)),
        Ok(_) => match gone(fs::remove_dir_all(path)) {
            Err(why) if why.kind() == io::ErrorKind::PermissionDenied => {
                unlock(path);
                gone(fs::remove_dir_all(path))
            }
            done => done,
        },
    }
}

/// Gives the owner all rights to a folder and to the folders in it.
fn unlock(folder: &Path) {
    let _ = fs::set_permissions(folder, fs::Permissions::from_mode(0o700));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            unlock(&entry.path());
        }
    }
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
