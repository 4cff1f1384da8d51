//! Texts that are not in memory: in a nameless file, from which each is read when it is wanted.

use super::CorpusError;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A file without a name: it is gone with the last document that points into it, or with the process.
#[derive(Debug)]
pub(super) struct TextStore {
    folder: PathBuf,
    file: Mutex<(File, u64)>,
}

impl TextStore {
    pub(super) fn create(folder: &Path) -> Result<Self, CorpusError> {
        let create = || {
            std::fs::create_dir_all(folder)?;
            tempfile::tempfile_in(folder)
        };
        let file =
            create().map_err(|source| CorpusError::Scratch { folder: folder.to_path_buf(), source })?;
        Ok(Self { folder: folder.to_path_buf(), file: Mutex::new((file, 0)) })
    }

    fn failed(&self, source: io::Error) -> CorpusError {
        CorpusError::Scratch { folder: self.folder.clone(), source }
    }

    /// Writes a text behind the others and says where.
    pub(super) fn append(&self, text: &[u8]) -> Result<u64, CorpusError> {
        let mut guard = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, length) = &mut *guard;
        let start = *length;
        let write = file.seek(SeekFrom::Start(start)).and_then(|_| file.write_all(text));
        write.map_err(|error| self.failed(error))?;
        *length += text.len() as u64;
        Ok(start)
    }

    pub(super) fn read(&self, start: u64, length: usize) -> Result<String, CorpusError> {
        let mut bytes = vec![0; length];
        {
            let mut guard = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            let file = &mut guard.0;
            let read = file.seek(SeekFrom::Start(start)).and_then(|_| file.read_exact(&mut bytes));
            read.map_err(|error| self.failed(error))?;
        }
        String::from_utf8(bytes)
            .map_err(|error| self.failed(io::Error::new(io::ErrorKind::InvalidData, error)))
    }
}
