//! The jobs of a run.

use super::Workshop;
use crate::sandbox::Sandbox;
use crate::task::{CommandLine, Data, number};
use crate::work::Folder;
use autoresearch_core::{Fidelity, RunFailure};
use autoresearch_jobs::Job;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

/// What a command is told.
pub(super) struct Told<'a> {
    pub(super) seed: u64,
    pub(super) fidelity: Option<Fidelity>,
    /// Where what was kept of the run is, for a command that measures.
    pub(super) artifacts: Option<&'a Path>,
    /// Whether seed and fidelity are added as arguments.
    pub(super) arguments: bool,
}

impl Workshop {
    /// A command in a folder.
    ///
    /// # Errors
    /// Something has a name that is no text.
    pub(super) fn job(
        &self,
        command: &CommandLine,
        told: &Told<'_>,
        folder: &Folder,
        data: &[Data],
        minutes: Option<f64>,
    ) -> Result<Job, RunFailure> {
        let spec = &self.spec;
        let seed = told.seed.to_string();
        let fidelity = told.fidelity.map(number);
        let mut replace = vec![("{seed}", seed.clone())];
        replace.extend(fidelity.iter().map(|fidelity| ("{fidelity}", fidelity.clone())));
        let mut env = BTreeMap::from([("AUTORESEARCH_SEED".to_string(), seed.clone())]);
        let mut arguments = Vec::new();
        let passed = spec.fidelity.as_ref().map(|fidelity| fidelity.passed()).unwrap_or_default();
        for (passed, value, name) in [
            (&spec.seed, Some(&seed), "AUTORESEARCH_SEED"),
            (&passed, fidelity.as_ref(), "AUTORESEARCH_FIDELITY"),
        ] {
            let Some(value) = value else { continue };
            env.insert(name.into(), value.clone());
            env.extend(passed.env.iter().map(|name| (name.clone(), value.clone())));
            arguments.extend(passed.arguments(value));
        }
        if !told.arguments {
            arguments.clear();
        }
        if let Some(artifacts) = told.artifacts {
            let path = artifacts.to_str().ok_or_else(|| {
                RunFailure::infrastructure(format!(
                    "the folder {} has a name that is no text",
                    artifacts.display()
                ))
            })?;
            replace.push(("{artifacts}", path.into()));
            env.insert("AUTORESEARCH_ARTIFACTS".into(), path.into());
        }
        // Python would leave its caches beside the sources of the next run.
        env.insert("PYTHONDONTWRITEBYTECODE".into(), "1".into());
        env.extend(spec.set.iter().map(|(name, value)| (name.clone(), value.clone())));
        let mut job = Job::new(command.words(&arguments, &replace))
            .folder(folder.path())
            .inherit(spec.env.iter().cloned());
        job.env = env;
        job = spec.limits.on(job, minutes, self.share);
        for data in data {
            job = job.readable(&data.from);
        }
        for device in self.devices.iter() {
            job = job.writable(device);
        }
        if !spec.gpus.is_empty() {
            job = job.gpus(1);
        }
        match self.sandbox {
            // The tree is there before the job is, and is none of what it adds.
            Some(_) => {
                let own = folder.allocated();
                job = job.disk(spec.limits.disk.0.saturating_add(own)).processes(spec.limits.processes);
            }
            None => tracing::debug!("the disk and the number of processes are the launcher's affair"),
        }
        Ok(job)
    }

    /// Makes the folder read-only for the job, where there is a sandbox that can.
    pub(super) fn read_only(&self, job: Job) -> Job {
        match (self.sandbox, job.folder.clone()) {
            // What is named as both is as it was named last: to be read.
            (Some(Sandbox::Bubblewrap), Some(folder)) => job.readable(folder),
            _ => job,
        }
    }
}

/// Puts links to data where commands look for it.
pub(super) fn link(folder: &Folder, data: &[Data]) -> io::Result<()> {
    for data in data {
        let Some(at) = &data.at else { continue };
        let to = folder.path().join(at);
        if let Some(above) = to.parent() {
            fs::create_dir_all(above)?;
        }
        match std::os::unix::fs::symlink(&data.from, &to) {
            Err(why)
                if why.kind() == io::ErrorKind::AlreadyExists
                    && fs::read_link(&to).is_ok_and(|l| l == data.from) => {}
            done => done?,
        }
    }
    Ok(())
}
