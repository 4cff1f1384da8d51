//! The study: builder and async driver over the state machine.
//!
//! `builder` puts a study together, `open` brings state and store into agreement, `driver` performs actions, `tasks` are
//! the pieces of user code that it starts, `take` feeds back what ended, `desk` keeps outputs and observers in order,
//! `people` hears
//! what people want of the backlog, through a handle or `backlog_file`, `tally` counts, `report` is what comes out.

mod backlog_file;
mod builder;
mod desk;
mod driver;
mod error;
mod open;
mod people;
mod report;
mod spans;
mod take;
mod tally;
mod tasks;

pub use builder::Study;
pub use error::StudyError;
pub use people::BacklogHandle;
pub use report::{KeptEdit, Report};
