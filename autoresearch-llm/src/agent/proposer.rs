//! The proposer that lets an agent work.

use super::changes::{self, Changes};
use super::note::{self, NOTES};
use super::scratch::{Contents, Scratch, is_plain};
use super::wording::{said, seconds, some, stat};
use super::{AgentEnd, AgentJob, AgentRun, AgentRunner, Briefing, PlainBriefing, Secrets};
use crate::codec::CodecError;
use crate::codec::tree_difference;
use crate::tree::{Globs, SourceTree, TreeMerge};
use autoresearch_core::{
    Charge, Compose, Hypothesis, Proposal, ProposeContext, ProposeError, Proposed, Proposer, Source,
    async_trait,
};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// What becomes of changes to files that may not be changed, and of new files that are no text or too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Outside {
    /// They do not count, and a remark in the study's history names them.
    #[default]
    Ignore,
    /// The whole proposal is refused.
    Refuse,
}

/// Lets a coding agent work on a copy of the incumbent, and proposes what it changed.
///
/// Each call makes a temporary folder with the candidate's files and a prompt, runs the agent there, and reads the folder
/// back: changes to editable files are the proposal. A file `PROPOSAL.md` (or `.json`) that the agent leaves gives title,
/// rationale, expectation and tags; without it the title says which files changed. The folder is deleted afterwards.
///
/// A call that leads to no proposal is an error of the proposer, no trial: the agent failed, took too long, changed
/// nothing, or left something in an editable place that is no proposal (a link, no text, a key that it was given).
///
/// # Money
/// What an agent spends is not known here. [`costs`](Self::costs) sets aside and charges so much a call.
///
/// # Cancel safety
/// Dropping the future of `propose` ends the agent and all that it has started, and deletes the folder.
///
/// # Example
/// ```
/// use autoresearch_core::{ProposeContext, Proposed, Proposer};
/// use autoresearch_llm::{SourceTree, CommandProposer, LocalAgent};
/// use std::collections::BTreeMap;
/// use std::sync::Arc;
///
/// #[derive(Debug, Clone)]
/// struct Code(BTreeMap<String, Arc<str>>);
/// impl SourceTree for Code {
///     fn paths(&self) -> Vec<String> {
///         self.0.keys().cloned().collect()
///     }
///     fn text(&self, path: &str) -> Option<Arc<str>> {
///         self.0.get(path).cloned()
///     }
///     fn with(&self, changes: BTreeMap<String, Option<Arc<str>>>) -> Result<Self, String> {
///         let mut code = self.clone();
///         for (path, text) in changes {
///             match text {
///                 Some(text) => code.0.insert(path, text),
///                 None => code.0.remove(&path),
///             };
///         }
///         Ok(code)
///     }
/// }
///
/// # if cfg!(unix) {
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let code = Code([("train.py".to_owned(), "rate = 0.1\n".into())].into());
/// let agent = LocalAgent::new("sh").args(["-c", "echo 'rate = 0.2' > train.py; echo 'title: twice the rate' > PROPOSAL.md"]);
/// let mut proposer = CommandProposer::new(agent, ["train.py"])?.program("Make it learn faster.");
/// let Proposed::Proposals(proposals) = proposer.propose(ProposeContext::for_test(&code, 0)).await? else { panic!() };
/// assert_eq!(proposals[0].hypothesis.title, "twice the rate");
/// assert_eq!(&*proposals[0].candidate.0["train.py"], "rate = 0.2\n");
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct CommandProposer<C> {
    agent: Box<dyn AgentRunner>,
    editable: Globs,
    briefing: Box<dyn Briefing<C>>,
    prompt_name: String,
    base: Option<PathBuf>,
    outside: Outside,
    most: u64,
    costs: f64,
    git: bool,
}

/// Bytes of a note that are read.
const NOTE: u64 = 64 * 1024;
/// Bytes of the difference that is kept with a proposal.
const DIFFERENCE: usize = 2000;

impl<C: SourceTree> CommandProposer<C> {
    /// An agent that may change, add and delete the files that one of these globs matches: `train.py`, `src/**`, `*.py`;
    /// `*` stays within a folder. With the prompt of [`PlainBriefing`] in `PROMPT.md`, and files of at most 1 MiB.
    ///
    /// # Errors
    /// A glob that is none.
    pub fn new<G: Into<String>>(
        agent: impl AgentRunner + 'static,
        editable: impl IntoIterator<Item = G>,
    ) -> Result<Self, CodecError> {
        Ok(Self {
            agent: Box::new(agent),
            editable: Globs::new(editable).map_err(CodecError::new)?,
            briefing: Box::new(PlainBriefing::default()),
            prompt_name: "PROMPT.md".into(),
            base: None,
            outside: Outside::default(),
            most: 1 << 20,
            costs: 0.0,
            git: true,
        })
    }

