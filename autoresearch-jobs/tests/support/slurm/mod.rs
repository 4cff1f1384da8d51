//! A real Slurm cluster on this machine, for as long as the guard lives.

#[allow(clippy::duplicate_mod)] // each engine brings it along
#[path = "../space.rs"]
pub(crate) mod space;

use space::Space;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Dropped, it is stopped; also when its process is killed.
pub(crate) struct Cluster {
    space: Space,
    run: tempfile::TempDir,
}

impl Cluster {
    /// Starts one, or says why there is none.
    pub(crate) fn start() -> Option<Self> {
        let absent: Vec<&str> = ["sbatch", "slurmctld", "slurmd", "munged", "ip", "nsenter"]
            .into_iter()
            .filter(|program| !runs(program))
            .collect();
        if !rustix::process::geteuid().is_root() || !absent.is_empty() {
            eprintln!(
                "SKIPPED: no real Slurm (root: {}; missing: {absent:?}); `cargo xtask setup --cluster` installs it",
                rustix::process::geteuid().is_root()
            );
            return None;
        }
        let run = tempfile::tempdir().unwrap();
        let none =
            |why: &str| eprintln!("SKIPPED: no network namespace can be made here, so no Slurm: {why}");
        let Some(space) = Space::make("arslurm", run.path()) else {
            none("`ip netns add` fails");
            return None;
        };
        let cluster = Self { space, run };
        let log = std::fs::File::create(cluster.run().join("start.log")).unwrap();
        let started = Command::new(support().join("start.sh"))
            .arg(cluster.run())
            .arg(&cluster.space.name)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .status()
            .unwrap();
        let log = std::fs::read_to_string(cluster.run().join("start.log")).unwrap();
        let no_network = [
            "Operation not permitted",
            "Operation not supported",
            "Unknown device type",
            "Permission denied",
        ];
        if !started.success() && no_network.iter().any(|why| log.contains(why)) {
            none(log.trim());
            return None;
        }
        assert!(started.success(), "the cluster does not start: {log}");
        Some(cluster)
    }

    pub(crate) fn run(&self) -> &Path {
        self.run.path()
    }

    /// The processes of its daemons and jobs.
    pub(crate) fn pids(&self) -> std::collections::BTreeSet<i32> {
        self.space.pids()
    }

    pub(crate) fn programs(&self) -> PathBuf {
        self.run().join("bin")
    }

    /// The id of a daemon: `slurmctld`, `slurmd.n3`.
    pub(crate) fn pid(&self, daemon: &str) -> Option<i32> {
        std::fs::read_to_string(self.run().join(format!("{daemon}.pid"))).ok()?.trim().parse().ok()
    }

    /// Kills a daemon that this cluster has started.
    pub(crate) fn kill(&self, daemon: &str) {
        let pid = rustix::process::Pid::from_raw(self.pid(daemon).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }

    /// Tells a daemon to end, which keeps what it knows, and waits until it has.
    pub(crate) async fn stop(&self, daemon: &str) {
        let raw = self.pid(daemon).unwrap();
        let pid = rustix::process::Pid::from_raw(raw).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        while Path::new(&format!("/proc/{raw}")).exists() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    /// Runs one of its programs.
    pub(crate) fn call(&self, program: &str, args: &[&str]) -> String {
        let out =
            Command::new(self.programs().join(program)).args(args).stdin(Stdio::null()).output().unwrap();
        String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr)
    }
}

fn support() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/slurm")
}

fn runs(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    places.map(|place| place.join(program)).any(|file| file.is_file())
}
