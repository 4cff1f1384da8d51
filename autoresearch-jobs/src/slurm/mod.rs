//! Jobs on a Slurm cluster.

mod client;
mod desk;
mod engine;
mod follow;
mod launch;
mod lines;
mod options;
mod running;
mod submit;
mod verdict;
mod wire;

use crate::error::LaunchError;
use crate::exit::JobExit;
use crate::id::JobId;
use crate::job::Job;
use crate::launch::{Launcher, Watch};
use autoresearch_core::async_trait;
use engine::{Engine, Settings};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Runs jobs on a Slurm cluster, through its own programs (`sbatch`, `squeue`, `scancel`, `scontrol`; tried with 22.05).
///
/// ```no_run
/// use autoresearch_jobs::{Job, Slurm};
/// use std::time::Duration;
/// let cluster = Slurm::new()
///     .folder("/scratch/me/studies") // on storage that the nodes share
///     .partition("gpu")
///     .gpus(1)
///     .before("module load cuda/12");
/// let job = Job::new(["python3", "train.py"]).wall_clock(Duration::from_secs(3600)).memory(16 << 30).cpus(8);
/// # let _ = (cluster, job);
/// ```
///
/// The program that launches must run where `sbatch` does, and see a [folder](Self::folder) that the nodes see, too. Nothing is
/// installed on the nodes: a script of `/bin/sh`, which needs `awk` and `grep`, runs the command there.
///
/// # Whose fault
/// | what happened | what it is |
/// |---|---|
/// | the command ended, with whatever status or signal | a [`JobExit`] |
/// | a limit of the job, Slurm's own time limit (`TIMEOUT`), `OUT_OF_MEMORY` | a [`JobExit`] that names the limit |
/// | `NODE_FAIL`, `PREEMPTED`, `BOOT_FAIL`, `DEADLINE`, cancelled by somebody else, ended without a record | [`LaunchError::Infrastructure`] |
/// | the controller has crashed and has lost what it knew of the job | [`LaunchError::Infrastructure`] |
/// | the controller does not answer for longer than [`patience`](Self::patience) | [`LaunchError::Infrastructure`] |
/// | `sbatch` refuses the job; a line of [`before`](Self::before) fails | [`LaunchError::Setup`], with what was said |
/// | a reason for which it never starts (`PartitionNodeLimit`, `InvalidAccount`, …) for longer than [`start_within`](Self::start_within) | [`LaunchError::Setup`], with that reason |
/// | held back (`JobHeldUser`, `JobHeldAdmin`, "requeued held") for as long | [`LaunchError::Infrastructure`], with that reason |
///
/// A job that waits for nodes or for its turn is waited for as long as it takes; so is one whose nodes or partition are down or
/// reserved for now, for those come back. That a signal has ended the command is told by the
/// status 128 and its number, as in shells: a command that ends with such a status by itself is taken for one that was ended so.
///
/// # Limits
/// All of [`JobLimits`](crate::JobLimits). The script on the node keeps wall-clock time (to a tenth of a second), output, CPU time and
/// memory (summed up five times a second, so that a job may be over for so long); the kernel keeps file size, address space and the
/// CPU time of each process. Slurm keeps outer bounds: `--time`, in whole minutes and one more, and `--mem`, with 64 MiB more for the
/// script. Where the cluster constrains memory by control groups the kernel ends what goes over that at once; without, the script
/// alone does. A job without a memory limit gets what the partition gives by default.
///
/// # The end of a job
/// When its first process ends, everything that it has started is killed: what stands in its session or descends from it, and what
/// carries its mark in the environment. Clusters that track processes by control groups (`proctrack/cgroup`) let nothing else
/// get away either.
///
/// # Restarts
/// A job goes on when the driver is killed. The next driver that launches the same [id](JobId) with the very same job takes it over,
/// whether it still waits, runs or has ended; any other launch of that run ends it first. Only the record of the launch itself
/// counts, and of the newest start where Slurm has [requeued](Self::requeue) it. What was launched and is not wanted any more loses
/// its fence, a file that the script looks for once a second: also on a node that Slurm has lost sight of, what still runs there ends
/// within about four seconds, as long as it sees the storage.
///
/// # Load
/// Launches that come together become one job array, and all of them are watched by one `squeue` of this user's jobs: five times a
/// second while something changes, then less and less often, down to once in ten seconds (see [`poll`](Self::poll)). Lines of output
/// ([`Watch::lines`]) are told as often.
///
/// # Cancel safety
/// A thread of the launcher's own ends what was dropped or cancelled. Dropping the last clone waits for that, at most 15 s, since a
/// program that ended at once would leave it running.
#[derive(Debug, Clone)]
pub struct Slurm(Arc<Engine>);

impl Default for Slurm {
    fn default() -> Self {
        Self::new()
    }
}

