//! The contract of everything that runs jobs.

use crate::error::LaunchError;
use crate::exit::JobExit;
use crate::id::JobId;
use crate::job::Job;
use autoresearch_core::{Cancellation, async_trait};
use std::fmt;
use std::sync::Arc;

type Lines = Arc<dyn Fn(&str) + Send + Sync>;

/// What a launch is watched with: a flag that ends it, and what is told of its output while it runs.
#[derive(Clone, Default)]
pub struct Watch {
    /// Goes up when the job is to be ended.
    pub cancel: Cancellation,
    lines: Option<Lines>,
}

impl Watch {
    /// Ends the job when the flag goes up.
    pub fn new(cancel: &Cancellation) -> Self {
        Self { cancel: cancel.clone(), lines: None }
    }

    /// Is told each line of standard output as it comes, where the launcher can see it while the job runs (without its
    /// line end; what is no UTF-8 is replaced; of a line above 64 KiB the beginning). Must be quick: other jobs wait for it.
    #[must_use]
    pub fn lines(mut self, told: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.lines = Some(Arc::new(told));
        self
    }

    /// Passes a line on. For those who write launchers.
    pub fn tell(&self, line: &str) {
        if let Some(told) = &self.lines {
            // It runs on a thread that others need as well.
            let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| told(line)));
            if told.is_err() {
                tracing::warn!("who was told a line of output panicked");
            }
        }
    }

    /// Whether anybody is told lines.
    pub fn wants_lines(&self) -> bool {
        self.lines.is_some()
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("cancel", &self.cancel).field("lines", &self.lines.is_some()).finish()
    }
}

/// Runs jobs to their end: on this machine, in a sandbox, on a cluster.
///
/// An implementation shows that it keeps the contract with `testkit::conformance::launcher`:
///
/// * A job that ended, however it did, is `Ok`. `Err` means that nothing is known of it, and is never the job's fault.
/// * A launch that ended, was cancelled or was dropped leaves no process, cluster job, scratch folder or lock behind, and a
///   job that was told to stop gives [`LaunchError::Cancelled`].
/// * Attempts at one run ([`JobId::run_key`]) never run at the same time. What an earlier launch left running, since its
///   process was killed, is adopted or ended before the next begins; of two results only the newer attempt's counts.
/// * A limit, resource or option that cannot be had is [`LaunchError::Setup`]. Nothing is left out in silence.
/// * The job's environment is what [`Job`] says and nothing else of the driver's.
///
/// # Cancel safety
/// Dropping the future ends the job and all its processes; this may take a moment of the thread that drops it.
#[async_trait]
pub trait Launcher: Send + Sync {
    /// Runs the job to its end.
    ///
    /// # Errors
    /// The job could not be started or was lost, for a reason that is not the job's; or it was told to stop.
    async fn launch(&self, id: &JobId, job: &Job, watch: &Watch) -> Result<JobExit, LaunchError>;
}

#[async_trait]
impl<L: Launcher + ?Sized> Launcher for Arc<L> {
    async fn launch(&self, id: &JobId, job: &Job, watch: &Watch) -> Result<JobExit, LaunchError> {
        (**self).launch(id, job, watch).await
    }
}

#[async_trait]
impl<L: Launcher + ?Sized> Launcher for Box<L> {
    async fn launch(&self, id: &JobId, job: &Job, watch: &Watch) -> Result<JobExit, LaunchError> {
        (**self).launch(id, job, watch).await
    }
}
