//! Reading a checkpoint.

use super::{FORMAT, digest};
use autoresearch_core::RunFailure;
use safetensors::{Dtype, SafeTensors};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

/// The checked content of a checkpoint file.
#[derive(Debug)]
pub(crate) struct Weights {
    path: PathBuf,
    metadata: HashMap<String, String>,
    tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
}

impl Weights {
    /// Reads and checks a file: format, lengths, and every byte of weights and metadata against the checksums.
    pub(crate) fn open(path: &Path) -> Result<Self, RunFailure> {
        let bytes = fs::read(path)
            .map_err(|e| RunFailure::infrastructure(format!("checkpoint {}: {e}", path.display())))?;
        Self::check(path, &bytes)
    }

    /// [`open`](Self::open), once the bytes are read.
    pub(super) fn check(path: &Path, bytes: &[u8]) -> Result<Self, RunFailure> {
        let bad = |what: String| RunFailure::infrastructure(format!("checkpoint {}: {what}", path.display()));
        let damaged = |e| bad(format!("damaged or cut short: {e}"));
        let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        if metadata.get("format").map(String::as_str) != Some(FORMAT) {
            return Err(bad(format!("not in the format {FORMAT:?}")));
        }
        if metadata.get(digest::CHECK) != Some(&digest::metadata(&metadata)) {
            return Err(bad("damaged: the metadata does not match its checksum".to_string()));
        }
        let mut views: Vec<_> = file.iter().collect();
        views.sort_by_key(|(name, _)| *name);
        let parts = views.iter().map(|(name, view)| (*name, view.shape(), view.data()));
        if metadata.get("sha256") != Some(&digest::weights(parts)) {
            return Err(bad("damaged: the weights do not match their checksum".to_string()));
        }
        let mut tensors = BTreeMap::new();
        for (name, view) in views {
            if view.dtype() != Dtype::F32 {
                return Err(bad(format!("{name} is {:?}, not F32", view.dtype())));
            }
            let values = view.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
            tensors.insert(name.to_string(), (view.shape().to_vec(), values));
        }
        Ok(Self { path: path.to_path_buf(), metadata, tensors })
    }

    pub(super) fn metadata(&self) -> &HashMap<String, String> {
        &self.metadata
    }

    /// The checksum of the weights.
    pub(super) fn digest(&self) -> &str {
        self.metadata.get("sha256").map_or("", String::as_str)
    }

    /// The names of all tensors, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// A row of numbers, however many.
    pub(crate) fn read_all(&self, name: &str) -> Result<&[f32], RunFailure> {
        let length = self.tensors.get(name).map_or(0, |(_, values)| values.len() as i64);
        self.read(name, &[length])
    }

    /// The values of one tensor, which must have this shape.
    pub(crate) fn read(&self, name: &str, shape: &[i64]) -> Result<&[f32], RunFailure> {
        let bad =
            |what: String| RunFailure::infrastructure(format!("checkpoint {}: {what}", self.path.display()));
        let Some((found, values)) = self.tensors.get(name) else {
            return Err(bad(format!("no parameter {name:?}")));
        };
        if !found.iter().map(|&d| d as i64).eq(shape.iter().copied()) {
            return Err(bad(format!("{name:?} has the shape {found:?}, the model wants {shape:?}")));
        }
        Ok(values)
    }
}
