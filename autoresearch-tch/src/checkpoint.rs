//! What a finished run leaves behind: a safetensors file and a handle to it.

use crate::{Parameters, Trainer};
use autoresearch_core::RunFailure;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

const FILE: &str = "model.safetensors";
const FORMAT: &str = "autoresearch-tch 1";

/// What is known of a finished training run besides its weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RunMetrics {
    /// Training loss in the trainer's own unit, averaged over about the last 20 steps.
    pub train_loss: f64,
    /// Optimiser steps.
    pub steps: u64,
    /// Tokens (or whatever the trainer counts) trained on.
    pub tokens: u64,
    /// Numbers in the model.
    pub parameters: u64,
    /// Time from the first step to the last.
    pub seconds: f64,
    /// Tokens a second.
    pub tokens_per_s: f64,
    /// The most memory that the process ever held, in 10^9 bytes: of all its runs, not of this one alone. Only on Linux.
    pub memory_gb: Option<f64>,
}

/// A trained model on disk, with the candidate it came from. Small and cheap to pass around.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Checkpoint<C> {
    /// The safetensors file.
    pub path: PathBuf,
    /// What was trained.
    pub candidate: C,
    /// How the training went.
    pub metrics: RunMetrics,
}

/// What must agree before a finished run is taken for the one that is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) identity: &'a str,
    pub(crate) seed: u64,
}

impl<C: Serialize> Checkpoint<C> {
    /// Builds the trained model again, from the file.
    ///
    /// # Errors
    /// The file is missing, damaged, or not of the model that `trainer` builds: the infrastructure's failure, which
    /// names the file.
    pub fn load<T: Trainer<Candidate = C>>(&self, trainer: &T) -> Result<T::Model, RunFailure> {
        let mut parameters = Parameters::loaded(Weights::open(&self.path)?);
        trainer.build(&self.candidate, &mut parameters)
    }

    /// Writes the file under a temporary name, syncs it and renames it: whoever sees the name sees the whole file.
    pub(crate) fn write(
        folder: &Path,
        candidate: C,
        metrics: RunMetrics,
        origin: Origin<'_>,
        parameters: &Parameters,
    ) -> Result<Self, RunFailure> {
        let mut tensors: Vec<(&str, Vec<usize>, Vec<u8>)> = Vec::new();
        for parameter in parameters.iter() {
            let tensor = parameter.tensor();
            let values = Vec::<f32>::try_from(tensor.detach().flatten(0, -1))
                .map_err(|e| RunFailure::candidate(format!("cannot read {}: {e}", parameter.name())))?;
            let shape = tensor.size().iter().map(|&d| d as usize).collect();
            tensors.push((parameter.name(), shape, values.iter().flat_map(|v| v.to_le_bytes()).collect()));
        }
        for (name, values) in parameters.all_constants() {
            let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            tensors.push((name, vec![values.len()], bytes));
        }
        tensors.sort_by_key(|(name, ..)| *name);
        let bad =
            |e: &dyn std::fmt::Display| RunFailure::infrastructure(format!("cannot write a checkpoint: {e}"));
        let metadata = HashMap::from([
            ("format".to_string(), FORMAT.to_string()),
            ("candidate".to_string(), serde_json::to_string(&candidate).map_err(|e| bad(&e))?),
            ("metrics".to_string(), serde_json::to_string(&metrics).map_err(|e| bad(&e))?),
            ("identity".to_string(), origin.identity.to_string()),
            ("seed".to_string(), origin.seed.to_string()),
            ("sha256".to_string(), digest(tensors.iter().map(|(name, _, data)| (*name, data.as_slice())))),
        ]);
        let mut views = Vec::new();
        for (name, shape, data) in &tensors {
            views.push((*name, TensorView::new(Dtype::F32, shape.clone(), data).map_err(|e| bad(&e))?));
        }
        let bytes = safetensors::serialize(views, Some(metadata)).map_err(|e| bad(&e))?;

        let path = folder.join(FILE);
        let temporary = folder.join(format!(".{FILE}.{}.part", std::process::id()));
        let written = File::create(&temporary).and_then(|mut file| {
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&temporary, &path)
        });
        written.map_err(|e| {
            _ = fs::remove_file(&temporary);
            bad(&format!("{}: {e}", path.display()))
        })?;
        Ok(Self { path, candidate, metrics })
    }

    /// The checkpoint of a run that already finished in `folder`, if it is of this candidate, seed and identity.
    pub(crate) fn find(folder: &Path, candidate: &C, origin: Origin<'_>) -> Option<Self>
    where
        C: Clone,
    {
        let path = folder.join(FILE);
        if !path.exists() {
            return None;
        }
        let stored = match Weights::open(&path) {
            Ok(stored) => stored,
            Err(failure) => {
                tracing::warn!(%failure, "a checkpoint cannot be used; the run is repeated");
                return None;
            }
        };
        let is = |key: &str, value: &str| stored.metadata.get(key).is_some_and(|found| found == value);
        let same = is("identity", origin.identity)
            && is("seed", &origin.seed.to_string())
            && is("candidate", &serde_json::to_string(candidate).ok()?);
        let metrics = serde_json::from_str(stored.metadata.get("metrics")?).ok()?;
        same.then(|| Self { path, candidate: candidate.clone(), metrics })
    }
}

