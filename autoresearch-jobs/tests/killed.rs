//! A driver that is killed between any two steps of a launch, and the next one: no run is made twice at once, none is lost, and
//! nothing stays behind.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod common;

use autoresearch_core::RunId;
use autoresearch_jobs::{Job, JobExit, JobId, LaunchError, Launcher, LocalProcess, Slurm, Watch};
use common::{names, sh};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a driver that is to be killed is told: the launcher, and its folder.
const DRIVER: &str = "AUTORESEARCH_TEST_DRIVER";
const KILL_AT: &str = "AUTORESEARCH_TEST_KILL_AT";

const LOCAL: [&str; 9] = [
    "local claimed",
    "local folder made",
    "local noted",
    "local groups made",
    "local started",
    "local ended",
    "local processes gone",
    "local collected",
    "local folders removed",
];

const CLUSTER: [&str; 13] = [
    "cluster claimed",
    "cluster folder filled",
    "cluster launch noted",
    "cluster asked",
    "cluster submitted",
    "cluster name noted",
    "cluster ended",
    "cluster collected",
    "cluster fence gone",
    "cluster launch removed",
    "cluster folder removed",
    "cluster lock removed",
    // Nowhere: the driver ends by itself.
    "",
];

/// Holds a lock while it is at work, which goes with its processes, however they end.
fn job(root: &Path) -> Job {
    let script = "exec 9>\"$D/lock\"; flock -n 9 || echo twice >>\"$D/log\"; echo begun >>\"$D/log\"; sleep 0.4; \
                  echo out >out.txt; echo ended >>\"$D/log\"; echo said";
    sh(script).env("D", root.display().to_string()).collect(["out.txt"], root.join("into"))
}

fn launcher(kind: &str, root: &Path) -> Arc<dyn Launcher> {
    let folder = root.join("launches");
    match kind {
        "local" => Arc::new(LocalProcess::new().folder(folder)),
        _ => {
            Arc::new(Slurm::new().programs(root.join("bin")).folder(folder).poll(Duration::from_millis(300)))
        }
    }
}

async fn launch(kind: &str, root: &Path, attempt: u32) -> Result<JobExit, LaunchError> {
    let id = JobId::new("killed", RunId(1), attempt);
    launcher(kind, root).launch(&id, &job(root), &Watch::default()).await
}

/// Not a test but the driver of one, which starts this program again.
#[tokio::test]
#[ignore = "part of another test"]
async fn driver() {
    let Ok(told) = std::env::var(DRIVER) else { return };
    let (kind, root) = told.split_once('|').unwrap();
    assert!(launch(kind, Path::new(root), 0).await.unwrap().success());
}

fn make(root: &Path) {
    for folder in ["launches", "bin", "into"] {
        fs::create_dir(root.join(folder)).unwrap();
    }
    fs::write(root.join("run"), "").unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/slurm/fake.sh");
    for program in ["sbatch", "squeue", "scancel", "scontrol"] {
        let path = root.join("bin").join(program);
        let text = format!("#!/bin/sh\nexec /bin/sh {script} {} {program} \"$@\"\n", root.display());
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// Whether any process has this folder in its environment.
fn at_work(root: &Path) -> bool {
    let variable = format!("D={}", root.display());
    fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let all = fs::read(entry.path().join("environ")).unwrap_or_default();
        all.split(|&byte| byte == 0).any(|one| one == variable.as_bytes())
    })
}

/// Kills a driver at the step, and launches again: the same attempt, or the next one.
async fn killed(kind: &str, step: &str, attempt: u32) {
    let what = format!("{kind}, killed at {step:?}, then attempt {attempt}");
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    make(root);
    let mut driver = Command::new(std::env::current_exe().unwrap());
    driver.args(["--exact", "driver", "--ignored"]).stdout(Stdio::null()).stderr(Stdio::null());
    driver.env(DRIVER, format!("{kind}|{}", root.display())).env(KILL_AT, step);
    let mut driver = driver.spawn().unwrap();
    let ended = tokio::task::spawn_blocking(move || driver.wait().unwrap()).await.unwrap();
    // A step that is never made would be tried in vain.
    assert_eq!(ended.signal(), (!step.is_empty()).then_some(9), "{what}: {ended}");
    let exit = launch(kind, root, attempt).await.unwrap_or_else(|why| panic!("{what}: {why}"));
    assert!(exit.success() && exit.stdout == "said\n", "{what}: {exit:?}");
    assert_eq!(
        (&exit.files[..], names(&root.join("into"))),
        (&["out.txt".to_owned()][..], vec!["out.txt".into()])
    );
    let log = fs::read_to_string(root.join("log")).unwrap();
    assert!(!log.contains("twice") && log.ends_with("ended\n"), "{what}: {log}");
    assert_eq!(names(&root.join("launches")), [""; 0], "{what}: left behind");
    let begun = Instant::now();
    // What stands for Slurm ends a job through its fence, which takes a few seconds.
    while at_work(root) {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}: a process is left");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_this_machine_at_every_step() {
    for step in LOCAL.into_iter().chain(["local note removed"]) {
        for attempt in [0, 1] {
            killed("local", step, attempt).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_cluster_at_every_step() {
    for step in CLUSTER {
        tokio::join!(killed("slurm", step, 0), killed("slurm", step, 1));
    }
}
