//! What is there before a job's first process: the right to run it, folders, files, groups, the command.

use super::cgroup::{self, Cgroup};
use super::claim::{Claim, mark};
use super::command::{self, Environment};
use super::conclude::Afterwards;
use super::files;
use super::hub::hub;
use super::kin::MARK;
use super::places;
use super::running::Running;
use super::{Confine, Engine, Places};
use crate::error::LaunchError;
use crate::id::JobId;
use crate::job::Job;
use rustix::pipe::PipeFlags;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is ready to be started.
pub(super) struct Prepared {
    pub(super) running: Running,
    pub(super) command: std::process::Command,
    /// What the first process has open beside the three.
    pub(super) handed: Option<File>,
    pub(super) stdout: Option<File>,
    pub(super) stderr: Option<File>,
    pub(super) afterwards: Afterwards,
    /// Where it can write, and what it takes of the disk is looked for.
    pub(super) spaces: Vec<PathBuf>,
}

/// The folders that a job sees.
#[derive(Debug)]
pub(crate) struct Folders {
    /// The number of the descriptor at which a sandbox says how the command in it has ended.
    pub(crate) status: Option<i32>,
    pub(crate) work: PathBuf,
    /// The job has named it, and it is not its own.
    pub(crate) named: bool,
    /// The job names `/tmp`, or what that is in: to read, to write or to work in.
    pub(crate) names_tmp: bool,
    /// Its home and the place of its temporary files: each folder costs its making and its removal on a disk.
    pub(crate) home: PathBuf,
}

/// Makes all of it ready.
///
/// # Errors
/// Somebody else has the run, something that the job names is not there, or a disk is full.
pub(super) fn prepare(
    engine: &Engine,
    confine: Option<Arc<dyn Confine>>,
    id: &JobId,
    job: &Job,
    places: Places,
) -> Result<Prepared, LaunchError> {
    let patterns = files::patterns(job)?;
    let hub = hub().map_err(LaunchError::io("cannot start the thread that watches children"))?;
    let claim = Claim::take(&engine.root()?, &id.run_key())?;
    let (status, handed) = match &confine {
        Some(_) => {
            let made = rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK);
            let (read, write) = made.map_err(|why| LaunchError::io("cannot make a pipe")(why.into()))?;
            (Some(File::from(read)), Some(File::from(write)))
        }
        None => (None, None),
    };
    let (work, named) = match &job.folder {
        Some(folder) => (existing(folder)?, true),
        None => (claim.make_folder()?, false),
    };
    let status_at = handed.as_ref().map(|file| file.as_raw_fd());
    let mut seen = job.readable.iter().chain(&job.writable).chain(&job.folder);
    let names_tmp = seen.any(|path| {
        Path::new("/tmp").starts_with(path)
            || path.canonicalize().is_ok_and(|path| Path::new("/tmp").starts_with(path))
    });
    let folders = Folders { status: status_at, work, named, names_tmp, home: claim.make_home()? };
    files::put(job, &folders.work)?;
    let mut environment = job.environment();
    let mark = mark();
    let outer = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with(MARK));
    environment.extend(outer.chain([(OsString::from(&mark), OsString::from("1"))]));
    let home = match &confine {
        Some(confine) => confine.seen(&folders.home, &folders),
        None => folders.home.clone(),
    };
    for name in ["HOME", "TMPDIR"] {
        environment.entry(name.into()).or_insert_with(|| home.clone().into());
    }
    if let Some(gpus) = places.gpus() {
        environment.insert("CUDA_VISIBLE_DEVICES".into(), gpus.join(",").into());
    }
    let loading = match &confine {
        Some(_) => environment.extract_if(.., |name, _| is_loading(name)).collect(),
        None => Environment::new(),
    };
    let words = words(confine.as_deref(), job, &folders, &environment, loading)?;
    let open = |path: &Option<PathBuf>| {
        let opened = path.as_ref().map(|path| {
            files::create(path)
                .map_err(LaunchError::io(format!("cannot write the output to {}", path.display())))
        });
        opened.transpose()
    };
    let (stdout, stderr) = (open(&job.stdout)?, open(&job.stderr)?);
    // Written down first: what is made and not noted is found by nobody.
    let groups = places::plan(&mark.to_lowercase(), job.limits.memory.is_some());
    let kin = claim.note(id, &mark, &groups)?;
    cgroup::make(&groups, job.limits.memory).map_err(LaunchError::io("cannot make a control group"))?;
    crate::step::made("local groups made");
    let mut groups = Made(groups);
    let refused = claim.refused().to_path_buf();
    let ways = command::Ways { groups: &groups.0, refused: &refused };
    let command = command::build(&words, job, &environment, &folders.work, &ways)?;
    groups.0.clear(); // they are the job's now
    static KEYS: AtomicU64 = AtomicU64::new(0);
    let key = KEYS.fetch_add(1, Ordering::Relaxed);
    let running = Running { hub, key, kin, claim, confine, _places: places, headless: false, over: false };
    let spaces = vec![folders.work.clone(), folders.home];
    let afterwards = Afterwards { job: job.clone(), status, patterns, folder: folders.work, refused };
    Ok(Prepared { running, command, handed, stdout, stderr, afterwards, spaces })
}

/// Groups that are taken away again unless the job gets as far as to have them.
struct Made(Vec<Cgroup>);

impl Drop for Made {
    fn drop(&mut self) {
        self.0.iter().for_each(Cgroup::remove);
    }
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

/// Whether loaders and shells take their own orders from a variable of this name.
fn is_loading(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let whole =
        ["BASH_ENV", "ENV", "GCONV_PATH", "GLIBC_TUNABLES", "LOCPATH", "PS4", "SHELLOPTS", "BASHOPTS"];
    name.starts_with("LD_") || name.starts_with("MALLOC_") || whole.contains(&&*name)
}

/// The program by its path and its arguments, behind what confines it.
fn words(
    confine: Option<&dyn Confine>,
    job: &Job,
    folders: &Folders,
    environment: &Environment,
    loading: Environment,
) -> Result<Vec<OsString>, LaunchError> {
    let name = job.command.first().map_or("", String::as_str);
    let program = command::find(name, &folders.work, environment)?;
    let mut words = match confine {
        Some(confine) => confine.words(job, folders, &program, loading)?,
        None => Vec::new(),
    };
    words.push(confine.map_or_else(|| program.clone(), |confine| confine.seen(&program, folders)).into());
    words.extend(job.command.iter().skip(1).map(OsString::from));
    Ok(words)
}
