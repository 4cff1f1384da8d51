//! The git command line: the one place that starts it.
//!
//! Every call has a clean environment: no `GIT_*` of the caller, no configuration of the system or the user, no hooks, no
//! attributes of a working tree, no replaced objects. It works on objects and references, and never on a working tree or
//! an index: nothing that a candidate contains can make it run anything. The repository's own configuration, which its owner has
//! written, is read, but for merges, which it could change.

mod asked;
mod merge;
mod objects;
mod private;
mod reader;
mod refs;

pub(crate) use merge::Merged;
pub(crate) use objects::{Entry, Mode, TreeChange};
pub(crate) use refs::Message;

use asked::{asked, version};
use reader::Reader;
use std::ffi::OsStr;
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;

/// The oldest git with `merge-tree --write-tree`.
const OLDEST: (u32, u32) = (2, 38);
/// The first git whose `merge-tree` takes trees where commits were needed.
const MERGES_TREES: (u32, u32) = (2, 45);
/// What git takes for a tree without anything in it, in every repository with SHA-1 names.
const EMPTY_TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
/// The same with SHA-256 names.
const EMPTY_TREE_256: &str = "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321";

/// The name of an object: 40 or 64 hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Oid(Box<str>);

impl Oid {
    /// # Errors
    /// The text is no name of an object.
    pub(crate) fn new(text: &str) -> Result<Self, GitError> {
        let plain = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        match (plain, text.len()) {
            (true, 40 | 64) => Ok(Self(text.into())),
            _ => Err(GitError::new(format!("{text:?} is no name of a git object"))),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A call of git failed: which, and what it said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct GitError(String);

impl GitError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// A repository: its objects and references.
pub(crate) struct Git {
    /// What all of its working trees share.
    dir: PathBuf,
    version: (u32, u32),
    /// The name of a tree without anything in it.
    empty: &'static str,
    /// Who commits, as `(name, e-mail)`.
    who: (String, String),
    reader: Mutex<Option<Reader>>,
}

/// Where a repository is, and where it stands.
pub(crate) struct Found {
    pub(crate) git: Git,
    /// The top of the working tree; nothing in a bare repository.
    pub(crate) top: Option<PathBuf>,
    /// The commit that is checked out.
    pub(crate) head: Option<Oid>,
}

/// Files that an error names before it counts them.
const MOST_NAMED: usize = 5;

impl Git {
    /// Finds the repository that a folder is in.
    ///
    /// # Errors
    /// git is missing or too old, or the folder is in no repository.
    pub(crate) fn find(folder: &Path) -> Result<Found, GitError> {
        let version = version()?;
        let asked = |words: &[&str]| asked(folder, words);
        if !folder.is_dir() {
            let why =
                format!("there is no folder {}; name a git repository or a folder in one", folder.display());
            return Err(GitError::new(why));
        }
        let dir = asked(&["rev-parse", "--path-format=absolute", "--git-common-dir"])?;
        let top = asked(&["rev-parse", "--path-format=absolute", "--show-toplevel"]).ok();
        let head = Self::head(folder);
        let config = |key: &str| asked(&["config", "--get", key]).ok().filter(|text| !text.is_empty());
        let who = (
            config("user.name").unwrap_or_else(|| "autoresearch".into()),
            config("user.email").unwrap_or_else(|| "autoresearch@localhost".into()),
        );
        let long = asked(&["rev-parse", "--show-object-format"]).is_ok_and(|format| format == "sha256");
        let empty = if long { EMPTY_TREE_256 } else { EMPTY_TREE };
        let git = Self { dir: dir.into(), version, empty, who, reader: Mutex::new(None) };
        Ok(Found { git, top: top.map(PathBuf::from), head })
    }

    /// The commit that is checked out in a folder.
    pub(crate) fn head(folder: &Path) -> Option<Oid> {
        Self::commit_at(folder, "HEAD")
    }

    /// The commit that a revision means to somebody who is in this folder: each working tree has a `HEAD` of its own.
    pub(crate) fn commit_at(folder: &Path, revision: &str) -> Option<Oid> {
        let revision = format!("{revision}^{{commit}}");
        let words = ["rev-parse", "--verify", "--quiet", "--end-of-options", &revision];
        Oid::new(&asked(folder, &words).ok()?).ok()
    }

    /// What lies between two commits, as the end of a sentence.
    pub(crate) fn between(folder: &Path, from: &str, to: &str) -> Option<String> {
        let range = format!("{from}...{to}");
        let counts = asked(folder, &["rev-list", "--left-right", "--count", &range]).ok()?;
        let (left, right) = counts.trim().split_once('\t')?;
        let commits = |n: &str| format!("{n} commit{}", if n == "1" { "" } else { "s" });
        let ahead = match left {
            "0" => format!("{} later", commits(right)),
            left => {
                format!("on another line: {} of its own, and without {} of the base's", commits(right), left)
            }
        };
        let words = ["diff-tree", "-r", "-z", "--name-only", "--no-renames", from, to];
        let told = asked(folder, &words).ok()?;
        let files: Vec<&str> = told.split('\0').map(str::trim).filter(|path| !path.is_empty()).collect();
        let shown = files
            .iter()
            .take(MOST_NAMED)
            .map(|path| format!("`{}`", path.escape_debug()))
            .collect::<Vec<_>>()
            .join(", ");
        Some(match files.len() {
            0 => format!(", {ahead}, with the same files"),
            n if n > MOST_NAMED => {
                format!(", {ahead}, where {shown} and {} more files differ", n - MOST_NAMED)
            }
            _ => format!(", {ahead}, where {shown} differ{}", if files.len() == 1 { "s" } else { "" }),
        })
    }

    /// Tracked files of a working tree that differ from what is committed. Nothing is refreshed or written.
    pub(crate) fn uncommitted(top: &Path) -> Vec<String> {
        let told =
            asked(top, &["status", "--porcelain", "-z", "--untracked-files=no", "--ignore-submodules=all"]);
        let told = told.unwrap_or_default();
        let (mut lines, mut paths) = (told.split('\0'), Vec::new());
        while let Some(line) = lines.next() {
            paths.extend(line.get(3..).map(String::from));
            // Of what was renamed or copied the old path follows.
            if line.get(..2).is_some_and(|state| state.contains(['R', 'C'])) {
                lines.next();
            }
        }
        paths
    }

    /// The folder with objects and references.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    fn command(&self) -> Command {
        let mut command = Command::new("git");
        command.env_clear().current_dir(&self.dir);
        for name in ["PATH", "TMPDIR", "LD_LIBRARY_PATH"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("GIT_DIR", &self.dir)
            // No working tree of anybody's: there are no attributes in the repository's own folder.
            .env("GIT_WORK_TREE", &self.dir)
            .env("GIT_ATTR_SOURCE", self.empty)
            .envs([
                ("GIT_CONFIG_NOSYSTEM", "1"),
                ("GIT_CONFIG_GLOBAL", "/dev/null"),
                ("GIT_ATTR_NOSYSTEM", "1"),
                ("GIT_NO_REPLACE_OBJECTS", "1"),
                ("GIT_NO_LAZY_FETCH", "1"),
                ("GIT_OPTIONAL_LOCKS", "0"),
                ("GIT_TERMINAL_PROMPT", "0"),
                ("HOME", "/nonexistent"),
                ("LC_ALL", "C"),
            ])
            .env("GIT_AUTHOR_NAME", &self.who.0)
            .env("GIT_AUTHOR_EMAIL", &self.who.1)
            .env("GIT_COMMITTER_NAME", &self.who.0)
            .env("GIT_COMMITTER_EMAIL", &self.who.1);
        for setting in [
            "core.hooksPath=/dev/null",
            "core.fsmonitor=false",
            "core.attributesFile=/dev/null",
            "core.quotePath=false",
            "gc.auto=0",
            "maintenance.auto=false",
            "merge.renames=false",
            "merge.directoryRenames=false",
            "merge.conflictStyle=merge",
            "diff.renames=false",
        ] {
            command.args(["-c", setting]);
        }
        command
    }

    /// Whether names of objects are SHA-256.
    fn long_names(&self) -> bool {
        self.empty == EMPTY_TREE_256
    }

    /// What a call prints.
    fn run<S: AsRef<OsStr>>(&self, words: &[S], input: &[u8]) -> Result<Vec<u8>, GitError> {
        let output = self.output(words, input)?;
        checked(output, &said(words))
    }

    /// How a call ends, also when it does not end well.
    fn output<S: AsRef<OsStr>>(&self, words: &[S], input: &[u8]) -> Result<Output, GitError> {
        Self::output_of(self.command(), words, input)
    }

    fn output_of<S: AsRef<OsStr>>(
        mut command: Command,
        words: &[S],
        input: &[u8],
    ) -> Result<Output, GitError> {
        let failed = |why: std::io::Error| GitError::new(format!("git {}: {why}", said(words)));
        command.args(words).stdout(Stdio::piped()).stderr(Stdio::piped());
        if input.is_empty() {
            return command.stdin(Stdio::null()).output().map_err(failed);
        }
        let mut child = command.stdin(Stdio::piped()).spawn().map_err(failed)?;
        let stdin = child.stdin.take();
        std::thread::scope(|scope| {
            // Apart, so that neither waits for the other with a full pipe.
            let written = scope.spawn(move || stdin.map_or(Ok(()), |mut stdin| stdin.write_all(input)));
            let output = child.wait_with_output().map_err(failed)?;
            let written = written.join().unwrap_or(Ok(()));
            match written {
                Err(why) if output.status.success() => Err(failed(why)),
                _ => Ok(output),
            }
        })
    }
}

impl fmt::Debug for Git {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Git").field("dir", &self.dir).finish_non_exhaustive()
    }
}

fn said<S: AsRef<OsStr>>(words: &[S]) -> String {
    words.iter().map(|word| word.as_ref().to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn checked(output: Output, words: &str) -> Result<Vec<u8>, GitError> {
    if output.status.success() {
        return Ok(output.stdout);
    }
    let why = String::from_utf8_lossy(&output.stderr);
    Err(GitError::new(format!("git {words}: {}", why.trim())))
}

/// Without the line's end.
fn text(bytes: Vec<u8>) -> Result<String, GitError> {
    let mut text =
        String::from_utf8(bytes).map_err(|_| GitError::new("git said something that is no UTF-8"))?;
    text.truncate(text.trim_end_matches('\n').len());
    Ok(text)
}
