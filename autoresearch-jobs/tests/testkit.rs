//! The suite for launchers finds what is wrong with one.
#![allow(clippy::unwrap_used)]

use autoresearch_core::{RunId, async_trait};
use autoresearch_jobs::testkit::{FakeLauncher, conformance};
use autoresearch_jobs::{Ended, Job, JobExit, JobId, LaunchError, Launcher, Watch};

/// What the suite says of a launcher.
async fn verdict<L: Launcher + 'static>(make: impl Fn() -> L + Send + 'static) -> String {
    // A panic on the way to a future that is not `Send` stays on this thread.
    let local = tokio::task::LocalSet::new();
    let verdict =
        local.run_until(async { tokio::task::spawn_local(conformance::launcher(make)).await }).await;
    let panic = verdict.expect_err("a broken launcher was let through").into_panic();
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap()
}

#[tokio::test]
async fn a_launcher_that_launches_nothing_is_found_out() {
    let well = || FakeLauncher::answering(|_, _, _| Ok(JobExit::new(Ended::Status(0))));
    assert!(verdict(well).await.contains("standard output is not told"));
    let fails = || FakeLauncher::exits([Err(LaunchError::infrastructure("away"))]);
    assert!(verdict(fails).await.contains("away"));
}

#[tokio::test]
async fn a_fake_launcher_answers_one_launch_while_it_answers_another() {
    let meeting = std::sync::Arc::new(std::sync::Barrier::new(2));
    let fake = FakeLauncher::answering(move |_, _, _| {
        meeting.wait();
        Ok(JobExit::new(Ended::Status(0)))
    });
    let launches = [1, 2].map(|run| {
        let (fake, runtime) = (fake.clone(), tokio::runtime::Handle::current());
        let launch = async move {
            fake.launch(&JobId::new("fake", RunId(run), 0), &Job::new(["true"]), &Watch::default()).await
        };
        std::thread::spawn(move || runtime.block_on(launch))
    });
    for launch in launches {
        assert!(launch.join().unwrap().unwrap().success());
    }
    assert_eq!(fake.launched().len(), 2);
}

#[cfg(target_os = "linux")]
mod mistaken {
    use super::*;
    use autoresearch_jobs::{FileIn, LocalProcess};
    use std::collections::BTreeMap;
    use std::process::{Child, Command};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    type Before = fn(&mut JobId, &mut Job, &mut Watch);
    type After = fn(&Job, &mut JobExit);

    /// Right in most things: on top of the local one, with one mistake, made before a launch or in its exit.
    struct Mistaken(LocalProcess, Before, After);

    #[async_trait]
    impl Launcher for Mistaken {
        async fn launch(&self, id: &JobId, job: &Job, watch: &Watch) -> Result<JobExit, LaunchError> {
            let (mut id, mut job, mut watch) = (id.clone(), job.clone(), watch.clone());
            (self.1)(&mut id, &mut job, &mut watch);
            let mut exit = self.0.launch(&id, &job, &watch).await?;
            (self.2)(&job, &mut exit);
            Ok(exit)
        }
    }

    fn local() -> (tempfile::TempDir, LocalProcess) {
        let root = tempfile::tempdir().unwrap();
        let local = LocalProcess::new().folder(root.path());
        (root, local)
    }

    fn soon(job: &mut Job) {
        job.limits.wall_clock = Some(Duration::from_secs(5));
    }

    /// In a folder that nobody takes away.
    fn in_a_folder_that_stays(job: &mut Job) {
        job.folder.get_or_insert_with(|| tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap().keep());
    }

    const NOTHING: (Before, After) = (|_, _, _| {}, |_, _| {});

    fn says(script: &str) -> impl Fn(&Job) -> bool {
        move |job| job.command.iter().any(|word| word.contains(script))
    }

