//! A real head of Ray, in a network namespace that has nothing but its loopback: Ray listens on all interfaces, whatever it is
//! told.

#[allow(clippy::duplicate_mod)] // each engine brings it along
#[path = "../space.rs"]
pub(crate) mod space;

use rustix::fs::{FlockOperation, flock};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use space::{Space, end};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Where its dashboard is, seen from the namespace.
pub(crate) const ADDRESS: &str = "http://127.0.0.1:8265";

/// Ended when dropped, with everything in the namespace; also when its process is killed.
pub(crate) struct Head {
    space: Space,
    pub(crate) folder: tempfile::TempDir,
    start_timeout: u32,
    starts: u32,
    _lock: File,
}

fn run(command: &mut Command) -> Option<Output> {
    command.stdin(Stdio::null()).output().ok()
}

/// What is missing for a head of Ray; `None`: nothing.
fn missing() -> Option<String> {
    let ray = ray();
    if !ray.exists() {
        return Some(format!("there is no {}; `cargo xtask setup --cluster` installs it", ray.display()));
    }
    if !rustix::process::geteuid().is_root() {
        return Some("network namespaces are for root".into());
    }
    ["ip", "nsenter"]
        .iter()
        .find(|name| run(Command::new(name).arg("-V")).is_none())
        .map(|name| format!("there is no `{name}`; `cargo xtask setup --cluster` installs it"))
}

fn ray() -> PathBuf {
    programs().join("ray")
}

/// Where Ray's own programs are, its Python among them.
pub(crate) fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../.ray/bin")
}

impl Head {
    /// Starts a head with so many CPUs, which gives up on a job that waits for longer than so many seconds, and takes this
    /// thread into its namespace; `None`: it cannot, and says why.
    pub(crate) fn start(cpus: u32, start_timeout: u32) -> Option<Self> {
        if let Some(why) = missing() {
            eprintln!("SKIPPED: no real Ray: {why}");
            return None;
        }
        // One at a time on a machine.
        let lock = File::create(std::env::temp_dir().join("autoresearch-ray-test.lock")).unwrap();
        flock(&lock, FlockOperation::LockExclusive).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let Some(space) = Space::make("array", folder.path()) else {
            eprintln!("SKIPPED: no network namespace can be made here, so no Ray");
            return None;
        };
        let at = File::open(space.path()).unwrap();
        let mut head = Self { space, folder, start_timeout, starts: 0, _lock: lock };
        head.begin(cpus);
        move_into_link_name_space(at.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
        Some(head)
    }

    fn begin(&mut self, cpus: u32) {
        self.starts += 1;
        let temp = self.folder.path().join(format!("r{}", self.starts));
        let (cpus, temp) = (cpus.to_string(), temp.display().to_string());
        self.ray(&[
            "--head",
            "--port",
            "6379",
            "--dashboard-host",
            "127.0.0.1",
            "--dashboard-port",
            "8265",
            "--num-cpus",
            &cpus,
            "--object-store-memory",
            "100000000",
            "--include-dashboard=true",
            "--disable-usage-stats",
            "--temp-dir",
            &temp,
        ]);
    }

    fn ray(&self, words: &[&str]) {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.space.path().display())).arg(ray()).arg("start").args(words);
        // As where the environment is activated that Ray is installed in: jobs find its Python first.
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path =
            std::env::join_paths(std::iter::once(programs()).chain(std::env::split_paths(&path))).unwrap();
        command
            .env("PATH", path)
            .env("RAY_USAGE_STATS_ENABLED", "0")
            // On a busy machine its minute is too short.
            .env("RAY_DASHBOARD_STARTUP_TIMEOUT_S", "300")
            .env("RAY_JOB_START_TIMEOUT_SECONDS", self.start_timeout.to_string());
        let done = run(&mut command).unwrap();
        assert!(done.status.success(), "ray start: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// Adds a node with this resource. Gives the processes that it consists of.
    pub(crate) fn add_node(&self, resource: &str) -> BTreeSet<i32> {
        let before = self.pids();
        let resources = format!("{{\"{resource}\":1}}");
        self.ray(&[
            "--address",
            "127.0.0.1:6379",
            "--num-cpus",
            "1",
            "--resources",
            &resources,
            "--dashboard-agent-listen-port",
            "52366",
            "--object-store-memory",
            "100000000",
        ]);
        // Its raylet and what that has started.
        let names = |pid: &i32| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        self.pids().difference(&before).copied().filter(|pid| names(pid).trim() == "raylet").collect()
    }

    /// Kills the head as a power cut would, and starts it anew; it remembers nothing.
    pub(crate) fn restart(&mut self, cpus: u32) {
        end(&self.pids());
        self.begin(cpus);
    }

    /// The processes of its daemons and jobs, and what this process has started in the namespace.
    pub(crate) fn pids(&self) -> BTreeSet<i32> {
        self.space.pids()
    }
}
