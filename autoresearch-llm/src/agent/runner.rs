//! Where an agent runs.

use super::Secrets;
use autoresearch_core::{ProposeError, async_trait};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What an agent is to work on.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct AgentJob<'a> {
    /// The folder to work in: the candidate's files and the prompt. What is there when the agent has ended counts.
    pub folder: &'a Path,
    /// The file with the prompt, in that folder.
    pub prompt: &'a Path,
    /// An empty folder of its own: a home for an agent that is not given the user's.
    pub home: &'a Path,
    /// An empty folder of its own, for temporary files.
    pub temporary: &'a Path,
}

/// How an agent ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AgentEnd {
    /// It said that all is well.
    Finished,
    /// It said that something is not, or was ended by somebody else: its exit code or signal, in words.
    Failed(String),
    /// It took longer than this limit, and was ended.
    TimedOut(Duration),
    /// It was started, and it or something that it started could not be ended: why, in words. It may still run, and write.
    Unended(String),
}

/// What is left of an agent that has ended.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AgentRun {
    /// How it ended.
    pub end: AgentEnd,
    /// The end of what it printed on standard output, without secrets.
    pub stdout: String,
    /// The end of what it printed on standard error, without secrets.
    pub stderr: String,
    /// How many processes it had left running, which were ended.
    pub left_behind: usize,
}

impl AgentRun {
    /// An agent that ended in this way and printed nothing.
    pub fn new(end: AgentEnd) -> Self {
        Self { end, stdout: String::new(), stderr: String::new(), left_behind: 0 }
    }
}

/// Runs a coding agent: [`LocalAgent`](super::LocalAgent) as a process of this machine, others elsewhere or in a sandbox.
///
/// When `run` returns, nothing that the agent has started runs any more or can still write to the folder, unless it says
/// [`AgentEnd::Unended`].
///
/// # Cancel safety
/// Dropping the future ends the agent and all that it has started.
#[async_trait]
pub trait AgentRunner: Send + Sync {
    /// A name for it, in errors and accounts.
    fn name(&self) -> &str;

    /// Runs the agent to its end.
    ///
    /// # Errors
    /// It could not be started. Whatever comes after that is an [`AgentEnd`]: a call that began has a price.
    async fn run(&self, job: AgentJob<'_>) -> Result<AgentRun, ProposeError>;

    /// What the agent knows that must be in no proposal, remark or error. Asked for after each run.
    fn secrets(&self) -> Secrets {
        Secrets::default()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<A: AgentRunner + ?Sized> AgentRunner for Arc<A> {
    fn name(&self) -> &str {
        (**self).name()
    }
    async fn run(&self, job: AgentJob<'_>) -> Result<AgentRun, ProposeError> {
        (**self).run(job).await
    }
    fn secrets(&self) -> Secrets {
        (**self).secrets()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<A: AgentRunner + ?Sized> AgentRunner for Box<A> {
    fn name(&self) -> &str {
        (**self).name()
    }
    async fn run(&self, job: AgentJob<'_>) -> Result<AgentRun, ProposeError> {
        (**self).run(job).await
    }
    fn secrets(&self) -> Secrets {
        (**self).secrets()
    }
}
