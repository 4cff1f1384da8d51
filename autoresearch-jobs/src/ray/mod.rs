//! Jobs on a Ray cluster.

mod address;
mod client;
mod core;
mod end;
mod leftover;
mod outcome;
mod package;
mod poll;
mod record;
mod resources;
mod run;
mod settings;
mod spec;
mod submit;
mod tail;
mod wait;
mod wire;

use self::core::Engine;
use crate::error::LaunchError;
use crate::exit::JobExit;
use crate::id::JobId;
use crate::job::Job;
use crate::launch::{Launcher, Watch};
use address::Address;
use autoresearch_core::{Cancellation, async_trait};
use secrecy::{ExposeSecret, SecretString};
use settings::Settings;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Runs jobs on a Ray cluster, over the REST API of its dashboard (feature `ray`; seen with Ray 2.60).
///
/// ```no_run
/// use autoresearch_core::RunId;
/// use autoresearch_jobs::{Job, JobId, Launcher, RayJobs, Watch};
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let ray = RayJobs::connect("http://127.0.0.1:8265")?.folder("/shared/autoresearch");
/// let job = Job::new(["python3", "train.py"]).copy("train.py", "train.py").cpus(2).gpus(1);
/// let exit = ray.launch(&JobId::new("doc", RunId(1), 0), &job, &Watch::default()).await?;
/// println!("{exit}");
/// # Ok::<(), autoresearch_jobs::LaunchError>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # How a job gets there and back
/// A script of Python (3.7 or later, on Linux, which every node of Ray has) goes to the cluster as a package, once; it runs the
/// command in a folder of its own that it deletes. The job's files and its record of how it ended go through the
/// [`folder`](Self::folder) on shared storage, if there is one. Without it small files go along with the submission and others in
/// a package of their own, and what comes back comes as text through Ray's log ([`returned`](Self::returned) says how much).
/// With a folder lines of output are told while the job runs; without one, of the last 8 KiB when it has ended.
///
/// `PATH`, language and time zone are the node's; besides what the job says it gets what Ray says of devices
/// (`CUDA_VISIBLE_DEVICES` and the like) and `RAY_ADDRESS`. **Everybody who may see the dashboard sees the job's variables**, unless
/// there is a folder: then they are in a file there that only the user may read.
///
/// # Resources
/// A job takes one CPU unless it says otherwise. [`Job::option`] knows `memory` (bytes to reserve), `cpus` and `gpus` (fractions),
/// `resource.NAME` (an amount) and `label.KEY` (what a node has to be). A limit of memory reserves none.
///
/// # Limits
/// The script keeps them: elapsed time and output exactly; memory as a sum over all processes, looked at ten times a second,
/// in which pages that they share count for each; CPU time in the same way and for each process by the kernel; file size
/// and address space by the kernel. Everything that the command has started is killed at the end, also what went into sessions of its
/// own. When Ray's supervisor, the node or the script is gone, the rest ends within a second; a process that lives on on a node that
/// is cut off can do no harm to a result, for each launch has its own name.
///
/// # Whose fault
/// | what is seen | what it is |
/// |---|---|
/// | a status, a signal, a limit | [`JobExit`]: the candidate's |
/// | the node died, Ray lost the job (`JOB_SUPERVISOR_ACTOR_DIED` and others), its environment failed | [`LaunchError::Infrastructure`] |
/// | the dashboard is away, for longer than [`away`](Self::away) | [`LaunchError::Infrastructure`] |
/// | Ray does not know the job any more, as when its head was started anew | [`LaunchError::Infrastructure`] |
/// | not begun within [`start_within`](Self::start_within), or for so long in a state that is not known here, with Ray's own words | [`LaunchError::Infrastructure`] |
/// | the launch's folder is gone, which this process has not taken away | [`JobExit`]: the candidate's |
/// | stopped by somebody else | [`LaunchError::Infrastructure`] |
/// | no such program on the node, no Python there, an unknown option, a folder that is not shared, a bad token | [`LaunchError::Setup`] |
///
/// # After a restart
/// A job is found by its run, which stands in its metadata. One of the same attempt and with the very same content is
/// adopted, whether it runs or has ended; others of the run are ended first, and waited for. With a [`folder`](Self::folder) a lock
/// in it keeps a second driver that lives from making a run at the same time; without one there is nothing to lock.
///
/// # What stays behind
/// Nothing: the job's record is deleted from Ray [a moment](Self::forget_after) after its launch has ended. Ray does not let go of a job that is waiting for
/// its place: it is told to stop, which it does as soon as it begins, and is deleted then or when Ray gives up on it (after 15
/// minutes) as long as this launcher lives. Packages are removed by Ray itself.
///
/// # One poller
/// All launches share one list of jobs, asked for several times a second while things are going on and less and less often while
/// nothing changes, at least [every two seconds](Self::poll_every).
///
/// # Cancel safety
/// A thread of the launcher's own ends what was dropped or cancelled. Dropping the last clone waits for that, at most 16 s.
#[derive(Clone)]
pub struct RayJobs(Arc<Shared>);

struct Shared {
    settings: Settings,
    engine: Mutex<Option<Arc<Engine>>>,
}

impl RayJobs {
    /// On the cluster with this dashboard, such as `http://127.0.0.1:8265`. Nothing is sent before the first launch.
    ///
    /// # Errors
    /// It is no address of a dashboard.
    pub fn connect(address: &str) -> Result<Self, LaunchError> {
        let address = Address::new(address).map_err(LaunchError::Setup)?;
        Ok(Self::with(Settings::at(address)))
    }

