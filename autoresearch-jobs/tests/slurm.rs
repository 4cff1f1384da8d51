//! Jobs on a real Slurm cluster, which the tests start on this machine where its programs are installed.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

#[allow(dead_code)]
#[path = "support/slurm/mod.rs"]
mod support;

use autoresearch_core::{Cancellation, RunId};
use autoresearch_jobs::testkit::conformance;
use autoresearch_jobs::{Ended, Job, JobExit, JobId, LaunchError, Launcher, LimitKind, Slurm, Watch};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::Cluster;

/// Where a driver that is to be killed finds the cluster and its folder.
const DRIVER: &str = "AUTORESEARCH_TEST_SLURM_DRIVER";

fn sh(script: &str) -> Job {
    Job::new(["/bin/sh", "-c", script])
}

fn slurm(programs: &Path, folder: &Path) -> Slurm {
    Slurm::new().programs(programs).folder(folder).poll(Duration::from_secs(1))
}

/// What the scenarios share.
struct Scene<'a> {
    cluster: &'a Cluster,
    folder: PathBuf,
    slurm: Slurm,
}

impl<'a> Scene<'a> {
    fn new(cluster: &'a Cluster) -> Self {
        let folder = cluster.run().join("launches");
        Self { cluster, slurm: slurm(&cluster.programs(), &folder), folder }
    }

    async fn launch(&self, name: &str, job: &Job) -> Result<JobExit, LaunchError> {
        self.launch_on(&self.slurm, name, job).await
    }

    async fn launch_on(&self, slurm: &Slurm, name: &str, job: &Job) -> Result<JobExit, LaunchError> {
        slurm.launch(&JobId::new(name, RunId(1), 0), job, &Watch::default()).await
    }

