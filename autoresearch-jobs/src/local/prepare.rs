//! What is there before a job's first process: the right to run it, folders, files, groups, the command.

use super::cgroup::{self, Cgroup};
use super::claim::{Claim, mark};
use super::command::{self, Environment};
use super::conclude::Afterwards;
use super::files;
use super::hub::hub;
use super::kin::MARK;
use super::running::Running;
use super::{Confine, Engine};
use crate::error::LaunchError;
use crate::id::JobId;
use crate::job::Job;
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// What is ready to be started.
pub(super) struct Prepared {
    pub(super) running: Running,
    pub(super) command: std::process::Command,
    pub(super) stdout: Option<File>,
    pub(super) stderr: Option<File>,
    pub(super) afterwards: Afterwards,
}

/// The folders that a job sees.
#[derive(Debug)]
pub(crate) struct Folders {
    pub(crate) work: PathBuf,
    pub(crate) home: PathBuf,
    pub(crate) temporary: PathBuf,
}

/// Makes all of it ready.
///
/// # Errors
/// Somebody else has the run, something that the job names is not there, or a disk is full.
pub(super) fn prepare(
    engine: &Engine,
    confine: Option<&dyn Confine>,
    id: &JobId,
    job: &Job,
    gpus: Option<&[String]>,
) -> Result<Prepared, LaunchError> {
    let patterns = files::patterns(job)?;
    let hub = hub().map_err(LaunchError::io("cannot start the thread that watches children"))?;
    let claim = Claim::take(&engine.root()?, &id.run_key())?;
    let own = claim.make_folder()?.to_path_buf();
    let folders = Folders { work: own.join("work"), home: own.join("home"), temporary: own.join("tmp") };
    for folder in [&folders.work, &folders.home, &folders.temporary] {
        std::fs::create_dir(folder).map_err(LaunchError::io(format!("cannot make {}", folder.display())))?;
    }
    let folders = match &job.folder {
        Some(folder) => Folders { work: existing(folder)?, ..folders },
        None => folders,
    };
    files::put(job, &folders.work)?;
    let mut environment = job.environment();
    let mark = mark();
    let outer = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with(MARK));
    environment.extend(outer.chain([(OsString::from(&mark), OsString::from("1"))]));
    for (name, folder) in [("HOME", &folders.home), ("TMPDIR", &folders.temporary)] {
        environment.entry(name.into()).or_insert_with(|| folder.into());
    }
    if let Some(gpus) = gpus {
        environment.insert("CUDA_VISIBLE_DEVICES".into(), gpus.join(",").into());
    }
    let words = words(confine, job, &folders, &environment)?;
    let open = |path: &Option<PathBuf>| {
        let opened = path.as_ref().map(|path| {
            File::create(path)
                .map_err(LaunchError::io(format!("cannot write the output to {}", path.display())))
        });
        opened.transpose()
    };
    let (stdout, stderr) = (open(&job.stdout)?, open(&job.stderr)?);
    let groups = cgroup::make(&mark.to_lowercase(), job.limits.memory).unwrap_or_else(|why| {
        tracing::debug!("no control group: {why}");
        Vec::new()
    });
    let kin = claim.note(id, &mark, &groups).inspect_err(|_| groups.iter().for_each(Cgroup::remove))?;
    let refused = own.join("refused");
    let command = command::build(&words, job, &environment, &folders.work, &groups, &refused);
    static KEYS: AtomicU64 = AtomicU64::new(0);
    let key = KEYS.fetch_add(1, Ordering::Relaxed);
    let running = Running { hub, key, kin, claim, headless: false, over: false };
    let confined = confine.is_some();
    let afterwards = Afterwards { job: job.clone(), confined, patterns, folder: folders.work, refused };
    Ok(Prepared { running, command, stdout, stderr, afterwards })
}

fn existing(folder: &Path) -> Result<PathBuf, LaunchError> {
    match std::path::absolute(folder) {
        Ok(path) if path.is_dir() => Ok(path),
        _ => Err(LaunchError::Setup(format!(
            "the job's folder {} is not there; make it first",
            folder.display()
        ))),
    }
}

/// The program by its path and its arguments, behind what confines it.
fn words(
    confine: Option<&dyn Confine>,
    job: &Job,
    folders: &Folders,
    environment: &Environment,
) -> Result<Vec<OsString>, LaunchError> {
    let name = job.command.first().map_or("", String::as_str);
    let program = command::find(name, &folders.work, environment)?;
    let mut words =
        confine.map(|confine| confine.words(job, folders, &program)).transpose()?.unwrap_or_default();
    words.push(program.into());
    words.extend(job.command.iter().skip(1).map(OsString::from));
    Ok(words)
}
