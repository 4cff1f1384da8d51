//! Agents that run as processes of this machine.

use super::family::{Family, MARK};
use super::tail::{Tail, end_of};
use super::{AgentEnd, AgentJob, AgentRun, AgentRunner, Secrets};
use autoresearch_core::{ProposeError, async_trait};
use secrecy::{ExposeSecret, SecretString};
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Variables that every agent gets, where they are set.
const ALWAYS: [&str; 8] = ["PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "SystemRoot", "ComSpec", "PATHEXT"];
/// Variables that may be handed on and are no secrets.
const PLAIN: [&str; 4] = ["HOME", "USER", "LOGNAME", "SHELL"];
/// Bytes of output that are shown.
const SHOWN: usize = 4096;
/// How often new processes are taken note of.
const LOOK: Duration = Duration::from_millis(200);

/// A coding agent's command line, run on this machine.
///
/// ```
/// use autoresearch_llm::LocalAgent;
/// use std::time::Duration;
/// let agent = LocalAgent::new("claude")
///     .args(["-p", "--permission-mode", "acceptEdits"])
///     .prompt_on_stdin()
///     .env("ANTHROPIC_API_KEY")
///     .limit(Duration::from_secs(900));
/// ```
///
/// # What it gets
/// The folder of the code as its working directory; of the environment `PATH`, the language and time zone, and what
/// [`env`](Self::env) names; `HOME` and `TMPDIR` are empty folders that are deleted afterwards. It runs with all rights of
/// the user: what else it may read, change or reach is a matter for a sandbox, whose command line can stand before its
/// own (`bwrap … -- agent`).
///
/// # The end
/// When the command has ended, has taken too long, or the call is dropped, everything that it has started is ended, too:
/// on Linux also what has gone into another session or lost its parents; elsewhere its process group. It is killed, not
/// asked.
pub struct LocalAgent {
    program: OsString,
    args: Vec<String>,
    names: Vec<String>,
    values: Vec<(String, SecretString)>,
    stdin: bool,
    limit: Duration,
}

impl LocalAgent {
    /// The program, found in `PATH` or by its path; at most 30 minutes a call, and nothing on its standard input.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            names: Vec::new(),
            values: Vec::new(),
            stdin: false,
            limit: Duration::from_secs(30 * 60),
        }
    }

    /// Adds arguments. In each of them `{prompt}` stands for the path of the file with the prompt, and `{folder}` for that
    /// of the folder to work in. They can be seen by other users of the machine: no place for keys.
    #[must_use]
    pub fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Hands on a variable of this process's environment, such as the agent's key or `HOME`, as it is at each call.
    /// Its value is kept out of errors, remarks and proposals (but those of `HOME`, `USER`, `LOGNAME` and `SHELL`).
    #[must_use]
    pub fn env(mut self, name: impl Into<String>) -> Self {
        self.names.push(name.into());
        self
    }

    /// Sets a variable to this value, which is kept out of errors, remarks and proposals.
    #[must_use]
    pub fn secret(mut self, name: impl Into<String>, value: SecretString) -> Self {
        self.values.push((name.into(), value));
        self
    }

    /// The prompt is also what the command reads on its standard input.
    #[must_use]
    pub fn prompt_on_stdin(mut self) -> Self {
        self.stdin = true;
        self
    }

    /// The longest that a call may take.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    fn command(&self, job: &AgentJob<'_>) -> Result<Command, ProposeError> {
        // By its path it is meant from where this process stands, not from the agent's folder.
        let path = Path::new(&self.program);
        let mut command = match path.components().count() {
            1 => Command::new(path),
            _ => Command::new(std::path::absolute(path).unwrap_or_else(|_| path.into())),
        };
        let (prompt, folder) = (job.prompt.to_string_lossy(), job.folder.to_string_lossy());
        command.args(self.args.iter().map(|arg| fill(arg, &[("{prompt}", &prompt), ("{folder}", &folder)])));
        command.current_dir(job.folder).env_clear();
        let marks = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with(MARK));
        let always = ALWAYS.iter().filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?)));
        command.envs(always.chain(marks));
        command.env("HOME", job.home).env("TMPDIR", job.temporary).env("TMP", job.temporary);
        command.env("TEMP", job.temporary).env("NO_COLOR", "1");
        command.env("PYTHONDONTWRITEBYTECODE", "1"); // which would lie beside the code
        for name in &self.names {
            let value = std::env::var_os(name).ok_or_else(|| {
                ProposeError::new(format!(
                    "{name} is to be handed on to the agent `{}`, and is not set; set it, or leave out `.env({name:?})`",
                    self.name()
                ))
            })?;
            command.env(name, value);
        }
        command.envs(self.values.iter().map(|(name, value)| (name, value.expose_secret())));
        command.stdin(match self.stdin {
            true => File::open(job.prompt).map_err(|why| self.unstarted(&why))?.into(),
            false => Stdio::null(),
        });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(command)
    }

    fn unstarted(&self, why: &std::io::Error) -> ProposeError {
        let name = self.name();
        ProposeError::new(match why.kind() {
            std::io::ErrorKind::NotFound => {
                format!(
                    "the agent `{name}` is not installed, or not in PATH; install it or name it by its path"
                )
            }
            _ => format!("the agent `{name}` cannot be started: {why}"),
        })
    }
}

