//! x
mod bubblewrap;
mod error;
mod exit;
mod id;
mod job;
mod launch;
mod limits;
mod local;

pub use bubblewrap::Bubblewrap;
pub use error::LaunchError;
pub use exit::{Ended, JobExit};
pub use id::JobId;
pub use job::{FileIn, Job};
pub use launch::{Launcher, Watch};
pub use limits::{JobLimits, LimitKind, Resources};
pub use local::LocalProcess;
