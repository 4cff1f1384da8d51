//! The symbols of a corpus, one document after the other: in memory, or in memory-mapped files.
//!
//! A folder of shards holds `tokens-00000.shard`, `tokens-00001.shard` and so on, and `documents.shard`: where each
//! document begins. All have the header of [`header`], and are mapped by libtorch, so that the system decides how much
//! of them is in memory.

mod header;
mod write;

pub(crate) use header::{ShardError, ShardKey};
pub(crate) use write::{Destination, Writer};

use header::Header;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use tch::{Device, Kind, Tensor};

/// Symbols in an order, and where documents begin among them.
#[derive(Debug)]
pub(crate) struct Tokens {
    /// Bytes a symbol: 1 or 2, the low one first.
    width: usize,
    shards: Vec<Shard>,
    /// Symbols of all shards but the last.
    per_shard: u64,
    length: u64,
    /// Where each document begins, the line end before it included; and where the last one ends.
    starts: Vec<u64>,
}

#[derive(Debug)]
enum Shard {
    Memory(Vec<u8>),
    /// The whole file as bytes. A tensor may move between threads, and not be shared.
    Mapped(Mutex<Tensor>),
}

impl Tokens {
    /// Maps a folder of shards, after every byte of them was checked: which reads them once.
    pub(crate) fn open(folder: &Path, key: &ShardKey) -> Result<Self, ShardError> {
        let first = Header::read_checked(&write::tokens_path(folder, 0), key)?;
        let documents = write::documents_path(folder);
        let header = Header::read_checked(&documents, key)?;
        let starts = header.payload(&documents)?;
        let starts: Vec<u64> = starts.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
        let length = starts.last().copied().unwrap_or(0);

        let (mut shards, mut found) = (Vec::new(), 0);
        for index in 0..first.parts {
            let path = write::tokens_path(folder, index);
            let header = if index == 0 { first } else { Header::read_checked(&path, key)? };
            let bad = |what: &str| Err(ShardError::new(&path, what));
            if (header.part, header.parts, header.width) != (index, first.parts, first.width) {
                return bad("it is not the part of the corpus that its name says");
            }
            if index + 1 < first.parts && header.count != first.count {
                return bad("it is shorter than the first");
            }
            found += header.count;
            shards.push(Shard::Mapped(Mutex::new(map(&path, header.file_length())?)));
        }
        if found != length || !starts.is_sorted() || !matches!(first.width, 1 | 2) {
            return Err(ShardError::new(&documents, "it does not fit the shards beside it"));
        }
        Ok(Self { width: first.width as usize, shards, per_shard: first.count.max(1), length, starts })
    }

    /// How many symbols there are.
    pub(crate) fn len(&self) -> u64 {
        self.length
    }

    /// Where each document begins, the line end before it included; and where the last one ends.
    pub(crate) fn starts(&self) -> &[u64] {
        &self.starts
    }

    /// Whether they are mapped files.
    #[cfg(test)]
    pub(crate) fn is_mapped(&self) -> bool {
        self.shards.iter().all(|shard| matches!(shard, Shard::Mapped(_)))
    }

    /// Appends `count` symbols from `start` on.
    ///
    /// # Panics
    /// If they reach beyond the end.
    pub(crate) fn read(&self, start: u64, count: usize, out: &mut Vec<i64>) {
        assert!(start + count as u64 <= self.length, "symbols {start} and {count} more of {}", self.length);
        let (mut start, mut left) = (start, count);
        while left > 0 {
            let (shard, at) = ((start / self.per_shard) as usize, start % self.per_shard);
            let here = left.min((self.per_shard - at) as usize);
            let (from, bytes) = (at as usize * self.width, here * self.width);
            match &self.shards[shard] {
                Shard::Memory(memory) => self.decode(&memory[from..from + bytes], out),
                Shard::Mapped(map) => {
                    let mut copied = vec![0; bytes];
                    let from = (Header::LENGTH + from) as i64;
                    let map = map.lock().unwrap_or_else(PoisonError::into_inner);
                    map.narrow(0, from, bytes as i64).copy_data_u8(&mut copied, bytes);
                    self.decode(&copied, out);
                }
            }
            (start, left) = (start + here as u64, left - here);
        }
    }

    fn decode(&self, bytes: &[u8], out: &mut Vec<i64>) {
        match self.width {
            1 => out.extend(bytes.iter().map(|&byte| i64::from(byte))),
            _ => out.extend(bytes.as_chunks().0.iter().map(|&pair| i64::from(u16::from_le_bytes(pair)))),
        }
    }
}

fn map(path: &Path, length: u64) -> Result<Tensor, ShardError> {
    let Some(name) = path.to_str() else {
        return Err(ShardError::new(path, "libtorch maps only files whose path is UTF-8"));
    };
    Tensor::f_from_file(name, false, length as i64, (Kind::Uint8, Device::Cpu))
        .map_err(|error| ShardError::io(path, &std::io::Error::other(error)))
}

#[cfg(test)]
mod tests;
