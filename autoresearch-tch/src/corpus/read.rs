//! Reading a folder of texts.

use super::{CorpusError, Document};
use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

#[derive(Deserialize)]
struct Line {
    text: String,
}

pub(super) fn read(path: &Path) -> Result<Vec<Document>, CorpusError> {
    let mut files = Vec::new();
    if metadata(path)?.is_dir() {
        list(path, &mut files)?
    } else {
        files.push(path.to_path_buf())
    }

    let (mut documents, mut others) = (Vec::new(), 0);
    for file in files {
        let found = match file.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("txt") => vec![text(&file)?],
            Some("jsonl") => lines(&file)?,
            _ => Vec::new(),
        };
        let before = documents.len();
        documents.extend(found.into_iter().filter(|t| !t.is_empty()).map(Document::new));
        others += usize::from(documents.len() == before);
    }
    if documents.is_empty() {
        return Err(CorpusError::NoDocuments { path: path.to_path_buf(), others });
    }
    Ok(documents)
}

fn metadata(path: &Path) -> Result<fs::Metadata, CorpusError> {
    fs::metadata(path).map_err(|source| CorpusError::Io { path: path.to_path_buf(), source })
}

/// Files in and under a folder. Linked folders are not followed: they may lead in circles.
fn list(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), CorpusError> {
    let io = |source| CorpusError::Io { path: folder.to_path_buf(), source };
    for entry in fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = entry.path();
        if entry.file_type().map_err(io)?.is_dir() {
            list(&path, files)?;
        } else if metadata(&path)?.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(())
}

fn text(path: &Path) -> Result<Vec<u8>, CorpusError> {
    let mut bytes = fs::read(path).map_err(|source| CorpusError::Io { path: path.to_path_buf(), source })?;
    if let Err(error) = std::str::from_utf8(&bytes) {
        return Err(CorpusError::NotUtf8 { path: path.to_path_buf(), offset: error.valid_up_to() });
    }
    if bytes.starts_with(BYTE_ORDER_MARK) {
        bytes.drain(..BYTE_ORDER_MARK.len());
    }
    Ok(bytes)
}

fn lines(path: &Path) -> Result<Vec<Vec<u8>>, CorpusError> {
    let whole = text(path)?;
    let mut texts = Vec::new();
    for (index, line) in whole.split(|&b| b == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        match serde_json::from_slice::<Line>(line) {
            Ok(line) => texts.push(line.text.into_bytes()),
            Err(error) => {
                // serde_json counts lines within the slice: drop its "at line 1 column n", which would mislead.
                let reason = error.to_string();
                let reason = reason.split(" at line ").next().unwrap_or(&reason).to_string();
                return Err(CorpusError::Line { path: path.to_path_buf(), line: index + 1, reason });
            }
        }
    }
    Ok(texts)
}
