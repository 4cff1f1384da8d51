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

/// Right in most things: on top of the local one, with one mistake.
#[cfg(target_os = "linux")]
struct Mistaken<F>(autoresearch_jobs::LocalProcess, F);

#[cfg(target_os = "linux")]
#[async_trait]
impl<F: Fn(&mut JobId, &mut Job, &mut Watch) + Send + Sync> Launcher for Mistaken<F> {
    async fn launch(&self, id: &JobId, job: &Job, watch: &Watch) -> Result<JobExit, LaunchError> {
        let (mut id, mut job, mut watch) = (id.clone(), job.clone(), watch.clone());
        (self.1)(&mut id, &mut job, &mut watch);
        self.0.launch(&id, &job, &watch).await
    }
}

#[cfg(target_os = "linux")]
type Mistake = fn(&mut JobId, &mut Job, &mut Watch);

#[cfg(target_os = "linux")]
#[tokio::test]
async fn single_mistakes_are_found() {
    let mistakes: [(Mistake, &str); 5] = [
        (|_, job, _| job.inherit = ["CARGO_MANIFEST_DIR".into()].into(), "too many"),
        (|_, job, _| job.files_out = Vec::new(), "are to be collected"),
        (|_, job, _| job.resources.options.clear(), "no-such-option-anywhere"),
        (
            |_, _, watch| watch.cancel = autoresearch_core::Cancellation::new(),
            "that was cancelled before it began",
        ),
        (|id, _, _| id.run = RunId(id.run.0 * 1000 + u64::from(id.attempt)), "goes on"),
    ];
    for (mistake, expected) in mistakes {
        let root = tempfile::tempdir().unwrap();
        let local = autoresearch_jobs::LocalProcess::new().folder(root.path());
        let said = verdict(move || Mistaken(local.clone(), mistake)).await;
        assert!(said.contains(expected), "{expected}: {said}");
    }
}