    /// The user's own program: goals, constraints, hints, for [`PlainBriefing`].
    #[must_use]
    pub fn program(self, program: impl Into<String>) -> Self {
        self.briefing(PlainBriefing::new(program))
    }

    /// Another prompt.
    #[must_use]
    pub fn briefing(mut self, briefing: impl Briefing<C> + 'static) -> Self {
        self.briefing = Box::new(briefing);
        self
    }

    /// Another name for the file with the prompt, in the folder of the code: one that no file of the code has. Some agents
    /// read a file of their own (`CLAUDE.md`, `AGENTS.md`) without being told to.
    #[must_use]
    pub fn prompt_file(mut self, name: impl Into<String>) -> Self {
        self.prompt_name = name.into();
        self
    }

    /// Where the temporary folders are made; by default where the system has them.
    #[must_use]
    pub fn scratch_in(mut self, folder: impl Into<PathBuf>) -> Self {
        self.base = Some(folder.into());
        self
    }

    /// What becomes of changes that do not count: ignored unless told otherwise.
    #[must_use]
    pub fn outside(mut self, outside: Outside) -> Self {
        self.outside = outside;
        self
    }

    /// The most bytes that a changed file may have (more only if it had more before); 16 times as many for all together.
    #[must_use]
    pub fn largest_file(mut self, bytes: u64) -> Self {
        self.most = bytes;
        self
    }

    /// What a call costs at most, in the currency of [`Limits::money`](autoresearch_core::Limits::money): set aside
    /// before it and charged in full once the agent was started, whatever comes of it.
    #[must_use]
    pub fn costs(mut self, amount: f64) -> Self {
        self.costs = amount;
        self
    }

    /// The folder is no git repository. By default it is one, with one commit, where git is installed.
    #[must_use]
    pub fn without_git(mut self) -> Self {
        self.git = false;
        self
    }

    /// What an agent has to know whoever wrote the rest of the prompt.
    fn rules(&self) -> String {
        let editable: String = self.editable.written().iter().map(|glob| format!("- `{glob}`\n")).collect();
        format!(
            "\n\n# What may be changed\nThis folder is a copy of the code. These files may be changed, added or deleted:\n\
             {editable}Changes elsewhere count for nothing. Nobody will answer questions, and nothing that you start goes on \
             after you have ended.\n\n# When you are done\nLeave a file `{}` in this folder: its first line `title: ` \
             and one line that says what you changed, then an empty line and why it should help.\n",
            NOTES[0]
        )
    }

    fn contents(&self, code: &C, mut prompt: String) -> Result<Contents, ProposeError> {
        prompt.push_str(&self.rules());
        let texts = code.paths().into_iter().map(|path| {
            let text = code.text(&path).unwrap_or_default();
            (path, text)
        });
        let files: Vec<(String, Arc<str>)> = texts.collect();
        let name = &self.prompt_name;
        if name.contains('/') || !is_plain(name) || NOTES.contains(&name.as_str()) {
            return Err(ProposeError::new(format!(
                "`{name}` cannot be the file with the prompt; `prompt_file` takes a plain name"
            )));
        }
        if files.iter().any(|(path, _)| path == name) {
            return Err(ProposeError::new(format!(
                "the code has a file `{name}`, and the prompt is to be in one of that name; \
                 give it another with `prompt_file`"
            )));
        }
        let (base, prompt_name) = (self.base.clone(), name.clone());
        Ok(Contents { base, files, prompt_name, prompt, git: self.git })
    }

    fn judge(
        &self,
        cx: &ProposeContext<'_, C>,
        (changes, note): (Changes, Option<String>),
        (run, secrets): (&AgentRun, &Secrets),
    ) -> Result<Proposal<C>, ProposeError> {
        let name = self.agent.name();
        let failed = |why: String| ProposeError::new(secrets.scrub(&format!("the agent `{name}` {why}")));
        if !changes.outside.is_empty() {
            let paths = some(&changes.outside.iter().collect::<Vec<_>>());
            match self.outside {
                Outside::Refuse => return Err(failed(format!("changed what may not be changed: {paths}"))),
                Outside::Ignore => {
                    cx.remark(
                        secrets
                            .scrub(&format!("the agent `{name}` also changed {paths}, which does not count")),
                    );
                }
            }
        }
        if changes.edits.is_empty() {
            let said = said(run);
            return Err(failed(format!("changed nothing that may be changed; {said}")));
        }
        for (path, text) in &changes.edits {
            if let Some(key) =
                text.as_deref().and_then(|text| secrets.find(text)).or_else(|| secrets.find(path))
            {
                return Err(failed(format!(
                    "wrote the value of {key} into `{path}`; the proposal is thrown away"
                )));
            }
        }
        let stat = stat(cx.incumbent, &changes);
        let candidate = cx
            .incumbent
            .with(changes.edits)
            .map_err(|why| failed(format!("made changes that cannot be proposed: {why}")))?;
        let mut hypothesis = note.map_or_else(Hypothesis::default, |note| note::read(&secrets.scrub(&note)));
        if hypothesis.title.is_empty() {
            hypothesis.title = stat;
        }
        hypothesis.change = secrets.scrub(&tree_difference(cx.incumbent, &candidate, DIFFERENCE));
        hypothesis.source = Some(Source::proposer("agent").model(self.agent.name()));
        let mut proposal = Proposal::new(candidate);
        proposal.hypothesis = hypothesis;
        Ok(proposal)
    }
}

