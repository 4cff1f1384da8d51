//! Jobs as processes of this machine.

mod cgroup;
mod claim;
mod command;
mod conclude;
mod cpus;
pub(crate) mod files;
mod hub;
mod kin;
mod live;
mod places;
mod pool;
mod prepare;
mod proc;
mod remove;
mod run;
mod running;
mod signals;
mod space;
mod tail;

pub(crate) use claim::unique;
pub(crate) use command::Environment;
pub(crate) use prepare::Folders;

use crate::error::LaunchError;
use crate::exit::JobExit;
use crate::id::JobId;
use crate::job::Job;
use crate::launch::{Launcher, Watch};
use autoresearch_core::async_trait;
use pool::{Pool, Taken};
use std::ffi::OsString;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::OnceCell;

/// Runs jobs as child processes of this one (Linux).
///
/// ```
/// use autoresearch_core::RunId;
/// use autoresearch_jobs::{Job, JobId, Launcher, LocalProcess, Watch};
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let job = Job::new(["sh", "-c", "echo loss: 0.5"]).memory(1 << 30);
/// let exit = LocalProcess::new().launch(&JobId::new("doc", RunId(1), 0), &job, &Watch::default()).await?;
/// assert!(exit.success() && exit.stdout == "loss: 0.5\n", "{exit}");
/// # Ok::<(), autoresearch_jobs::LaunchError>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// It keeps nothing away from a job: it runs with all rights of the user. For code that is not trusted there is
/// [`Bubblewrap`](crate::Bubblewrap).
///
/// # The end of a job
/// When its first process ends, or it is told to stop, or the launch is dropped, everything that it has started is killed, not
/// asked: its process group, and what went into other groups and sessions, lost its parents or cleared its environment. Where
/// a control group may be made (root, or a delegated part of the unified hierarchy) the kernel knows all of them, however they
/// hide; elsewhere processes are found by a variable that marks them, by their folder, group and parents, and one that has
/// shed all four between two looks a quarter of a second apart is not. What it has written elsewhere (also to `/dev/shm`) stays.
///
/// # What a job has open
/// Standard input, which is empty, output and error. Before each start everything else that is open in this process is marked to be
/// closed in children (`FD_CLOEXEC`), also what it has inherited and what libraries have opened without that mark. A program
/// that hands descriptors to other children of its own does so in the child, as [`std::process::Command`] does.
///
/// # Signals
/// `SIGHUP`, `SIGINT`, `SIGQUIT` and `SIGTERM` end what does not catch them, also where this process ignores them, as one does that
/// was started by `nohup` or in the background of a script. With the first launch those that it ignores get a handler that does
/// nothing: it still ignores them, and what it starts does not.
///
/// # When this process is killed
/// Then nobody is left to end its jobs. They are found by a lock and a note in the [folder](Self::folder): the first launch of a
/// later process in the same folder ends all of them, so that a resumed study begins its open runs afresh. While two
/// processes are alive, the lock keeps the second one from a run that the first one has.
///
/// # Limits
/// Wall-clock time and output are kept by this process, file size and address space by the kernel (`ulimit`), CPU time by both: for
/// each process by the kernel, in sum within a tenth of a second. Memory is kept by a control group where one may be made; elsewhere
/// it is summed up ten times a second, so that a job may be over for so long, pages that processes share count for each, and
/// files in memory (`/dev/shm`) count as far as a process has mapped them. Of standard output and error the job sees pipes,
/// and the limit is exact.
///
/// # What a start takes
/// 0.8 ms more than the command itself where the [folder](Self::folder) is in memory, some milliseconds on a busy disk (mostly
/// to remove the job's folders), and 0.8 ms for `ulimit`. Where groups can be made in the unified hierarchy
/// alone, entering one takes 5 to 20 ms of waiting when nobody has done so just before: the kernel holds off all forks
/// of the machine (its mount option `favordynmods` takes that away).
#[derive(Debug, Clone)]
pub struct LocalProcess(Arc<Engine>);