    fn file(&self, name: &str) -> PathBuf {
        self.cluster.run().join(name)
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(90), "{what}: not within 90 s");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Counts in a file for as long as it lives.
fn beating(path: &Path) -> String {
    format!("i=0; while :; do i=$((i+1)); echo $i >{}; sleep 0.1; done", path.display())
}

async fn stands_still(path: &Path) {
    let before = read(path);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(before, read(path), "{} goes on", path.display());
}

async fn arrays_are_used(scene: &Scene<'_>) {
    let slurm = slurm(&scene.cluster.programs(), &scene.folder);
    let launches = (0..20u64).map(|run| {
        let slurm = slurm.clone();
        tokio::spawn(async move {
            let job = sh("echo ${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}; echo \"[$OWN]\" >&2")
                .env("OWN", run.to_string());
            slurm.launch(&JobId::new("array", RunId(run), 0), &job, &Watch::default()).await
        })
    });
    let mut arrays = std::collections::BTreeSet::new();
    for (run, launch) in launches.collect::<Vec<_>>().into_iter().enumerate() {
        let exit = launch.await.unwrap().unwrap();
        assert_eq!(exit.stderr.trim(), format!("[{run}]"), "{exit}");
        arrays.insert(exit.stdout.trim().to_owned());
    }
    // One that comes alone, on a machine that is busy, is no array.
    assert!(arrays.len() < 10 && !arrays.contains(""), "20 launches at once, submitted as {arrays:?}");
}

async fn limits_end_jobs(scene: &Scene<'_>) {
    let hungry = sh("head -c 400000000 /dev/zero | tail -c 400000000 | sleep 60").memory(60 << 20);
    let exit = scene.launch("memory", &hungry).await.unwrap();
    assert_eq!(exit.limit, Some(LimitKind::Memory), "{exit:?}");
    let exit =
        scene.launch("cpu", &sh("while :; do :; done").cpu_time(Duration::from_secs(1))).await.unwrap();
    assert_eq!(exit.limit, Some(LimitKind::CpuTime), "{exit:?}");
    let exit = scene.launch("file", &sh("head -c 9999 /dev/zero >x").file_size(1024)).await.unwrap();
    assert!(!exit.success(), "{exit:?}");
    let late = sh("sleep 60").wall_clock(Duration::from_millis(700));
    let exit = scene.launch("wall", &late).await.unwrap();
    assert!(exit.limit == Some(LimitKind::WallClock) && exit.wall_seconds < 10.0, "{exit:?}");
}

/// Slurm's own limit, in minutes.
async fn a_time_limit_of_slurm_is_told(scene: &Scene<'_>) {
    let exit = scene.launch("timeout", &sh("sleep 600").option("time", "1")).await.unwrap();
    assert_eq!(exit.limit, Some(LimitKind::WallClock), "{exit:?}");
}

async fn what_never_starts_is_told(scene: &Scene<'_>) {
    let slurm = scene.slurm.clone().start_within(Duration::from_secs(2));
    let gave = scene.launch_on(&slurm, "never", &sh("true").option("nodes", "3")).await;
    let Err(LaunchError::Setup(why)) = gave else { panic!("three nodes of two: {gave:?}") };
    assert!(why.contains("PartitionNodeLimit") && why.contains("nodes=3"), "{why}");
    let gave = scene.launch("nowhere", &sh("true").option("partition", "nope")).await;
    let Err(LaunchError::Setup(why)) = gave else { panic!("no such partition: {gave:?}") };
    assert!(why.to_lowercase().contains("invalid partition"), "{why}");
}

async fn what_is_cancelled_while_it_waits_is_gone(scene: &Scene<'_>) {
    let (slurm, cancel) = (scene.slurm.clone(), Cancellation::new());
    let watch = Watch::new(&cancel);
    let launch = tokio::spawn(async move {
        let job = sh("true").option("begin", "now+1hour").option("comment", "waits");
        slurm.launch(&JobId::new("pending", RunId(1), 0), &job, &watch).await
    });
    let waits = || scene.cluster.call("squeue", &["-h", "-t", "PENDING", "-o", "%r"]).contains("BeginTime");
    until("a job that waits", waits).await;
    cancel.cancel();
    assert_eq!(launch.await.unwrap(), Err(LaunchError::Cancelled));
    assert!(!waits(), "a job that was cancelled still waits");
}

async fn set_up_lines_come_before_the_command(scene: &Scene<'_>) {
    let slurm = scene.slurm.clone().before("export LOADED=yes").within(["env", "WRAPPED=yes"]);
    let exit = scene.launch_on(&slurm, "before", &sh("echo $LOADED $WRAPPED")).await.unwrap();
    assert_eq!(exit.stdout, "yes yes\n");
    let slurm = scene.slurm.clone().before("echo no module >&2; false");
    let gave = scene.launch_on(&slurm, "before", &sh("true")).await;
    assert!(matches!(&gave, Err(LaunchError::Setup(why)) if why.contains("no module")), "{gave:?}");
}

async fn a_lost_node_is_no_fault_of_the_job(scene: &Scene<'_>) {
    let beat = scene.file("orphan");
    let job = sh(&beating(&beat)).option("partition", "lost");
    let (slurm, there) = (scene.slurm.clone(), beat.clone());
    let launch =
        tokio::spawn(
            async move { slurm.launch(&JobId::new("lost", RunId(1), 0), &job, &Watch::default()).await },
        );
    until("a job on the node", || there.exists()).await;
    scene.cluster.kill("slurmd.n3");
    let gave = launch.await.unwrap();
    let Err(LaunchError::Infrastructure(why)) = gave else { panic!("a lost node: {gave:?}") };
    assert!(why.contains("node was lost") && why.contains("n3"), "{why}");
    // What was still running there was told by its fence.
    stands_still(&beat).await;
}

async fn a_requeued_job_beside_its_orphan_counts_once(scene: &Scene<'_>) {
    let beat = scene.file("first-start");
    let script = format!(
        "[ \"$SLURM_RESTART_COUNT\" = 1 ] && {{ echo second; sleep 6; exit 5; }}; {}",
        beating(&beat)
    );
    let job = sh(&script).file("in", "there").option("partition", "again");
    let (slurm, there) = (scene.slurm.clone().requeue(), beat.clone());
    let launch = tokio::spawn(async move {
        slurm.launch(&JobId::new("again", RunId(1), 0), &job, &Watch::default()).await
    });
    until("the first start", || there.exists()).await;
    let node = scene.cluster.call("squeue", &["-h", "-p", "again", "-t", "RUNNING", "-o", "%N"]);
    scene.cluster.kill(&format!("slurmd.{}", node.trim()));
    let exit = launch.await.unwrap().unwrap();
    assert_eq!((exit.ended, exit.stdout.trim()), (Ended::Status(5), "second"), "{exit:?}");
    stands_still(&beat).await;
}

async fn a_driver_that_is_killed_is_resumed(scene: &Scene<'_>) {
    let log = scene.file("starts");
    let job = driven(&log);
    let driver = |id: &str| {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_driver_that_is_killed", "--nocapture"])
            .env(
                DRIVER,
                format!(
                    "{}|{}|{}|{id}",
                    scene.cluster.programs().display(),
                    scene.folder.display(),
                    log.display()
                ),
            )
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    let mut first = driver("resumed");
    until("the killed driver's job", || read(&log).contains("start")).await;
    first.kill().unwrap();
    first.wait().unwrap();
    // The very same launch is taken over, while it runs.
    let exit = scene.launch("resumed", &job).await.unwrap();
    assert_eq!((exit.stdout.as_str(), read(&log).as_str()), ("done\n", "start\nend\n"), "{exit:?}");
    // Another attempt ends what was left of the one before.
    let mut second = driver("replaced");
    until("the second driver's job", || read(&log).matches("start").count() == 2).await;
    second.kill().unwrap();
    second.wait().unwrap();
    let id = JobId::new("replaced", RunId(1), 1);
    let exit = scene.slurm.launch(&id, &sh("echo another"), &Watch::default()).await.unwrap();
    assert_eq!(exit.stdout, "another\n");
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(read(&log).matches("end").count(), 1, "the first attempt went on beside the second");
}

fn driven(log: &Path) -> Job {
    sh(&format!("echo start >>{0}; sleep 4 && echo end >>{0} && echo done", log.display()))
}

/// Not a test but the driver of one, which starts this program again.
#[tokio::test]
async fn the_driver_that_is_killed() {
    let Ok(told) = std::env::var(DRIVER) else { return };
    // It does not outlive the test, should that be killed.
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL)).unwrap();
    let parts: Vec<&str> = told.split('|').collect();
    let [programs, folder, log, id] = parts[..] else { panic!("{told}") };
    let id = JobId::new(id, RunId(1), 0);
    let slurm = slurm(Path::new(programs), Path::new(folder));
    let _ = slurm.launch(&id, &driven(Path::new(log)), &Watch::default()).await;
}

