//! Coding agents as proposers: a command is let loose on a copy of the source tree, and what it changed is the proposal.

mod briefing;
mod changes;
mod family;
mod git;
#[cfg(target_os = "linux")]
mod kin;
mod local;
mod note;
#[cfg(target_os = "linux")]
mod proc;
mod proposer;
mod runner;
mod scratch;
mod secrets;
mod tail;
mod wording;

pub use briefing::{Briefing, PlainBriefing};
pub use local::LocalAgent;
pub use proposer::{CommandProposer, Outside};
pub use runner::{AgentEnd, AgentJob, AgentRun, AgentRunner};
pub use secrets::Secrets;