impl Slurm {
    /// With the cluster's defaults, and the folder `.autoresearch/slurm` in the user's home folder, which most clusters share.
    pub fn new() -> Self {
        Self::with(Settings::default())
    }

    /// Keeps the launches' folders here: on storage that is at the same path on this machine and on the nodes, and that knows file
    /// locks. The same after a restart.
    #[must_use]
    pub fn folder(self, folder: impl Into<PathBuf>) -> Self {
        self.change(|settings| settings.folder = Some(folder.into()))
    }

    /// Submits to this partition.
    #[must_use]
    pub fn partition(self, name: impl Into<String>) -> Self {
        self.option("partition", name)
    }

    /// Charges this account.
    #[must_use]
    pub fn account(self, name: impl Into<String>) -> Self {
        self.option("account", name)
    }

    /// With this quality of service.
    #[must_use]
    pub fn qos(self, name: impl Into<String>) -> Self {
        self.option("qos", name)
    }

    /// So many GPUs for each job that does not say itself.
    #[must_use]
    pub fn gpus(self, n: u32) -> Self {
        self.change(|settings| settings.gpus = n)
    }

    /// GPUs of this type, as the cluster names it: `a100` becomes `--gres=gpu:a100:…`.
    #[must_use]
    pub fn gpu_type(self, name: impl Into<String>) -> Self {
        self.change(|settings| settings.gpu_type = Some(name.into()))
    }

    /// So many CPUs for each job that does not say itself.
    #[must_use]
    pub fn cpus(self, n: u32) -> Self {
        self.change(|settings| settings.cpus = Some(n.max(1)))
    }

    /// An option of `sbatch` for each job, without the dashes; one that takes no value gets an empty one. The job's own
    /// ([`Job::option`]) go before. Unknown ones, and those that the launcher sets itself, are refused at the launch.
    #[must_use]
    pub fn option(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.change(|settings| drop(settings.options.insert(name.into(), value.into())))
    }

    /// Runs this line of shell on the node before each command, in its folder and its environment: `module load cuda`, `source
    /// venv/bin/activate`. When it fails, so does the launch.
    #[must_use]
    pub fn before(self, line: impl Into<String>) -> Self {
        self.change(|settings| settings.set.before.push(line.into()))
    }

    /// Puts these words before each command: `["apptainer", "exec", "--nv", "image.sif"]`.
    #[must_use]
    pub fn within<S: Into<String>>(self, words: impl IntoIterator<Item = S>) -> Self {
        self.change(|settings| settings.set.within = words.into_iter().map(Into::into).collect())
    }

    /// Lets Slurm start a job again when its node is lost or another job takes its place, instead of telling the study that
    /// it is lost. It starts from the beginning, with its files as they were; what is left of the earlier start ends by itself, and
    /// its record does not count.
    #[must_use]
    pub fn requeue(self) -> Self {
        self.change(|settings| settings.set.requeue = true)
    }

    /// Submits at most `n` jobs (at least one) at once; others wait here.
    #[must_use]
    pub fn slots(self, n: usize) -> Self {
        self.change(|settings| settings.slots = Some(n.max(1)))
    }

    /// How long a controller that does not answer is waited for; ten minutes unless said otherwise.
    #[must_use]
    pub fn patience(self, patience: Duration) -> Self {
        self.change(|settings| settings.patience = patience)
    }

    /// How long a job may stand in the queue with a reason for which it cannot start; two minutes unless said otherwise.
    #[must_use]
    pub fn start_within(self, patience: Duration) -> Self {
        self.change(|settings| settings.start_within = patience)
    }

    /// How long the record of a job that has ended is waited for, which network storage may show late; a minute unless said
    /// otherwise.
    #[must_use]
    pub fn storage_delay(self, delay: Duration) -> Self {
        self.change(|settings| settings.storage_delay = delay)
    }

    /// The longest time between two looks at the queue; ten seconds unless said otherwise.
    #[must_use]
    pub fn poll(self, longest: Duration) -> Self {
        self.change(|settings| settings.poll = longest)
    }

    /// Takes Slurm's programs from this folder instead of `PATH`.
    #[must_use]
    pub fn programs(self, folder: impl Into<PathBuf>) -> Self {
        self.change(|settings| settings.programs = Some(folder.into()))
    }

    fn change(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.0.settings.clone();
        change(&mut settings);
        Self::with(settings)
    }

    fn with(settings: Settings) -> Self {
        Self(Arc::new(Engine::new(settings)))
    }
}

#[async_trait]
impl Launcher for Slurm {
    async fn launch(&self, id: &JobId, job: &Job, watch: &Watch) -> Result<JobExit, LaunchError> {
        launch::launch(&self.0, id, job, watch).await
    }
}