async fn a_controller_that_restarts_is_waited_for(scene: &Scene<'_>) {
    let (slurm, up) = (scene.slurm.clone(), scene.file("up"));
    let job = sh(&format!("touch {}; sleep 5; echo through", up.display()));
    let launch = tokio::spawn(async move {
        slurm.launch(&JobId::new("restart", RunId(1), 0), &job, &Watch::default()).await
    });
    until("a job", || up.exists()).await;
    scene.cluster.stop("slurmctld").await;
    // Launched while nobody is there to take it.
    let slurm = scene.slurm.clone();
    let meanwhile = tokio::spawn(async move {
        slurm.launch(&JobId::new("meanwhile", RunId(1), 0), &sh("echo taken"), &Watch::default()).await
    });
    tokio::time::sleep(Duration::from_secs(3)).await;
    let conf = scene.cluster.run().join("slurm.conf");
    scene.cluster.call("slurmctld", &["-f", conf.to_str().unwrap()]);
    assert_eq!(launch.await.unwrap().unwrap().stdout, "through\n");
    assert_eq!(meanwhile.await.unwrap().unwrap().stdout, "taken\n");
}

#[test]
fn on_a_real_cluster() {
    if std::env::var_os(DRIVER).is_some() {
        return;
    }
    let Some(cluster) = Cluster::start() else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    let scene = Scene::new(&cluster);
    runtime.block_on(async {
        let (programs, folder) = (cluster.programs(), scene.folder.clone());
        let conforms = timed("conformance", conformance::launcher(move || slurm(&programs, &folder)));
        let rest = async {
            timed("arrays", arrays_are_used(&scene)).await;
            timed("limits", limits_end_jobs(&scene)).await;
            timed("never starts", what_never_starts_is_told(&scene)).await;
            timed("cancelled while pending", what_is_cancelled_while_it_waits_is_gone(&scene)).await;
            timed("set-up lines", set_up_lines_come_before_the_command(&scene)).await;
            timed("driver killed", a_driver_that_is_killed_is_resumed(&scene)).await;
        };
        let nodes = async {
            tokio::join!(
                conforms,
                rest,
                timed("node lost", a_lost_node_is_no_fault_of_the_job(&scene)),
                timed("requeued", a_requeued_job_beside_its_orphan_counts_once(&scene)),
            );
            timed("controller restarts", a_controller_that_restarts_is_waited_for(&scene)).await;
        };
        // Slurm looks at time limits twice a minute: this one goes on all the while, and through the restart.
        tokio::join!(nodes, timed("Slurm's time limit", a_time_limit_of_slurm_is_told(&scene)));
    });
    drop(runtime);
    let left: Vec<_> = fs::read_dir(&scene.folder).unwrap().flatten().map(|entry| entry.path()).collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    let jobs = cluster.call("squeue", &["-h", "-o", "%i %T %j"]);
    assert_eq!(jobs.trim(), "", "jobs are left");
}

async fn timed(what: &str, scenario: impl Future<Output = ()>) {
    let begun = Instant::now();
    scenario.await;
    eprintln!("{what}: {:.1} s", begun.elapsed().as_secs_f64());
}
