//! Jobs as child processes of this machine.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod common;

use autoresearch_core::{Cancellation, RunId};
use autoresearch_jobs::{Ended, Job, JobExit, JobId, LaunchError, Launcher, LimitKind, LocalProcess, Watch};
use common::{alive, names, sh};
use std::sync::{Arc, Mutex};
use std::time::Duration;

struct Here {
    root: tempfile::TempDir,
    launcher: LocalProcess,
}

impl Here {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let launcher = LocalProcess::new().folder(root.path());
        Self { root, launcher }
    }

    async fn run(&self, job: &Job) -> Result<JobExit, LaunchError> {
        self.watched(job, &Watch::default()).await
    }

    async fn watched(&self, job: &Job, watch: &Watch) -> Result<JobExit, LaunchError> {
        let exit = self.launcher.launch(&JobId::new("local", RunId(1), 0), job, watch).await;
        assert_eq!(names(self.root.path()), [""; 0], "left behind");
        exit
    }
}

#[tokio::test]
async fn statuses_signals_and_output_are_told() {
    let here = Here::new();
    let exit = here.run(&sh("echo out; echo err >&2; exit 3")).await.unwrap();
    assert_eq!((exit.ended, exit.limit), (Ended::Status(3), None));
    assert_eq!((&*exit.stdout, &*exit.stderr), ("out\n", "err\n"));
    assert!(exit.cpu_seconds.unwrap() < 60.0 && !exit.place.is_empty(), "{exit:?}");
    let exit = here.run(&sh("kill -SEGV $$")).await.unwrap();
    assert_eq!(exit.ended, Ended::Signal(11));
    assert!(here.run(&Job::new(["true"])).await.unwrap().success());
}

#[tokio::test]
async fn the_environment_is_what_the_job_says() {
    let here = Here::new();
    // Cargo sets it for tests.
    let canary = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    let job = Job::new(["env"]).env("GIVEN", "a b");
    let seen = here.run(&job).await.unwrap().stdout;
    assert!(seen.contains("GIVEN=a b\n") && seen.contains("PATH="), "{seen}");
    assert!(!seen.contains(&canary) && !seen.contains("CARGO"), "{seen}");
    let seen = here.run(&job.inherit(["CARGO_MANIFEST_DIR", "NO_SUCH_VARIABLE"])).await.unwrap().stdout;
    assert!(seen.contains(&canary) && !seen.contains("NO_SUCH"), "{seen}");
}

#[tokio::test]
async fn files_go_in_and_come_out() {
    let (here, into) = (Here::new(), tempfile::tempdir().unwrap());
    let job = sh(
        "pwd; cat in/a; touch $TMPDIR/x $HOME/y; mkdir out; echo 1 >out/a.txt; echo 2 >b.txt; ln -s /etc/passwd out/c.txt; exit 1",
    );
    let exit = here.run(&job.file("in/a", "hello").collect(["out/*.txt"], into.path())).await.unwrap();
    assert_eq!(exit.files, ["out/a.txt"]);
    assert_eq!(names(&into.path().join("out")), ["a.txt"]);
    let (folder, rest) = exit.stdout.split_once('\n').unwrap();
    assert!(folder.starts_with(here.root.path().to_str().unwrap()), "{folder}");
    assert_eq!(rest, "hello");
}

#[tokio::test]
async fn a_folder_that_is_given_is_used_and_kept() {
    let (here, folder) = (Here::new(), tempfile::tempdir().unwrap());
    assert!(here.run(&sh("echo 1 >a").folder(folder.path())).await.unwrap().success());
    assert_eq!(names(folder.path()), ["a"]);
    let error = here.run(&sh("true").folder(folder.path().join("no"))).await.unwrap_err();
    assert!(matches!(&error, LaunchError::Setup(what) if what.contains("make it first")), "{error}");
}

