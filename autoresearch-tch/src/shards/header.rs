//! What stands at the front of every shard, so that nothing else is ever taken for one.

use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// A shard that cannot be made or used.
#[derive(Debug, thiserror::Error)]
#[error("token shard {}: {reason}", path.display())]
pub(crate) struct ShardError {
    path: PathBuf,
    reason: String,
    /// Whether there is no such file.
    pub(crate) missing: bool,
    /// Whether the file could not be read, so that nothing is known of what is in it.
    pub(crate) unread: bool,
}

impl ShardError {
    pub(super) fn new(path: &Path, reason: &str) -> Self {
        Self { path: path.to_path_buf(), reason: reason.to_string(), missing: false, unread: false }
    }

    pub(super) fn io(path: &Path, error: &std::io::Error) -> Self {
        let missing = error.kind() == std::io::ErrorKind::NotFound;
        Self { missing, unread: !missing, ..Self::new(path, &error.to_string()) }
    }
}

/// Of which corpus, by which tokenizer: a SHA-256 of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ShardKey(pub(crate) [u8; 32]);

const MAGIC: [u8; 8] = *b"ARTOKENS";
const VERSION: u32 = 1;

/// The first 128 bytes of a shard, little-endian: magic (8 bytes), version (4), bytes a number (4), numbers (8), part
/// (4), parts (4), key (32), SHA-256 of these 64 bytes and the SHA-256 of all that follows the header (32), zeros (32).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) width: u32,
    pub(super) count: u64,
    pub(super) part: u32,
    pub(super) parts: u32,
    pub(super) key: ShardKey,
    /// SHA-256 of all that follows the header.
    pub(super) sum: [u8; 32],
}

impl Header {
    pub(super) const LENGTH: usize = 128;

    pub(super) fn file_length(&self) -> u64 {
        Self::LENGTH as u64 + self.count * u64::from(self.width)
    }

    pub(super) fn to_bytes(self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.width.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.count.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.part.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.parts.to_le_bytes());
        bytes[32..64].copy_from_slice(&self.key.0);
        let seal = Sha256::new().chain_update(&bytes[..64]).chain_update(self.sum).finalize();
        bytes[64..96].copy_from_slice(&seal);
        bytes
    }

    /// What the header says, unchecked but for its kind; the sum is not in it.
    fn from_bytes(bytes: &[u8; Self::LENGTH]) -> Result<Self, &'static str> {
        let long = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        let word = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        if bytes[..8] != MAGIC {
            return Err("it is no token shard");
        }
        if word(8) != VERSION {
            return Err("it is of another version");
        }
        let key = ShardKey(std::array::from_fn(|i| bytes[32 + i]));
        Ok(Self { width: word(12), count: long(16), part: word(24), parts: word(28), key, sum: [0; 32] })
    }

    /// Reads the header and checks all that it says, the checksum included.
    pub(super) fn read_checked(path: &Path, key: &ShardKey) -> Result<Self, ShardError> {
        let io = |error: std::io::Error| ShardError::io(path, &error);
        let bad = |reason: &str| ShardError::new(path, reason);
        let mut file = File::open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let mut bytes = [0; Self::LENGTH];
        file.read_exact(&mut bytes).map_err(|_| bad("it is cut short"))?;
        let mut header = Self::from_bytes(&bytes).map_err(bad)?;
        if header.key != *key {
            return Err(bad("it is of another corpus or vocabulary"));
        }
        let numbers = u128::from(header.count) * u128::from(header.width);
        if numbers + Self::LENGTH as u128 != u128::from(length) {
            return Err(bad("it is cut short, or longer than its header says"));
        }
        let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 18]);
        loop {
            let read = file.read(&mut buffer).map_err(io)?;
            if read == 0 {
                break;
            }
            hash.update(&buffer[..read]);
        }
        header.sum = hash.finalize().into();
        // The header as it must be, to the last zero.
        if header.to_bytes() == bytes { Ok(header) } else { Err(bad("it does not match its checksum")) }
    }

    /// All that follows the header.
    pub(super) fn payload(&self, path: &Path) -> Result<Vec<u8>, ShardError> {
        let io = |error: std::io::Error| ShardError::io(path, &error);
        let mut file = BufReader::new(File::open(path).map_err(io)?);
        file.seek(SeekFrom::Start(Self::LENGTH as u64)).map_err(io)?;
        let mut payload = Vec::new();
        file.read_to_end(&mut payload).map_err(io)?;
        Ok(payload)
    }
}