    /// Sends `Authorization: Bearer …` with each call. Never shown.
    #[must_use]
    pub fn bearer(self, token: impl Into<SecretString>) -> Self {
        let token: SecretString = token.into();
        let value = format!("Bearer {}", token.expose_secret().trim());
        self.header("authorization", value)
    }

    /// Sends this header with each call. Its value is never shown.
    #[must_use]
    pub fn header(self, name: impl Into<String>, value: impl Into<SecretString>) -> Self {
        let (name, value) = (name.into(), value.into());
        self.change(|settings| settings.headers.push((name, value)))
    }

    /// Allows plain http to a cluster that is not on this machine. Whoever is on the network between can read along, and run
    /// what they like: Ray itself asks nobody for a password.
    #[must_use]
    pub fn insecure_http(self) -> Self {
        self.change(|settings| settings.insecure = true)
    }

    /// A folder on storage that this machine and all nodes have under the same name: files, results and variables go through it,
    /// of any size. It must exist; each launch has a folder of its own in it while it lasts.
    #[must_use]
    pub fn folder(self, folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        self.change(|settings| settings.folder = Some(folder))
    }

    /// The Python that runs the script on the nodes; else `python3` or `python`, as found there.
    #[must_use]
    pub fn python(self, program: impl Into<String>) -> Self {
        let program = program.into();
        self.change(|settings| settings.python = Some(program))
    }

    /// Asks for so much of a resource of the cluster's own for each job.
    #[must_use]
    pub fn resource(self, name: impl Into<String>, amount: f64) -> Self {
        let name = name.into();
        self.change(|settings| {
            settings.resources.insert(name, amount);
        })
    }

    /// How long a job may wait for its place while no other of this launcher's runs, begins or ends (half an hour). Ray lets
    /// one that asks for more than there is wait for ever. Also how long a job may be in a state that this version does not know.
    #[must_use]
    pub fn start_within(self, patience: Duration) -> Self {
        self.change(|settings| settings.start = patience)
    }

    /// How long a dashboard that does not answer is waited for (five minutes; half a minute where it never has).
    #[must_use]
    pub fn away(self, patience: Duration) -> Self {
        self.change(|settings| settings.away = patience)
    }

    /// The longest pause between two looks at the jobs (two seconds).
    #[must_use]
    pub fn poll_every(self, pause: Duration) -> Self {
        self.change(|settings| settings.poll = pause)
    }

    /// How many bytes of collected files may come back through Ray's log, where there is no [`folder`](Self::folder) (16 MiB).
    #[must_use]
    pub fn returned(self, bytes: u64) -> Self {
        self.change(|settings| settings.returned = bytes)
    }

    /// How long after its end a job's record is deleted from Ray, and how long it is then watched for (three seconds). Ray
    /// looks after its jobs once a second, and brings back the record of one whose end it has not noticed.
    #[must_use]
    pub fn forget_after(self, pause: Duration) -> Self {
        self.change(|settings| settings.forget = pause)
    }

    fn change(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.0.settings.clone();
        change(&mut settings);
        Self::with(settings)
    }

    fn with(settings: Settings) -> Self {
        Self(Arc::new(Shared { settings, engine: Mutex::new(None) }))
    }

    fn engine(&self) -> Result<Arc<Engine>, LaunchError> {
        let mut engine = self.0.engine.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = &*engine {
            return Ok(Arc::clone(engine));
        }
        let started = Arc::new(Engine::start(self.0.settings.clone())?);
        Ok(Arc::clone(engine.insert(started)))
    }

    /// What cannot be had is refused.
    fn refuse(&self, job: &Job) -> Result<(), LaunchError> {
        let settings = &self.0.settings;
        resources::of(job, settings)?;
        match &settings.folder {
            None if job.stdout.is_some() || job.stderr.is_some() => {
                return Err(LaunchError::Setup(
                    "the job's whole output is to be written to a file, for which Ray has no way back: give the launcher a folder \
                     on shared storage with `.folder(…)`"
                        .into(),
                ));
            }
            Some(folder) if !folder.is_dir() || !folder.is_absolute() => {
                return Err(LaunchError::Setup(format!(
                    "the launcher's folder {} is not there; it has to be the absolute path of a folder that the nodes share",
                    folder.display()
                )));
            }
            _ => {}
        }
        // What the script would let the job do, and no more.
        if let Some(missing) = job.files_in.keys().find(|name| name.contains('\\')) {
            return Err(LaunchError::Setup(format!(
                "the file {missing:?} has a name that packages cannot have"
            )));
        }
        Ok(())
    }
}

/// Ends the launch when nobody waits for it any more.
struct Dropped(Cancellation);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

#[async_trait]
impl Launcher for RayJobs {
    async fn launch(&self, id: &JobId, job: &Job, watch: &Watch) -> Result<JobExit, LaunchError> {
        job.check()?;
        job.limits.kept_on_clusters()?;
        let job = &Job { limits: job.limits.within_reach(), ..job.clone() };
        self.refuse(job)?;
        if watch.cancel.is_cancelled() {
            return Err(LaunchError::Cancelled);
        }
        let engine = self.engine()?;
        let dropped = Dropped(Cancellation::new());
        let (tell, told) = oneshot::channel();
        let launch =
            run::launch(Arc::clone(&engine.core), id.clone(), job.clone(), watch.clone(), dropped.0.clone());
        engine.spawn(async move {
            let _ = tell.send(launch.await);
        });
        let done = told.await;
        drop(dropped);
        done.unwrap_or_else(|_| Err(LaunchError::Infrastructure("the launcher's thread is gone".into())))
    }
}

impl fmt::Debug for RayJobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RayJobs").field(&self.0.settings).finish()
    }
}
