//! Trees of files from a folder and into one.

use super::files::{Files, FilesError};
use super::paths::Globs;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// Larger files are no source files.
const MOST_BYTES: u64 = 16 << 20;

impl Files {
    /// Reads the files under a folder that one of the globs matches: `train.py`, `src/**`, `**/*.rs`. Symbolic links are
    /// not followed and `.git` is left out.
    ///
    /// # Errors
    /// A glob that is none; a folder or file that cannot be read; a matching file that is not UTF-8 or is larger than
    /// 16 MiB.
    pub fn read<G: Into<String>>(
        folder: impl AsRef<Path>,
        globs: impl IntoIterator<Item = G>,
    ) -> Result<Self, FilesError> {
        let folder = folder.as_ref();
        let globs = Globs::new(globs).map_err(|e| FilesError::new(folder.display().to_string(), e))?;
        let mut files = BTreeMap::new();
        let mut open = vec![(folder.to_path_buf(), String::new())];
        while let Some((here, prefix)) = open.pop() {
            let wrong = |e| FilesError::new(here.display().to_string(), e);
            for entry in fs::read_dir(&here).map_err(|e| wrong(e.to_string()))? {
                let entry = entry.map_err(|e| wrong(e.to_string()))?;
                let kind = entry.file_type().map_err(|e| wrong(e.to_string()))?;
                // A name that is no text is none that a glob could have meant.
                let Ok(name) = entry.file_name().into_string() else { continue };
                let path = format!("{prefix}{name}");
                if kind.is_dir() && !name.eq_ignore_ascii_case(".git") {
                    open.push((entry.path(), format!("{path}/")));
                } else if kind.is_file() && globs.matches(&path) {
                    files.insert(path.clone(), text(&entry.path(), &path)?);
                }
            }
        }
        Self::new(files)
    }

    /// Writes every file under a folder, which is made if need be. Files that are there and not in the tree stay.
    /// Nothing is written outside of the folder: a symbolic link on the way is an error.
    ///
    /// # Errors
    /// A link where a folder or file belongs, or what the file system says. Files before that one are written.
    pub fn write_to(&self, folder: impl AsRef<Path>) -> Result<(), FilesError> {
        let folder = folder.as_ref();
        fs::create_dir_all(folder).map_err(|e| FilesError::new(folder.display().to_string(), e))?;
        for (path, text) in self.iter() {
            let wrong = |e: std::io::Error| FilesError::new(path, e);
            let mut place = folder.to_path_buf();
            let parts: Vec<&str> = path.split('/').collect();
            for (i, part) in parts.iter().enumerate() {
                place.push(part);
                let last = i + 1 == parts.len();
                match fs::symlink_metadata(&place) {
                    Ok(found) if found.is_symlink() => {
                        let there = parts.get(..=i).unwrap_or_default().join("/");
                        return Err(FilesError::new(path, format!("`{there}` is a symbolic link")));
                    }
                    Ok(_) => {}
                    Err(_) if last => {}
                    Err(_) => fs::create_dir(&place).map_err(wrong)?,
                }
            }
            fs::write(&place, text).map_err(wrong)?;
        }
        Ok(())
    }
}

fn text(place: &Path, path: &str) -> Result<Arc<str>, FilesError> {
    let wrong = |e: std::io::Error| FilesError::new(path, e);
    let size = fs::metadata(place).map_err(wrong)?.len();
    if size > MOST_BYTES {
        return Err(FilesError::new(
            path,
            format!("its {size} bytes are more than the {MOST_BYTES} of a source file"),
        ));
    }
    let bytes = fs::read(place).map_err(wrong)?;
    let text = String::from_utf8(bytes).map_err(|e| FilesError::new(path, format!("it is no UTF-8: {e}")))?;
    Ok(text.into())
}