impl Default for LocalProcess {
    fn default() -> Self {
        Self::new()
    }
}

impl LocalProcess {
    /// As many jobs at once as are launched, on all CPUs, with a folder under the system's temporary one.
    pub fn new() -> Self {
        Self::with(Settings::default())
    }

    /// Keeps locks and the jobs' own folders here: on a local disk, and the same after a restart.
    #[must_use]
    pub fn folder(self, folder: impl Into<PathBuf>) -> Self {
        Self::with(Settings { folder: Some(folder.into()), ..self.0.settings.clone() })
    }

    /// Runs at most `n` jobs (at least one) at once; others wait for their turn.
    #[must_use]
    pub fn slots(self, n: usize) -> Self {
        Self::with(Settings { slots: Some(n.max(1)), ..self.0.settings.clone() })
    }

    /// Gives each job CPUs of its own, so that parallel runs do not disturb each other: as many as it asks for, or one. Jobs
    /// that ask for CPUs get their own without this, too.
    #[must_use]
    pub fn pinned(self) -> Self {
        Self::with(Settings { pinned: true, ..self.0.settings.clone() })
    }

    /// The GPUs that jobs may have, as `CUDA_VISIBLE_DEVICES` names them. Each job gets as many of its own as it asks for.
    #[must_use]
    pub fn gpus<S: Into<String>>(self, names: impl IntoIterator<Item = S>) -> Self {
        let gpus = names.into_iter().map(Into::into).collect();
        Self::with(Settings { gpus, ..self.0.settings.clone() })
    }

    /// Whether no process can get away from a job here, however it hides: whether control groups may be made. Tries it, the first
    /// time.
    pub fn contains_all(&self) -> bool {
        places::contains_all()
    }

    fn with(settings: Settings) -> Self {
        Self(Arc::new(Engine::new(settings)))
    }

    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.0
    }
}

#[async_trait]
impl Launcher for LocalProcess {
    async fn launch(&self, id: &JobId, job: &Job, watch: &Watch) -> Result<JobExit, LaunchError> {
        run::launch(&self.0, None, id, job, watch).await
    }
}

/// What stands before a job's command to confine it.
pub(crate) trait Confine: Send + Sync {
    /// Where a job finds what stands at this path.
    fn seen(&self, path: &Path, folders: &Folders) -> PathBuf;

    /// How many processes of its own it has beside the job's.
    fn processes(&self) -> u64;

    /// The words before the command. `loading` are the variables that are left out of the environment, for the sandbox to set.
    ///
    /// # Errors
    /// Something that the job names is not there.
    fn words(
        &self,
        job: &Job,
        folders: &Folders,
        program: &Path,
        loading: Environment,
    ) -> Result<Vec<OsString>, LaunchError>;
}

#[derive(Debug, Clone, Default)]
struct Settings {
    folder: Option<PathBuf>,
    slots: Option<usize>,
    pinned: bool,
    gpus: Vec<String>,
}

/// Runs jobs on this machine, confined or not.
#[derive(Debug)]
pub(crate) struct Engine {
    settings: Settings,
    slots: Option<Pool<()>>,
    gpus: Pool<String>,
    cpus: OnceCell<Pool<usize>>,
    swept: OnceCell<()>,
}

/// More than any machine has processes for.
const MOST_SLOTS: usize = 1 << 16;

/// What a job has for itself while it runs.
#[derive(Debug)]
struct Places {
    _slot: Option<Taken<()>>,
    cpus: Option<Taken<usize>>,
    gpus: Option<Taken<String>>,
}

impl Places {
    fn cpus(&self) -> Option<Vec<usize>> {
        self.cpus.as_ref().map(|cpus| cpus.things().to_vec())
    }

    fn gpus(&self) -> Option<&[String]> {
        self.gpus.as_ref().map(Taken::things)
    }
}

impl Engine {
    fn new(settings: Settings) -> Self {
        let slots = settings.slots.map(|n| Pool::new(vec![(); n.min(MOST_SLOTS)]));
        let gpus = Pool::new(settings.gpus.clone());
        Self { settings, slots, gpus, cpus: OnceCell::new(), swept: OnceCell::new() }
    }

