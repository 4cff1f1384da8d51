//! Why a study could not go on.

use crate::state::StateError;
use crate::store::StoreError;

/// Why a study could not go on. What was stored until then is safe: opening the store again resumes it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StudyError {
    /// The store refused or failed.
    #[error("the store: {0}")]
    Store(#[from] StoreError),
    /// A fact or a stored history that does not fit the study.
    #[error("{0}")]
    State(#[from] StateError),
}
