//! Why there is no exit to speak of.

use autoresearch_core::RunFailure;

/// Why a launch gave no [`JobExit`](crate::JobExit). None of these is the job's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// Something is missing or asked for wrongly, and will be so the next time: a program that is not installed, a limit
    /// that the platform does not have. The message says what, and what to do.
    #[error("{0}")]
    Setup(String),
    /// Node, disk, network, or another process that holds the same run. Trying again later may help.
    #[error("{0}")]
    Infrastructure(String),
    /// It was told to stop.
    #[error("cancelled")]
    Cancelled,
}

impl LaunchError {
    /// A mistake in the set-up.
    pub fn setup(message: impl Into<String>) -> Self {
        Self::Setup(message.into())
    }

    /// A failure of the infrastructure.
    pub fn infrastructure(message: impl Into<String>) -> Self {
        Self::Infrastructure(message.into())
    }

    pub(crate) fn io(what: impl std::fmt::Display) -> impl FnOnce(std::io::Error) -> Self {
        move |why| Self::Infrastructure(format!("{what}: {why}"))
    }
}

/// Never the candidate's fault: no verdict may depend on it. A mistake in the set-up stops a study of which no run has worked
/// yet.
impl From<LaunchError> for RunFailure {
    fn from(error: LaunchError) -> Self {
        match error {
            LaunchError::Cancelled => Self::cancelled(),
            LaunchError::Setup(message) => Self::setup(message),
            LaunchError::Infrastructure(message) => Self::infrastructure(message),
        }
    }
}
