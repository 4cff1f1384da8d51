//! A real head of Ray, in a network namespace that has nothing but its loopback: Ray listens on all interfaces, whatever it is
//! told.

use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const SPACE: &str = "autoresearch-ray-test";

/// Ended when dropped, with everything in the namespace.
pub struct Head {
    ray: PathBuf,
    pub folder: tempfile::TempDir,
    starts: u32,
    _lock: File,
}

fn run(command: &mut Command) -> Option<Output> {
    command.stdin(Stdio::null()).output().ok()
}

fn ip(words: &[&str]) -> bool {
    run(Command::new("ip").args(words)).is_some_and(|done| done.status.success())
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
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../.ray/bin/ray")
}

impl Head {
    /// Starts a head with so many CPUs, and takes this thread into its namespace; `None`: it cannot, and says why.
    pub fn start(cpus: u32) -> Option<Self> {
        if let Some(why) = missing() {
            eprintln!("SKIPPED: {why}");
            return None;
        }
        // One at a time on a machine.
        let lock = File::create(std::env::temp_dir().join(format!("{SPACE}.lock"))).unwrap();
        flock(&lock, FlockOperation::LockExclusive).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut head = Self { ray: ray(), folder, starts: 0, _lock: lock };
        head.stop(); // what a killed test has left
        if !ip(&["netns", "add", SPACE]) {
            eprintln!("SKIPPED: no network namespace can be made here, so no Ray for the tests");
            return None;
        }
        assert!(ip(&["-n", SPACE, "link", "set", "lo", "up"]));
        head.begin(cpus);
        let space = File::open(format!("/run/netns/{SPACE}")).unwrap();
        move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
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
        command.arg(format!("--net=/run/netns/{SPACE}")).arg(&self.ray).arg("start").args(words);
        command.env("RAY_USAGE_STATS_ENABLED", "0").env("RAY_JOB_START_TIMEOUT_SECONDS", "25");
        let done = run(&mut command).unwrap();
        assert!(done.status.success(), "ray start: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// Adds a node with this resource. Gives the processes that it consists of.
    pub fn add_node(&self, resource: &str) -> BTreeSet<i32> {
        let before = pids();
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
        pids().difference(&before).copied().filter(|pid| names(pid).trim() == "raylet").collect()
    }

    /// Kills the head as a power cut would, and starts it anew; it remembers nothing.
    pub fn restart(&mut self, cpus: u32) {
        end(&pids());
        self.begin(cpus);
    }

    fn stop(&self) {
        for _ in 0..5 {
            end(&pids());
        }
        ip(&["netns", "del", SPACE]);
    }
}

impl Drop for Head {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Processes in the namespace, but for this one.
fn pids() -> BTreeSet<i32> {
    let listed = run(Command::new("ip").args(["netns", "pids", SPACE]));
    let text = listed.map(|done| String::from_utf8_lossy(&done.stdout).into_owned()).unwrap_or_default();
    let own = std::process::id() as i32;
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).filter(|pid| *pid != own).collect()
}

/// Kills these processes, and waits until they are gone.
pub fn end(processes: &BTreeSet<i32>) {
    for pid in processes.iter().filter_map(|pid| Pid::from_raw(*pid)) {
        let _ = kill_process(pid, Signal::KILL);
    }
    let until = Instant::now() + Duration::from_secs(10);
    while processes.iter().any(|pid| crate::common::alive(*pid)) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
}
