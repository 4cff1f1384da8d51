//! Who proposes, as a task file says it.

use super::spec::TaskSpec;
use super::units::CommandLine;
use super::{Task, limits};
use crate::TaskError;
use crate::tree::GitTree;
use autoresearch_core::Proposer;
use autoresearch_llm::{Anthropic, ChatModel, CommandProposer, LlmProposer, LocalAgent, OpenAiCompatible};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// Who proposes: an agent's command line, or, where none is named, the language model that the environment names.
///
/// ```
/// let spec = autoresearch_repo::TaskSpec::parse(r#"
///     repository = "."
///     editable   = ["train.py"]
///     run        = "python train.py"
///     objective  = { line = "val_bpb:", direction = "minimize" }
///     [proposer]
///     agent = ["my-agent", "--edit", "--prompt", "{prompt}"]
///     env   = ["MY_AGENT_KEY"]
/// "#, "/home/me/project")?;
/// assert!(spec.proposer.agent.is_some());
/// # Ok::<(), autoresearch_repo::TaskError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table that says who proposes, as in `{ agent = [\"my-agent\", \"{prompt}\"] }`"
)]
pub struct ProposerSpec {
    /// A coding agent's command: it starts in a folder with the candidate's files and edits them. `{prompt}` stands for the file
    /// with its prompt (`PROMPT.md` of that folder), `{folder}` for the folder. It runs with the rights of the user, in no sandbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<CommandLine>,
    /// The agent reads its prompt from standard input, too.
    pub stdin: bool,
    /// Variables of this process that the agent gets, such as `HOME` or the one with its key.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// At most so many minutes a call (30).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minutes: Option<f64>,
    /// What a call of the agent costs at most, in the currency of `study.money`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// A text file with goals, constraints and hints for whoever proposes; in a task file relative to the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<PathBuf>,
}

/// Variables that name a model, by the interface that it speaks.
const OPENAI: [&str; 3] = ["AUTORESEARCH_LLM_URL", "OPENAI_BASE_URL", "OPENAI_API_KEY"];
const ANTHROPIC: &str = "ANTHROPIC_API_KEY";

const NOBODY: &str = "nobody proposes: name an agent in the task file (`[proposer]` with `agent = [\"my-agent\", \"--prompt\", \
                      \"{prompt}\"]`), or a language model in the environment (AUTORESEARCH_LLM_URL and AUTORESEARCH_LLM_MODEL, \
                      with its key in AUTORESEARCH_LLM_KEY; or OPENAI_API_KEY and OPENAI_MODEL; or ANTHROPIC_API_KEY and \
                      ANTHROPIC_MODEL)";

impl ProposerSpec {
    pub(super) fn problem(&self) -> Option<(&'static str, String)> {
        if let Some(problem) = self.agent.as_ref().and_then(|agent| agent.problem()) {
            return Some(("proposer.agent", problem.into()));
        }
        if self.minutes.is_some_and(|minutes| !limits::is_time(minutes)) {
            return Some(("proposer.minutes", "give a number above 0, or leave it out".into()));
        }
        let bad = self.cost.is_some_and(|cost| !(cost.is_finite() && cost >= 0.0));
        bad.then(|| ("proposer.cost", "give a number of 0 or more, or leave it out".into()))
    }
}

impl Task {
    /// Whoever the task's file names ([`ProposerSpec`]), or else the language model of the environment: `AUTORESEARCH_LLM_URL`,
    /// `OPENAI_BASE_URL` or `OPENAI_API_KEY` ([`OpenAiCompatible::from_env`]), or `ANTHROPIC_API_KEY` ([`Anthropic::from_env`]).
    ///
    /// # Errors
    /// Nobody is named, with what to write; or the program text cannot be read, or the variables make no sense.
    pub fn proposer(&self) -> Result<Box<dyn Proposer<GitTree>>, TaskError> {
        let (spec, said) = (self.spec(), &self.spec().proposer);
        let program = said.program.as_ref().map(|path| {
            std::fs::read_to_string(path).map_err(|why| {
                let text = format!("{} cannot be read ({why}); write it, or leave it out", path.display());
                spec.wrong("proposer.program", text)
            })
        });
        let program = program.transpose()?.unwrap_or_default();
        if let Some(agent) = &said.agent {
            let made = CommandProposer::new(local(agent, said), spec.editable.iter().cloned());
            let made = made.map_err(|why| spec.wrong("editable", why.to_string()))?;
            return Ok(Box::new(made.program(program).costs(said.cost.unwrap_or(0.0))));
        }
        Ok(Box::new(LlmProposer::new(model(spec)?, self.codec()).program(program)))
    }
}

fn local(agent: &CommandLine, said: &ProposerSpec) -> LocalAgent {
    // What stands in braces is filled in by the agent's runner.
    let mut words = agent.words(&[], &[]).into_iter();
    let mut local = LocalAgent::new(words.next().unwrap_or_default()).args(words);
    local = said.env.iter().fold(local, |local, name| local.env(name));
    if said.stdin {
        local = local.prompt_on_stdin();
    }
    match said.minutes {
        Some(minutes) => local.limit(Duration::from_secs_f64(minutes * 60.0)),
        None => local,
    }
}

fn model(spec: &TaskSpec) -> Result<Box<dyn ChatModel>, TaskError> {
    let is_set = |name: &str| std::env::var(name).is_ok_and(|value| !value.trim().is_empty());
    let wrong = |why: autoresearch_llm::ChatError| spec.wrong("proposer", why.to_string());
    if OPENAI.into_iter().any(is_set) {
        return Ok(Box::new(OpenAiCompatible::from_env().map_err(wrong)?));
    }
    if is_set(ANTHROPIC) {
        return Ok(Box::new(Anthropic::from_env().map_err(wrong)?));
    }
    Err(spec.wrong("proposer", NOBODY))
}