/// Reads the folder back.
fn harvest<C: SourceTree>(
    code: &C,
    (editable, most): (&Globs, u64),
    prompt: &str,
    scratch: &Scratch,
) -> Result<(Changes, Option<String>), String> {
    let folder = scratch.folder();
    // A note that is part of the code is no note.
    let notes: Vec<&str> = NOTES.into_iter().filter(|name| code.text(name).is_none()).collect();
    let own: Vec<&str> = [prompt].into_iter().chain(notes.iter().copied()).collect();
    let changes = changes::read(code, editable, &folder, &own, most)?;
    let note = notes.iter().find_map(|name| changes::small(&folder.join(name), NOTE));
    Ok((changes, note))
}

#[async_trait]
impl<C: SourceTree> Proposer<C> for CommandProposer<C> {
    async fn propose(&mut self, cx: ProposeContext<'_, C>) -> Result<Proposed<C>, ProposeError> {
        let name = self.agent.name().to_owned();
        let prompt = self.briefing.write(&cx);
        let contents = self.contents(cx.incumbent, prompt)?;
        let commitment = cx.commit(self.costs, &name)?;
        let made = tokio::task::spawn_blocking(move || Scratch::make(&contents)).await;
        let scratch = match made.unwrap_or_else(|why| Err(std::io::Error::other(why))) {
            Ok(scratch) => scratch,
            Err(why) => {
                commitment.release();
                return Err(ProposeError::new(format!(
                    "no folder can be made for the agent `{name}`: {why}"
                )));
            }
        };
        let (folder, home, temporary) = (scratch.folder(), scratch.home(), scratch.temporary());
        let job = AgentJob { folder: &folder, prompt: scratch.prompt(), home: &home, temporary: &temporary };
        let run = match self.agent.run(job).await {
            Ok(run) => run,
            // It was not started.
            Err(why) => {
                commitment.release();
                return Err(why);
            }
        };
        commitment.settle(Charge::new(self.costs, &name).used("calls", 1));
        let secrets = self.agent.secrets();
        if run.left_behind > 0 && run.end == AgentEnd::Finished {
            cx.remark(format!(
                "the agent `{name}` left {} processes running; they were ended",
                run.left_behind
            ));
        }
        let why = match &run.end {
            AgentEnd::Finished => None,
            AgentEnd::Failed(how) => Some(format!("failed: {how}")),
            AgentEnd::Unended(how) => Some(format!("could not be ended, and may go on: {how}")),
            AgentEnd::TimedOut(limit) => Some(format!("took longer than {}, and was ended", seconds(*limit))),
        };
        if let Some(why) = why {
            let text = format!("the agent `{name}` {why}; {}", said(&run));
            return Err(ProposeError::new(secrets.scrub(&text)));
        }
        let (code, prompt) = (cx.incumbent.clone(), self.prompt_name.clone());
        let (editable, most) = (self.editable.clone(), self.most);
        let harvest =
            tokio::task::spawn_blocking(move || harvest(&code, (&editable, most), &prompt, &scratch)).await;
        let harvest = harvest.unwrap_or_else(|why| Err(format!("its folder could not be read: {why}")));
        let harvest =
            harvest.map_err(|why| ProposeError::new(secrets.scrub(&format!("the agent `{name}`: {why}"))))?;
        Ok(self.judge(&cx, harvest, (&run, &secrets))?.into())
    }

    fn composer(&self) -> Option<Arc<dyn Compose<C>>> {
        Some(Arc::new(TreeMerge::within(self.editable.clone())))
    }
}

impl<C> fmt::Debug for CommandProposer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandProposer")
            .field("agent", &self.agent.name())
            .field("prompt_file", &self.prompt_name)
            .field("outside", &self.outside)
            .field("costs", &self.costs)
            .finish_non_exhaustive()
    }
}
