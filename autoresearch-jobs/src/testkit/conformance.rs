//! What every launcher must do, as a function that tests call in one line. It panics with what is wrong.
//!
//! ```no_run
//! use autoresearch_jobs::{LocalProcess, testkit::conformance};
//! # async fn test() {
//! conformance::launcher(LocalProcess::new).await;
//! # }
//! ```

use crate::error::LaunchError;
use crate::exit::{Ended, JobExit};
use crate::id::JobId;
use crate::job::Job;
use crate::launch::{Launcher, Watch};
use crate::limits::LimitKind;
use autoresearch_core::{Cancellation, RunId};
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// Checks a launcher against the contract of [`Launcher`], with two dozen small jobs of `/bin/sh` and the usual tools.
///
/// * Exits, signals and output are told.
/// * Files go in and out, and nothing through a link; the job's folder is empty at the start and gone at the end.
/// * The environment is what the job says: nothing of the driver's that is not on its list, and all that is.
/// * Each limit (wall-clock and CPU time, memory, output, file size) ends a job and is named in its exit, or is refused as
///   [`LaunchError::Setup`]; so is what makes no sense.
/// * A job that ends, is cancelled or whose launch is dropped has nothing running any more: no child, none with a session of its own,
///   none whose parents are gone.
/// * Attempts at a run do not run at once; runs do.
///
/// The launcher and its jobs must share the system's temporary folder, or the folder that `AUTORESEARCH_CONFORMANCE_DIR` names. Each
/// step gets two minutes. A memory limit is tried with 200 MB, of which a launcher that has none may take that much.
///
/// # Panics
/// The launcher breaks the contract; the message says how.
pub async fn launcher<L: Launcher + 'static>(make: impl Fn() -> L) {
    let check = Check { launcher: Arc::new(make()), folder: Folder::new(), study: name() };
    check.exits_are_told().await;
    check.files_and_environment().await;
    check.nothing_is_there_before_or_afterwards().await;
    check.environment_is_what_the_job_says().await;
    check.limits_end_jobs().await;
    check.nonsense_is_refused().await;
    check.nothing_outlives_its_job().await;
    check.stopped_jobs_stop(true).await;
    check.stopped_jobs_stop(false).await;
    check.attempts_exclude_each_other().await;
    check.runs_go_side_by_side().await;
}

struct Check<L> {
    launcher: Arc<L>,
    folder: Folder,
    study: String,
}

/// Deleted in the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let base =
            std::env::var_os("AUTORESEARCH_CONFORMANCE_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
        let folder = base.join(name());
        fs::create_dir_all(&folder).unwrap_or_else(|why| panic!("cannot make {}: {why}", folder.display()));
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn name() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("conformance-{}-{}", std::process::id(), since.as_nanos())
}

fn sh(script: &str) -> Job {
    Job::new(["/bin/sh", "-c", script])
}

async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    let in_time = tokio::time::timeout(PATIENCE, work).await;
    in_time.unwrap_or_else(|_| panic!("{what}: nothing within {PATIENCE:?}"))
}

/// Waits until something is so.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    in_time(what, async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

/// A script that lives on, and shows it: it counts in the file `name` of the folder `$D`, in a background process.
fn beating(name: &str) -> String {
    format!("{}\n{}\necho up; wait", beat(name, "("), beat(&lonely(name), LONELY))
}

/// Goes on in the background, and counts in the file.
fn beat(name: &str, how: &str) -> String {
    let count = format!("i=0; while :; do i=$((i+1)); echo $i >\"$D/{name}\"; sleep 0.05; done");
    match how {
        LONELY => format!("{LONELY}'{count}' & )"),
        how => format!("{how}{count}) &"),
    }
}

/// What starts it so that it has no parent any more, and a session of its own where the system can make one.
const LONELY: &str = "(set -- /bin/sh -c; command -v setsid >/dev/null && set -- setsid \"$@\"; \"$@\" ";

/// The file of the one that is alone.
fn lonely(name: &str) -> String {
    format!("{name}-lonely")
}