    #[test]
    fn each_mistake_is_found() {
        let before = |mistake: Before| (mistake, NOTHING.1);
        let after = |mistake: After| (NOTHING.0, mistake);
        let mistakes = [
            (before(|_, job, _| job.inherit = ["CARGO_MANIFEST_DIR".into()].into()), "too many"),
            (before(|_, job, _| job.files_out = Vec::new()), "are to be collected"),
            (before(|_, job, _| job.limits.collected = None), "more is collected than may be"),
            (after(|_, exit| exit.not_collected.clear()), "what is not collected is not told"),
            (
                before(|_, job, _| {
                    if job.command == ["no-such-program-anywhere"] {
                        job.command = vec!["false".into()];
                    }
                }),
                "is not named",
            ),
            (before(|_, job, _| job.resources.options.clear()), "no-such-option-anywhere"),
            (
                before(|_, _, watch| watch.cancel = autoresearch_core::Cancellation::new()),
                "that was cancelled before it began",
            ),
            (before(|id, _, _| id.run = RunId(id.run.0 * 1000 + u64::from(id.attempt))), "goes on"),
            (before(|_, job, _| in_a_folder_that_stays(job)), "is still there"),
            (
                before(|_, job, _| {
                    let others =
                        std::env::vars().map(|(name, _)| name).filter(|name| name != "CARGO_MANIFEST_DIR");
                    job.inherit.extend(others.filter(|name| name.starts_with("CARGO_")));
                }),
                "of the driver's environment, which is not on its list",
            ),
            (before(|_, job, _| job.inherit.clear()), "which the job inherits, is not there"),
            (
                before(|_, job, _| {
                    if job.limits.cpu_time.take().is_some() {
                        soon(job);
                    }
                }),
                "limit of CPU time",
            ),
            (
                before(|_, job, _| {
                    if job.limits.memory.take().is_some() {
                        soon(job);
                    }
                }),
                "limit of memory",
            ),
            (
                before(|_, job, _| {
                    if job.limits.output.take().is_some() {
                        soon(job);
                    }
                }),
                "limit of output",
            ),
            (
                before(|_, job, _| {
                    if job.limits.file_size.take().is_some() {
                        soon(job);
                    }
                }),
                "limit of file size",
            ),
            (
                after(|job, exit| {
                    exit.limit =
                        exit.limit.filter(|_| job.limits.cpu_time.is_some() || job.limits.memory.is_some());
                }),
                "limit of wall-clock time",
            ),
            (
                after(|_, exit| {
                    if exit.files == ["out/a"] {
                        exit.files.push("out/b".into());
                    }
                }),
                "links are neither collected nor followed",
            ),
            (
                after(|job, exit| {
                    if says("kill -SEGV")(job) {
                        exit.ended = Ended::Status(0);
                    }
                }),
                "SIGSEGV is not told",
            ),
        ];
        all_are_found(mistakes);
    }