#[async_trait]
impl AgentRunner for LocalAgent {
    fn name(&self) -> &str {
        Path::new(&self.program).file_name().and_then(|name| name.to_str()).unwrap_or("agent")
    }

    async fn run(&self, job: AgentJob<'_>) -> Result<AgentRun, ProposeError> {
        let (command, started) = (self.command(&job)?, Instant::now());
        let folder = job.folder.parent().unwrap_or(job.folder);
        let mut family = Family::start(command, folder).map_err(|why| self.unstarted(&why))?;
        let (out, err) = family.pipes();
        let (out, err) = (out.map(Tail::of), err.map(Tail::of));
        let (mut pause, mut looked) = (Duration::from_millis(2), started);
        let mut end = loop {
            match family.status() {
                Ok(None) => {}
                Ok(Some(status)) if status.success() => break AgentEnd::Finished,
                Ok(Some(status)) => break AgentEnd::Failed(words(status)),
                Err(why) => break AgentEnd::Unended(why.to_string()),
            }
            let Some(left) = self.limit.checked_sub(started.elapsed()).filter(|left| !left.is_zero()) else {
                break AgentEnd::TimedOut(self.limit);
            };
            if looked.elapsed() >= LOOK {
                family.look();
                looked = Instant::now();
            }
            tokio::time::sleep(pause.min(left)).await;
            pause = (pause * 2).min(Duration::from_millis(50));
        };
        let ending = tokio::task::spawn_blocking(move || {
            let left_behind = family.end();
            let text =
                |tail: Option<Tail>| tail.map(|tail| tail.take(Duration::from_secs(1))).unwrap_or_default();
            (left_behind, text(out), text(err))
        });
        let (left_behind, stdout, stderr) = match ending.await {
            Ok(ended) => ended,
            Err(why) => (Err(std::io::Error::other(why)), String::new(), String::new()),
        };
        let left_behind = left_behind.unwrap_or_else(|why| {
            end = AgentEnd::Unended(why.to_string());
            0
        });
        let secrets = self.secrets();
        let show = |text: &str| end_of(&secrets.scrub(text), SHOWN).to_owned();
        Ok(AgentRun { end, stdout: show(&stdout), stderr: show(&stderr), left_behind })
    }

    fn secrets(&self) -> Secrets {
        let mut secrets = Secrets::default();
        for name in self.names.iter().filter(|name| !PLAIN.contains(&name.as_str())) {
            if let Ok(value) = std::env::var(name) {
                secrets.add(name, value.into());
            }
        }
        for (name, value) in &self.values {
            secrets.add(name, value.clone());
        }
        secrets
    }
}

/// Replaces each name by its text in one go: what a text holds is not looked at again.
fn fill(template: &str, texts: &[(&str, &str)]) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some(here) = rest.chars().next() {
        match texts.iter().find(|(name, _)| rest.starts_with(name)) {
            Some((name, text)) => {
                filled.push_str(text);
                rest = &rest[name.len()..];
            }
            None => {
                filled.push(here);
                rest = &rest[here.len_utf8()..];
            }
        }
    }
    filled
}

fn words(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("it was ended by signal {signal}");
    }
    status.code().map_or_else(|| "it failed".into(), |code| format!("it ended with exit code {code}"))
}

impl fmt::Debug for LocalAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = self.values.iter().map(|(name, _)| name);
        f.debug_struct("LocalAgent")
            .field("program", &self.program)
            .field("args", &self.args.len())
            .field("env", &self.names.iter().chain(values).collect::<Vec<_>>())
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_once() {
        let texts = [("{prompt}", "/a {folder}/P"), ("{folder}", "/f")];
        assert_eq!(fill("x{prompt}-{folder}-{other}{", &texts), "x/a {folder}/P-/f-{other}{");
    }

    #[test]
    fn debug_shows_names_and_no_values() {
        let agent = LocalAgent::new("x").args(["--key=abc"]).secret("KEY", SecretString::from("canary-0123"));
        let shown = format!("{agent:?}");
        assert!(shown.contains("KEY") && !shown.contains("canary") && !shown.contains("abc"), "{shown}");
    }
}