#[tokio::test]
async fn each_limit_ends_a_job_and_is_named() {
    let here = Here::new();
    let spin = || sh("while :; do :; done");
    let cases = [
        (sh("sleep 600").wall_clock(Duration::from_millis(50)), LimitKind::WallClock),
        (spin().cpu_time(Duration::from_secs(1)), LimitKind::CpuTime),
        (
            sh("while :; do echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy; done").output(10_000),
            LimitKind::Output,
        ),
        (sh("exec head -c 1000000 /dev/zero >big").file_size(100_000), LimitKind::FileSize),
        (sh("exec tail /dev/zero").memory(64 << 20), LimitKind::Memory),
        (sh("head -c 2000000 /dev/zero >big; sleep 600").disk(1 << 20), LimitKind::Disk),
        (sh("head -c 2000000 /dev/zero >\"$TMPDIR/big\"; sleep 600").disk(1 << 20), LimitKind::Disk),
        (sh("while :; do sleep 600 & done").processes(20), LimitKind::Processes),
    ];
    for (job, limit) in cases {
        let exit = here.run(&job.wall_clock_or(60)).await.unwrap();
        assert_eq!(exit.limit, Some(limit), "{job}: {exit:?}");
        assert!(!exit.success() && exit.failure().is_some());
    }
    // What stays within its limits is left alone, and what it says at the very limit is kept.
    let job = sh("printf 12345; head -c 1000 /dev/zero >small")
        .output(5)
        .file_size(1024)
        .memory(64 << 20)
        .disk(1 << 20)
        .processes(20);
    let exit = here.run(&job.cpu_time(Duration::from_secs(60))).await.unwrap();
    assert!(exit.success() && exit.stdout == "12345", "{exit:?}");
}

#[tokio::test]
async fn a_status_like_that_of_a_limit_is_no_limit_that_was_not_reached() {
    let here = Here::new();
    // 128 and SIGXCPU or SIGXFSZ, as a shell tells of a child.
    let minute = Duration::from_secs(60);
    let cases =
        [sh("exit 152"), sh("exit 153"), sh("exit 152").cpu_time(minute), sh("exit 137").cpu_time(minute)];
    for job in cases {
        let exit = here.run(&job).await.unwrap();
        assert_eq!(exit.limit, None, "{job}: {exit:?}");
        assert!(matches!(exit.ended, Ended::Status(_)), "{exit:?}");
    }
}

#[tokio::test]
async fn a_job_has_nothing_open_but_input_output_and_error() {
    let here = Here::new();
    let _keep = common::inheritable();
    // With and without a shell of the launcher's own in between.
    for job in [sh(common::OPEN), sh(common::OPEN).cpu_time(Duration::from_secs(60))] {
        assert_eq!(here.run(&job).await.unwrap().stdout, "all\n");
    }
}

trait OrElse {
    fn wall_clock_or(&self, seconds: u64) -> Job;
}

impl OrElse for Job {
    /// So that a limit that does not work fails the test, and does not hang it.
    fn wall_clock_or(&self, seconds: u64) -> Job {
        let limit = self.limits.wall_clock.unwrap_or(Duration::from_secs(seconds));
        self.clone().wall_clock(limit)
    }
}

#[tokio::test]
async fn what_a_job_used_is_its_own_and_not_the_drivers() {
    let here = Here::new();
    // This process has had more than the small job, and less than the large one.
    let ballast = std::hint::black_box(vec![1u8; 64 << 20]);
    for job in [sh("sleep 0.6"), sh("sleep 0.6").memory(1 << 30)] {
        let small = here.run(&job).await.unwrap().peak_memory.unwrap();
        assert!(small < 16 << 20, "{small} bytes, of a shell that sleeps");
    }
    let large = here.run(&sh("exec head -c 300m /dev/zero | tail -c 250m | tail -c 1")).await.unwrap();
    assert!(large.peak_memory.unwrap() > 240 << 20, "{large:?}");
    drop(ballast);
}

#[tokio::test]
async fn processor_time_is_summed_over_processes() {
    let here = Here::new();
    let job = sh("for i in 1 2 3; do (while :; do :; done) & done; wait").cpu_time(Duration::from_secs(1));
    let exit = here.run(&job.wall_clock_or(60)).await.unwrap();
    assert_eq!(exit.limit, Some(LimitKind::CpuTime), "{exit:?}");
    assert!(exit.left_behind >= 3, "{exit:?}");
}

