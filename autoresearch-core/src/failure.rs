//! Why a run gave no measurement, and whose fault that is.

use crate::measure::MeasurementError;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Whose fault a failed run is. This alone decides what the study does about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The candidate's: it crashed, ran out of memory, gave no finite metric. Counts against the proposal.
    Candidate,
    /// Not the candidate's: node lost, disk full, HTTP 429. Retried with the same seed; never counts.
    Infrastructure,
    /// Nobody's: the run was told to stop. It is run again when the study goes on.
    Cancelled,
}

/// What went wrong, for reports and for proposers that learn from failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureKind {
    /// The run ended with an error, a panic or a bad exit status.
    Crash,
    /// It took longer than it was allowed.
    Timeout,
    /// It needed more memory than there is or than it was allowed.
    OutOfMemory,
    /// The metric is missing, not finite, or not of the expected shape.
    InvalidMetric,
    /// The candidate itself is not valid (a parameter out of range, say).
    InvalidCandidate,
    /// A constraint on another metric was broken.
    Constraint,
    /// The run touched what it must not touch.
    Tampering,
    /// The change does not apply to the candidate it was to be applied to.
    Conflict,
    /// Node, network, disk or quota.
    Infrastructure,
    /// What every run needs is not there or was asked for wrongly: a sandbox that is not installed, a worker of another
    /// name. Trying again changes nothing.
    Setup,
    /// Told to stop.
    Cancelled,
}

/// Why a run gave no measurement.
///
/// ```
/// use autoresearch_core::{Fault, FailureKind, RunFailure};
/// let failure = RunFailure::candidate("loss is NaN at step 17").kind(FailureKind::InvalidMetric);
/// assert_eq!(failure.fault(), Fault::Candidate);
/// assert!(failure.to_string().contains("step 17"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFailure {
    fault: Fault,
    kind: FailureKind,
    message: String,
}

impl RunFailure {
    /// The candidate's fault: counts against the proposal.
    pub fn candidate(message: impl Into<String>) -> Self {
        Self { fault: Fault::Candidate, kind: FailureKind::Crash, message: message.into() }
    }

    /// Not the candidate's fault: the run is repeated with the same seed.
    pub fn infrastructure(message: impl Into<String>) -> Self {
        Self { fault: Fault::Infrastructure, kind: FailureKind::Infrastructure, message: message.into() }
    }

    /// Not the candidate's fault either, and no run can work until somebody has mended it. A study that has not seen a single
    /// run work since it was started stops with [`StopReason::SetupFailed`](crate::StopReason::SetupFailed); later on this is
    /// one more run lost to the infrastructure.
    pub fn setup(message: impl Into<String>) -> Self {
        Self::infrastructure(message).kind(FailureKind::Setup)
    }

    /// The run stopped because it was told to.
    pub fn cancelled() -> Self {
        Self { fault: Fault::Cancelled, kind: FailureKind::Cancelled, message: "cancelled".into() }
    }

    /// Says more precisely what went wrong.
    #[must_use]
    pub fn kind(mut self, kind: FailureKind) -> Self {
        self.kind = kind;
        self
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        self.fault
    }

    /// What went wrong.
    pub fn what(&self) -> FailureKind {
        self.kind
    }

    /// Whether trying again changes nothing.
    pub(crate) fn is_setup(&self) -> bool {
        self.fault == Fault::Infrastructure && self.kind == FailureKind::Setup
    }

    /// The message, without the kind.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for RunFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fault {
            Fault::Candidate => write!(f, "{:?}: {}", self.kind, self.message),
            Fault::Infrastructure => write!(f, "infrastructure: {}", self.message),
            Fault::Cancelled => f.write_str("cancelled"),
        }
    }
}

impl std::error::Error for RunFailure {}

impl From<std::io::Error> for RunFailure {
    fn from(error: std::io::Error) -> Self {
        Self::infrastructure(error.to_string())
    }
}

/// A number that cannot be a measurement is the candidate's fault.
impl From<MeasurementError> for RunFailure {
    fn from(error: MeasurementError) -> Self {
        Self::candidate(error.to_string()).kind(FailureKind::InvalidMetric)
    }
}
