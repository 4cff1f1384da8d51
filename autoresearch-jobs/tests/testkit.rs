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
    use autoresearch_jobs::LocalProcess;
    use std::process::{Child, Command};
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
        let found = mistakes.map(|((before, after), expected)| {
            (found(move |local| Mistaken(local, before, after)), expected)
        });
        for (found, expected) in found {
            let said = found.join().unwrap();
            assert!(said.contains(expected), "{expected}: {said}");
        }
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