#[tokio::test]
async fn what_was_written_before_a_flood_was_stopped_is_in_the_file() {
    let (here, into) = (Here::new(), tempfile::tempdir().unwrap());
    let (out, err) = (into.path().join("out"), into.path().join("err"));
    let exit = here.run(&sh("yes").output(100_000).output_to(&out, &err)).await.unwrap();
    assert_eq!(exit.limit, Some(LimitKind::Output), "{exit:?}");
    assert_eq!((out.metadata().unwrap().len(), err.metadata().unwrap().len()), (100_000, 0));
    assert!(exit.stdout.len() <= JobExit::SHOWN && exit.stdout.ends_with('y') || exit.stdout.ends_with('\n'));
}

#[tokio::test]
async fn missing_pieces_are_mistakes_in_the_set_up() {
    let here = Here::new();
    let cases = [
        (Job::new(["no-such-program"]), "not in PATH"),
        (Job::new(["./no-such-script"]), "is not there"),
        (sh("true").copy("a", "/no/such/file"), "/no/such/file is not there"),
        (sh("true").gpus(1), "asks for 1 GPUs"),
        (sh("true").cpus(100_000), "asks for 100000 CPUs"),
        (sh("true").option("partition", "gpu"), "\"partition\""),
        (sh("true").collect(["a["], "/tmp"), "no pattern"),
    ];
    for (job, expected) in cases {
        let error = here.run(&job).await.unwrap_err();
        assert!(matches!(&error, LaunchError::Setup(what) if what.contains(expected)), "{job}: {error}");
    }
}

/// Ways to leave a family: a background process, a session of its own, two forks, and a cleared environment on top.
const ESCAPES: [&str; 4] = [
    "sleep 987 & echo $!",
    "setsid sleep 987 & echo $!",
    "(setsid sh -c 'sleep 987 & echo $!; wait' &) ; sleep 0.2",
    "(cd / && env -i setsid /bin/sh -c 'sleep 987 >/dev/null 2>&1 & echo $!' &) ; sleep 0.2",
];

#[tokio::test]
async fn nothing_of_a_job_outlives_it() {
    let here = Here::new();
    // The last one leaves no trace but in a control group.
    let found = if here.launcher.contains_all() { ESCAPES.len() } else { ESCAPES.len() - 1 };
    if found < ESCAPES.len() {
        println!("SKIPPED, no control groups here: {}", ESCAPES[found]);
    }
    for escape in &ESCAPES[..found] {
        let exit = here.run(&sh(escape)).await.unwrap();
        assert!(exit.success(), "{escape}: {exit:?}");
        let pid: i32 = exit.stdout.trim().parse().unwrap_or_else(|_| panic!("{escape}: {exit:?}"));
        assert!(!alive(pid), "{escape}: {pid} is alive");
        assert!(exit.left_behind >= 1, "{escape}: {exit:?}");
    }
}

/// Runs a job that tells its process numbers and stays, and ends the launch when it has.
async fn interrupted(
    stop: impl AsyncFnOnce(&Cancellation, tokio::task::JoinHandle<Result<JobExit, LaunchError>>),
) {
    let here = Here::new();
    let cancel = Cancellation::new();
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let watch = Watch::new(&cancel).lines(move |line| drop(told.send(line.to_owned())));
    let (launcher, job) = (here.launcher.clone(), sh("echo $$; setsid sleep 987 & echo $!; wait"));
    let task =
        tokio::spawn(async move { launcher.launch(&JobId::new("local", RunId(1), 0), &job, &watch).await });
    let mut pids: Vec<i32> = Vec::new();
    while pids.len() < 2 {
        pids.push(heard.recv().await.unwrap().parse().unwrap());
    }
    assert!(pids.iter().all(|&pid| alive(pid)));
    stop(&cancel, task).await;
    assert!(!pids.iter().any(|&pid| alive(pid)), "{pids:?} are alive");
    assert_eq!(names(here.root.path()), [""; 0], "left behind");
}

#[tokio::test]
async fn a_launch_that_is_cancelled_leaves_nothing() {
    interrupted(async |cancel, task| {
        cancel.cancel();
        assert_eq!(task.await.unwrap(), Err(LaunchError::Cancelled));
    })
    .await;
}

