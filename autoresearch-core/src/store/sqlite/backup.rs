//! A copy of a study's file while it is in use.

use super::open::{beside, connect, explain, refusal, sync_folder};
use crate::store::StoreError;
use rusqlite::OpenFlags;
use std::fs::File;
use std::path::Path;

/// Copies what is committed now, through a connection of its own, so that appends go on meanwhile.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let to = &std::path::absolute(to).map_err(|error| unusable(to, error))?;
    if to.symlink_metadata().is_ok() {
        return Err(refusal(to, "there is such a file already; choose a name that is not taken", None));
    }
    let partial = beside(to, ".partial");
    let _ = std::fs::remove_file(&partial); // of a copy that was killed
    let copied = connect(from, OpenFlags::SQLITE_OPEN_READ_ONLY).and_then(|connection| {
        let name = partial.to_str().ok_or_else(|| refusal(to, "its name is not UTF-8", None))?;
        connection.execute("VACUUM INTO ?1", [name]).map_err(|error| explain(to, error))?;
        let named = File::open(&partial).and_then(|file| file.sync_all());
        named.and_then(|()| std::fs::rename(&partial, to)).map_err(|error| unusable(to, error))?;
        sync_folder(to)
    });
    if copied.is_err() {
        let _ = std::fs::remove_file(&partial);
    }
    copied
}

fn unusable(path: &Path, error: std::io::Error) -> StoreError {
    refusal(path, &error.to_string(), Some(error.into()))
}