    fn all_are_found<const N: usize>(mistakes: [((Before, After), &'static str); N]) {
        let found = mistakes.map(|((before, after), expected)| {
            (found(move |local| Mistaken(local, before, after)), expected)
        });
        for (found, expected) in found {
            let said = found.join().unwrap();
            assert!(said.contains(expected), "{expected}: {said}");
        }
    }

    #[test]
    fn whatever_of_a_job_is_left_out_is_found() {
        let before = |mistake: Before| (mistake, NOTHING.1);
        all_are_found([
            (
                before(|_, job, _| (job.stdout, job.stderr) = (None, None)),
                "standard output is not in the file",
            ),
            (before(|_, job, _| job.stderr = None), "standard error is not in the file"),
            (before(|_, _, watch| *watch = Watch::new(&watch.cancel)), "is to be told once"),
            (
                before(|_, _, watch| {
                    let told = watch.clone();
                    *watch = Watch::new(&told.cancel).lines(move |line| {
                        told.tell(line);
                        told.tell(line);
                    });
                }),
                "is to be told once",
            ),
            (before(|_, job, _| job.folder = None), "does not run in the folder that it names"),
            (
                before(|_, job, _| {
                    job.files_in.retain(|_, file| !matches!(file, FileIn::Bytes(_)));
                }),
                "a file of bytes",
            ),
            (
                before(|_, job, _| job.files_in.retain(|_, file| !matches!(file, FileIn::At(_)))),
                "the copy of a program",
            ),
            (
                before(|_, job, _| {
                    for file in job.files_in.values_mut() {
                        if let FileIn::At(path) = file
                            && let Ok(bytes) = std::fs::read(&*path)
                        {
                            *file = FileIn::Bytes(bytes);
                        }
                    }
                }),
                "or does not run",
            ),
            (
                before(|_, job, _| {
                    if job.limits.disk.take().is_some() {
                        soon(job);
                    }
                }),
                "limit of disk space",
            ),
            (
                before(|_, job, _| {
                    if job.limits.processes.take().is_some() {
                        soon(job);
                    }
                }),
                "limit of processes",
            ),
            (before(|_, job, _| job.limits.address_space = None), "limit of address space is not kept"),
            (before(|_, job, _| job.resources.gpus = 0), "asks for a million GPUs"),
            (before(|_, job, _| job.resources.cpus = None), "asks for a million CPUs"),
        ]);
    }

    #[test]
    fn whatever_an_exit_does_not_tell_is_found() {
        let after = |mistake: After| (NOTHING.0, mistake);
        all_are_found([
            (after(|_, exit| exit.stderr.clear()), "standard error is not told"),
            (after(|_, exit| exit.place.clear()), "the place where the job ran"),
            (after(|_, exit| exit.cpu_seconds = None), "the processor time"),
            (after(|_, exit| exit.cpu_seconds = Some(0.0)), "the processor time"),
            (after(|_, exit| exit.peak_memory = None), "of memory that the job used"),
            (after(|_, exit| exit.wall_seconds = 0.0), "its elapsed time"),
            (
                after(|_, exit| {
                    exit.stdout = exit.stdout.lines().take(100).map(|line| format!("{line}\n")).collect();
                }),
                "of long output the end is told",
            ),
            (
                after(|job, exit| {
                    if let Some(folder) = &job.folder {
                        std::fs::remove_file(folder.join("left")).unwrap();
                        exit.files.clear();
                    }
                }),
                "is not left as the job has left it",
            ),
        ]);
    }

    /// Knows nothing of other drivers' jobs: its locks are in a place of its own.
    #[test]
    fn a_launcher_that_knows_nothing_of_other_drivers_is_found() {
        let found = found(|_| LocalProcess::new().folder(local().0.keep()));
        assert!(found.join().unwrap().contains("beside the job of an earlier one"));
    }

    type Results = BTreeMap<JobId, tokio::sync::watch::Receiver<Option<Result<JobExit, LaunchError>>>>;

    /// Takes over a job of its driver or of another one, and gives its result to both.
    #[derive(Clone)]
    struct Generous(LocalProcess, Arc<Mutex<Results>>);

    #[async_trait]
    impl Launcher for Generous {
        async fn launch(&self, id: &JobId, job: &Job, watch: &Watch) -> Result<JobExit, LaunchError> {
            if !says("$D/count")(job) {
                return self.0.launch(id, job, watch).await;
            }
            let mut result = self
                .1
                .lock()
                .unwrap()
                .entry(id.clone())
                .or_insert_with(|| {
                    let (local, id, job) = (self.0.clone(), id.clone(), job.clone());
                    let (tell, told) = tokio::sync::watch::channel(None);
                    tokio::spawn(async move {
                        tell.send_replace(Some(local.launch(&id, &job, &Watch::default()).await));
                    });
                    told
                })
                .clone();
            let told = result.wait_for(Option::is_some).await.unwrap().clone();
            told.unwrap()
        }
    }

    #[test]
    fn a_launcher_that_gives_one_result_to_two_drivers_is_found() {
        let all = Arc::default();
        let found = found(move |local| Generous(local, Arc::clone(&all)));
        assert!(found.join().unwrap().contains("two drivers have got a result of one run"));
    }

    /// Ends the job of a driver that sleeps and says that it has its result, before there is one.
    #[test]
    fn a_launcher_that_makes_results_up_is_found() {
        struct Hasty(LocalProcess, AtomicBool);
        #[async_trait]
        impl Launcher for Hasty {
            async fn launch(&self, id: &JobId, job: &Job, watch: &Watch) -> Result<JobExit, LaunchError> {
                match self.1.load(Ordering::SeqCst) && says("$D/count")(job) {
                    true => Ok(JobExit::new(Ended::Status(0))),
                    false => self.0.launch(id, job, watch).await,
                }
            }
        }
        let made = AtomicBool::new(false);
        let found = found(move |local| Hasty(local, AtomicBool::new(made.swap(true, Ordering::SeqCst))));
        assert!(found.join().unwrap().contains("whose job has not ended"));
    }

    /// Ends the job and forgets one that it has started.
    struct Forgetful {
        local: LocalProcess,
        /// The file that the forgotten one counts in.
        file: &'static str,
        forgotten: Arc<Forgotten>,
    }

    #[derive(Default)]
    struct Forgotten(Mutex<Vec<Child>>);

    impl Drop for Forgotten {
        fn drop(&mut self) {
            for child in self.0.get_mut().unwrap() {
                child.kill().unwrap();
                child.wait().unwrap();
            }
        }
    }

    #[async_trait]
    impl Launcher for Forgetful {
        async fn launch(&self, id: &JobId, job: &Job, watch: &Watch) -> Result<JobExit, LaunchError> {
            if says(&format!("/{}\"", self.file))(job) {
                let beat = format!("while sleep 0.05; do date +%N >{}/{}; done", job.env["D"], self.file);
                self.forgotten
                    .0
                    .lock()
                    .unwrap()
                    .push(Command::new("sh").args(["-c", &beat]).spawn().unwrap());
            }
            self.local.launch(id, job, watch).await
        }
    }

    #[test]
    fn each_process_that_is_forgotten_is_found() {
        let files = [
            ("child", "left behind as a child"),
            ("child-lonely", "left behind alone"),
            ("cancelled", "was cancelled goes on"),
            ("cancelled-lonely", "was cancelled goes on"),
            ("dropped", "was dropped goes on"),
        ];
        let found = files.map(|(file, expected)| {
            let forgotten = Arc::default();
            (found(move |local| Forgetful { local, file, forgotten: Arc::clone(&forgotten) }), expected)
        });
        for (found, expected) in found {
            let said = found.join().unwrap();
            assert!(said.contains(expected), "{expected}: {said}");
        }
    }

    /// What the suite says, on a thread of its own, since most of the time nothing happens.
    fn found<L: Launcher + 'static>(
        make: impl Fn(LocalProcess) -> L + Send + 'static,
    ) -> std::thread::JoinHandle<String> {
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let (_root, local) = local();
            runtime.block_on(verdict(move || make(local.clone())))
        })
    }
}