#[tokio::test]
async fn a_launch_that_is_dropped_leaves_nothing() {
    interrupted(async |_, task| {
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    })
    .await;
}

#[tokio::test]
async fn a_launch_may_be_dropped_at_any_moment() {
    let here = Here::new();
    for microseconds in (0..6000).step_by(500) {
        let watch = Watch::default();
        let job = sh("setsid sleep 987 & sleep 987");
        let id = JobId::new("local", RunId(1), 0);
        let launch = here.launcher.launch(&id, &job, &watch);
        let _ = tokio::time::timeout(Duration::from_micros(microseconds), launch).await.unwrap_err();
        // What a blocking thread has in hand ends with it; the next launch waits for the lock.
        assert!(here.run(&Job::new(["true"])).await.unwrap().success());
    }
}

#[tokio::test]
async fn a_launch_that_was_cancelled_before_starts_nothing() {
    let here = Here::new();
    let cancel = Cancellation::new();
    cancel.cancel();
    let job = Job::new(["touch".into(), here.root.path().join("touched").display().to_string()]);
    assert_eq!(here.watched(&job, &Watch::new(&cancel)).await, Err(LaunchError::Cancelled));
}

#[tokio::test]
async fn lines_come_while_the_job_runs() {
    let here = Here::new();
    let go = here.root.path().with_extension("go");
    let lines = Arc::new(Mutex::new(Vec::new()));
    // It ends only when somebody has heard its first line.
    let watch = Watch::default().lines({
        let (lines, go) = (Arc::clone(&lines), go.clone());
        move |line| {
            lines.lock().unwrap().push(line.to_owned());
            std::fs::write(&go, "").unwrap();
        }
    });
    let script = format!("echo first; while ! test -e {}; do sleep 0.01; done; printf last", go.display());
    let exit = here.watched(&sh(&script), &watch).await.unwrap();
    std::fs::remove_file(go).unwrap();
    assert!(exit.success());
    assert_eq!(*lines.lock().unwrap(), ["first", "last"]);
}

#[tokio::test]
async fn two_attempts_at_a_run_never_run_at_once() {
    let here = Here::new();
    let cancel = Cancellation::new();
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let watch = Watch::new(&cancel).lines(move |line| drop(told.send(line.to_owned())));
    let launcher = here.launcher.clone();
    let first = tokio::spawn(async move {
        launcher.launch(&JobId::new("local", RunId(1), 0), &sh("echo here; sleep 987"), &watch).await
    });
    heard.recv().await.unwrap();
    let again = JobId::new("local", RunId(1), 1);
    let refused = here.launcher.launch(&again, &sh("true"), &Watch::default()).await.unwrap_err();
    assert!(
        matches!(&refused, LaunchError::Infrastructure(why) if why.contains("never run at once")),
        "{refused}"
    );
    let other = JobId::new("local", RunId(2), 0);
    assert!(here.launcher.launch(&other, &sh("true"), &Watch::default()).await.unwrap().success());
    cancel.cancel();
    assert_eq!(first.await.unwrap(), Err(LaunchError::Cancelled));
    assert!(here.launcher.launch(&again, &sh("true"), &Watch::default()).await.unwrap().success());
}

/// As `nohup` and scripts start programs: the test below in a process that ignores what ends jobs.
#[test]
fn what_the_driver_ignores_its_jobs_do_not() {
    let again = std::process::Command::new("/bin/sh")
        .args([
            "-c",
            "trap '' HUP INT QUIT TERM; IGNORED=1 exec \"$0\" --exact --ignored signals_end_what_a_job_starts",
        ])
        .arg(std::env::current_exe().unwrap())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&again.stdout).into_owned();
    assert!(again.status.success() && told.contains("1 passed"), "{told}");
}

