//! What every launcher must do, as a function that tests call in one line. It panics with what is wrong.
//!
//! ```no_run
//! use autoresearch_jobs::{LocalProcess, testkit::conformance};
//! # async fn test() {
//! conformance::launcher(LocalProcess::new).await;
//! # }
//! ```

mod bounds;
mod drivers;
mod ends;
mod fields;

use crate::error::LaunchError;
use crate::exit::{Ended, JobExit};
use crate::id::JobId;
use crate::job::Job;
use crate::launch::{Launcher, Watch};
use autoresearch_core::{Cancellation, RunId};
use std::fs;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(300);

/// Checks a launcher against the contract of [`Launcher`], with some forty small jobs of `/bin/sh` and the usual tools.
///
/// * Exits, signals and output are told, with the place, the time and the memory that a job took; `SIGTERM`, `SIGINT` and `SIGHUP`
///   end a process of the job that does not catch them.
/// * What a job says is done, or refused as [`LaunchError::Setup`], and never left out: files in of each kind, files out,
///   its folder, files for its output, lines while it runs, what it may read and write, CPUs and GPUs.
/// * Nothing is collected through a link; the job's folder is empty at the start and gone at the end.
/// * The environment is what the job says: nothing of the driver's that is not on its list, and all that is.
/// * Each limit (wall-clock and CPU time, memory, address space, output, file size, disk, processes) ends a job and is named in its
///   exit, or is refused; so is what makes no sense.
/// * A job that ends, is cancelled or whose launch is dropped has nothing running any more: no child, none with a session of its own,
///   none whose parents are gone.
/// * Attempts at a run do not run at once; runs do. Of two drivers with a launcher each (`make` is called twice) that make one
///   run, the first of which has fallen asleep, one is refused or takes the other's job over: no two jobs are at work at once, and
///   one result is given. What becomes of the jobs of a driver that was killed, a test in one process cannot see: that
///   takes a process of its own, which the test kills.
///
/// The launcher and its jobs must share the system's temporary folder, or the folder that `AUTORESEARCH_CONFORMANCE_DIR` names. Each
/// step gets five minutes. A memory limit is tried with 200 MB, of which a launcher that has none may take that much.
///
/// # Panics
/// The launcher breaks the contract; the message says how.
pub async fn launcher<L: Launcher + 'static>(make: impl Fn() -> L) {
    all(make, true).await;
}

/// The same for a launcher that does not know of other living drivers, and says so where it is documented: of those that make one
/// run at once, several may get the result of its one job.
///
/// # Panics
/// The launcher breaks the contract; the message says how.
pub async fn launcher_of_one_driver<L: Launcher + 'static>(make: impl Fn() -> L) {
    all(make, false).await;
}

async fn all<L: Launcher + 'static>(make: impl Fn() -> L, one_result: bool) {
    let check = Check { launcher: Arc::new(make()), folder: Folder::new(), study: name() };
    check.exits_are_told().await;
    check.exits_say_what_was_used().await;
    check.signals_are_as_a_command_expects_them().await;
    check.what_cannot_be_started_is_named().await;
    check.files_and_environment().await;
    check.files_of_each_kind_are_there().await;
    check.a_folder_that_is_named_is_used_and_kept().await;
    check.nothing_is_there_before_or_afterwards().await;
    check.environment_is_what_the_job_says().await;
    check.lines_are_told().await;
    check.output_goes_to_its_files().await;
    check.limits_end_jobs().await;
    check.what_is_collected_is_bounded().await;
    check.limits_may_be_as_large_as_numbers_are().await;
    check.nonsense_is_refused().await;
    check.what_is_not_there_is_not_left_out().await;
    check.nothing_outlives_its_job().await;
    check.stopped_jobs_stop(true).await;
    check.stopped_jobs_stop(false).await;
    check.attempts_exclude_each_other().await;
    check.a_later_driver_is_never_beside_an_earlier_one(make(), one_result).await;
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
        assert!(exit.stderr.contains("complained"), "standard error is not told: {exit:?}");
        assert!(exit.wall_seconds >= 0.0 && exit.wall_seconds.is_finite(), "{exit:?}");
        let exit = self.ended(1, &sh("exit 3")).await;
        assert_eq!((exit.ended, exit.limit), (Ended::Status(3), None), "status 3 is not told");
        let exit = self.ended(1, &sh("kill -SEGV $$")).await;
        let shell = Ended::Status(128 + 11);
        assert!([Ended::Signal(11), shell].contains(&exit.ended), "SIGSEGV is not told: {exit:?}");
        assert!(exit.failure().is_some(), "a crash is no failure");
    }

    async fn signals_are_as_a_command_expects_them(&self) {
        for signal in ["TERM", "INT", "HUP"] {
            let script = format!("/bin/sh -c 'kill -{signal} $$; sleep 1; exit 5'; [ $? -gt 128 ]");
            let exit = self.ended(1, &sh(&script)).await;
            assert!(exit.success(), "a process of the job is not ended by SIG{signal}: {exit:?}");
        }
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
