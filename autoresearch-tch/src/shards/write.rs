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
    length: u64,
    starts: Vec<u64>,
    sink: Sink,
}

#[derive(Debug)]
enum Sink {
    Memory(Vec<u8>),
    Files(Box<Files>),
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
        let width = if vocabulary <= 256 { 1 } else { 2 };
        let sink = match to {
            Destination::Memory => Sink::Memory(Vec::new()),
            Destination::Folder(target, key) => {
                let files = Files::create(&target, key, width, per_shard);
                Sink::Files(Box::new(files.map_err(|error| ShardError::io(&target, &error))?))
            }
        };
        Ok(Self { width, length: 0, starts: vec![0], sink })
    }

    /// Appends a document, its first symbol being the one that stands before it.
    pub(crate) fn document(&mut self, symbols: impl IntoIterator<Item = u32>) -> Result<(), ShardError> {
        let width = self.width as usize;
        let bytes = symbols.into_iter().flat_map(|symbol| symbol.to_le_bytes().into_iter().take(width));
        let length = match &mut self.sink {
            Sink::Memory(memory) => {
                let before = memory.len();
                memory.extend(bytes);
                memory.len() - before
            }
            Sink::Files(files) => {
                let bytes: Vec<u8> = bytes.collect();
                files.write(&bytes).map_err(|error| ShardError::io(&files.target, &error))?;
                bytes.len()
            }
        };
        self.length += (length / width) as u64;
        self.starts.push(self.length);
        Ok(())
    }

    /// The symbols as a whole. A folder is synced and gets its name now; if another process was faster, its is taken.
    pub(crate) fn finish(self) -> Result<Tokens, ShardError> {
        let Self { width, length, starts, sink } = self;
        match sink {
            Sink::Memory(memory) => {
                let shards = vec![Shard::Memory(memory)];
                Ok(Tokens { width: width as usize, shards, per_shard: length.max(1), length, starts })
            }
            Sink::Files(files) => {
                let (target, key) = (files.target.clone(), files.key);
                files.finish(&starts).map_err(|error| ShardError::io(&target, &error))?;
                Tokens::open(&target, &key)
            }
        }
    }
}

/// Shards in a folder that has no name yet, and is removed when this is dropped.
#[derive(Debug)]
struct Files {
    target: PathBuf,
    key: ShardKey,
    width: u32,
    bytes_a_shard: u64,
    folder: tempfile::TempDir,
    done: Vec<Header>,
    open: Option<OpenShard>,
}

impl Files {
    fn create(target: &Path, key: ShardKey, width: u32, per_shard: u64) -> io::Result<Self> {
        let parent = target.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(parent)?;
        let folder = tempfile::Builder::new().prefix(".tokens-").tempdir_in(parent)?;
        let bytes_a_shard = per_shard * u64::from(width);
        Ok(Self {
            target: target.to_path_buf(),
            key,
            width,
            bytes_a_shard,
            folder,
            done: Vec::new(),
            open: None,
        })
    }

    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let part = self.done.len() as u32;
            let shard = match &mut self.open {
                Some(shard) => shard,
                open => open.insert(OpenShard::create(&tokens_path(self.folder.path(), part))?),
            };
            let here = bytes.len().min((self.bytes_a_shard - shard.bytes) as usize);
            shard.write(&bytes[..here])?;
            bytes = &bytes[here..];
            if shard.bytes == self.bytes_a_shard {
                self.close()?;
            }
        }
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        if let Some(shard) = self.open.take() {
            self.done.push(shard.finish(self.width, self.key, self.done.len() as u32)?);
        }
        Ok(())
    }

    fn finish(mut self, starts: &[u64]) -> io::Result<()> {
        if self.done.is_empty() && self.open.is_none() {
            // An empty corpus has one empty shard.
            self.open = Some(OpenShard::create(&tokens_path(self.folder.path(), 0))?);
        }
        self.close()?;
        for header in &self.done {
            let header = Header { parts: self.done.len() as u32, ..*header };
            let mut file = File::options().write(true).open(tokens_path(self.folder.path(), header.part))?;
            file.write_all(&header.to_bytes())?;
            file.sync_all()?;
        }
        let mut documents = OpenShard::create(&documents_path(self.folder.path()))?;
        starts.iter().try_for_each(|start| documents.write(&start.to_le_bytes()))?;
        documents.finish(8, self.key, 0)?;
        match fs::rename(self.folder.path(), &self.target) {
            Err(_) if self.target.is_dir() => Ok(()),
            renamed => renamed,
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