#[tokio::test]
#[ignore = "started by the test above"]
async fn signals_end_what_a_job_starts() {
    // Of itself it would end all tests of its process.
    assert!(std::env::var_os("IGNORED").is_some(), "only within the test above");
    let here = Here::new();
    for signal in ["HUP", "INT", "QUIT", "TERM"] {
        let job = sh(&format!("sh -c 'kill -{signal} $$; sleep 1; exit 5'; [ $? -gt 128 ]"));
        let exit = here.run(&job).await.unwrap();
        assert!(exit.success(), "SIG{signal}: {exit:?}");
        // The driver itself ignores it as before.
        let own = format!("-{signal}");
        assert!(
            std::process::Command::new("kill")
                .args([own, std::process::id().to_string()])
                .status()
                .unwrap()
                .success()
        );
    }
}

/// As a program with too many files open: the test below in a process that soon has no descriptors left.
#[test]
fn who_cannot_be_seen_is_not_taken_for_gone() {
    let again = std::process::Command::new("/bin/sh")
        .args([
            "-c",
            "ulimit -n 80; FEW=1 exec \"$0\" --exact --ignored the_end_of_a_job_without_descriptors",
        ])
        .arg(std::env::current_exe().unwrap())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&again.stdout).into_owned();
    assert!(again.status.success() && told.contains("1 passed"), "{told}");
}

#[tokio::test]
#[ignore = "started by the test above"]
async fn the_end_of_a_job_without_descriptors() {
    assert!(std::env::var_os("FEW").is_some(), "only within the test above");
    let here = Here::new();
    let (cancel, pids) = (Cancellation::new(), Arc::new(Mutex::new(Vec::<i32>::new())));
    let told = Arc::clone(&pids);
    let watch = Watch::new(&cancel).lines(move |line| told.lock().unwrap().push(line.parse().unwrap()));
    let job = sh("setsid sleep 300 & echo $!; echo $$; wait");
    let stop = async {
        while pids.lock().unwrap().len() < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let mut all = Vec::new();
        while let Ok(file) = std::fs::File::open("/dev/null") {
            all.push(file);
        }
        cancel.cancel();
        tokio::time::sleep(Duration::from_millis(700)).await;
        drop(all);
    };
    let (done, ()) = tokio::join!(here.watched(&job, &watch), stop);
    assert_eq!(done, Err(LaunchError::Cancelled));
    let pids = pids.lock().unwrap();
    assert!(!pids.iter().any(|&pid| alive(pid)), "{pids:?} are alive");
}

#[tokio::test]
async fn each_job_has_cpus_and_gpus_of_its_own() {
    let root = tempfile::tempdir().unwrap();
    let launcher = LocalProcess::new().folder(root.path()).pinned().gpus(["0", "GPU-7"]);
    // Each waits until another is there, so that they run at the same time.
    let meeting = tempfile::tempdir().unwrap();
    let cpus = std::thread::available_parallelism().unwrap().get().min(2);
    let script = "touch $MEETING/$$; while test $(ls $MEETING | wc -l) -lt $N; do sleep 0.01; done; \
                  echo $(grep Cpus_allowed_list /proc/self/status | cut -f2) $CUDA_VISIBLE_DEVICES";
    let job = sh(script).gpus(1).env("MEETING", meeting.path().to_str().unwrap()).env("N", cpus.to_string());
    let runs = (1..=cpus).map(|run| {
        let (launcher, job) = (launcher.clone(), job.clone());
        tokio::spawn(async move {
            launcher.launch(&JobId::new("local", RunId(run as u64), 0), &job, &Watch::default()).await
        })
    });
    let mut seen = Vec::new();
    for run in runs.collect::<Vec<_>>() {
        seen.push(run.await.unwrap().unwrap().stdout);
    }
    let words: Vec<Vec<&str>> = seen.iter().map(|line| line.split_whitespace().collect()).collect();
    assert!(words.iter().all(|words| words.len() == 2 && words[0].parse::<u32>().is_ok()), "{seen:?}");
    let distinct =
        |i: usize| words.iter().map(|words| words[i]).collect::<std::collections::BTreeSet<_>>().len();
    assert_eq!((distinct(0), distinct(1)), (cpus, cpus), "{seen:?}");
}

#[tokio::test]
async fn it_keeps_the_contract() {
    let root = tempfile::tempdir().unwrap();
    autoresearch_jobs::testkit::conformance::launcher(|| LocalProcess::new().folder(root.path())).await;
    assert_eq!(names(root.path()), [""; 0], "left behind");
}
