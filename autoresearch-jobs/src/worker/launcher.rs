//! Where workers run unless it is said.

use crate::launch::Launcher;
#[cfg(not(target_os = "linux"))]
use crate::{JobExit, JobId, LaunchError, Watch, job::Job};
#[cfg(not(target_os = "linux"))]
use autoresearch_core::async_trait;
use std::sync::Arc;

#[cfg(target_os = "linux")]
pub(super) fn default_launcher() -> Arc<dyn Launcher> {
    Arc::new(crate::LocalProcess::new())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn default_launcher() -> Arc<dyn Launcher> {
    Arc::new(NoneYet)
}

/// What there is before [`WorkerExecutor::on`] where there are no local processes.
#[cfg(not(target_os = "linux"))]
struct NoneYet;

#[cfg(not(target_os = "linux"))]
#[async_trait]
impl Launcher for NoneYet {
    async fn launch(&self, _id: &JobId, _job: &Job, _watch: &Watch) -> Result<JobExit, LaunchError> {
        Err(LaunchError::setup(
            "workers as processes of this machine need Linux; say with `.on(…)` where they are to run",
        ))
    }
}
