//! Objects, read through one process that stays.

use super::{Git, GitError, Oid, text};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::PoisonError;

/// Questions that are asked before their answers are read: they fit into a pipe, so that neither side waits for the other.
const AT_ONCE: usize = 256;

/// A running `git cat-file --batch`.
pub(super) struct Reader {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Reader {
    fn start(git: &Git) -> Result<Self, GitError> {
        let failed = |why: std::io::Error| GitError::new(format!("git cat-file cannot be started: {why}"));
        let mut command = git.command();
        command.args(["cat-file", "--batch"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(failed)?;
        let (Some(questions), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(GitError::new("git cat-file has no pipes"));
        };
        Ok(Self { child, questions, answers: BufReader::with_capacity(1 << 16, answers) })
    }

    fn ask(&mut self, names: &[&Oid]) -> std::io::Result<()> {
        let asked: String = names.iter().map(|name| format!("{name}\n")).collect();
        self.questions.write_all(asked.as_bytes())?;
        self.questions.flush()
    }

    /// The next answer; nothing where there is no such object.
    fn answer(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let mut head = String::new();
        if self.answers.read_line(&mut head)? == 0 {
            return Err(std::io::Error::other("git cat-file ended"));
        }
        let mut words = head.split_whitespace().skip(1);
        let (kind, size) = (words.next(), words.next());
        let Some(size) = size.and_then(|size| size.parse::<usize>().ok()).filter(|_| kind != Some("missing"))
        else {
            return Ok(None);
        };
        let mut content = vec![0; size];
        self.answers.read_exact(&mut content)?;
        let mut end = [0];
        self.answers.read_exact(&mut end)?;
        Ok(Some(content))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Git {
    /// Hands each object's content on, in the given order.
    ///
    /// # Errors
    /// An object is not there, git cannot be asked, or `with` refuses one.
    pub(crate) fn read_each<'a>(
        &self,
        names: impl IntoIterator<Item = &'a Oid>,
        mut with: impl FnMut(usize, Vec<u8>) -> Result<(), GitError>,
    ) -> Result<(), GitError> {
        let names: Vec<&Oid> = names.into_iter().collect();
        let mut held = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let mut reader = match held.take() {
            Some(reader) => reader,
            None => Reader::start(self)?,
        };
        let failed = |why: std::io::Error| GitError::new(format!("git cat-file: {why}"));
        let mut done = 0;
        for some in names.chunks(AT_ONCE) {
            reader.ask(some).map_err(failed)?;
            for name in some {
                let content = reader.answer().map_err(failed)?;
                let content = content.ok_or_else(|| GitError::new(format!("there is no object {name}")))?;
                with(done, content)?;
                done += 1;
            }
        }
        // Only one that is in step with its questions is kept.
        *held = Some(reader);
        Ok(())
    }

    /// The content of one object.
    pub(crate) fn read(&self, name: &Oid) -> Result<Vec<u8>, GitError> {
        let mut found = Vec::new();
        self.read_each([name], |_, content| {
            found = content;
            Ok(())
        })?;
        Ok(found)
    }

    /// Whether there is such an object.
    pub(crate) fn has(&self, name: &Oid) -> bool {
        let asked = self.output(&["cat-file", "-e", name.as_str()], &[]);
        asked.is_ok_and(|output| output.status.success())
    }

    /// The one object that an expression names, if it names one.
    pub(crate) fn resolve(&self, expression: &str) -> Option<Oid> {
        let words = ["rev-parse", "--verify", "--quiet", "--end-of-options", expression];
        let output = self.output(&words, &[]).ok().filter(|output| output.status.success())?;
        Oid::new(&text(output.stdout).ok()?).ok()
    }
}
