//! Where a test may end this process: between every two steps of a launch that stay behind on a disk.

/// What names the step at which the process is killed.
#[cfg(feature = "testkit")]
const KILL_AT: &str = "AUTORESEARCH_TEST_KILL_AT";

/// A step was made. Only a test that names it in the environment ends the process here, as a power cut would.
#[cfg(feature = "testkit")]
pub(crate) fn made(step: &str) {
    use rustix::process::{Signal, getpid, kill_process};
    if std::env::var(KILL_AT).is_ok_and(|at| at == step) {
        let _ = kill_process(getpid(), Signal::KILL);
    }
}

/// A step was made.
#[cfg(not(feature = "testkit"))]
pub(crate) fn made(_: &str) {}
