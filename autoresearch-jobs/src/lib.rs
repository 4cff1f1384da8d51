//! Runs outside of this process: jobs with limits, what launches them, and executors whose every run is a process of its
//! own.
//!
//! | | |
//! |---|---|
//! | [`Job`] | a command, its files, its environment, what it may use |
//! | [`Launcher`] | runs a job to its [`JobExit`], here or elsewhere |
//! | [`LocalProcess`] | … as child processes of this one, with limits, and with an end for everything that they start |
//! | [`Bubblewrap`] | … the same behind a sandbox, for code that is not trusted |
//! | [`Slurm`] | … as jobs of a Slurm cluster |
//! | `RayJobs` (feature `ray`) | … on a Ray cluster, over its Jobs REST API |
//! | [`WorkerExecutor`] | makes each run of any executor in a process of this same program, on any launcher |
//! | `testkit` (feature) | `conformance::launcher`, which tells whether a launcher of your own keeps the contract; `FakeLauncher` |
//!
//! A study moves into processes of its own by one line:
//!
//! ```no_run
//! use autoresearch_core::{Proposal, RunContext, Study, evaluator_fn, executor_fn, Measurement};
//! # use autoresearch_core::{LocalSearch, ParamSpace, ParamSet};
//! use autoresearch_jobs::{WorkerExecutor, worker_main};
//! use std::time::Duration;
//!
//! fn main() {
//!     // In a worker this makes the run and ends the process; otherwise it does nothing.
//!     worker_main::<ParamSet, _>(trainer);
//!     let study = Study::new(
//!         ParamSet::new().with("lr", 0.1),
//!         LocalSearch::over(ParamSpace::new().log_float("lr", 1e-4..=1.0)),
//!         WorkerExecutor::new(trainer()).job(|job| job.memory(8 << 30).wall_clock(Duration::from_secs(600))),
//!         evaluator_fn(|loss: &f64| Ok(Measurement::scalar(*loss)?)),
//!     );
//!     # drop(study);
//! }
//!
//! fn trainer() -> impl autoresearch_core::Executor<ParamSet, Output = f64> {
//!     executor_fn(|recipe: ParamSet, run: RunContext| async move { Ok(run.seed as f64) /* train … */ })
//! }
//! ```
//!
//! # Whose fault
//! A job that ended is data ([`JobExit`]); [`JobExit::failure`] says whose fault it is. Limits, crashes and bad statuses are the
//! candidate's. What a launcher could not do is a [`LaunchError`] and never the candidate's, so that no verdict depends on it.
//!
//! # What stays behind
//! Nothing: a launch that ended, was cancelled or was dropped has no process, folder, control group or lock left. When this process
//! is killed, its locks go with it, and the next one that launches in the same folder ends what is still running and deletes what it
//! left.
//! On clusters the next one takes up the same launch or ends it; what is not clean there yet is listed in `docs/clusters.md`.
//!
//! # What it costs
//! On two cores with little else to do (load 2 to 2.5) and ext4 a launch adds 1.2 to 1.4 ms to the bare command (1.2 to 1.3 ms) and 2.0 to 2.2 ms where there are
//! limits, and a sandboxed one takes 1.20 times as long as the bare `bwrap` (6.5 to 7.6 ms); it is meant to stay below 3 ms and 1.3
//! times. A disk that others write to makes all of it slower. 200 jobs of a second on 8 places take 1.005 and 1.014 times the ideal
//! time, and of 2,000 runs nothing stays behind (`cargo xtask bench jobs`; medians of 300).

mod error;
mod exit;
mod id;
mod job;
mod launch;
mod limits;
mod worker;

#[cfg(target_os = "linux")]
mod bubblewrap;
#[cfg(target_os = "linux")]
mod cluster;
#[cfg(target_os = "linux")]
mod local;
#[cfg(feature = "ray")]
mod ray;
#[cfg(target_os = "linux")]
mod slurm;
#[cfg(target_os = "linux")]
mod step;
#[cfg(feature = "testkit")]
pub mod testkit;

/// Deleting what jobs have left.
#[cfg(target_os = "linux")]
pub mod disk {
    pub use crate::local::files::remove;
}

#[cfg(target_os = "linux")]
pub use bubblewrap::Bubblewrap;
pub use error::LaunchError;
pub use exit::{Ended, JobExit};
pub use id::JobId;
pub use job::{FileIn, Job};
pub use launch::{Launcher, Watch};
pub use limits::{JobLimits, LimitKind, Resources};
#[cfg(target_os = "linux")]
pub use local::LocalProcess;
#[cfg(feature = "ray")]
pub use ray::RayJobs;
#[cfg(target_os = "linux")]
pub use slurm::Slurm;
pub use worker::{WorkerExecutor, worker_main, worker_main_named};
