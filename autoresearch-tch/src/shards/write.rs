//! Writing symbols: into memory, or into a folder that appears under its name only when it is whole.

use super::header::{Header, ShardError, ShardKey};
use super::{Shard, Tokens};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Symbols a shard: 128 MiB where a symbol takes two bytes.
const PER_SHARD: u64 = 1 << 26;

/// Where symbols go.
#[derive(Debug, Clone)]
pub(crate) enum Destination {
    /// Into memory.
    Memory,
    /// Into shards in this folder, which does not exist yet.
    Folder(PathBuf, ShardKey),
}

pub(super) fn tokens_path(folder: &Path, part: u32) -> PathBuf {
    folder.join(format!("tokens-{part:05}.shard"))
}

pub(super) fn documents_path(folder: &Path) -> PathBuf {
    folder.join("documents.shard")
}

/// Takes documents one after the other.
#[derive(Debug)]
pub(crate) struct Writer {
    width: u32,
    per_shard: u64,
    length: u64,
    starts: Vec<u64>,
    sink: Sink,
}

#[derive(Debug)]
enum Sink {
    Memory(Vec<u8>),
    Files {
        target: PathBuf,
        key: ShardKey,
        folder: tempfile::TempDir,
        done: Vec<Header>,
        open: Option<OpenShard>,
    },
}

impl Writer {
    /// For symbols below `vocabulary`, which is at most 65,536.
    pub(crate) fn new(vocabulary: u32, to: Destination) -> Result<Self, ShardError> {
        Self::with_shards_of(PER_SHARD, vocabulary, to)
    }

    pub(super) fn with_shards_of(
        per_shard: u64,
        vocabulary: u32,
        to: Destination,
    ) -> Result<Self, ShardError> {
        let sink = match to {
            Destination::Memory => Sink::Memory(Vec::new()),
            Destination::Folder(target, key) => {
                let parent = target.parent().map(Path::to_path_buf).unwrap_or_default();
                let make = || {
                    fs::create_dir_all(&parent)?;
                    tempfile::Builder::new().prefix(".tokens-").tempdir_in(&parent)
                };
                let folder = make().map_err(|error| ShardError::io(&target, &error))?;
                Sink::Files { target, key, folder, done: Vec::new(), open: None }
            }
        };
        let width = if vocabulary <= 256 { 1 } else { 2 };
        Ok(Self { width, per_shard, length: 0, starts: vec![0], sink })
    }

    /// Appends a document, its first symbol being the one that stands before it.
    pub(crate) fn document(&mut self, symbols: impl IntoIterator<Item = u32>) -> Result<(), ShardError> {
        let width = self.width as usize;
        let bytes = symbols.into_iter().flat_map(|symbol| symbol.to_le_bytes().into_iter().take(width));
        match &mut self.sink {
            Sink::Memory(memory) => {
                memory.extend(bytes);
                self.length = (memory.len() / width) as u64;
            }
            Sink::Files { target, key, folder, done, open } => {
                let (bytes, most) = (bytes.collect::<Vec<_>>(), self.per_shard * width as u64);
                self.length += (bytes.len() / width) as u64;
                let mut rest = bytes.as_slice();
                let mut write = || {
                    while !rest.is_empty() {
                        let shard = match open {
                            Some(shard) => shard,
                            None => open
                                .insert(OpenShard::create(&tokens_path(folder.path(), done.len() as u32))?),
                        };
                        let here = rest.len().min((most - shard.bytes) as usize);
                        shard.write(&rest[..here])?;
                        rest = &rest[here..];
                        if shard.bytes == most
                            && let Some(shard) = open.take()
                        {
                            done.push(shard.finish(self.width, *key, done.len() as u32)?);
                        }
                    }
                    Ok(())
                };
                write().map_err(|error: io::Error| ShardError::io(target, &error))?;
            }
        }
        self.starts.push(self.length);
        Ok(())
    }

    /// The symbols as a whole. A folder is synced and gets its name now; if another process was faster, its is taken.
    pub(crate) fn finish(self) -> Result<Tokens, ShardError> {
        let (width, length, starts) = (self.width as usize, self.length, self.starts);
        match self.sink {
            Sink::Memory(memory) => {
                let shards = vec![Shard::Memory(memory)];
                Ok(Tokens { width, shards, per_shard: length.max(1), length, starts })
            }
            Sink::Files { target, key, folder, mut done, open } => {
                let write = || {
                    // An empty corpus has one empty shard.
                    let last = match open {
                        None if done.is_empty() => Some(OpenShard::create(&tokens_path(folder.path(), 0))?),
                        open => open,
                    };
                    if let Some(shard) = last {
                        done.push(shard.finish(self.width, key, done.len() as u32)?);
                    }
                    for header in &done {
                        let header = Header { parts: done.len() as u32, ..*header };
                        let path = tokens_path(folder.path(), header.part);
                        let mut file = File::options().write(true).open(path)?;
                        file.write_all(&header.to_bytes())?;
                        file.sync_all()?;
                    }
                    let mut documents = OpenShard::create(&documents_path(folder.path()))?;
                    starts.iter().try_for_each(|start| documents.write(&start.to_le_bytes()))?;
                    documents.finish(8, key, 0)?;
                    match fs::rename(folder.path(), &target) {
                        Err(_) if target.is_dir() => Ok(()),
                        renamed => renamed,
                    }
                };
                write().map_err(|error: io::Error| ShardError::io(&target, &error))?;
                Tokens::open(&target, &key)
            }
        }
    }
}

/// A shard in the making: its header comes last.
#[derive(Debug)]
struct OpenShard {
    file: BufWriter<File>,
    hash: Sha256,
    bytes: u64,
}

impl OpenShard {
    fn create(path: &Path) -> io::Result<Self> {
        let mut file = BufWriter::new(File::create_new(path)?);
        file.write_all(&[0; Header::LENGTH])?;
        Ok(Self { file, hash: Sha256::new(), bytes: 0 })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes)
    }

    fn finish(self, width: u32, key: ShardKey, part: u32) -> io::Result<Header> {
        let (count, sum) = (self.bytes / u64::from(width), self.hash.finalize().into());
        let header = Header { width, count, part, parts: 1, key, sum };
        let mut file = self.file.into_inner()?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&header.to_bytes())?;
        file.sync_all()?;
        Ok(header)
    }
}
