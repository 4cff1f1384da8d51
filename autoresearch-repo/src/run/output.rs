//! What a run leaves.

use crate::tree::GitTree;
use autoresearch_core::{Fidelity, Measurement, RunContext};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where it is noted, in the run's folder.
const NOTE: &str = "output.json";

/// What a run has left: its logs, what was kept of its files, and what it said of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunOutput {
    /// The run's folder, with `stdout.log`, `stderr.log` and `artifacts`.
    pub folder: PathBuf,
    /// The files that were kept of it, in `artifacts` and in order.
    pub artifacts: Vec<String>,
    /// Elapsed seconds of the run command.
    pub seconds: f64,
    /// What the run printed, as a measurement; nothing where a command measures apart.
    pub printed: Option<Measurement>,
    /// Numbers that the run printed besides, and those that were measured from outside: `seconds`, `cpu_seconds`, `memory_gb` (the
    /// most memory, in GiB), where the launcher knows them.
    pub metrics: Vec<(String, f64)>,
}

#[derive(Serialize, Deserialize)]
struct Note {
    identity: String,
    candidate: GitTree,
    seed: u64,
    fidelity: Option<Fidelity>,
    output: RunOutput,
}

impl RunOutput {
    /// The folder with what was kept.
    pub fn artifacts_folder(&self) -> PathBuf {
        artifacts(&self.folder)
    }

    /// Best effort: without it the run is made again after a restart.
    pub(super) fn note(&self, identity: String, candidate: &GitTree, cx: &RunContext) {
        let (output, candidate) = (self.clone(), candidate.clone());
        let note = Note { identity, candidate, seed: cx.seed, fidelity: cx.fidelity, output };
        let written = serde_json::to_vec(&note).map_err(io::Error::from).and_then(|text| {
            let half = self.folder.join(format!(".{NOTE}"));
            fs::write(&half, text)?;
            fs::rename(half, self.folder.join(NOTE))
        });
        if let Err(why) = written {
            tracing::warn!("{}: {why}; the run would be made again after a restart", self.folder.display());
        }
    }

    /// What was noted of the same run.
    pub(super) fn noted(folder: &Path, identity: &str, candidate: &GitTree, cx: &RunContext) -> Option<Self> {
        let note: Note = serde_json::from_slice(&fs::read(folder.join(NOTE)).ok()?).ok()?;
        let same = note.identity == identity
            && note.candidate == *candidate
            && (note.seed, note.fidelity) == (cx.seed, cx.fidelity)
            && note.output.artifacts.iter().all(|file| artifacts(folder).join(file).is_file());
        same.then_some(note.output)
    }
}

pub(super) fn artifacts(folder: &Path) -> PathBuf {
    folder.join("artifacts")
}