impl<L: Launcher + 'static> Check<L> {
    fn id(&self, run: u64) -> JobId {
        JobId::new(&self.study, RunId(run), 0)
    }

    async fn launch(&self, run: u64, job: &Job) -> Result<JobExit, LaunchError> {
        let (id, watch) = (self.id(run), Watch::default());
        in_time(&job.to_string(), self.launcher.launch(&id, job, &watch)).await
    }

    async fn ended(&self, run: u64, job: &Job) -> JobExit {
        self.launch(run, job)
            .await
            .unwrap_or_else(|why| panic!("`{job}` ended somehow, and the launch gave: {why}"))
    }

    async fn exits_are_told(&self) {
        let exit = self.ended(1, &sh("echo said; echo complained >&2")).await;
        assert!(exit.success(), "a job that ended well is no success: {exit:?}");
        assert!(exit.stdout.contains("said"), "standard output is not told: {exit:?}");
        assert!(
            exit.stderr.contains("complained") || exit.stdout.contains("complained"),
            "standard error is not told: {exit:?}"
        );
        assert!(exit.wall_seconds >= 0.0 && exit.wall_seconds.is_finite(), "{exit:?}");
        let exit = self.ended(1, &sh("exit 3")).await;
        assert_eq!((exit.ended, exit.limit), (Ended::Status(3), None), "status 3 is not told");
        let exit = self.ended(1, &sh("kill -SEGV $$")).await;
        let shell = Ended::Status(128 + 11);
        assert!([Ended::Signal(11), shell].contains(&exit.ended), "SIGSEGV is not told: {exit:?}");
        assert!(exit.failure().is_some(), "a crash is no failure");
    }

    async fn files_and_environment(&self) {
        let into = self.folder.0.join("collected");
        let script = "cat in/a.txt; echo \"[$GIVEN][$CARGO_MANIFEST_DIR][$HOME]\"; mkdir out; echo 1 >out/b.txt; echo 2 >c.txt; exit 1";
        let job =
            sh(script).file("in/a.txt", "hello ").env("GIVEN", "a b").collect(["out/*.txt", "none"], &into);
        let exit = self.ended(2, &job).await;
        assert!(
            exit.stdout.contains("hello [a b][]["),
            "files or variables are not there, or too many: {exit:?}"
        );
        let home = std::env::var("HOME").unwrap_or_else(|_| "/".into());
        assert!(!exit.stdout.contains(&format!("[{home}]")), "the job's HOME is the driver's");
        assert_eq!(
            exit.files,
            ["out/b.txt"],
            "the files that match are to be collected, also of a job that failed"
        );
        let text = fs::read_to_string(into.join("out/b.txt")).unwrap_or_default();
        assert_eq!(text, "1\n", "the collected file");
        assert!(!into.join("c.txt").exists(), "what was not asked for is collected");
        let again = self.ended(2, &sh("ls -A")).await;
        assert_eq!(again.stdout.trim(), "", "the job's folder is not empty at the start");
    }

    async fn limits_end_jobs(&self) {
        let minute = Duration::from_secs(60);
        // Held for a while, so that those who look from time to time see it; of all commands only the one that holds it decides.
        let large = "(head -c 200000000 /dev/zero; sleep 2) | tail -c 190000000 >/dev/null";
        let cases = [
            (LimitKind::WallClock, sh("sleep 600").wall_clock(Duration::from_secs(1))),
            (LimitKind::CpuTime, sh("while :; do :; done").cpu_time(Duration::from_secs(1))),
            (LimitKind::Memory, sh(large).memory(64 << 20)),
            (LimitKind::Output, sh("while :; do echo 0123456789; done").output(1000)),
            (LimitKind::FileSize, sh("exec head -c 1000000 /dev/zero >big").file_size(100_000)),
        ];
        // All at once: they end after some seconds each.
        let launches = cases.into_iter().zip(20..).map(|((limit, mut job), run)| {
            job.limits.wall_clock.get_or_insert(minute);
            let (launcher, id) = (Arc::clone(&self.launcher), self.id(run));
            (limit, tokio::spawn(async move { launcher.launch(&id, &job, &Watch::default()).await }))
        });
        for (limit, launched) in launches.collect::<Vec<_>>() {
            let launched = in_time(&format!("a job with a limit of {limit}"), launched).await;
            match launched.unwrap_or_else(|why| panic!("{why}")) {
                Ok(exit) => {
                    assert_eq!(
                        exit.limit,
                        Some(limit),
                        "the limit of {limit} is not kept, or not named: {exit:?}"
                    );
                    assert!(
                        exit.failure().is_some(),
                        "a job that was ended by its limit of {limit} is no failure"
                    );
                }
                Err(LaunchError::Setup(_)) => {}
                Err(why) => panic!("a limit of {limit} gave: {why}"),
            }
        }
        let within =
            sh("head -c 1000 /dev/zero >small; echo said").output(1000).file_size(100_000).memory(64 << 20);
        match self.launch(3, &within.cpu_time(minute).wall_clock(minute)).await {
            Ok(exit) => assert!(exit.success(), "a job that is within its limits: {exit:?}"),
            Err(LaunchError::Setup(_)) => {}
            Err(why) => panic!("limits gave: {why}"),
        }
    }

    async fn nothing_is_there_before_or_afterwards(&self) {
        let script = "ls -A; echo \"[$PWD][$HOME][$TMPDIR]\"; : >a; mkdir -p d/d && : >d/d/b; chmod 0 d/d d";
        let exit = self.ended(7, &sh(script)).await;
        assert!(exit.stdout.starts_with("[/"), "the job's folder is not empty at the start: {exit:?}");
        for folder in exit.stdout.trim().trim_matches(['[', ']']).split("][") {
            assert!(
                !Path::new(folder).exists(),
                "the folder {folder} of a job that has ended is still there"
            );
        }
        let into = self.folder.0.join("links");
        let script =
            "mkdir out; echo 1 >out/a; ln -s /etc/passwd out/b; ln -s /etc out/c; ln -s \"$PWD/out\" d";
        let exit = self.ended(7, &sh(script).collect(["out/**", "d/*"], &into)).await;
        assert_eq!(exit.files, ["out/a"], "links are neither collected nor followed");
        for name in ["out/b", "out/c", "d"] {
            let found = fs::symlink_metadata(into.join(name));
            assert!(found.is_err(), "links are neither collected nor followed, and {name} was");
        }
    }

    async fn environment_is_what_the_job_says(&self) {
        // What shells set by themselves, what each job has, and what tells of the user, which engines may set alike.
        const KNOWN: [&str; 16] = [
            "PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "HOME", "TMPDIR", "PWD", "OLDPWD", "SHLVL", "_",
            "USER", "LOGNAME", "SHELL", "TERM", "MAIL",
        ];
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let plain =
            |name: &String| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let of_driver: Vec<(String, String)> = std::env::vars_os()
            .filter_map(text)
            .filter(|(name, value)| plain(name) && !KNOWN.contains(&&**name) && !value.contains('\n'))
            .collect();
        let handed = of_driver.iter().find(|(name, _)| !name.starts_with(|c: char| c.is_ascii_digit()));
        let job = Job::new(["env"]).inherit(handed.map(|(name, _)| name)).env("GIVEN", "a b");
        let exit = self.ended(9, &job).await;
        let seen: Vec<&str> = exit.stdout.lines().collect();
        assert!(seen.contains(&"GIVEN=a b"), "a variable is not there: {seen:?}");
        for variable in &of_driver {
            let (name, value) = variable;
            let is_there = seen.contains(&&*format!("{name}={value}"));
            if handed == Some(variable) {
                // Of long output the end is kept.
                assert!(is_there || exit.stdout.len() > 4000, "{name}, which the job inherits, is not there");
            } else {
                assert!(
                    !is_there,
                    "the job has {name} of the driver's environment, which is not on its list"
                );
            }
        }
    }

    async fn nonsense_is_refused(&self) {
        let none: [&str; 0] = [];
        for job in
            [Job::new(none), sh("true").file("../up", ""), sh("true").option("no-such-option-anywhere", "1")]
        {
            let refused = self.launch(4, &job).await;
            assert!(matches!(refused, Err(LaunchError::Setup(_))), "{job:?} gave {refused:?}");
        }
        let cancel = Cancellation::new();
        cancel.cancel();
        let job = sh("echo 1 >\"$D/started\"").env("D", self.shared()).writable(&self.folder.0);
        let (id, watch) = (self.id(4), Watch::new(&cancel));
        let launch = self.launcher.launch(&id, &job, &watch);
        let gave = in_time("a launch that was cancelled before", launch).await;
        assert_eq!(gave, Err(LaunchError::Cancelled), "a launch that was cancelled before it began");
        assert!(!self.folder.0.join("started").exists(), "a job that was cancelled before was started");
    }

    fn shared(&self) -> String {
        self.folder.0.display().to_string()
    }

    async fn stopped_jobs_stop(&self, by_cancelling: bool) {
        let how = if by_cancelling { "cancelled" } else { "dropped" };
        let (beat, cancel) = (self.folder.0.join(how), Cancellation::new());
        let job = sh(&beating(how)).env("D", self.shared()).writable(&self.folder.0);
        let (launcher, id, watch) = (Arc::clone(&self.launcher), self.id(5), Watch::new(&cancel));
        let launch = tokio::spawn(async move { launcher.launch(&id, &job, &watch).await });
        let lonely = self.folder.0.join(lonely(how));
        until("a job that was started", || beat.exists() && lonely.exists() || launch.is_finished()).await;
        assert!(!launch.is_finished(), "a job that goes on is said to have ended: {:?}", launch.await);
        if by_cancelling {
            cancel.cancel();
            let gave = in_time("a launch that was cancelled", launch).await;
            assert!(
                matches!(gave, Ok(Err(LaunchError::Cancelled))),
                "a launch that was cancelled gave {gave:?}"
            );
        } else {
            launch.abort();
            let _ = in_time("a launch that was dropped", launch).await;
        }
        // The run can be made again at once, and by then nothing of the old one is left.
        let again = self.ended(5, &sh("true")).await;
        assert!(again.success(), "after a job was {how}: {again:?}");
        stands_still(&beat, how).await;
        stands_still(&lonely, how).await;
    }

    async fn nothing_outlives_its_job(&self) {
        let (child, alone) = (self.folder.0.join("child"), self.folder.0.join("child-lonely"));
        let wait = "while ! test -s \"$D/child\" || ! test -s \"$D/child-lonely\"; do sleep 0.02; done";
        let script = format!("{}\n{}\n{wait}", beat("child", "("), beat("child-lonely", LONELY));
        let job = sh(&script).env("D", self.shared()).writable(&self.folder.0);
        let exit = self.ended(8, &job).await;
        assert!(exit.success(), "a job that leaves processes behind: {exit:?}");
        stands_still(&child, "left behind as a child when its parent ended").await;
        stands_still(&alone, "left behind alone, with a session of its own, when its job ended").await;
    }

    async fn attempts_exclude_each_other(&self) {
        let (first, second) = (self.folder.0.join("first"), self.folder.0.join("second"));
        let shared = |name: &str| sh(&beating(name)).env("D", self.shared()).writable(&self.folder.0);
        let cancel = Cancellation::new();
        let launch = |attempt: u32, job: Job| {
            let (launcher, watch) = (Arc::clone(&self.launcher), Watch::new(&cancel));
            let id = JobId::new(&self.study, RunId(6), attempt);
            tokio::spawn(async move { launcher.launch(&id, &job, &watch).await })
        };
        let one = launch(0, shared("first"));
        until("the first attempt", || first.exists() || one.is_finished()).await;
        // Refused while the first is running, or only begun when that is ended.
        let two = launch(1, shared("second"));
        until("the second attempt", || second.exists() || two.is_finished()).await;
        if second.exists() {
            stands_still(&first, "replaced by a second attempt").await;
        } else {
            assert!(!one.is_finished(), "a second attempt was refused, and the first ended by it");
        }
        cancel.cancel();
        for attempt in [one, two] {
            let gave = in_time("an attempt that was cancelled", attempt).await;
            assert!(matches!(gave, Ok(Err(_))), "an attempt that was cancelled gave {gave:?}");
        }
        stands_still(&first, "cancelled").await;
    }

    async fn runs_go_side_by_side(&self) {
        let job = |run: u64| sh(&format!("echo {run}")).file("a", run.to_string());
        let launches = (10..18).map(|run| {
            let (launcher, id, job) = (Arc::clone(&self.launcher), self.id(run), job(run));
            let launched = tokio::spawn(async move { launcher.launch(&id, &job, &Watch::default()).await });
            (run, launched)
        });
        for (run, launched) in launches.collect::<Vec<_>>() {
            let exit = in_time("one of eight runs", launched).await.unwrap_or_else(|why| panic!("{why}"));
            let exit = exit.unwrap_or_else(|why| panic!("one of eight runs: {why}"));
            assert_eq!(exit.stdout.trim(), run.to_string(), "a run has got the output of another");
        }
    }
}

/// What was stopped does not count on.
async fn stands_still(beat: &Path, how: &str) {
    let before = fs::read_to_string(beat).unwrap_or_default();
    // Several times the beat. What is dead stays so however slow the machine is.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let after = fs::read_to_string(beat).unwrap_or_default();
    assert_eq!(before, after, "something of a job that was {how} goes on");
}
