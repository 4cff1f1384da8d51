//! What became of proposals, as commits of the repository.

mod error;
mod finalize;
mod ledger;
mod message;
mod recorded;
mod recorder;
mod runs;
mod unit;

pub use error::HistoryError;
pub use finalize::Finalized;
pub(crate) use ledger::{branch, reference};
pub(crate) use message::About;
pub use recorded::Recorded;
pub(crate) use recorder::Recorder;