    /// Runs a job behind what confines it.
    pub(crate) async fn launch(
        self: &Arc<Self>,
        confine: Arc<dyn Confine>,
        id: &JobId,
        job: &Job,
        watch: &Watch,
    ) -> Result<JobExit, LaunchError> {
        run::launch(self, Some(confine), id, job, watch).await
    }

    /// What cannot be had is refused.
    fn refuse(&self, job: &Job) -> Result<(), LaunchError> {
        if let Some(option) = job.resources.options.keys().next() {
            return Err(LaunchError::Setup(format!(
                "the job has the option {option:?}, which jobs on this machine do not have; it is for another launcher"
            )));
        }
        let (wanted, there) = (job.resources.gpus as usize, self.gpus.len());
        if wanted > there {
            return Err(LaunchError::Setup(format!(
                "the job asks for {wanted} GPUs, and the launcher was told of {there}; name them, as in `.gpus([\"0\", \"1\"])`"
            )));
        }
        Ok(())
    }

    /// Waits for what the job is to have for itself.
    async fn places(&self, job: &Job) -> Result<Places, LaunchError> {
        // The scarcest first: who waits for a card must not keep a place from those that need none.
        let gpus = match job.resources.gpus as usize {
            0 => None,
            wanted => Some(self.gpus.take(wanted).await?),
        };
        let cpus = match (job.resources.cpus, self.settings.pinned) {
            (None, false) => None,
            (wanted, _) => Some(self.take_cpus(wanted.unwrap_or(1) as usize).await?),
        };
        let slot = match &self.slots {
            Some(slots) => Some(slots.take(1).await?),
            None => None,
        };
        Ok(Places { _slot: slot, cpus, gpus })
    }

    async fn take_cpus(&self, wanted: usize) -> Result<Taken<usize>, LaunchError> {
        let known = self.cpus.get_or_try_init(|| async {
            cpus::all().map(Pool::new).map_err(LaunchError::io("cannot learn which CPUs there are"))
        });
        let cpus = known.await?;
        if wanted > cpus.len() {
            return Err(LaunchError::Setup(format!(
                "the job asks for {wanted} CPUs, and this process may use {}; ask for fewer",
                cpus.len()
            )));
        }
        cpus.take(wanted).await
    }

    /// The folder, made if it is not there: private to the user, and nobody else's.
    fn root(&self) -> Result<PathBuf, LaunchError> {
        let user = rustix::process::geteuid().as_raw();
        let root = match &self.settings.folder {
            Some(folder) => folder.clone(),
            None => std::env::temp_dir().join(format!("autoresearch-jobs-{user}")),
        };
        let what = format!("cannot make the launcher's folder {}", root.display());
        let root = std::path::absolute(&root).map_err(LaunchError::io(&what))?;
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&root);
        made.map_err(LaunchError::io(&what))?;
        // Of one behind a link, the processes that stand in it would not be known by it.
        let root = match &self.settings.folder {
            Some(_) => std::fs::canonicalize(&root).map_err(LaunchError::io(&what))?,
            None => root,
        };
        // Under the temporary folder, others could have made it first.
        let about = std::fs::symlink_metadata(&root).map_err(LaunchError::io(&what))?;
        if self.settings.folder.is_none() && (!about.is_dir() || about.uid() != user) {
            return Err(LaunchError::Setup(format!(
                "{} belongs to somebody else; give the launcher a folder of its own with `.folder(…)`",
                root.display()
            )));
        }
        Ok(root)
    }

    /// Once, before the first job: what drivers that are gone have left running here is ended.
    async fn sweep(&self) -> Result<(), LaunchError> {
        let swept = self.swept.get_or_try_init(|| async {
            let root = self.root()?;
            let swept = tokio::task::spawn_blocking(move || claim::sweep(&root)).await;
            swept.map_err(|why| LaunchError::Infrastructure(why.to_string()))
        });
        swept.await.map(drop)
    }
}
