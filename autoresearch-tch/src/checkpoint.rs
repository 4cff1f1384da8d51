//! What a finished run leaves behind: a safetensors file and a handle to it.

mod digest;
mod metrics;
mod weights;
mod write;

pub use metrics::RunMetrics;
pub(crate) use weights::Weights;

use crate::{Device, Parameters, Trainer};
use autoresearch_core::{Cancellation, RunFailure};
use safetensors::{Dtype, tensor::TensorView};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};

const FILE: &str = "model.safetensors";
const FORMAT: &str = "autoresearch-tch 2";

/// A trained model on disk, with the candidate it came from. Small and cheap to pass around.
///
/// The file holds weights and constants in 32 bits under the names that the model gave to its [`Parameters`], and as metadata,
/// all of it text: `format`, `candidate` and `metrics` (JSON), `identity`, `seed`, `sha256` (of the weights) and `check`
/// (of all other metadata). Any change of a single byte is noticed when it is read. In Python:
/// `safetensors.torch.load_file("model.safetensors")`.
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

impl<C> Checkpoint<C> {
    /// SHA-256 over the names, shapes and bits of the weights: equal for runs that ended with the same weights, whatever
    /// they took in time and memory.
    ///
    /// # Errors
    /// The file is missing or damaged: the infrastructure's failure, which names the file.
    pub fn digest(&self) -> Result<String, RunFailure> {
        Ok(Weights::open(&self.path)?.digest().to_string())
    }
}

impl<C: Serialize> Checkpoint<C> {
    /// Builds the trained model again, from the file, on the processor.
    ///
    /// # Errors
    /// The file is missing, damaged, or not of the model that `trainer` builds: the infrastructure's failure, which
    /// names the file.
    pub fn load<T: Trainer<Candidate = C>>(&self, trainer: &T) -> Result<T::Model, RunFailure> {
        self.load_on(trainer, Device::Cpu)
    }

    /// Builds the trained model again on a device, wherever it was trained.
    ///
    /// # Errors
    /// As [`load`](Self::load); and the device is not there.
    pub fn load_on<T: Trainer<Candidate = C>>(
        &self,
        trainer: &T,
        device: Device,
    ) -> Result<T::Model, RunFailure> {
        let mut parameters = Parameters::loaded(Weights::open(&self.path)?).on(device.open()?);
        let model = trainer.build(&self.candidate, &mut parameters)?;
        let more = parameters.left_over();
        if more.is_empty() {
            return Ok(model);
        }
        let (file, more) = (self.path.display(), more.join(", "));
        Err(RunFailure::infrastructure(format!(
            "checkpoint {file}: the model that is built has no parameter {more}, so it is not the one that was trained"
        )))
    }

    /// Writes the file under a temporary name, syncs it and renames it: whoever sees the name sees the whole file.
    pub(crate) fn write(
        folder: &Path,
        candidate: C,
        metrics: RunMetrics,
        origin: Origin<'_>,
        parameters: &Parameters,
        stop: &Cancellation,
    ) -> Result<Self, RunFailure> {
        let bytes = serialise(&candidate, &metrics, origin, parameters)?;
        let path = write::whole(folder, FILE, &bytes, stop)?;
        Ok(Self { path, candidate, metrics })
    }

    /// A checkpoint by its file: to compare curves ([`TimeToLoss`](crate::TimeToLoss)) or to measure anew.
    ///
    /// # Errors
    /// The file is missing, damaged, or of another kind of candidate: the infrastructure's failure, which names the file.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, RunFailure>
    where
        C: serde::de::DeserializeOwned,
    {
        let path = path.into();
        let stored = Weights::open(&path)?;
        let bad = |what: String| RunFailure::infrastructure(format!("checkpoint {}: {what}", path.display()));
        let text = |key: &str| {
            let found = stored.metadata().get(key).map(String::as_str);
            found.ok_or_else(|| bad(format!("its metadata has no {key:?}")))
        };
        let candidate = serde_json::from_str(text("candidate")?)
            .map_err(|e| bad(format!("it is of another kind of candidate: {e}")))?;
        let metrics = serde_json::from_str(text("metrics")?).map_err(|e| bad(format!("its metrics: {e}")))?;
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
        let is = |key: &str, value: &str| stored.metadata().get(key).is_some_and(|found| found == value);
        let same = is("identity", origin.identity)
            && is("seed", &origin.seed.to_string())
            && is("candidate", &serde_json::to_string(candidate).ok()?);
        let metrics = serde_json::from_str(stored.metadata().get("metrics")?).ok()?;
        same.then(|| Self { path, candidate: candidate.clone(), metrics })
    }
}

/// The bytes of the file.
fn serialise<C: Serialize>(
    candidate: &C,
    metrics: &RunMetrics,
    origin: Origin<'_>,
    parameters: &Parameters,
) -> Result<Vec<u8>, RunFailure> {
    let bad = |e: &dyn Display| RunFailure::infrastructure(format!("cannot write a checkpoint: {e}"));
    let mut tensors = Vec::new();
    for parameter in parameters.iter() {
        let shape: Vec<usize> = parameter.tensor().size().iter().map(|&d| d as usize).collect();
        let flat = parameter.tensor().detach().to_device(tch::Device::Cpu).flatten(0, -1);
        let values = Vec::<f32>::try_from(flat).map_err(|e| bad(&e))?;
        let data: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        tensors.push((parameter.name(), shape, data));
    }
    for (name, values) in parameters.all_constants() {
        let data = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        tensors.push((name, vec![values.len()], data));
    }
    tensors.sort_by_key(|(name, ..)| *name);

    let parts = tensors.iter().map(|(name, shape, data)| (*name, shape.as_slice(), data.as_slice()));
    let mut metadata = HashMap::from([
        ("format".to_string(), FORMAT.to_string()),
        ("candidate".to_string(), serde_json::to_string(candidate).map_err(|e| bad(&e))?),
        ("metrics".to_string(), serde_json::to_string(metrics).map_err(|e| bad(&e))?),
        ("identity".to_string(), origin.identity.to_string()),
        ("seed".to_string(), origin.seed.to_string()),
        ("sha256".to_string(), digest::weights(parts)),
    ]);
    metadata.insert(digest::CHECK.to_string(), digest::metadata(&metadata));
    let mut views = Vec::new();
    for (name, shape, data) in &tensors {
        views.push((*name, TensorView::new(Dtype::F32, shape.clone(), data).map_err(|e| bad(&e))?));
    }
    safetensors::serialize(views, Some(metadata)).map_err(|e| bad(&e))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
