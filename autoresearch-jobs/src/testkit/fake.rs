//! A launcher that launches nothing.

use crate::error::LaunchError;
use crate::exit::JobExit;
use crate::id::JobId;
use crate::job::Job;
use crate::launch::{Launcher, Watch};
use autoresearch_core::async_trait;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Answer = dyn Fn(&JobId, &Job, &Watch) -> Result<JobExit, LaunchError> + Send + Sync;

/// Gives the exits that a test has written, and remembers what it was asked to launch. Clones share both.
///
/// ```
/// use autoresearch_core::RunId;
/// use autoresearch_jobs::testkit::FakeLauncher;
/// use autoresearch_jobs::{Ended, Job, JobExit, JobId, LaunchError, Launcher, Watch};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let lost = LaunchError::infrastructure("node lost");
/// let launcher = FakeLauncher::exits([Err(lost.clone()), Ok(JobExit::new(Ended::Status(0)))]);
/// let (id, job) = (JobId::new("doc", RunId(1), 0), Job::new(["true"]));
/// assert_eq!(launcher.launch(&id, &job, &Watch::default()).await, Err(lost));
/// assert!(launcher.launch(&id, &job, &Watch::default()).await?.success());
/// assert_eq!(launcher.launched(), [(id.clone(), job.clone()), (id, job)]);
/// # Ok::<(), LaunchError>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct FakeLauncher {
    launched: Arc<Mutex<Vec<(JobId, Job)>>>,
    answer: Arc<Answer>,
}

impl FakeLauncher {
    /// Gives these in their order, and then errors of the set-up.
    pub fn exits(exits: impl IntoIterator<Item = Result<JobExit, LaunchError>>) -> Self {
        let exits = Mutex::new(exits.into_iter().collect::<Vec<_>>().into_iter());
        Self::answering(move |id, _, _| {
            let none = || {
                Err(LaunchError::Setup(format!("{id} was launched, and the test has no exit left for it")))
            };
            let next = lock(&exits).next();
            next.unwrap_or_else(none)
        })
    }

    /// Gives what this says. It may write the files that the job is to leave behind, tell lines of output, and take its time:
    /// other launches are answered meanwhile.
    pub fn answering(
        answer: impl Fn(&JobId, &Job, &Watch) -> Result<JobExit, LaunchError> + Send + Sync + 'static,
    ) -> Self {
        Self { launched: Arc::default(), answer: Arc::new(answer) }
    }

    /// What was to be launched, in order.
    pub fn launched(&self) -> Vec<(JobId, Job)> {
        lock(&self.launched).clone()
    }
}

fn lock<T: ?Sized>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for FakeLauncher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeLauncher").field("launched", &lock(&self.launched).len()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Launcher for FakeLauncher {
    async fn launch(&self, id: &JobId, job: &Job, watch: &Watch) -> Result<JobExit, LaunchError> {
        job.check()?;
        if watch.cancel.is_cancelled() {
            return Err(LaunchError::Cancelled);
        }
        lock(&self.launched).push((id.clone(), job.clone()));
        (self.answer)(id, job, watch)
    }
}
