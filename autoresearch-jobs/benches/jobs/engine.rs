//! Slurm and Ray on this machine, as the tests start them, and what their own clients need for a number of jobs.

#[allow(clippy::unwrap_used, dead_code)]
#[path = "../../tests/support/slurm/mod.rs"]
mod slurm;

#[cfg(feature = "ray")]
#[allow(clippy::unwrap_used, dead_code)]
#[path = "../../tests/support/ray/head.rs"]
mod head;

use crate::places::SLOTS;
use autoresearch_jobs::{LaunchError, Launcher, Slurm};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A cluster that is there for as long as this is.
pub(crate) trait Engine {
    fn name(&self) -> &'static str;
    /// How its own client is used for the comparison.
    fn client(&self) -> &'static str;
    /// A launcher on as many places as its own client is given.
    fn launcher(&self) -> Result<Arc<dyn Launcher>, LaunchError>;
    /// The seconds that its own client needs for so many jobs of a second each, until it knows of the last one's end.
    fn own(&self, jobs: u64) -> Result<f64, LaunchError>;
    /// The launcher's folder on shared storage.
    fn folder(&self) -> &Path;
    /// Processes of jobs.
    fn processes(&self) -> usize;
    /// Records of jobs that the engine would not have forgotten by itself.
    fn records(&self) -> Result<usize, LaunchError>;
}

fn failed(what: impl std::fmt::Display) -> LaunchError {
    LaunchError::infrastructure(what.to_string())
}

fn said(command: &mut Command) -> Result<String, LaunchError> {
    let done = command.output().map_err(failed)?;
    match done.status.success() {
        true => Ok(String::from_utf8_lossy(&done.stdout).into_owned()),
        false => Err(failed(String::from_utf8_lossy(&done.stderr))),
    }
}

/// The test cluster's first node, which has [`SLOTS`] CPUs.
pub(crate) struct OnSlurm {
    cluster: slurm::Cluster,
    folder: PathBuf,
    daemons: BTreeSet<i32>,
}

const NODE: &str = "n1";

impl OnSlurm {
    pub(crate) fn start() -> Option<Self> {
        let cluster = slurm::Cluster::start()?;
        let (folder, daemons) = (cluster.run().join("launches"), cluster.pids());
        Some(Self { cluster, folder, daemons })
    }

    fn call(&self, program: &str, args: &[&str]) -> Result<String, LaunchError> {
        said(Command::new(self.cluster.programs().join(program)).args(args))
    }
}

impl Engine for OnSlurm {
    fn name(&self) -> &'static str {
        "Slurm"
    }

    fn client(&self) -> &'static str {
        "one array, squeue 5 times a second"
    }

    fn launcher(&self) -> Result<Arc<dyn Launcher>, LaunchError> {
        let slurm = Slurm::new().programs(self.cluster.programs()).folder(&self.folder);
        Ok(Arc::new(slurm.option("nodelist", NODE)))
    }

    fn own(&self, jobs: u64) -> Result<f64, LaunchError> {
        let begun = Instant::now();
        let (array, node) = (format!("--array=0-{}", jobs - 1), format!("--nodelist={NODE}"));
        let quiet = ["--output=/dev/null", "--error=/dev/null", "--chdir=/", "--wrap=exec sleep 1"];
        let args = [&["--parsable", "--ntasks=1", &array, &node], &quiet[..]].concat();
        let id = self.call("sbatch", &args)?;
        let look = ["--noheader", "--states=PENDING,RUNNING,COMPLETING", "--format=%i", "--jobs", id.trim()];
        while !self.call("squeue", &look)?.trim().is_empty() {
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(begun.elapsed().as_secs_f64())
    }

    fn folder(&self) -> &Path {
        &self.folder
    }

    fn processes(&self) -> usize {
        self.cluster.pids().difference(&self.daemons).count()
    }

    fn records(&self) -> Result<usize, LaunchError> {
        Ok(self.call("squeue", &["--noheader", "--format=%i"])?.lines().count())
    }
}

/// A head with [`SLOTS`] CPUs.
#[cfg(feature = "ray")]
pub(crate) struct OnRay {
    head: head::Head,
    folder: PathBuf,
}

/// The client of the package `ray`: all jobs submitted by as many threads as there are places, one list until all have ended.
#[cfg(feature = "ray")]
const CLIENT: &str = r#"
import sys, time
from concurrent.futures import ThreadPoolExecutor
from ray.job_submission import JobSubmissionClient
client, jobs, places = JobSubmissionClient(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
began = time.monotonic()
with ThreadPoolExecutor(places) as pool:
    ids = set(pool.map(lambda _: client.submit_job(entrypoint="exec sleep 1", entrypoint_num_cpus=1), range(jobs)))
while True:
    of = {job.submission_id: job.status.value for job in client.list_jobs() if job.submission_id in ids}
    if all(of.get(id) in ("SUCCEEDED", "FAILED", "STOPPED") for id in ids):
        break
    time.sleep(0.2)
seconds = time.monotonic() - began
lost = sum(status != "SUCCEEDED" for status in of.values())
if lost:
    sys.exit("Ray's own client has lost %d of %d jobs" % (lost, jobs))
time.sleep(4)  # Ray brings back the record of a job whose end it has not noticed yet
for id in ids:
    client.delete_job(id)
print(seconds)
"#;

#[cfg(feature = "ray")]
impl OnRay {
    /// Takes this thread into the head's network.
    pub(crate) fn start() -> Option<Self> {
        let head = head::Head::start(SLOTS as u32, 900)?;
        let folder = head.folder.path().join("shared");
        std::fs::create_dir(&folder).ok()?;
        Some(Self { head, folder })
    }

    fn python(&self, script: &str, args: &[&str]) -> Result<String, LaunchError> {
        let mut python = Command::new(head::programs().join("python"));
        said(python.args(["-c", script, head::ADDRESS]).args(args).env("RAY_USAGE_STATS_ENABLED", "0"))
    }
}

#[cfg(feature = "ray")]
impl Engine for OnRay {
    fn name(&self) -> &'static str {
        "RayJobs"
    }

    fn client(&self) -> &'static str {
        "JobSubmissionClient on 8 threads"
    }

    fn launcher(&self) -> Result<Arc<dyn Launcher>, LaunchError> {
        Ok(Arc::new(autoresearch_jobs::RayJobs::connect(head::ADDRESS)?.folder(&self.folder)))
    }

    fn own(&self, jobs: u64) -> Result<f64, LaunchError> {
        let said = self.python(CLIENT, &[&jobs.to_string(), &SLOTS.to_string()])?;
        let last = said.lines().last().unwrap_or_default();
        last.parse().map_err(|why| failed(format!("{last:?}: {why}")))
    }

    fn folder(&self) -> &Path {
        &self.folder
    }

    fn processes(&self) -> usize {
        let ours = |pid: &i32| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains("autoresearch_job")
        };
        self.head.pids().iter().filter(|pid| ours(pid)).count()
    }

    fn records(&self) -> Result<usize, LaunchError> {
        // Its own client's have names of Ray's.
        const COUNT: &str = r#"
import sys
from ray.job_submission import JobSubmissionClient
names = [str(job.submission_id) for job in JobSubmissionClient(sys.argv[1]).list_jobs()]
print(sum(not name.startswith("raysubmit_") for name in names))
"#;
        let said = self.python(COUNT, &[])?;
        said.trim().parse().map_err(|why| failed(format!("{said:?}: {why}")))
    }
}
