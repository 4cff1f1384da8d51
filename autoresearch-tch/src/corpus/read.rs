//! Reading a folder of texts.

use super::{Corpus, CorpusError, Document, DocumentId, TextStore, parquet};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const BYTE_ORDER_MARK: &str = "\u{feff}";

/// How to read a corpus, where [`Corpus::read`] does not fit: texts in another field, or more of them than memory.
///
/// ```no_run
/// # use autoresearch_tch::CorpusReader;
/// let corpus = CorpusReader::new().field("content").scratch("/scratch/texts").read("/data/web")?;
/// # Ok::<(), autoresearch_tch::CorpusError>(())
/// ```
#[derive(Debug, Clone)]
pub struct CorpusReader {
    field: String,
    scratch: Option<PathBuf>,
}

impl Default for CorpusReader {
    fn default() -> Self {
        Self::new()
    }
}

impl CorpusReader {
    /// Texts in the field `text`, kept in memory.
    pub fn new() -> Self {
        Self { field: "text".to_string(), scratch: None }
    }

    /// The field of `.jsonl` lines and the column of `.parquet` files that holds the text.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>) -> Self {
        self.field = name.into();
        self
    }

    /// For corpora larger than memory: texts go to a file in this folder, about as large as all of them, and are read
    /// from there when they are wanted. Memory then holds 80 bytes a document, and while reading the largest `.txt`
    /// file, line or parquet page. The file has no name and disappears with the corpus or the process.
    ///
    /// To train on such a corpus, give the trainer a folder for its tokens, too: `GptTrainer::token_cache`.
    #[must_use]
    pub fn scratch(mut self, folder: impl Into<PathBuf>) -> Self {
        self.scratch = Some(folder.into());
        self
    }

    /// Reads a folder, or one file; see [`Corpus::read`] for what is read.
    ///
    /// # Errors
    /// As [`Corpus::read`]; and the scratch file cannot be written.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<Corpus, CorpusError> {
        let path = path.as_ref();
        let mut files = Vec::new();
        if metadata(path)?.is_dir() {
            list(path, &mut files)?
        } else {
            files.push(path.to_path_buf())
        }

        let store = self.scratch.as_deref().map(TextStore::create).transpose()?.map(Arc::new);
        let mut sink = Sink { documents: BTreeMap::new(), store, taken: 0 };
        let (mut others, mut packed) = (0, Vec::new());
        for file in files {
            let before = sink.taken;
            match file.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
                Some("txt") => sink.take(&text(&file)?)?,
                Some("jsonl") => lines(&file, &self.field, &mut sink)?,
                Some("parquet") => parquet::read(&file, &self.field, &mut sink)?,
                Some("gz" | "zst" | "bz2" | "xz" | "zip" | "json") => packed.push(file.display().to_string()),
                _ => (),
            }
            others += usize::from(sink.taken == before);
        }
        if let Some(first) = packed.first() {
            let count = packed.len();
            tracing::warn!(
                first,
                count,
                "these may hold texts and are not read: unpack them, to .jsonl or .txt"
            );
        }
        if sink.documents.is_empty() {
            return Err(CorpusError::NoDocuments { path: path.to_path_buf(), others });
        }
        Ok(Corpus { documents: sink.documents.into_values().collect() })
    }
}

/// Where texts go as they are read: each once, empty ones not at all.
pub(super) struct Sink {
    documents: BTreeMap<DocumentId, Document>,
    store: Option<Arc<TextStore>>,
    taken: usize,
}

impl Sink {
    pub(super) fn take(&mut self, text: &str) -> Result<(), CorpusError> {
        if text.is_empty() {
            return Ok(());
        }
        self.taken += 1;
        if let Entry::Vacant(place) = self.documents.entry(DocumentId::of(text.as_bytes())) {
            place.insert(match &self.store {
                None => Document::in_memory(text),
                Some(store) => Document::stored(text, store)?,
            });
        }
        Ok(())
    }
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

fn text(path: &Path) -> Result<String, CorpusError> {
    let bytes = fs::read(path).map_err(|source| CorpusError::Io { path: path.to_path_buf(), source })?;
    let mut text = utf8(bytes, path, 0)?;
    if text.starts_with(BYTE_ORDER_MARK) {
        text.drain(..BYTE_ORDER_MARK.len());
    }
    Ok(text)
}

fn utf8(bytes: Vec<u8>, path: &Path, start: usize) -> Result<String, CorpusError> {
    String::from_utf8(bytes).map_err(|error| {
        let offset = start + error.utf8_error().valid_up_to();
        CorpusError::NotUtf8 { path: path.to_path_buf(), offset }
    })
}

/// Streams a `.jsonl` file: one line is in memory at a time.
fn lines(path: &Path, field: &str, sink: &mut Sink) -> Result<(), CorpusError> {
    let io = |source| CorpusError::Io { path: path.to_path_buf(), source };
    let mut file = BufReader::with_capacity(1 << 16, File::open(path).map_err(io)?);
    let (mut start, mut line) = (0, 0);
    loop {
        let mut bytes = Vec::new();
        if file.read_until(b'\n', &mut bytes).map_err(io)? == 0 {
            return Ok(());
        }
        line += 1;
        let length = bytes.len();
        let whole = utf8(bytes, path, start)?;
        let json = if line == 1 { whole.trim_start_matches(BYTE_ORDER_MARK) } else { &whole };
        start += length;
        if json.trim().is_empty() {
            continue;
        }
        let mut json = serde_json::Deserializer::from_str(json);
        match TextOf(field).deserialize(&mut json).and_then(|text| json.end().map(|()| text)) {
            Ok(text) => sink.take(&text)?,
            Err(error) => {
                // serde_json counts lines within the slice: drop its "at line 1 column n", which would mislead.
                let reason = error.to_string();
                let reason = reason.split(" at line ").next().unwrap_or(&reason).to_string();
                let (path, field) = (path.to_path_buf(), field.to_string());
                return Err(CorpusError::Line { path, line, reason, field });
            }
        }
    }
}

/// Takes one field of a JSON object and passes over the others.
struct TextOf<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for TextOf<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<String, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for TextOf<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<String, A::Error> {
        let mut text = None;
        while let Some(key) = map.next_key::<String>()? {
            if key == self.0 {
                text = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        text.ok_or_else(|| serde::de::Error::custom(format!("missing field `{}`", self.0)))
    }
}
