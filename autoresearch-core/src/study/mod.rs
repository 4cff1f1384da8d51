//! The study: builder and async driver over the state machine.
//!
//! `builder` puts a study together, `open` brings state and store into agreement, `driver` performs actions,
//! `tasks` are the pieces of user code it starts, `tally` counts, `report` is what comes out.

mod builder;
mod desk;
mod driver;
mod error;
mod open;
mod report;
mod tally;
mod tasks;

pub use builder::Study;
pub use error::StudyError;
pub use report::{KeptEdit, Report};
