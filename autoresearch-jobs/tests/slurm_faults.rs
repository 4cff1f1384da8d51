//! What goes wrong on clusters, with scripts that stand for Slurm's programs.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use autoresearch_core::{Cancellation, RunId};
use autoresearch_jobs::{Ended, Job, JobExit, JobId, LaunchError, Launcher, LimitKind, Slurm, Watch};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A folder with programs that do as the files in it say.
struct Fake(tempfile::TempDir);

impl Fake {
    fn new() -> Self {
        let fake = Self(tempfile::tempdir().unwrap());
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/slurm/fake.sh");
        fs::create_dir(fake.file("bin")).unwrap();
        for program in ["sbatch", "squeue", "scancel", "scontrol"] {
            let path = fake.file("bin").join(program);
            let folder = fake.0.path().display();
            fs::write(&path, format!("#!/bin/sh\nexec /bin/sh {script} {folder} {program} \"$@\"\n"))
                .unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        fake
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn say(&self, name: &str, text: &str) {
        fs::write(self.file(name), text).unwrap();
    }

    fn slurm(&self) -> Slurm {
        let moment = Duration::from_millis(300);
        let slurm = Slurm::new().programs(self.file("bin")).folder(self.file("launches"));
        slurm.poll(moment).patience(moment * 2).start_within(moment).storage_delay(moment)
    }

    fn calls(&self, program: &str) -> usize {
        let calls = fs::read_to_string(self.file("calls")).unwrap_or_default();
        calls.lines().filter(|line| line.starts_with(program)).count()
    }

    async fn launch(&self, job: &Job) -> Result<JobExit, LaunchError> {
        self.slurm().launch(&JobId::new("fake", RunId(1), 0), job, &Watch::default()).await
    }

    fn left(&self) -> Vec<PathBuf> {
        fs::read_dir(self.file("launches")).unwrap().flatten().map(|entry| entry.path()).collect()
    }
}

fn sh(script: &str) -> Job {
    Job::new(["/bin/sh", "-c", script])
}

async fn infrastructure(fake: &Fake, job: &Job) -> String {
    match fake.launch(job).await {
        Err(LaunchError::Infrastructure(why)) => why,
        other => panic!("{other:?}"),
    }
}

async fn setup(fake: &Fake, job: &Job) -> String {
    match fake.launch(job).await {
        Err(LaunchError::Setup(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn missing_programs_say_what_to_do() {
    let fake = Fake::new();
    // It is told at once, however long a controller would be waited for, and leaves nothing.
    let slurm = fake.slurm().programs(fake.file("nowhere")).patience(Duration::from_secs(3600));
    let gave = slurm.launch(&JobId::new("fake", RunId(1), 0), &sh("true"), &Watch::default()).await;
    assert!(matches!(&gave, Err(LaunchError::Setup(why)) if why.contains("sbatch is not in")), "{gave:?}");
    assert!(fake.left().iter().all(|left| left.is_file()), "{:?}", fake.left());
}

#[tokio::test]
async fn a_controller_that_stays_away_is_given_up() {
    let fake = Fake::new();
    fake.say("away", "Unable to contact slurm controller (connect failure)\n");
    let why = infrastructure(&fake, &sh("true")).await;
    assert!(why.contains("has taken no job") && why.contains("connect failure"), "{why}");
}

#[tokio::test]
async fn a_controller_that_goes_away_while_jobs_run_is_given_up_or_waited_for() {
    let fake = Fake::new();
    let job = sh("true");
    let away = async {
        while fake.calls("squeue") < 1 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        fake.say("away", "Unable to contact slurm controller\n");
    };
    let (why, ()) = tokio::join!(infrastructure(&fake, &job), away);
    assert!(why.contains("has not answered") && why.contains("Unable to contact"), "{why}");
    fs::remove_file(fake.file("away")).unwrap();

    let fake = Fake::new();
    fake.say("run", "");
    let slurm = fake.slurm().patience(Duration::from_secs(60));
    let id = JobId::new("fake", RunId(2), 0);
    let (job, watch) = (sh("sleep 1; echo through"), Watch::default());
    let away = async {
        while fake.calls("squeue") < 1 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        fake.say("away", "Unable to contact slurm controller\n");
        tokio::time::sleep(Duration::from_millis(1500)).await;
        fs::remove_file(fake.file("away")).unwrap();
    };
    let (exit, ()) = tokio::join!(slurm.launch(&id, &job, &watch), away);
    assert_eq!(exit.unwrap().stdout, "through\n");
}

#[tokio::test]
async fn a_submission_whose_answer_is_lost_is_not_made_twice() {
    let fake = Fake::new();
    fake.say("run", "");
    fake.say("deaf", "");
    let slurm = fake.slurm().patience(Duration::from_secs(60));
    let id = JobId::new("fake", RunId(1), 0);
    let exit = slurm.launch(&id, &sh("sleep 2; echo once"), &Watch::default()).await.unwrap();
    assert_eq!((exit.stdout.as_str(), fake.calls("sbatch")), ("once\n", 1));
}

#[tokio::test]
async fn garbage_is_as_good_as_no_answer() {
    let fake = Fake::new();
    fake.say("garbage", "slurm_load_jobs: <html>\n");
    let why = infrastructure(&fake, &sh("true")).await;
    assert!(why.contains("not what it was asked for"), "{why}");
}

#[tokio::test]
async fn what_sbatch_refuses_is_told_in_its_words() {
    let fake = Fake::new();
    fake.say(
        "refuse",
        "sbatch: error: Batch job submission failed: Invalid account or account/partition combination\n",
    );
    let why = setup(&fake, &sh("true")).await;
    assert!(why.contains("Invalid account"), "{why}");
    assert!(fake.left().is_empty(), "{:?}", fake.left());
}

#[tokio::test]
async fn what_cannot_start_is_told_with_the_reason() {
    let fake = Fake::new();
    fake.say("state", "PENDING||PartitionTimeLimit|NAME");
    let why = setup(&fake, &sh("true").wall_clock(Duration::from_secs(864_000))).await;
    assert!(why.contains("PartitionTimeLimit") && why.contains("864000 s"), "{why}");
    assert_eq!(fake.calls("scancel"), 1);
    assert!(fake.left().is_empty(), "{:?}", fake.left());
}

#[tokio::test]
async fn what_is_held_or_has_no_nodes_for_now_is_no_mistake_of_the_job() {
    let fake = Fake::new();
    fake.say("state", "PENDING||JobHeldUser|NAME");
    let why = infrastructure(&fake, &sh("true")).await;
    assert!(why.contains("held back") && why.contains("JobHeldUser"), "{why}");
    fake.say("state", "PENDING||ReqNodeNotAvail, UnavailableNodes:node7|NAME");
    let (cancel, id, job) = (Cancellation::new(), JobId::new("fake", RunId(1), 0), sh("true"));
    let (slurm, watch) = (fake.slurm(), Watch::new(&cancel));
    let later = async {
        // Four times as long as what cannot start is given.
        tokio::time::sleep(Duration::from_millis(1200)).await;
        cancel.cancel();
    };
    let (gave, ()) = tokio::join!(slurm.launch(&id, &job, &watch), later);
    assert_eq!(gave, Err(LaunchError::Cancelled));
}

#[tokio::test]
async fn a_node_that_cleans_up_for_long_is_not_waited_for() {
    let fake = Fake::new();
    fake.say("run", "");
    fake.say("cleaning", "");
    let exit = fake.launch(&sh("echo said; exit 3")).await.unwrap();
    assert_eq!((exit.ended, exit.stdout.as_str()), (Ended::Status(3), "said\n"), "{exit:?}");
    assert!(fake.left().is_empty(), "{:?}", fake.left());
}

#[tokio::test]
async fn while_a_record_is_late_slurm_is_asked_once_why_the_job_ended() {
    let fake = Fake::new();
    fake.say("state", "FAILED|node7|NonZeroExitCode|NAME");
    fake.say("code", "9");
    let slurm = fake.slurm().storage_delay(Duration::from_millis(1500));
    let gave = slurm.launch(&JobId::new("fake", RunId(1), 0), &sh("true"), &Watch::default()).await;
    assert!(
        matches!(&gave, Err(LaunchError::Infrastructure(why)) if why.contains("exit code 9:0")),
        "{gave:?}"
    );
    assert!(fake.calls("squeue") > 3, "{} looks", fake.calls("squeue"));
    assert_eq!(fake.calls("scontrol"), 1);
}

/// Starts to launch a job whose folder is not complete before somebody writes into a pipe, and breaks that off.
async fn broken_off(fake: &Fake, how: impl AsyncFnOnce(tokio::task::JoinHandle<()>, Cancellation)) {
    let pipe = fake.file("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let (slurm, cancel) = (fake.slurm(), Cancellation::new());
    let (job, watch) = (sh("true").copy("in", &pipe), Watch::new(&cancel));
    let launch = tokio::spawn(async move {
        let gave = slurm.launch(&JobId::new("fake", RunId(1), 0), &job, &watch).await;
        assert_eq!(gave, Err(LaunchError::Cancelled));
    });
    let run = fake.file("launches").join("fake-r1");
    while !fs::read_dir(&run).is_ok_and(|entries| entries.count() > 0) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let written = tokio::task::spawn_blocking(move || {
        std::thread::sleep(Duration::from_millis(300));
        fs::write(pipe, "late")
    });
    how(launch, cancel).await;
    written.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_launch_broken_off_while_its_folder_is_made_leaves_none() {
    let fake = Fake::new();
    broken_off(&fake, async |launch, cancel| {
        cancel.cancel();
        launch.await.unwrap();
        assert!(fake.left().is_empty(), "cancelled: {:?}", fake.left());
    })
    .await;
    let fake = Fake::new();
    broken_off(&fake, async |launch, _| {
        launch.abort();
        let _ = launch.await;
    })
    .await;
    let begun = Instant::now();
    while !fake.left().is_empty() && begun.elapsed() < Duration::from_secs(10) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(fake.left().is_empty(), "dropped: {:?}", fake.left());
    assert_eq!(fake.calls("sbatch"), 0);
}

#[tokio::test]
async fn a_program_that_ends_at_once_leaves_no_job() {
    let fake = Fake::new();
    let slurm = fake.slurm();
    {
        let (id, job, watch) = (JobId::new("fake", RunId(1), 0), sh("true"), Watch::default());
        let mut launch = Box::pin(slurm.launch(&id, &job, &watch));
        let submitted = async {
            while fake.calls("squeue") < 1 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            gave = &mut launch => panic!("{gave:?}"),
            () = submitted => {}
        }
    }
    drop(slurm);
    assert_eq!((fake.calls("scancel"), fake.left()), (1, Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_on_submitted_jobs_is_kept_to() {
    let fake = Fake::new();
    fake.say("run", "");
    fake.say("limit", "3");
    let slurm = fake.slurm();
    let launches: Vec<_> = (0..8)
        .map(|run| {
            let (slurm, id) = (slurm.clone(), JobId::new("limited", RunId(run), 0));
            tokio::spawn(async move { slurm.launch(&id, &sh("sleep 0.3"), &Watch::default()).await })
        })
        .collect();
    for launch in launches {
        assert!(launch.await.unwrap().unwrap().success());
    }
    assert!(fake.calls("sbatch") < 30, "{} submissions for 8 runs", fake.calls("sbatch"));
}

#[tokio::test]
async fn ends_without_a_record_are_told_apart() {
    let fake = Fake::new();
    for (state, expected) in [
        ("NODE_FAIL|node7|None|NAME", "node was lost on node7"),
        ("PREEMPTED|node7|None|NAME", "PREEMPTED"),
        ("CANCELLED||None|NAME", "not by this study"),
        ("COMPLETED|node7|None|NAME", "left no record"),
    ] {
        fake.say("state", state);
        let why = infrastructure(&fake, &sh("true")).await;
        assert!(why.contains(expected), "{state}: {why}");
    }
    for (state, expected) in [
        ("TIMEOUT|node7|TimeLimit|NAME", LimitKind::WallClock),
        ("OUT_OF_MEMORY|node7|OutOfMemory|NAME", LimitKind::Memory),
    ] {
        fake.say("state", state);
        let exit = fake.launch(&sh("true")).await.unwrap();
        assert_eq!((exit.limit, exit.place.as_str()), (Some(expected), "node7"), "{exit:?}");
    }
    fake.say("state", "FAILED|node7|NonZeroExitCode|NAME");
    fake.say("code", "96");
    let why = infrastructure(&fake, &sh("true")).await;
    assert!(why.contains("storage that all nodes share"), "{why}");
    assert!(fake.left().is_empty(), "{:?}", fake.left());
}

#[tokio::test]
async fn no_state_of_a_job_is_waited_out_for_ever() {
    let fake = Fake::new();
    for (state, expected) in [
        ("LAUNCH_FAILED|node7|None|NAME", "LAUNCH_FAILED"),
        ("RECONFIG_FAIL|node7|None|NAME", "RECONFIG_FAIL"),
        ("RESV_DEL_HOLD||None|NAME", "held back"),
        ("NEVER_HEARD_OF||odd reason|NAME", "NEVER_HEARD_OF"),
    ] {
        fake.say("state", state);
        let job = sh("true");
        let ended = tokio::time::timeout(Duration::from_secs(20), infrastructure(&fake, &job)).await;
        let why = ended.unwrap_or_else(|_| panic!("{state} is waited for"));
        assert!(why.contains(expected), "{state}: {why}");
    }
    assert!(fake.left().is_empty(), "{:?}", fake.left());
}

#[tokio::test]
async fn limits_that_nothing_reaches_are_none() {
    let fake = Fake::new();
    fake.say("run", "");
    let mut job =
        sh("head -c 100000 /dev/zero | wc -c").output(u64::MAX).file_size(u64::MAX).memory(u64::MAX);
    job.limits.address_space = Some(u64::MAX);
    (job.limits.cpu_time, job.limits.wall_clock) = (Some(Duration::MAX), Some(Duration::MAX));
    let exit = fake.launch(&job).await.unwrap();
    assert!(exit.success() && exit.stdout.trim() == "100000", "{exit:?}");
}

#[tokio::test]
async fn a_job_does_not_make_its_failure_the_clusters() {
    let fake = Fake::new();
    fake.say("run", "");
    for (script, ended) in [
        ("exit 143", Ended::Status(143)),
        ("exit 130", Ended::Status(130)),
        ("kill -TERM $$", Ended::Status(143)),
        ("echo no >\"$HOME/../refused\"; exit 1", Ended::Status(1)),
        ("echo no >\"$HOME/../refused\"; exit 125", Ended::Status(125)),
        ("echo '\"' >\"$HOME/../refused\"; exit 1", Ended::Status(1)),
    ] {
        let exit = fake.launch(&sh(script)).await.unwrap_or_else(|why| panic!("{script}: {why}"));
        assert_eq!(exit.ended, ended, "{script}");
        let failure = exit.failure().unwrap();
        assert_eq!(failure.fault(), autoresearch_core::Fault::Candidate, "{script}: {failure:?}");
    }
    // Kills who waits for it.
    let exit = fake.launch(&sh("kill -KILL $PPID; sleep 5")).await.unwrap();
    assert_eq!(exit.failure().unwrap().fault(), autoresearch_core::Fault::Candidate, "{exit:?}");
    // Takes away what says that it is wanted.
    let exit = fake.launch(&sh("rm \"$HOME/../../fence\"; sleep 60")).await.unwrap();
    assert_eq!(exit.failure().unwrap().fault(), autoresearch_core::Fault::Candidate, "{exit:?}");
    assert!(exit.stderr.contains("deleted files of its launch"), "{exit:?}");
    // Takes away what says that it has begun and what it has said, or makes something else of it.
    for script in [
        "rm -r \"${HOME%/*}\"; exit 3",
        "cd \"${HOME%/*}\"; rm stdout; exit 3",
        "cd \"${HOME%/*}\"; rm stderr; mkdir -p stderr/a; exit 3",
    ] {
        let exit = fake.launch(&sh(script)).await.unwrap_or_else(|why| panic!("{script}: {why}"));
        assert_eq!(exit.failure().unwrap().what(), autoresearch_core::FailureKind::Crash, "{exit:?}");
        assert!(exit.stderr.contains("deleted files of its launch"), "{exit:?}");
    }
    // What the script itself says still counts.
    let refused = fake.slurm().before("false");
    let refused = refused.launch(&JobId::new("fake", RunId(1), 0), &sh("true"), &Watch::default()).await;
    assert!(
        matches!(&refused, Err(LaunchError::Setup(why)) if why.contains("before jobs failed")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn what_is_not_collected_is_told() {
    let (fake, into) = (Fake::new(), tempfile::tempdir().unwrap());
    fake.say("run", "");
    let job = sh("echo 1 >a.txt; : >\"$(printf 'b\\377.txt')\"").collect(["*.txt"], into.path());
    let exit = fake.launch(&job).await.unwrap();
    assert_eq!(
        (exit.files, exit.not_collected.len()),
        (vec!["a.txt".to_owned()], 1),
        "{:?}",
        exit.not_collected
    );
}

#[tokio::test]
async fn more_than_may_be_collected_is_not_copied() {
    let (fake, into) = (Fake::new(), tempfile::tempdir().unwrap());
    fake.say("run", "");
    let job = sh("printf 12 >a.txt; truncate -s 1T b.txt; printf 3 >c.txt").collect(["*.txt"], into.path());
    let exit = fake.launch(&job.collected(3)).await.unwrap();
    assert_eq!(exit.files, ["a.txt", "c.txt"]);
    assert_eq!(exit.not_collected, ["b.txt: its 1099511627776 bytes are more than may be collected"]);
}

#[tokio::test]
async fn what_cannot_be_started_is_a_mistake_in_the_set_up() {
    let fake = Fake::new();
    fake.say("run", "");
    let file = |name: &str, text: &str, mode| {
        let path = fake.file(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path.display().to_string()
    };
    let (plain, script) = (file("plain", "", 0o644), file("script", "#!/no/such/python -u\n", 0o755));
    for (program, says) in [
        ("no-such-program", "not installed, or not in PATH (/"),
        ("/no/such/program", "is not there"),
        (&plain, "is not executable"),
        (&script, "begins with #!/no/such/python, which is not there"),
    ] {
        let why = setup(&fake, &Job::new([program])).await;
        assert!(why.contains(program) && why.contains(says), "{program}: {why}");
    }
    // A status is the program's own.
    let exit = fake.launch(&sh("exit 127")).await.unwrap();
    assert_eq!(exit.ended, Ended::Status(127));
    let good = file("good", "#! /bin/sh -e\necho $1", 0o755);
    assert_eq!(fake.launch(&Job::new([&*good, "said"])).await.unwrap().stdout, "said\n");
}

#[tokio::test]
async fn signals_end_what_does_not_catch_them() {
    let fake = Fake::new();
    fake.say("run", "");
    for signal in ["INT", "QUIT", "TERM", "HUP"] {
        let exit = fake.launch(&sh(&format!("/bin/sh -c 'kill -{signal} $$; exit 5'; [ $? -gt 128 ]"))).await;
        assert!(exit.as_ref().is_ok_and(JobExit::success), "{signal}: {exit:?}");
    }
}

#[tokio::test]
async fn secrets_are_in_no_command_line_and_no_message() {
    let fake = Fake::new();
    fake.say("run", "");
    let job = sh("echo $KEY; cat /proc/self/cmdline /proc/$PPID/cmdline | tr '\\0' ' ' >&2; exit 1")
        .env("KEY", "s3cret");
    let exit = fake.launch(&job).await.unwrap();
    assert_eq!(exit.stdout, "s3cret\n");
    assert!(!exit.stderr.contains("s3cret"), "{exit:?}");
    let calls =
        fs::read_to_string(fake.file("calls")).unwrap() + &fs::read_to_string(fake.file("1.sh")).unwrap();
    assert!(!calls.contains("s3cret"), "{calls}");
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_runs_share_a_look() {
    let fake = Fake::new();
    let (slurm, cancel) = (fake.slurm().patience(Duration::from_secs(60)), Cancellation::new());
    let launches: Vec<_> = (0..500)
        .map(|run| {
            let (slurm, watch) = (slurm.clone(), Watch::new(&cancel));
            let id = JobId::new("many", RunId(run), 0);
            tokio::spawn(async move { slurm.launch(&id, &sh("true"), &watch).await })
        })
        .collect();
    let submitted = || {
        fs::read_dir(fake.0.path())
            .unwrap()
            .flatten()
            .filter(|e| e.file_name().to_string_lossy().starts_with("job."))
            .count()
    };
    let begun = Instant::now();
    while submitted() < 500 {
        assert!(begun.elapsed() < Duration::from_secs(60), "{} of 500 submitted", submitted());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (before, begun) = (fake.calls("squeue"), Instant::now());
    tokio::time::sleep(Duration::from_secs(2)).await;
    // On a machine that is busy a single one takes longer than that.
    while fake.calls("squeue") == before {
        assert!(begun.elapsed() < Duration::from_secs(60), "nobody looks at 500 runs");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let looks = fake.calls("squeue") - before;
    let most = begun.elapsed().as_millis() as usize / 200 + 2;
    assert!(looks <= most, "{looks} looks in {:?} for 500 runs", begun.elapsed());
    assert!(fake.calls("sbatch") < 250, "{} submissions for 500 runs", fake.calls("sbatch"));
    cancel.cancel();
    for launch in launches {
        assert_eq!(launch.await.unwrap(), Err(LaunchError::Cancelled));
    }
    assert!(fake.calls("scancel") < 100, "{} calls to cancel 500 runs", fake.calls("scancel"));
    assert_eq!((submitted(), fake.left()), (0, Vec::new()));
}