/// The checked content of a checkpoint file.
#[derive(Debug)]
pub(crate) struct Weights {
    path: PathBuf,
    metadata: HashMap<String, String>,
    tensors: HashMap<String, (Vec<usize>, Vec<f32>)>,
}

impl Weights {
    /// Reads and checks a file: format, lengths, and every byte of the weights against the checksum.
    pub(crate) fn open(path: &Path) -> Result<Self, RunFailure> {
        let bad = |what: String| RunFailure::infrastructure(format!("checkpoint {}: {what}", path.display()));
        let bytes = fs::read(path).map_err(|e| bad(e.to_string()))?;
        let damaged = |e| bad(format!("damaged or cut short: {e}"));
        let file = SafeTensors::deserialize(&bytes).map_err(damaged)?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(damaged)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        if metadata.get("format").map(String::as_str) != Some(FORMAT) {
            return Err(bad(format!("not in the format {FORMAT:?}")));
        }
        let mut views: Vec<_> = file.iter().collect();
        views.sort_by_key(|(name, _)| *name);
        if metadata.get("sha256") != Some(&digest(views.iter().map(|(name, view)| (*name, view.data())))) {
            return Err(bad("damaged: the weights do not match their checksum".to_string()));
        }
        let mut tensors = HashMap::new();
        for (name, view) in views {
            if view.dtype() != Dtype::F32 {
                return Err(bad(format!("{name} is {:?}, not F32", view.dtype())));
            }
            let values = view.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
            tensors.insert(name.to_string(), (view.shape().to_vec(), values));
        }
        Ok(Self { path: path.to_path_buf(), metadata, tensors })
    }

    /// A row of numbers, however many.
    pub(crate) fn read_all(&self, name: &str) -> Result<Vec<f32>, RunFailure> {
        let length = self.tensors.get(name).map_or(0, |(_, values)| values.len() as i64);
        self.read(name, &[length])
    }

    pub(crate) fn read(&self, name: &str, shape: &[i64]) -> Result<Vec<f32>, RunFailure> {
        let bad =
            |what: String| RunFailure::infrastructure(format!("checkpoint {}: {what}", self.path.display()));
        let Some((found, values)) = self.tensors.get(name) else {
            return Err(bad(format!("no parameter {name:?}")));
        };
        if !found.iter().map(|&d| d as i64).eq(shape.iter().copied()) {
            return Err(bad(format!("{name:?} has the shape {found:?}, the model wants {shape:?}")));
        }
        Ok(values.clone())
    }
}

fn digest<'a>(tensors: impl Iterator<Item = (&'a str, &'a [u8])>) -> String {
    let mut hash = Sha256::new();
    for (name, data) in tensors {
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
        hash.update((data.len() as u64).to_le_bytes());
        hash.update(data);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The most memory this process ever held, in 10^9 bytes, where the system tells.
pub(crate) fn peak_memory_gb() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kibibytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1024.0 / 1e9)
}
