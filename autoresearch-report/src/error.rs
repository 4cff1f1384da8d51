//! What can go wrong with a report.

use autoresearch_core::StoreError;
use std::path::{Path, PathBuf};

/// Why there is no report, or why it could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The store cannot be opened or read at all. Single events that cannot be understood are no error: the report says
    /// which they are.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database of a store failed while it was being read.
    #[error("cannot read the store {}: {source}{}", path.display(), advice(source))]
    Read {
        /// Which file.
        path: PathBuf,
        /// The failure below.
        source: rusqlite::Error,
    },
    /// A file could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// The failure below.
        source: std::io::Error,
    },
    /// A server did not do as it was asked.
    #[error("{url}: {why}")]
    Server {
        /// What was asked.
        url: String,
        /// What came back, or that nothing did.
        why: String,
        /// Whether it refused, so that asking again is of no use.
        refused: bool,
    },
    /// The data could not be written as JSON.
    #[error("cannot write the data as JSON: {0}")]
    Json(String),
    /// The chart could not be drawn as a picture.
    #[error("cannot draw the chart: {0}")]
    Picture(String),
}

/// What can be done about a damaged file of which nothing can be read.
fn advice(source: &rusqlite::Error) -> &'static str {
    match source.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseCorrupt) => {
            "; nothing of it can be read: the file is damaged, or cut off before the pages by which the others are found. \
             Take a copy that is whole"
        }
        _ => "",
    }
}

/// Writes a file so that whoever reads it meanwhile sees the old one or the new one, never half of one.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), ReportError> {
    let failed = |source| ReportError::Write { path: path.into(), source };
    let mut name = path.file_name().map(std::ffi::OsStr::to_owned).unwrap_or_default();
    name.push(format!(".{}.partial", std::process::id()));
    let partial = path.with_file_name(name);
    std::fs::write(&partial, bytes).map_err(failed)?;
    std::fs::rename(&partial, path).map_err(|error| {
        // The error that counts is that of the renaming.
        let _ = std::fs::remove_file(&partial);
        failed(error)
    })
}
